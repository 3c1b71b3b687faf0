/* Results that are kept in bf16, and ops that take them. */
#include "ops/kernels/conv.h"
#include "ops/kernels/conv_wide.h"
#include "ops/linear.h"
#include "ops/norm.h"
#include "tests/ops/conv_reference.h"

static void assert_bits(const nm_tensor *a, const nm_tensor *b)
{
    ck_assert_int_eq(nm_tensor_dtype(a), nm_tensor_dtype(b));
    ck_assert_mem_eq(nm_tensor_data((nm_tensor *)(uintptr_t)a),
                     nm_tensor_data((nm_tensor *)(uintptr_t)b), nm_tensor_bytes(a));
}

/* Normal numbers that bf16 has, in both types. */
typedef struct both {
    nm_tensor *wide, *narrow;
} both;

static both random_both(fixture *f, nm_shape shape)
{
    both b = {.narrow = copy_as(f, random_tensor(f, NM_F32, shape), NM_BF16)};
    b.wide = copy_as(f, b.narrow, NM_F32);
    nm_tensor_set_requires_grad(b.wide, true);
    nm_tensor_set_requires_grad(b.narrow, true);
    return b;
}

/* Nowhere farther from each other than by that part of the largest element. */
static void assert_near_to(nm_tensor *a, nm_tensor *b, double tolerance)
{
    double largest = 0;
    int64_t far = -1;
    ck_assert_int_eq(nm_tensor_dtype(a), nm_tensor_dtype(b));
    for (int64_t i = 0; i < nm_tensor_count(b); i++) {
        largest = fmax(largest, fabs(nm_tensor_get(b, i)));
    }
    for (int64_t i = 0; i < nm_tensor_count(b) && far < 0; i++) {
        const double apart = fabs(nm_tensor_get(a, i) - nm_tensor_get(b, i));
        far = apart <= tolerance * largest ? -1 : i; /* NaN is far, too */
    }
    ck_assert_msg(far < 0, "element %lld: %g and %g, of up to %g", (long long)far,
                  nm_tensor_get(a, far), nm_tensor_get(b, far), largest);
}

static nm_tensor *variable(fixture *f, nm_shape shape)
{
    nm_tensor *x = random_tensor(f, NM_F32, shape);
    nm_tensor_set_requires_grad(x, true);
    return x;
}

/* ---- Batch norm ---- */

enum { X, RESIDUAL, SCALE, SHIFT, INPUTS };

static nm_tensor *normalize(fixture *f, nm_tensor *const in[INPUTS], nm_activation activation,
                            bool narrow)
{
    const nm_batch_norm_activation_options o = {NM_BATCH_NORM_ACTIVATION_DEFAULTS,
                                                .activation = (int)activation, .narrow = narrow,
                                                NM_END(nm_batch_norm_activation_options)};
    return nm_batch_norm_activation_with(f->tape, in[X], in[SCALE], in[SHIFT], in[RESIDUAL], NULL,
                                         NULL, &o)
        .y;
}

/* The gradients of <y, dy>, in f32 all of them. */
static void differentiate(fixture *f, nm_tensor *y, nm_tensor *dy, nm_tensor *const in[INPUTS],
                          nm_tensor *grads[INPUTS])
{
    nm_tensor *given[INPUTS], *found[INPUTS];
    int count = 0, at = 0;
    for (int i = 0; i < INPUTS; i++) {
        given[count] = in[i];
        count += in[i] != NULL;
    }
    nm_gradients(f->tape, &y, &dy, 1, given, count, NM_KEEP_GRAPH, found);
    assert_fine(f->context);
    for (int i = 0; i < INPUTS; i++) {
        grads[i] = in[i] ? found[at++] : NULL;
    }
}

static void compare_norm(fixture *f, nm_shape shape, bool residual, nm_activation activation)
{
    const nm_shape channels = NM_SHAPE(shape.dim[shape.rank - 1]);
    const both x = random_both(f, shape), r = random_both(f, shape);
    nm_tensor *scale = variable(f, channels), *shift = variable(f, channels);
    nm_tensor *dy = random_tensor(f, NM_F32, shape);
    nm_tensor *wide[] = {x.wide, residual ? r.wide : NULL, scale, shift};
    nm_tensor *narrow[] = {x.narrow, residual ? r.narrow : NULL, scale, shift};
    nm_tensor *y = normalize(f, wide, activation, false), *a[INPUTS], *b[INPUTS];
    assert_fine(f->context);
    assert_bits(normalize(f, wide, activation, true), copy_as(f, y, NM_BF16));
    assert_bits(normalize(f, narrow, activation, false), y);
    nm_tensor *kept = normalize(f, narrow, activation, true);
    assert_bits(kept, copy_as(f, y, NM_BF16));
    differentiate(f, y, dy, wide, a);
    differentiate(f, kept, dy, narrow, b);
    for (int i = 0; i < INPUTS; i++) {
        if (a[i] && activation != NM_ACTIVATION_TANH) {
            assert_bits(b[i], a[i]);
        } else if (i < SCALE && a[i]) { /* computed from y, which was rounded */
            assert_near_to(b[i], a[i], 0.05);
        }
    }
    nm_tape_reset(f->tape);
}

