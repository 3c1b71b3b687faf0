/* Batch norm with what follows it: the same as the ops one after the other. The gradient check is
 * in test_all.c, PyTorch's values are in test_golden.c. */
#include <math.h>
#include <string.h>

#include "core/random.h"
#include "ops/linear.h"
#include "ops/ops.h"
#include "tests/test.h"

enum { X_, SCALE_, SHIFT_, RESIDUAL_, MEAN_, VAR_, TENSORS };

typedef struct trial {
    nm_context *context;
    nm_tape *tape;
    nm_tensor *in[TENSORS];
    nm_tensor *dy;
    nm_batch_norm_activation_options options;
} trial;

static nm_tensor *normal(trial *t, nm_dtype dtype, nm_shape shape, uint64_t stream)
{
    nm_random random = nm_random_create(3, stream);
    nm_tensor *x = nm_tape_tensor(t->tape, dtype, shape);
    nm_random_fill_normal(&random, x, 0.3, 1);
    nm_tensor_set_requires_grad(x, true);
    return x;
}

static trial begin(int threads, nm_dtype dtype, nm_shape shape, int64_t axis, bool residual,
                   nm_activation activation)
{
    nm_context_options options = {.threads = threads, .seed = 1};
    trial t = {.context = nm_context_create(&options),
               .options = {NM_BATCH_NORM_ACTIVATION_DEFAULTS, .axis = axis,
                           .activation = (int)activation,
                           NM_END(nm_batch_norm_activation_options)}};
    nm_register_ops(t.context);
    t.tape = nm_tape_create(t.context);
    nm_shape channels = NM_SHAPE(shape.dim[axis < 0 ? shape.rank + axis : axis]);
    for (int i = 0; i < TENSORS; i++) {
        t.in[i] = normal(&t, dtype, i == X_ || i == RESIDUAL_ ? shape : channels, (uint64_t)i);
    }
    for (int64_t i = 0; i < channels.dim[0]; i++) {
        nm_tensor_set(t.in[VAR_], i, 0.5 + fabs(nm_tensor_get(t.in[VAR_], i)));
    }
    t.in[RESIDUAL_] = residual ? t.in[RESIDUAL_] : NULL;
    t.dy = normal(&t, dtype, shape, 20);
    assert_fine(t.context);
    return t;
}

static void end(trial *t)
{
    assert_fine(t->context);
    nm_tape_destroy(t->tape);
    nm_context_destroy(t->context);
}

static nm_batch_norm_result fused(trial *t)
{
    return nm_batch_norm_activation_with(t->tape, t->in[X_], t->in[SCALE_], t->in[SHIFT_],
                                         t->in[RESIDUAL_], t->in[MEAN_], t->in[VAR_], &t->options);
}

static nm_batch_norm_result one_by_one(trial *t)
{
    nm_batch_norm_options o = {NM_END(nm_batch_norm_options), .axis = t->options.axis,
                               .eps = t->options.eps, .mode = t->options.mode,
                               .mean_only = t->options.mean_only};
    nm_batch_norm_result r = nm_batch_norm_with(t->tape, t->in[X_], t->in[SCALE_], t->in[SHIFT_],
                                                t->in[MEAN_], t->in[VAR_], &o);
    r.y = t->in[RESIDUAL_] ? nm_add(t->tape, r.y, t->in[RESIDUAL_]) : r.y;
    switch ((nm_activation)t->options.activation) {
    case NM_ACTIVATION_RELU: r.y = nm_relu(t->tape, r.y); break;
    case NM_ACTIVATION_SIGMOID: r.y = nm_sigmoid(t->tape, r.y); break;
    case NM_ACTIVATION_TANH: r.y = nm_tanh(t->tape, r.y); break;
    case NM_ACTIVATION_NONE: break;
    }
    return r;
}

/* The gradients of <y, dy>, and for good measure of what mean and var give, in all inputs. */
static void differentiate(trial *t, const nm_batch_norm_result *r, nm_tensor *grads[TENSORS])
{
    nm_tensor *outputs[] = {r->y, r->mean, r->var}, *dys[] = {t->dy, NULL, NULL};
    nm_tensor *inputs[TENSORS], *found[TENSORS];
    int count = 0, at = 0;
    for (int i = 0; i < TENSORS; i++) {
        inputs[count] = t->in[i];
        count += t->in[i] != NULL;
    }
    nm_gradients(t->tape, outputs, dys, 3, inputs, count, NM_KEEP_GRAPH, found);
    for (int i = 0; i < TENSORS; i++) {
        grads[i] = t->in[i] ? found[at++] : NULL;
    }
}

static void assert_close(const nm_tensor *a, const nm_tensor *b, double tolerance)
{
    ck_assert_int_eq(nm_tensor_count(a), nm_tensor_count(b));
    for (int64_t i = 0; i < nm_tensor_count(a); i++) {
        const double x = nm_tensor_get((nm_tensor *)(uintptr_t)a, i);
        const double y = nm_tensor_get((nm_tensor *)(uintptr_t)b, i);
        ck_assert_msg(fabs(x - y) <= tolerance * (1 + fabs(y)), "%lld: %.9g and %.9g", (long long)i,
                      x, y);
    }
}

