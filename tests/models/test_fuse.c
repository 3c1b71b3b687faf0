/* Layers that run together give what they give one after the other: outputs, gradients, parameters
 * after some steps, and running statistics; with fewer ops. */
#include <math.h>
#include <stdio.h>

#include "ops/loss.h"
#include "optim/optimizers.h"
#include "tests/models/model_test.h"

typedef struct run {
    fixture f;
    nm_tensor *x, *labels;
    nm_optimizer *optimizer;
    int64_t ops; /* of one forward pass in training */
} run;

static run begin_run(const char *yaml, nm_shape sample, nm_dtype dtype, bool fuse)
{
    run r = {.f = begin_with(yaml, sample,
                             (nm_model_options){NM_MODEL_DEFAULTS, .dtype = dtype, .fuse = fuse})};
    assert_fine(r.f.context);
    r.x = normal(&r.f, dtype, batch_of(12, sample), 5);
    r.labels = nm_tensor_create(r.f.context, NM_I32, NM_SHAPE(12));
    for (int64_t i = 0; i < 12; i++) {
        nm_tensor_set(r.labels, i, (double)(i % 3));
    }
    r.optimizer = nm_optimizer_create(r.f.store, &nm_sgd(.rate = 0.05, .momentum = 0.9), NULL, 0);
    assert_fine(r.f.context);
    return r;
}

static void end_run(run *r)
{
    nm_optimizer_destroy(r->optimizer);
    nm_tensor_destroy(r->labels);
    nm_tensor_destroy(r->x);
    end(&r->f);
}

static double step(run *r, int64_t number)
{
    nm_pass pass = {.tape = r->f.tape, .random = &r->f.random, .training = true};
    nm_tape_reset(r->f.tape);
    nm_tensor *y = nm_model_forward(r->f.model, &pass, r->x);
    r->ops = nm_tape_cost_so_far(r->f.tape).ops;
    nm_tensor *loss = nm_cross_entropy(r->f.tape, y, r->labels);
    nm_backward(r->f.tape, loss, 0);
    assert_fine(r->f.context);
    nm_optimizer_step(r->optimizer, number, 1, 1);
    nm_store_clear_grads(r->f.store);
    return nm_tensor_get(loss, 0);
}

static void assert_same(nm_tensor *a, nm_tensor *b, double tolerance, const char *what)
{
    ck_assert_int_eq(nm_tensor_count(a), nm_tensor_count(b));
    for (int64_t i = 0; i < nm_tensor_count(a); i++) {
        const double x = nm_tensor_get(a, i), y = nm_tensor_get(b, i);
        ck_assert_msg(fabs(x - y) <= tolerance * (1 + fabs(y)), "%s, %lld: %.9g and %.9g", what,
                      (long long)i, x, y);
    }
}

static void assert_same_stores(run *a, run *b, double tolerance)
{
    ck_assert_int_eq(nm_store_count(a->f.store), nm_store_count(b->f.store));
    for (int i = 0; i < nm_store_count(a->f.store); i++) {
        const nm_entry *p = nm_store_at(a->f.store, i), *q = nm_store_at(b->f.store, i);
        ck_assert_str_eq(p->name, q->name);
        assert_same(p->tensor, q->tensor, tolerance, p->name);
    }
}

/* Trains both for three steps, then evaluates. `saved`: how many ops less a forward pass has. */
static void compare_as(const char *yaml, nm_shape sample, nm_dtype dtype, int64_t saved)
{
    const double tolerance = dtype == NM_F64 ? 1e-11 : 2e-4;
    run fused = begin_run(yaml, sample, dtype, true), apart = begin_run(yaml, sample, dtype, false);
    for (int64_t i = 0; i < 3; i++) {
        const double a = step(&fused, i), b = step(&apart, i);
        ck_assert_msg(fabs(a - b) <= tolerance * (1 + fabs(b)), "loss %.9g and %.9g", a, b);
    }
    ck_assert_int_eq(apart.ops - fused.ops, saved);
    assert_same_stores(&fused, &apart, tolerance);
    nm_tape_reset(fused.f.tape);
    nm_tape_reset(apart.f.tape);
    nm_tensor *a = nm_model_predict(fused.f.model, fused.f.tape, fused.x);
    nm_tensor *b = nm_model_predict(apart.f.model, apart.f.tape, apart.x);
    assert_fine(fused.f.context);
    assert_fine(apart.f.context);
    assert_same(a, b, tolerance, "evaluation");
    end_run(&fused);
    end_run(&apart);
}