/* Narrow rows, one channel, rows that fill no vector, wide ones in blocks, several tiles. */
START_TEST(batch_norm_of_bf16_computes_in_f32_and_rounds_once)
{
    const nm_shape shapes[] = {NM_SHAPE(3, 5, 7, 3),   NM_SHAPE(50, 1),     NM_SHAPE(7, 100),
                               NM_SHAPE(3, 3, 5, 200), NM_SHAPE(200, 1000), NM_SHAPE(9, 30, 31, 16),
                               NM_SHAPE(4, 0)};
    fixture f = begin();
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (int residual = 0; residual < 2; residual++) {
            compare_norm(&f, shapes[i], residual, NM_ACTIVATION_NONE);
            compare_norm(&f, shapes[i], residual, NM_ACTIVATION_RELU);
            compare_norm(&f, shapes[i], residual, NM_ACTIVATION_TANH);
        }
    }
    end(f);
}
END_TEST

static void sums_of(int threads, nm_tensor *results[2], fixture *f)
{
    nm_context_set_threads(f->context, threads);
    f->random = nm_random_create(5, 0);
    const both x = random_both(f, NM_SHAPE(40, 20, 20, 16));
    nm_tensor *in[] = {x.narrow, NULL, variable(f, NM_SHAPE(16)), variable(f, NM_SHAPE(16))};
    nm_tensor *grads[INPUTS], *dy = random_tensor(f, NM_F32, NM_SHAPE(40, 20, 20, 16));
    results[0] = normalize(f, in, NM_ACTIVATION_RELU, true);
    differentiate(f, results[0], dy, in, grads);
    results[1] = grads[X];
}

START_TEST(batch_norm_of_bf16_has_the_same_bits_for_any_number_of_threads)
{
    fixture f = begin();
    nm_tensor *one[2], *three[2];
    sums_of(1, one, &f);
    sums_of(3, three, &f);
    assert_bits(one[0], three[0]);
    assert_bits(one[1], three[1]);
    end(f);
}
END_TEST

START_TEST(batch_norm_refuses_bf16_with_channels_elsewhere)
{
    fixture f = begin();
    const both x = random_both(&f, NM_SHAPE(4, 3, 5));
    ck_assert(nm_batch_norm(f.tape, x.narrow, NULL, NULL, .axis = 1) == NULL);
    assert_error(f.context, NM_ERROR_INPUT, "bf16 must have their channels on the last axis");
    end(f);
}
END_TEST

/* ---- Convolutions ---- */

typedef struct geometry {
    int64_t n, size, in, out, kernel, stride, padding, groups;
} geometry;

static nm_tensor *convolve(fixture *f, const geometry *g, nm_tensor *x, nm_tensor *w,
                           nm_precision precision, nm_activation activation, bool narrow)
{
    return nm_conv2d_activation(f->tape, x, w, NULL, .stride = NM_INTS(g->stride),
                                .padding = NM_INTS(g->padding), .groups = g->groups,
                                .precision = (int)precision, .activation = (int)activation,
                                .narrow = narrow);
}

static void compare_conv(fixture *f, const geometry *g, nm_precision precision,
                         nm_activation activation)
{
    const both x = random_both(f, NM_SHAPE(g->n, g->size, g->size, g->in));
    nm_tensor *w = variable(f, NM_SHAPE(g->out, g->kernel, g->kernel, g->in / g->groups));
    nm_tensor *y = convolve(f, g, x.wide, w, precision, activation, false), *a[2], *b[2];
    nm_tensor *kept = convolve(f, g, x.narrow, w, precision, activation, true);
    assert_fine(f->context);
    nm_tensor *dy = random_tensor(f, NM_F32, *nm_tensor_shape(y));
    ck_assert_int_eq(nm_tensor_dtype(kept), NM_BF16);
    assert_near_to(copy_as(f, kept, NM_F32), y, 3.91e-3); /* 2^-8 */
    assert_bits(convolve(f, g, x.narrow, w, precision, activation, false), y);
    nm_gradients(f->tape, &y, &dy, 1, (nm_tensor *[]){x.wide, w}, 2, NM_KEEP_GRAPH, a);
    nm_gradients(f->tape, &kept, &dy, 1, (nm_tensor *[]){x.narrow, w}, 2, NM_KEEP_GRAPH, b);
    assert_fine(f->context);
    for (int i = 0; i < 2; i++) {
        assert_near_to(b[i], a[i], activation == NM_ACTIVATION_TANH ? 0.05 : 1e-6);
    }
    nm_tape_reset(f->tape);
}

