/* Each layer by itself. Examples of all registered ones are gradient-checked in one place. */
#include <math.h>
#include <stdio.h>

#include "models/layer.h"

#include "tests/models/model_test.h"

/* ---- All layers ---- */

/* One or more for each registered layer: the list of layers, and a sample's shape. */
static const struct {
    const char *type, *yaml;
    nm_shape sample;
} examples[] = {
    {"dense", "[dense: {units: 3}]", {1, {4}}},
    {"dense", "[dense: {units: 3, weight_norm: true}]", {2, {2, 4}}},
    {"dense", "[dense: {units: 3, bias: false, weight_norm: {axis: -1}}]", {1, {4}}},
    {"dense", "[dense: {units: 3, weight: {weight_norm: {axis: 1}}}]", {1, {4}}},
    {"dense", "[dense: {units: 3, weight: {weight_standardization: {eps: 0.1}}}]", {1, {4}}},
    {"dense", "[dense: {units: 3, weight: {weight_standardization: {scaled: true}}}]", {1, {4}}},
    {"conv2d", "[conv2d: {channels: 4, kernel: [3, 2], padding: 1, groups: 2}]", {3, {4, 4, 2}}},
    {"conv2d", "[conv2d: {channels: 2, kernel: 2, stride: 2, weight_norm: true}]", {3, {4, 4, 2}}},
    {"conv2d", "[conv2d: {channels: 2, kernel: 3, stride: 2, padding: same}]", {3, {5, 4, 2}}},
    {"conv2d", "[conv2d: {channels: 2, kernel: 2, padding: [0, 1, 1, 0]}]", {3, {3, 3, 2}}},
    {"conv1d", "[conv1d: {channels: 3, kernel: 2}]", {2, {4, 2}}},
    {"conv1d",
     "[conv1d: {channels: 2, kernel: 3, stride: 2, padding: [1, 2], dilation: 2, groups: 2}]",
     {2, {5, 4}}},
    {"conv1d", "[conv1d: {channels: 2, kernel: 2, padding: same, weight_norm: true}]", {2, {4, 2}}},
    {"conv3d", "[conv3d: {channels: 2, kernel: 2, padding: same}]", {4, {2, 3, 2, 2}}},
    {"conv3d",
     "[conv3d: {channels: 2, kernel: [2, 1, 2], stride: [2, 1, 1], padding: [1, 0, 0], dilation: "
     "[1, 1, 2], groups: 2, bias: false}]",
     {4, {2, 2, 3, 4}}},
    {"conv2d_transpose", "[conv2d_transpose: {channels: 3, kernel: 2, stride: 2}]", {3, {2, 3, 2}}},
    {"conv2d_transpose",
     "[conv2d_transpose: {channels: 4, kernel: [3, 2], stride: [2, 1], padding: [1, 0], "
     "output_padding: [1, 0], dilation: [1, 2], groups: 2, weight_norm: true}]",
     {3, {2, 2, 4}}},
    {"conv2d_transpose",
     "[conv2d_transpose: {channels: 1, kernel: 3, stride: 2, padding: same}]",
     {3, {2, 2, 2}}},
    {"batch_norm", "[batch_norm]", {1, {3}}},
    {"batch_norm", "[batch_norm: {axis: 1}]", {3, {3, 2, 2}}},
    {"batch_norm", "[batch_norm: {mean_only: true}]", {1, {3}}},
    {"batch_norm", "[batch_norm: {frozen: true}]", {1, {3}}},
    {"layer_norm", "[layer_norm]", {1, {4}}},
    {"batch_renorm", "[batch_renorm: {warmup: 1000}]", {1, {3}}},
    {"ghost_batch_norm", "[ghost_batch_norm: {size: 2}]", {2, {3, 2}}},
    {"ghost_batch_norm", "[ghost_batch_norm: {size: 2, axis: 1}]", {3, {3, 2, 2}}},
    {"filter_response_norm", "[filter_response_norm]", {3, {2, 3, 2}}},
    {"filter_response_norm", "[filter_response_norm: {learned_eps: true}]", {3, {1, 1, 2}}},
    {"dynamic_tanh", "[dynamic_tanh]", {2, {3, 2}}},
    {"switchable_norm", "[switchable_norm]", {2, {3, 2}}},
    {"switchable_norm", "[switchable_norm: {axis: 1}]", {3, {2, 2, 2}}},
    {"iterative_whitening", "[iterative_whitening: {size: 2}]", {2, {4, 4}}},
    {"layer_norm", "[layer_norm: {axis: 1, eps: 0.1}]", {3, {2, 2, 3}}},
    {"rms_norm", "[rms_norm]", {1, {4}}},
    {"instance_norm", "[instance_norm]", {3, {2, 3, 2}}},
    {"group_norm", "[group_norm: {groups: 2}]", {3, {2, 2, 4}}},
    {"group_norm", "[group_norm: {groups: 2, affine: false}]", {1, {6}}},
    {"relu", "[relu]", {1, {4}}},
    {"leaky_relu", "[leaky_relu: {negative_slope: 0.3}]", {1, {4}}},
    {"sigmoid", "[sigmoid]", {1, {4}}},
    {"tanh", "[tanh]", {1, {4}}},
    {"gelu", "[gelu: {approximate: tanh}]", {1, {4}}},
    {"silu", "[silu]", {1, {4}}},
    {"mish", "[mish]", {1, {4}}},
    {"elu", "[elu: {alpha: 0.5}]", {1, {4}}},
    {"selu", "[selu]", {1, {4}}},
    {"celu", "[celu: {alpha: 2}]", {1, {4}}},
    {"softplus", "[softplus: {beta: 2, threshold: 3}]", {1, {4}}},
    {"hard_sigmoid", "[hard_sigmoid: {alpha: 0.3}]", {1, {4}}},
    {"hard_swish", "[hard_swish]", {1, {4}}},
    {"prelu", "[prelu: {init: -0.5}]", {1, {4}}},
    {"prelu", "[prelu: {shared: false}]", {3, {4, 3, 2}}},
    {"softmax", "[softmax]", {1, {4}}},
    {"log_softmax", "[log_softmax: {axis: 1}]", {2, {4, 2}}},
    {"max_pool2d", "[max_pool2d: {kernel: 2}]", {3, {4, 4, 2}}},
    {"max_pool2d",
     "[max_pool2d: {kernel: 2, stride: 1, dilation: 2, padding: same}]",
     {3, {4, 4, 2}}},
    {"avg_pool2d", "[avg_pool2d: {kernel: 2, ceil_mode: true}]", {3, {5, 3, 2}}},
    {"avg_pool2d", "[avg_pool2d: {kernel: 3, stride: 1, padding: 1}]", {3, {4, 4, 2}}},
    {"avg_pool2d", "[avg_pool2d: {global: true}]", {3, {4, 3, 2}}},
    {"lstm", "[lstm: {units: 2}]", {2, {3, 2}}},
    {"lstm", "[lstm: {units: 2, output: last, direction: both}]", {2, {3, 2}}},
    {"lstm", "[lstm: {units: 1, bias: false, direction: backward}]", {2, {2, 2}}},
    {"gru", "[gru: {units: 2}]", {2, {3, 2}}},
    {"gru", "[gru: {units: 2, direction: both, init: he}]", {2, {3, 1}}},
    {"gru", "[gru: {units: 1, output: last, direction: backward}]", {2, {2, 2}}},
    {"gru", "[gru: {units: 2, mask_value: 0, output: last}]", {2, {3, 2}}},
    {"self_attention", "[self_attention: {heads: 2}]", {2, {3, 4}}},
    {"self_attention",
     "[self_attention: {heads: 3, embed_dim: 6, causal: true, dropout: 0.2, bias: false, "
     "mask_value: 0}]",
     {2, {3, 2}}},
    {"embedding",
     "[residual: {body: [op: {apply: {affine: {scale: 0}}}, embedding: {num_embeddings: 3, "
     "embedding_dim: 1}, flatten]}]",
     {1, {4}}},
    {"dropout", "[dropout: {p: 0.4}]", {1, {6}}},
    {"noise", "[noise: {shift: 0.3}]", {2, {3, 2}}},
    {"flatten", "[flatten]", {3, {2, 3, 2}}},
    {"residual", "[residual: {body: [dense: {units: 4}, tanh]}]", {1, {4}}},
    {"residual",
     "[residual: {body: [dense: {units: 3}], shortcut: [dense: {units: 3}]}]",
     {1, {4}}},
    {"residual", "[residual: {recompute: true, body: [dense: {units: 4}, tanh]}]", {1, {4}}},
    {"sequence",
     "[sequence: {recompute: true, body: [dense: {units: 3}, tanh, dropout]}]",
     {1, {4}}},
    {"repeat", "[repeat: {times: 3, recompute: true, body: [batch_norm, tanh]}]", {1, {4}}},
    {"sequence", "[sequence: {body: [dense: {units: 3}, tanh]}]", {1, {4}}},
    {"repeat", "[repeat: {times: 3, body: [dense: {units: 4}, tanh]}]", {1, {4}}},
    {"op", "[op: {apply: square}]", {1, {4}}},
    {"op", "[op: {apply: {affine: {scale: 2, shift: 1}}}]", {1, {4}}},
};