static void compare(const char *yaml, nm_shape sample, int64_t saved)
{
    compare_as(yaml, sample, NM_F32, saved);
    compare_as(yaml, sample, NM_F64, saved);
}

#define VECTOR NM_SHAPE(7)
#define IMAGE NM_SHAPE(6, 5, 3)

START_TEST(batch_norm_takes_an_activation)
{
    compare("[{dense: {units: 5}}, batch_norm, relu, {dense: {units: 3}}]", VECTOR, 1);
    compare("[{dense: {units: 5}}, batch_norm, sigmoid, {dense: {units: 3}}]", VECTOR, 1);
    compare("[{dense: {units: 5}}, batch_norm, tanh, {dense: {units: 3}}]", VECTOR, 1);
}
END_TEST

START_TEST(batch_norm_in_every_form_takes_it)
{
    compare("[{dense: {units: 5}}, {batch_norm: {mean_only: true}}, relu, {dense: {units: 3}}]",
            VECTOR, 1);
    compare("[{dense: {units: 5}}, {batch_norm: {affine: false, average: cumulative}}, relu,"
            " {dense: {units: 3}}]",
            VECTOR, 1);
    compare("[{dense: {units: 5}}, {batch_norm: {frozen: true}}, relu, {dense: {units: 3}}]",
            VECTOR, 1);
    compare("[{batch_norm: {axis: 1}}, relu, flatten, {dense: {units: 3}}]", IMAGE, 1);
}
END_TEST

START_TEST(linear_layers_take_an_activation)
{
    compare("[{dense: {units: 5}}, relu, {dense: {units: 4}}, tanh, {dense: {units: 3}}]", VECTOR,
            2);
    compare("[{conv2d: {channels: 4, kernel: 3}}, sigmoid, flatten, {dense: {units: 3}}]", IMAGE,
            1);
    compare("[{dense: {units: 5, weight_norm: {axis: 0}}}, relu, {dense: {units: 3}}]", VECTOR, 1);
    compare("[{dense: {units: 5, bias: false}}, relu, {dense: {units: 3}}]", VECTOR, 1);
}
END_TEST

START_TEST(batch_norm_takes_pooling_before_or_behind_the_activation)
{
    compare("[{conv2d: {channels: 4, kernel: 3, padding: 1}}, batch_norm, relu,"
            " {max_pool2d: {kernel: 2}}, flatten, {dense: {units: 3}}]",
            IMAGE, 2);
    compare("[batch_norm, {max_pool2d: {kernel: 2}}, relu, flatten, {dense: {units: 3}}]", IMAGE,
            2);
    compare("[batch_norm, {max_pool2d: {kernel: 2}}, flatten, {dense: {units: 3}}]", IMAGE, 1);
    compare("[batch_norm, {max_pool2d: {kernel: 2}}, sigmoid, flatten, {dense: {units: 3}}]", IMAGE,
            1);
}
END_TEST

START_TEST(other_poolings_are_not_taken)
{
    static const char *const others[] = {"kernel: [2, 1]",
                                         "kernel: 2, padding: 1",
                                         "kernel: 2, padding: [0, 0, 0, 1]",
                                         "kernel: 2, padding: [0, 0, 0, 0]",
                                         "kernel: 2, dilation: 2",
                                         "kernel: 2, ceil_mode: true",
                                         "kernel: 2, stride: [2, 1]",
                                         "kernel: 2, stride: [1, 2]"};
    for (int i = 0; i < NM_COUNT_OF(others); i++) {
        char yaml[256];
        snprintf(yaml, sizeof yaml,
                 "[batch_norm, relu, {max_pool2d: {%s}}, flatten, {dense: {units: 3}}]", others[i]);
        compare(yaml, IMAGE, 1);
    }
    compare("[batch_norm, relu, {max_pool2d: {kernel: [2, 2], stride: [2, 2], padding: 0, "
            "dilation: 1}}, flatten, {dense: {units: 3}}]",
            IMAGE, 2);
    compare("[batch_norm, relu, {max_pool2d: {kernel: 3}}, flatten, {dense: {units: 3}}]", IMAGE,
            1);
    compare(
        "[batch_norm, relu, {max_pool2d: {kernel: 2, stride: 1}}, flatten, {dense: {units: 3}}]",
        IMAGE, 1);
    compare("[batch_norm, relu, {avg_pool2d: {kernel: 2}}, flatten, {dense: {units: 3}}]", IMAGE,
            1);
    compare("[{batch_norm: {axis: 2}}, relu, {max_pool2d: {kernel: 2}}, flatten, {dense: {units: "
            "3}}]",
            IMAGE, 0);
}
END_TEST