static void compare(trial *t, double tolerance)
{
    nm_tensor *a[TENSORS], *b[TENSORS];
    nm_batch_norm_result whole = fused(t), parts = one_by_one(t);
    assert_fine(t->context);
    assert_close(whole.y, parts.y, tolerance);
    assert_close(whole.mean, parts.mean, 0);
    assert_close(whole.var, parts.var, 0);
    differentiate(t, &whole, a);
    differentiate(t, &parts, b);
    assert_fine(t->context);
    for (int i = 0; i < TENSORS; i++) {
        if (t->in[i]) {
            assert_close(a[i], b[i], 20 * tolerance);
        }
    }
}

static void compare_shape(nm_dtype dtype, nm_shape shape, int64_t axis)
{
    for (int residual = 0; residual < 2; residual++) {
        for (int activation = 0; activation <= NM_ACTIVATION_TANH; activation++) {
            for (int mode = NM_TRAINING; mode <= NM_INFERENCE; mode++) {
                trial t = begin(2, dtype, shape, axis, residual, (nm_activation)activation);
                t.options.mode = mode;
                compare(&t, dtype == NM_F64 ? 1e-13 : 1e-6);
                end(&t);
            }
        }
    }
}

START_TEST(one_pass_gives_what_the_ops_give_one_by_one)
{
    static const int64_t widths[] = {1, 3, 16, 17, 64, 100, 129, 300};
    for (size_t i = 0; i < NM_COUNT_OF(widths); i++) {
        compare_shape(NM_F32, NM_SHAPE(9, widths[i]), -1);
    }
    compare_shape(NM_F32, NM_SHAPE(3, 7, 5, 16), -1);
    compare_shape(NM_F32, NM_SHAPE(1301, 16), -1);
    compare_shape(NM_F64, NM_SHAPE(23, 13), -1);
}
END_TEST

START_TEST(channels_on_any_axis)
{
    compare_shape(NM_F32, NM_SHAPE(4, 3, 7, 5), 1);
    compare_shape(NM_F32, NM_SHAPE(3, 4, 700), 1);
    compare_shape(NM_F64, NM_SHAPE(5, 40), 0);
}
END_TEST

START_TEST(mean_only_too)
{
    trial t = begin(2, NM_F32, NM_SHAPE(33, 20), -1, false, NM_ACTIVATION_RELU);
    t.options.mean_only = true;
    compare(&t, 1e-6);
    end(&t);
}
END_TEST

/* A relu's gate must be the forward pass's own, to the last bit: here every value is near it. */
START_TEST(the_gate_is_where_y_is_above_0_to_the_last_bit)
{
    trial t = begin(2, NM_F32, NM_SHAPE(500, 8), -1, false, NM_ACTIVATION_RELU);
    nm_tensor_fill(t.in[SHIFT_], 0);
    nm_tensor_fill(t.in[SCALE_], 1);
    for (int64_t i = 0; i < nm_tensor_count(t.in[X_]); i++) {
        float noise = (float)nm_tensor_get(t.in[X_], i);
        nm_tensor_set(t.in[X_], i, 1000 + (i % 17 ? 1e-4 * noise : 3 * noise));
    }
    nm_batch_norm_result r = fused(&t);
    nm_tensor *dshift, *ones = nm_full(t.tape, NM_F32, NM_SHAPE(500, 8), 1);
    nm_gradients(t.tape, &r.y, &ones, 1, &t.in[SHIFT_], 1, NM_KEEP_GRAPH, &dshift);
    assert_fine(t.context);
    for (int64_t c = 0; c < 8; c++) {
        int64_t above = 0;
        for (int64_t i = c; i < 4000; i += 8) {
            above += nm_tensor_get(r.y, i) > 0;
        }
        ck_assert_int_gt(above, 0);
        ck_assert_int_lt(above, 500);
        ck_assert(nm_tensor_get(dshift, c) == (double)above);
    }
    end(&t);
}
END_TEST

START_TEST(a_nan_comes_through_and_stays_in_its_channel)
{
    trial t = begin(2, NM_F32, NM_SHAPE(40, 3), -1, false, NM_ACTIVATION_RELU);
    nm_tensor_set(t.in[X_], 4, NAN);
    nm_batch_norm_result r = fused(&t);
    ck_assert(isnan(nm_tensor_get(r.y, 1)));
    ck_assert(isfinite(nm_tensor_get(r.y, 0)));
    ck_assert(isfinite(nm_tensor_get(r.y, 2)));
    end(&t);
}
END_TEST

START_TEST(the_bits_do_not_depend_on_the_number_of_threads)
{
    static float results[2][2][3001 * 16];
    for (int threads = 1; threads <= 2; threads++) {
        trial t = begin(threads, NM_F32, NM_SHAPE(3001, 16), -1, false, NM_ACTIVATION_RELU);
        nm_tensor *grads[TENSORS];
        nm_batch_norm_result r = fused(&t);
        differentiate(&t, &r, grads);
        assert_fine(t.context);
        memcpy(results[threads - 1][0], nm_tensor_data(r.y), sizeof results[0][0]);
        memcpy(results[threads - 1][1], nm_tensor_data(grads[X_]), sizeof results[0][1]);
        end(&t);
    }
    ck_assert_mem_eq(results[0], results[1], sizeof results[0]);
}
END_TEST