START_TEST(every_registered_layer_has_an_example_here)
{
    nm_context *context = open_context(NULL);
    ck_assert_int_gt(nm_item_count(context, NM_KIND_LAYER), 10);
    for (int i = 0; i < nm_item_count(context, NM_KIND_LAYER); i++) {
        const nm_item *item = nm_item_at(context, NM_KIND_LAYER, i);
        int found = 0;
        for (int k = 0; k < NM_COUNT_OF(examples); k++) {
            found += !strcmp(examples[k].type, item->name);
        }
        ck_assert_msg(found, "the layer \"%s\" has no example", item->name);
        ck_assert_msg(item->spec && item->spec->count &&
                          !strcmp(item->spec->options[0].name, "name"),
                      "the layer \"%s\" cannot be given a name", item->name);
    }
    nm_close(context);
}
END_TEST

/* sum(r * layer(x)) in training, with the same dropout every time. */
static nm_tensor *loss_of(fixture *f, nm_tensor *x)
{
    nm_tape_reset(f->tape);
    f->random.position = 0;
    nm_tensor *y = train(f, x);
    assert_fine(f->context);
    nm_tensor *r = nm_tape_tensor(f->tape, NM_F64, *nm_tensor_shape(y));
    nm_random random = nm_random_create(5, 5);
    nm_random_fill_normal(&random, r, 0, 1);
    return nm_sum(f->tape, nm_mul(f->tape, r, y));
}