START_TEST(relu_changes_places_with_pooling)
{
    compare("[{conv2d: {channels: 4, kernel: 3, padding: 1}}, relu, {max_pool2d: {kernel: 2}},"
            " flatten, {dense: {units: 3}}]",
            IMAGE, 0);
}
END_TEST

START_TEST(a_residual_is_added_by_the_last_batch_norm)
{
    compare("[{residual: {body: [{conv2d: {channels: 3, kernel: 3, padding: 1}}, batch_norm, relu,"
            " {conv2d: {channels: 3, kernel: 3, padding: 1}}, batch_norm]}}, relu, flatten,"
            " {dense: {units: 3}}]",
            IMAGE, 3);
    compare("[{residual: {body: [{conv2d: {channels: 4, kernel: 3, padding: 1}}, batch_norm],"
            " shortcut: [{conv2d: {channels: 4, kernel: 1}}, batch_norm]}}, flatten,"
            " {dense: {units: 3}}]",
            IMAGE, 1);
    compare("[{residual: {body: [{dense: {units: 7}}, {dropout: {p: 0.3}}, batch_norm],"
            " shortcut: [{dropout: {p: 0.5}}]}}, tanh, {dense: {units: 3}}]",
            VECTOR, 2);
    compare("[{residual: {body: [batch_norm, {dense: {units: 7}}]}}, relu, {dense: {units: 3}}]",
            VECTOR, 0);
}
END_TEST

START_TEST(lists_within_lists_are_seen_through)
{
    compare("[{sequence: {body: [{dense: {units: 5}}, batch_norm]}}, relu, {dense: {units: 3}}]",
            VECTOR, 1);
    compare("[{repeat: {times: 2, body: [{dense: {units: 5}}, batch_norm, relu]}},"
            " {dense: {units: 3}}]",
            VECTOR, 2);
}
END_TEST

START_TEST(the_file_can_say_no)
{
    run with = begin_run("{layers: [{dense: {units: 5}}, batch_norm, relu, {dense: {units: 3}}]}",
                         VECTOR, NM_F32, true);
    run without = begin_run(
        "{fuse: false, layers: [{dense: {units: 5}}, batch_norm, relu, {dense: {units: 3}}]}",
        VECTOR, NM_F32, true);
    step(&with, 0);
    step(&without, 0);
    ck_assert_int_eq(without.ops - with.ops, 1);
    end_run(&with);
    end_run(&without);
}
END_TEST

START_TEST(the_list_of_layers_stays_as_it_was_written)
{
    fixture f = begin("[{dense: {units: 5}}, batch_norm, relu]", VECTOR);
    ck_assert_int_eq(nm_model_layer_count(f.model), 3);
    ck_assert_str_eq(nm_model_layer_at(f.model, 2).name, "relu1");
    ck_assert_int_gt(nm_model_layer_at(f.model, 2).bytes, 0);
    end(&f);
}
END_TEST

/* ---- Folding for inference ---- */