/* By Winograd's filtering where there are enough tiles, by oneDNN, by the kernels for few channels
 * and by those for anything; the last but one in several pieces. */
static const geometry geometries[] = {{96, 8, 16, 32, 3, 1, 1, 1}, {25, 9, 32, 16, 3, 1, 0, 1},
                                      {33, 7, 16, 16, 3, 1, 2, 1}, {5, 8, 16, 32, 3, 2, 1, 1},
                                      {5, 8, 16, 32, 1, 2, 0, 1},  {4, 12, 3, 16, 3, 1, 1, 1},
                                      {2, 6, 5, 7, 3, 1, 1, 1},    {2, 6, 4, 6, 3, 1, 1, 2},
                                      {3, 200, 1, 16, 3, 1, 1, 1}, {0, 6, 16, 16, 3, 1, 1, 1}};

START_TEST(convolutions_of_bf16_are_those_of_the_same_numbers_and_round_once)
{
    fixture f = begin();
    nm_context_emulate_bf16(f.context, true);
    for (size_t i = 0; i < sizeof geometries / sizeof *geometries; i++) {
        for (int bf16 = 0; bf16 < 2; bf16++) {
            const nm_precision precision = bf16 ? NM_PRECISION_BF16 : NM_PRECISION_F32;
            compare_conv(&f, &geometries[i], precision, NM_ACTIVATION_NONE);
            compare_conv(&f, &geometries[i], precision, NM_ACTIVATION_RELU);
        }
    }
    compare_conv(&f, &geometries[0], NM_PRECISION_BF16, NM_ACTIVATION_TANH);
    end(f);
}
END_TEST

START_TEST(convolutions_of_bf16_without_memory_say_so)
{
    test_memory memory = {.fail_at = -1};
    nm_context *context = test_context(&memory);
    nm_context_set_onednn(context, false);
    static float x[2 * 8 * 8 * 5], w[5 * 3 * 3 * 5], y[2 * 8 * 8 * 5];
    nm_conv c = same_conv(2, 8, 8, 5, 5);
    c.x_is_bf16 = true;
    for (int i = 0; i < 4; i++) { /* the copy, and what the kernel asks for */
        memory.fail_at = memory.calls + i / 2;
        c.y_is_bf16 = i % 2 == 0;
        nm_status status =
            i % 2 == 0 ? nm_conv_forward(context, NM_F32, &c, x, w, NULL, NM_ACTIVATION_NONE, y)
                       : nm_conv_weight_grad(context, NM_F32, &c, x, y, w, NULL);
        ck_assert_int_eq(status, NM_ERROR_MEMORY);
        assert_error(context, NM_ERROR_MEMORY, "out of memory");
    }
    memory.fail_at = -1;
    test_context_end(context, &memory);
}
END_TEST

/* ---- On the tape ---- */

/* Gradients in w and scale, and those of the sum of squares of w's. */
static void differentiate_twice(fixture *f, nm_tensor *x, nm_tensor *const p[3], bool narrow,
                                nm_tensor *first[2], nm_tensor *second[2])
{
    const geometry g = {2, 6, 4, 4, 3, 1, 1, 1};
    nm_tensor *variables[] = {p[0], p[1]};
    nm_tensor *h = convolve(f, &g, x, p[0], NM_PRECISION_F32, NM_ACTIVATION_NONE, narrow);
    nm_tensor *a = normalize(f, (nm_tensor *[]){h, NULL, p[1], p[2]}, NM_ACTIVATION_RELU, narrow);
    nm_tensor *b = convolve(f, &g, a, p[0], NM_PRECISION_F32, NM_ACTIVATION_RELU, narrow);
    nm_tensor *c = normalize(f, (nm_tensor *[]){b, a, p[1], p[2]}, NM_ACTIVATION_RELU, narrow);
    nm_tensor *y = convolve(f, &g, c, p[0], NM_PRECISION_F32, NM_ACTIVATION_TANH, false);
    nm_tensor *loss = nm_mean(f->tape, nm_square(f->tape, y));
    nm_gradients(f->tape, &loss, NULL, 1, variables, 2, NM_CREATE_GRAPH, first);
    nm_tensor *of = nm_sum(f->tape, nm_square(f->tape, first[0]));
    nm_gradients(f->tape, &of, NULL, 1, variables, 2, NM_KEEP_GRAPH, second);
    assert_fine(f->context);
}