static double difference_quotient(fixture *f, nm_tensor *x, nm_tensor *p, int64_t at)
{
    const double step = 1e-5;
    double old = nm_tensor_get(p, at);
    nm_tensor_set(p, at, old + step);
    double above = nm_tensor_item(loss_of(f, x));
    nm_tensor_set(p, at, old - step);
    double below = nm_tensor_item(loss_of(f, x));
    nm_tensor_set(p, at, old);
    return (above - below) / (2 * step);
}

static void check_gradient(fixture *f, nm_tensor *x, nm_tensor *p, const char *yaml)
{
    nm_tensor *gradient = nm_tensor_grad(p);
    ck_assert_msg(gradient != NULL, "%s: %s has no gradient", yaml, nm_tensor_name(p));
    for (int64_t i = 0; i < nm_tensor_count(p); i++) {
        double have = nm_tensor_get(gradient, i), want = difference_quotient(f, x, p, i);
        ck_assert_msg(near_to(have, want, 1e-5, 1e-8), "%s: gradient of %s[%lld] is %g, not %g",
                      yaml, nm_tensor_name(p), (long long)i, have, want);
    }
}

START_TEST(every_parameter_and_input_of_every_layer_gets_its_gradient)
{
    for (int k = 0; k < NM_COUNT_OF(examples); k++) {
        fixture f = begin_f64(examples[k].yaml, examples[k].sample);
        nm_tensor *x = normal(&f, NM_F64, batch_of(3, examples[k].sample), 7);
        nm_tensor_set_name(x, "x");
        nm_tensor_set_requires_grad(x, true);
        nm_backward(f.tape, loss_of(&f, x), 0);
        assert_fine(f.context);
        check_gradient(&f, x, x, examples[k].yaml);
        for (int i = 0; i < nm_store_count(f.store); i++) {
            if (nm_store_at(f.store, i)->role == NM_PARAMETER) {
                check_gradient(&f, x, nm_store_at(f.store, i)->tensor, examples[k].yaml);
            }
        }
        nm_tape_reset(f.tape);
        nm_tensor_destroy(x);
        end(&f);
    }
}
END_TEST