START_TEST(a_residual_of_another_shape_is_an_error_that_names_both)
{
    trial t = begin(1, NM_F32, NM_SHAPE(4, 3), -1, true, NM_ACTIVATION_RELU);
    t.in[RESIDUAL_] = normal(&t, NM_F32, NM_SHAPE(3, 4), 9);
    ck_assert_ptr_null(fused(&t).y);
    assert_error(t.context, NM_ERROR_INPUT, "residual [3, 4] must have the shape of x [4, 3]");
    nm_context_clear_error(t.context);
    end(&t);
}
END_TEST

/* ---- With pooling ---- */

static void compare_pooled(nm_dtype dtype, nm_shape shape, nm_activation activation, int mode)
{
    const double tolerance = dtype == NM_F64 ? 1e-13 : 1e-6;
    trial t = begin(2, dtype, shape, -1, false, activation);
    t.options.mode = mode;
    nm_tensor *a[TENSORS], *b[TENSORS];
    nm_batch_norm_result whole = nm_batch_norm_max_pool2d_with(
        t.tape, t.in[X_], t.in[SCALE_], t.in[SHIFT_], t.in[MEAN_], t.in[VAR_], &t.options);
    nm_batch_norm_result parts = one_by_one(&t);
    parts.y = nm_max_pool2d(t.tape, parts.y, .kernel = NM_INTS(2));
    assert_fine(t.context);
    t.dy = normal(&t, dtype, *nm_tensor_shape(parts.y), 21);
    assert_close(whole.y, parts.y, 0);
    assert_close(whole.mean, parts.mean, 0);
    assert_close(whole.var, parts.var, 0);
    differentiate(&t, &whole, a);
    differentiate(&t, &parts, b);
    assert_fine(t.context);
    for (int i = 0; i < TENSORS; i++) {
        if (t.in[i]) {
            assert_close(a[i], b[i], 20 * tolerance);
        }
    }
    end(&t);
}

START_TEST(pooling_in_the_same_pass_gives_what_the_ops_give_one_by_one)
{
    const nm_shape shapes[] = {NM_SHAPE(3, 8, 6, 16), NM_SHAPE(2, 7, 5, 3), NM_SHAPE(4, 2, 3, 33),
                               NM_SHAPE(1, 28, 28, 32), NM_SHAPE(2, 3, 2, 200)};
    for (size_t i = 0; i < NM_COUNT_OF(shapes); i++) {
        for (int mode = NM_TRAINING; mode <= NM_INFERENCE; mode++) {
            compare_pooled(NM_F32, shapes[i], NM_ACTIVATION_RELU, mode);
            compare_pooled(NM_F32, shapes[i], NM_ACTIVATION_NONE, mode);
        }
        compare_pooled(NM_F64, shapes[i], NM_ACTIVATION_RELU, NM_TRAINING);
    }
}
END_TEST

START_TEST(pooling_refuses_what_it_cannot_do)
{
    trial t = begin(1, NM_F32, NM_SHAPE(2, 4, 1, 3), -1, false, NM_ACTIVATION_RELU);
    ck_assert_ptr_null(
        nm_batch_norm_max_pool2d_with(t.tape, t.in[X_], NULL, NULL, NULL, NULL, NULL).y);
    assert_error(t.context, NM_ERROR_INPUT, "images of at least 2 by 2");
    nm_tensor *x = normal(&t, NM_F32, NM_SHAPE(2, 4, 4, 3), 5);
    t.options.axis = 1;
    ck_assert_ptr_null(
        nm_batch_norm_max_pool2d_with(t.tape, x, NULL, NULL, NULL, NULL, &t.options).y);
    assert_error(t.context, NM_ERROR_INPUT, "the channels must be the last axis");
    nm_tensor *index = nm_full(t.tape, NM_I32, NM_SHAPE(2, 2, 2, 3), 15), *out[3];
    nm_tensor *in[] = {
        x, normal(&t, NM_F32, NM_SHAPE(2, 2, 2, 3), 6), NULL, NULL, NULL, NULL, NULL, index};
    nm_call(t.tape, "batch_norm_max_pool2d_grad", in, 8, NULL, out, 3);
    assert_error(t.context, NM_ERROR_INPUT, "an index lies outside of its window");
    end(&t);
}
END_TEST

TEST_MAIN("ops/batch_norm_activation", one_pass_gives_what_the_ops_give_one_by_one,
          channels_on_any_axis, mean_only_too, the_gate_is_where_y_is_above_0_to_the_last_bit,
          a_nan_comes_through_and_stays_in_its_channel,
          the_bits_do_not_depend_on_the_number_of_threads,
          a_residual_of_another_shape_is_an_error_that_names_both,
          pooling_in_the_same_pass_gives_what_the_ops_give_one_by_one,
          pooling_refuses_what_it_cannot_do)
