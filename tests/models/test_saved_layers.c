/* Every layer of the catalogue is saved, opened and shared, and predicts the same bits. */
#include <stdio.h>

#include "models/predictor.h"
#include "tests/models/model_test.h"

typedef struct row {
    const char *layer, *options; /* NULL: none needed */
    nm_shape sample;
} row;

static const row rows[] = {
    {"dense", "{units: 3}", {1, {6}}},
    {"dense", "{units: 3, bias: false, weight_norm: {axis: 0}}", {1, {6}}},
    {"dense", "{units: 3, weight: {spectral_norm: {}}}", {1, {6}}},
    {"dense", "{units: 3, weight: {weight_standardization: {scaled: true}}}", {1, {6}}},
    {"conv2d", "{channels: 2, kernel: 3, padding: same, weight_norm: {}}", {3, {4, 4, 6}}},
    {"conv1d", "{channels: 2, kernel: 3}", {2, {5, 6}}},
    {"conv3d", "{channels: 2, kernel: 2}", {4, {3, 3, 3, 2}}},
    {"conv2d_transpose", "{channels: 2, kernel: 3, stride: 2}", {3, {4, 4, 6}}},
    {"batch_norm", NULL, {3, {4, 4, 6}}},
    {"batch_norm", "{mean_only: true}", {1, {6}}},
    {"batch_norm", "{average: cumulative, affine: false}", {1, {6}}},
    {"batch_renorm", "{warmup: 1, ramp: 2}", {1, {6}}},
    {"ghost_batch_norm", "{size: 3}", {1, {6}}},
    {"switchable_norm", NULL, {3, {4, 4, 6}}},
    {"iterative_whitening", "{size: 3}", {3, {4, 4, 6}}},
    {"filter_response_norm", NULL, {3, {4, 4, 6}}},
    {"dynamic_tanh", NULL, {1, {6}}},
    {"layer_norm", NULL, {1, {6}}},
    {"rms_norm", NULL, {1, {6}}},
    {"instance_norm", NULL, {3, {4, 4, 6}}},
    {"group_norm", "{groups: 3}", {3, {4, 4, 6}}},
    {"relu", NULL, {1, {6}}},
    {"leaky_relu", NULL, {1, {6}}},
    {"sigmoid", NULL, {1, {6}}},
    {"tanh", NULL, {1, {6}}},
    {"gelu", NULL, {1, {6}}},
    {"silu", NULL, {1, {6}}},
    {"mish", NULL, {1, {6}}},
    {"elu", "{alpha: 0.5}", {1, {6}}},
    {"selu", NULL, {1, {6}}},
    {"celu", NULL, {1, {6}}},
    {"softplus", NULL, {1, {6}}},
    {"hard_sigmoid", NULL, {1, {6}}},
    {"hard_swish", NULL, {1, {6}}},
    {"softmax", NULL, {1, {6}}},
    {"log_softmax", NULL, {1, {6}}},
    {"prelu", NULL, {1, {6}}},
    {"max_pool2d", "{kernel: 2}", {3, {4, 4, 6}}},
    {"avg_pool2d", "{kernel: 2}", {3, {4, 4, 6}}},
    {"lstm", "{units: 3}", {2, {5, 6}}},
    {"gru", "{units: 3}", {2, {5, 6}}},
    {"self_attention", NULL, {2, {5, 6}}},
    {"embedding", "{num_embeddings: 4, embedding_dim: 3}", {1, {6}}},
    {"dropout", "{p: 0.5}", {1, {6}}},
    {"noise", NULL, {1, {6}}},
    {"flatten", NULL, {3, {4, 4, 6}}},
    {"residual", "{body: [{dense: {units: 6}}, batch_norm]}", {1, {6}}},
    {"sequence", "{body: [{dense: {units: 3}}, batch_norm, relu]}", {1, {6}}},
    {"repeat", "{times: 2, body: [{dense: {units: 6}}, batch_norm]}", {1, {6}}},
    {"op", "{apply: {affine: {scale: 2}}}", {1, {6}}},
};