/* Evaluation after some training, folded and not. `saved`: how many ops less folding leaves. */
static void check_folding(const char *yaml, nm_shape sample, int64_t saved)
{
    run r = begin_run(yaml, sample, NM_F64, true);
    fixture *f = &r.f;
    for (int64_t i = 0; i < 3; i++) {
        step(&r, i);
    }
    nm_tape *other = nm_tape_create(f->context);
    nm_tensor *plain = nm_model_predict(f->model, other, r.x);
    ck_assert_int_eq(nm_model_fold(f->model), NM_OK);
    nm_tape_reset(f->tape);
    nm_tensor *folded = nm_model_predict(f->model, f->tape, r.x);
    assert_fine(f->context);
    assert_same(folded, plain, 1e-12, "folded");
    ck_assert_int_eq(nm_tape_cost_so_far(other).ops - nm_tape_cost_so_far(f->tape).ops, saved);
    step(&r, 3); /* ends it */
    nm_tape_reset(f->tape);
    nm_tape_reset(other);
    folded = nm_model_predict(f->model, f->tape, r.x);
    ck_assert_int_eq(nm_model_fold(f->model), NM_OK);
    plain = nm_model_predict(f->model, other, r.x);
    assert_same(folded, plain, 1e-12, "folded again");
    nm_tape_destroy(other);
    end_run(&r);
}

START_TEST(inference_folds_batch_norm_into_the_layer_before)
{
    check_folding("[{dense: {units: 5}}, batch_norm, relu, {dense: {units: 3}}]", VECTOR, 1);
    check_folding("[{conv2d: {channels: 4, kernel: 3, bias: false}}, batch_norm, tanh, flatten,"
                  " {dense: {units: 3}}]",
                  IMAGE, 1);
    check_folding("[{dense: {units: 5}}, {batch_norm: {mean_only: true}}, sigmoid,"
                  " {dense: {units: 3}}, {batch_norm: {affine: false}}]",
                  VECTOR, 2);
    check_folding("[{dense: {units: 5, bias: false, weight_norm: {axis: 0}}}, batch_norm,"
                  " {dense: {units: 3}}]",
                  VECTOR, 2);
    check_folding("[{residual: {body: [{conv2d: {channels: 3, kernel: 3, padding: 1}}, batch_norm,"
                  " relu, {conv2d: {channels: 3, kernel: 3, padding: 1}}, batch_norm]}}, relu,"
                  " flatten, {dense: {units: 3}}]",
                  IMAGE, 0); /* two norms less; the addition and its relu stand by themselves */
    check_folding("[{conv2d: {channels: 4, kernel: 3, padding: 1}}, batch_norm, relu,"
                  " {max_pool2d: {kernel: 2}}, flatten, {dense: {units: 3}}]",
                  IMAGE, 0);
}
END_TEST

START_TEST(what_cannot_be_folded_is_left_alone)
{
    check_folding("[batch_norm, relu, {dense: {units: 3}}]", VECTOR, 0);
    check_folding("[{conv2d: {channels: 4, kernel: 3}}, {batch_norm: {axis: 1}}, flatten,"
                  " {dense: {units: 3}}]",
                  IMAGE, 0);
    check_folding("[{dense: {units: 5}}, relu, batch_norm, {dense: {units: 3}}]", VECTOR, 0);
}
END_TEST

static nm_status fold_a_model(test_memory *memory)
{
    static const char yaml[] = "[{dense: {units: 5}}, batch_norm, relu, {dense: {units: 3}}]";
    nm_context *context = open_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    nm_document *document = nm_document_parse(context, yaml, SIZE_MAX, "net.yaml");
    nm_shape sample = VECTOR;
    nm_model *model =
        document ? nm_model_create(context, document, nm_document_root(document), &sample, NULL)
                 : NULL;
    if (model) {
        nm_model_fold(model);
    }
    nm_status status = nm_context_status(context);
    nm_model_destroy(model);
    nm_document_destroy(document);
    nm_close(context);
    return status;
}

START_TEST(folding_survives_the_failure_of_every_allocation)
{
    test_every_allocation(fold_a_model);
}
END_TEST

TEST_MAIN("models/fuse", batch_norm_takes_an_activation, batch_norm_in_every_form_takes_it,
          linear_layers_take_an_activation,
          batch_norm_takes_pooling_before_or_behind_the_activation, other_poolings_are_not_taken,
          relu_changes_places_with_pooling, a_residual_is_added_by_the_last_batch_norm,
          lists_within_lists_are_seen_through, the_file_can_say_no,
          the_list_of_layers_stays_as_it_was_written,
          inference_folds_batch_norm_into_the_layer_before, what_cannot_be_folded_is_left_alone,
          folding_survives_the_failure_of_every_allocation)