START_TEST(evaluation_of_a_sample_does_not_depend_on_its_batch)
{
    for (int k = 0; k < NM_COUNT_OF(examples); k++) {
        fixture f = begin_f64(examples[k].yaml, examples[k].sample);
        nm_tensor *x = normal(&f, NM_F64, batch_of(5, examples[k].sample), 7);
        train(&f, x); /* so that running statistics are not 0 and 1 */
        nm_tensor *all = evaluate(&f, x);
        for (int64_t i = 0; i < 5; i++) {
            size_t bytes = nm_tensor_bytes(x) / 5, out = nm_tensor_bytes(all) / 5;
            nm_tensor *one = nm_tape_wrap(f.tape, NM_F64, batch_of(1, examples[k].sample),
                                          (char *)nm_tensor_data(x) + (size_t)i * bytes);
            nm_tensor *y = evaluate(&f, one);
            assert_fine(f.context);
            const double *a = nm_tensor_data(y);
            const double *b = (double *)(void *)((char *)nm_tensor_data(all) + (size_t)i * out);
            for (size_t j = 0; j < out / sizeof *a; j++) {
                ck_assert_msg(near_to(a[j], b[j], 1e-12, 1e-12), "%s: %g, not %g", examples[k].yaml,
                              a[j], b[j]);
            }
        }
        nm_tape_reset(f.tape);
        nm_tensor_destroy(x);
        end(&f);
    }
}
END_TEST

/* ---- Dropout ---- */

START_TEST(dropout_is_for_training_and_drawn_from_the_pass)
{
    fixture f = begin("[dropout: {p: 0.5}]", NM_SHAPE(40));
    nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(2, 40), 1);
    ck_assert(same_bits(evaluate(&f, x), x));
    nm_tensor *first = train(&f, x), *second = train(&f, x);
    f.random.position = 0;
    nm_tensor *again = train(&f, x);
    ck_assert(!same_bits(first, x));
    ck_assert(!same_bits(first, second));
    ck_assert(same_bits(first, again));
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

START_TEST(dropout_without_random_numbers_is_an_error)
{
    fixture f = begin("[dropout]", NM_SHAPE(2));
    nm_pass pass = {.tape = f.tape, .training = true};
    ck_assert_ptr_null(
        nm_model_forward(f.model, &pass, nm_full(f.tape, NM_F32, NM_SHAPE(1, 2), 1)));
    assert_error(f.context, NM_ERROR_INPUT, "layer \"dropout1\": dropout: a training pass needs");
    end(&f);
}
END_TEST

START_TEST(noise_scales_and_shifts_a_channel_by_one_of_two_and_another_at_every_step)
{
    fixture f = begin("[noise: {shift: 0.5, scale: 0.25, each: 0}]", NM_SHAPE(8));
    nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(6, 8), 1);
    ck_assert(same_bits(evaluate(&f, x), x));
    nm_tensor *y = train(&f, x), *next = train(&f, x);
    ck_assert(!same_bits(y, next));
    for (int c = 0; c < 8; c++) {
        const double factor = (nm_tensor_get(y, c) - nm_tensor_get(y, 8 + c)) /
                              (nm_tensor_get(x, c) - nm_tensor_get(x, 8 + c));
        assert_near(fabs(factor - 1), 0.25, 1e-4, 1e-5);
        for (int i = 0; i < 6; i++) {
            const double left = nm_tensor_get(y, 8 * i + c) - factor * nm_tensor_get(x, 8 * i + c);
            assert_near(fabs(left), 0.5, 1e-4, 1e-4);
        }
    }
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