#define SAMPLES 6

/* Numbers of any sign; for embedding 0, 1, 2, 3. */
static nm_tensor *make_samples(fixture *f, const row *r)
{
    nm_tensor *x = normal(f, NM_F32, batch_of(SAMPLES, r->sample), 3);
    for (int64_t i = 0; strcmp(r->layer, "embedding") == 0 && i < nm_tensor_count(x); i++) {
        nm_tensor_set(x, i, (double)(i % 4));
    }
    return x;
}

static void assert_same_bits_as(const nm_tensor *y, const float *expected, int64_t count,
                                const char *text)
{
    ck_assert_msg(y && nm_tensor_count(y) == count, "%s", text);
    ck_assert_msg(memcmp(nm_tensor_f32((nm_tensor *)(uintptr_t)y), expected,
                         (size_t)count * sizeof *expected) == 0,
                  "%s predicts something else", text);
}

/* In another context, which knows nothing of this one. */
static void predict_elsewhere(const void *bytes, size_t size, nm_tensor *x, const float *expected,
                              int64_t count, const char *text)
{
    nm_context *context = open_context(NULL);
    nm_model *model = nm_model_open_memory(context, bytes, size, text);
    nm_tape *tape = nm_tape_create(context);
    assert_fine(context);
    nm_tensor *there = nm_tensor_copy_of(context, NM_F32, *nm_tensor_shape(x), nm_tensor_f32(x));
    assert_same_bits_as(nm_model_predict(model, tape, there), expected, count, text);
    size_t again;
    void *second = nm_model_save_memory(model, &again);
    ck_assert_msg(again == size && memcmp(second, bytes, size) == 0,
                  "%s is saved as something else", text);
    nm_free(context, second);
    nm_tensor_destroy(there);
    nm_tape_destroy(tape);
    nm_model_destroy(model);
    nm_close(context);
}

static void save_and_open(const row *r)
{
    char text[256];
    snprintf(text, sizeof text, "[{%s: %s}]", r->layer, r->options ? r->options : "{}");
    fixture f = begin(text, r->sample);
    nm_schema *schema = nm_schema_create(f.context); /* without one, a file has tensors alone */
    schema->shape = r->sample;
    schema->target_shape = *nm_model_output(f.model);
    nm_model_set_schema(f.model, schema);
    nm_tensor *x = make_samples(&f, r);
    for (int i = 0; i < 2; i++) {
        nm_tape_reset(f.tape);
        train(&f, x); /* statistics move */
    }
    nm_tape_reset(f.tape);
    nm_tensor *y = nm_model_predict(f.model, f.tape, x);
    assert_fine(f.context);
    size_t size;
    void *bytes = nm_model_save_memory(f.model, &size);
    assert_fine(f.context);
    predict_elsewhere(bytes, size, x, nm_tensor_f32(y), nm_tensor_count(y), text);
    nm_free(f.context, bytes);
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    nm_model_set_schema(f.model, NULL);
    nm_schema_destroy(schema);
    end(&f);
}

START_TEST(every_layer_that_is_saved_and_opened_predicts_the_same_bits)
{
    for (int i = 0; i < NM_COUNT_OF(rows); i++) {
        save_and_open(&rows[i]);
    }
}
END_TEST

START_TEST(no_layer_is_left_out)
{
    nm_context *context = open_context(NULL);
    for (int i = 0; i < nm_item_count(context, NM_KIND_LAYER); i++) {
        const char *name = nm_item_at(context, NM_KIND_LAYER, i)->name;
        int found = 0;
        for (int k = 0; k < NM_COUNT_OF(rows); k++) {
            found += strcmp(rows[k].layer, name) == 0;
        }
        ck_assert_msg(found, "%s has no row here", name);
    }
    nm_close(context);
}
END_TEST

TEST_MAIN("models/saved_layers", every_layer_that_is_saved_and_opened_predicts_the_same_bits,
          no_layer_is_left_out)