START_TEST(gradients_of_any_order_go_through_what_is_kept_in_bf16)
{
    fixture f = begin();
    nm_tensor *x = random_tensor(&f, NM_F32, NM_SHAPE(2, 6, 6, 4));
    nm_tensor *p[] = {variable(&f, NM_SHAPE(4, 3, 3, 4)), variable(&f, NM_SHAPE(4)),
                      variable(&f, NM_SHAPE(4))};
    nm_tensor *first[2][2], *second[2][2];
    differentiate_twice(&f, x, p, false, first[0], second[0]);
    differentiate_twice(&f, x, p, true, first[1], second[1]);
    for (int i = 0; i < 2; i++) {
        assert_near_to(first[1][i], first[0][i], 0.06);
        assert_near_to(second[1][i], second[0][i], 0.12);
        ck_assert_double_ge(difference(second[1][i], second[0][i]), 1e-5); /* it was rounded */
    }
    end(f);
}
END_TEST

START_TEST(a_tensor_of_the_users_own_in_bf16_gets_its_gradient_in_f32)
{
    fixture f = begin();
    nm_tensor *x = nm_tensor_create(f.context, NM_BF16, NM_SHAPE(1, 4, 4, 2));
    nm_tensor *w = random_tensor(&f, NM_F32, NM_SHAPE(3, 3, 3, 2));
    nm_tensor_fill(x, 1.5);
    nm_tensor_set_requires_grad(x, true);
    for (int i = 0; i < 2; i++) { /* the second adds */
        nm_backward(f.tape, nm_sum(f.tape, nm_conv2d(f.tape, x, w, NULL)), 0);
        nm_tape_reset(f.tape);
        w = random_tensor(&f, NM_F32, NM_SHAPE(3, 3, 3, 2));
    }
    assert_fine(f.context);
    ck_assert_int_eq(nm_tensor_dtype(nm_tensor_grad(x)), NM_F32);
    nm_tensor_destroy(x);
    end(f);
}
END_TEST

START_TEST(other_ops_refuse_bf16_and_none_takes_it_with_f64)
{
    fixture f = begin();
    const both x = random_both(&f, NM_SHAPE(1, 4, 4, 2));
    ck_assert(nm_tanh(f.tape, x.narrow) == NULL);
    assert_error(f.context, NM_ERROR_INPUT, "tanh: x is bf16; it takes f32 or f64");
    nm_tensor *w = random_tensor(&f, NM_F64, NM_SHAPE(3, 3, 3, 2));
    ck_assert(nm_conv2d(f.tape, x.narrow, w, NULL) == NULL);
    assert_error(f.context, NM_ERROR_INPUT, "x is bf16, but w is f64; they must be of one type");
    end(f);
}
END_TEST

START_TEST(anomaly_mode_looks_into_bf16)
{
    fixture f = begin();
    const geometry g = {1, 4, 2, 3, 3, 1, 0, 1};
    nm_tensor *x = random_tensor(&f, NM_F32, NM_SHAPE(1, 4, 4, 2));
    nm_tensor *w = random_tensor(&f, NM_F32, NM_SHAPE(3, 3, 3, 2));
    nm_tape_set_anomaly(f.tape, true);
    nm_tensor_set(x, 5, INFINITY);
    ck_assert(!convolve(&f, &g, x, w, NM_PRECISION_F32, NM_ACTIVATION_NONE, true));
    assert_error(f.context, NM_ERROR_NUMERIC, "conv2d_activation");
    end(f);
}
END_TEST

TEST_MAIN("ops/narrow", batch_norm_of_bf16_computes_in_f32_and_rounds_once,
          batch_norm_of_bf16_has_the_same_bits_for_any_number_of_threads,
          batch_norm_refuses_bf16_with_channels_elsewhere,
          convolutions_of_bf16_are_those_of_the_same_numbers_and_round_once,
          convolutions_of_bf16_without_memory_say_so,
          gradients_of_any_order_go_through_what_is_kept_in_bf16,
          a_tensor_of_the_users_own_in_bf16_gets_its_gradient_in_f32,
          other_ops_refuse_bf16_and_none_takes_it_with_f64, anomaly_mode_looks_into_bf16)