/* ---- Layers in layers ---- */

START_TEST(a_residual_adds_its_input)
{
    fixture f = begin("[residual: {body: [op: {apply: square}]}]", NM_SHAPE(2));
    float values[] = {3, -2};
    nm_tensor *x = nm_tensor_copy_of(f.context, NM_F32, NM_SHAPE(1, 2), values);
    nm_tensor *y = evaluate(&f, x);
    assert_near(nm_tensor_get(y, 0), 12, 0, 0);
    assert_near(nm_tensor_get(y, 1), 2, 0, 0);
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

START_TEST(a_residual_does_not_broadcast)
{
    refused("[dense: {units: 4}, residual: {body: [dense: {units: 1}]}]", NM_SHAPE(3),
            "net.yaml:1:21: layer \"residual1\": residual: the body makes [batch, 1], the shortcut "
            "(the input) [batch, 4]; add shortcut: [dense: {units: 1}]");
    refused("[residual: {body: [dense: {units: 1}], shortcut: [dense: {units: 2}]}]", NM_SHAPE(3),
            "net.yaml:1:2: layer \"residual1\": residual: the body makes [batch, 1], the shortcut "
            "[batch, 2]; they must be the same");
}
END_TEST

START_TEST(an_unknown_last_layer_of_a_residual_is_an_error)
{
    refused("[residual: {body: [dense: {units: 3}, rely]}]", NM_SHAPE(3),
            "net.yaml:1:39: model: unknown layer \"rely\"; did you mean \"relu\"?");
}
END_TEST

START_TEST(repeated_layers_have_parameters_of_their_own)
{
    fixture f = begin("[repeat: {times: 2, body: [dense: {units: 3}, relu]}]", NM_SHAPE(3));
    ck_assert_int_eq(nm_store_count(f.store), 4);
    ck_assert(
        !same_bits(named(&f, "repeat1.1.dense1.weight"), named(&f, "repeat1.2.dense1.weight")));
    end(&f);
}
END_TEST

/* ---- op ---- */

START_TEST(an_op_of_several_inputs_is_no_layer)
{
    refused("[op: {apply: mul}]", NM_SHAPE(3),
            "net.yaml:1:14: op: \"mul\" takes 2 inputs; a layer has one");
}
END_TEST

START_TEST(the_batch_must_stay_the_first_axis)
{
    refused("[op: {apply: sum}]", NM_SHAPE(3),
            "net.yaml:1:2: layer \"op1\": op: it makes [] of [batch, 3]; the first axis, the "
            "batch, must "
            "stay as it is");
    refused("[op: {apply: {reshape: {shape: [1, 3]}}}]", NM_SHAPE(3),
            "net.yaml:1:2: layer \"op1\": reshape: x [batch, 3] does not have as many elements "
            "as [1, 3]");
    refused("[op: {apply: {reshape: {shape: [-1, 2]}}}]", NM_SHAPE(4),
            "net.yaml:1:2: layer \"op1\": op: it makes [2*batch, 2] of [batch, 4]; the first axis, "
            "the batch, must stay as it is");
}
END_TEST

TEST_MAIN("models/layers", every_registered_layer_has_an_example_here,
          every_parameter_and_input_of_every_layer_gets_its_gradient,
          evaluation_of_a_sample_does_not_depend_on_its_batch,
          dropout_is_for_training_and_drawn_from_the_pass,
          dropout_without_random_numbers_is_an_error,
          noise_scales_and_shifts_a_channel_by_one_of_two_and_another_at_every_step,
          a_residual_adds_its_input, an_unknown_last_layer_of_a_residual_is_an_error,
          a_residual_does_not_broadcast, repeated_layers_have_parameters_of_their_own,
          an_op_of_several_inputs_is_no_layer, the_batch_must_stay_the_first_axis)
