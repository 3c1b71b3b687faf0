/* Batch norm is right for every shape that its kernels treat differently, with any number of
 * threads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/ops/channels_test.h"

/* ---- Correct for every shape the kernels treat differently ---- */

static void check_channel(const view *v, int64_t c, nm_tensor *x, nm_tensor *dy, nm_tensor *scale,
                          const nm_batch_norm_result *r, nm_tensor *dx)
{
    double mean, var, sum = 0, product = 0;
    const double m = (double)(v->outer * v->inner), s = nm_tensor_get(scale, c);
    moments(x, v, c, &mean, &var);
    const double inverse = 1 / sqrt(var + 1e-5);
    assert_near(nm_tensor_get(r->mean, c), mean, 1e-6, 1e-6);
    assert_near(nm_tensor_get(r->var, c), var, 1e-5, 0);
    for (int64_t o = 0; o < v->outer; o++) {
        for (int64_t i = 0; i < v->inner; i++) {
            sum += at(dy, v, o, c, i);
            product += at(dy, v, o, c, i) * (at(x, v, o, c, i) - mean) * inverse;
        }
    }
    for (int64_t o = 0; o < v->outer; o++) {
        for (int64_t i = 0; i < v->inner; i++) {
            const double xhat = (at(x, v, o, c, i) - mean) * inverse;
            const double wanted = s * inverse * (at(dy, v, o, c, i) - sum / m - xhat * product / m);
            assert_near(at(r->y, v, o, c, i), s * xhat, 1e-5, 1e-5);
            assert_near(at(dx, v, o, c, i), wanted, 1e-5, 1e-5);
        }
    }
}

static void check_shape(int64_t outer, int64_t channels, int64_t inner, nm_dtype dtype)
{
    fixture b = begin();
    const view v = {outer, channels, inner};
    nm_tensor *x = normal(&b, dtype, NM_SHAPE(outer, channels, inner), 3, 2, 0);
    nm_tensor *dy = normal(&b, dtype, NM_SHAPE(outer, channels, inner), 0.5, 1, 1);
    nm_tensor *scale = normal(&b, dtype, NM_SHAPE(channels), 1, 0.5, 2);
    const nm_batch_norm_options o = {NM_BATCH_NORM_DEFAULTS, .axis = 1,
                                     NM_END(nm_batch_norm_options)};
    nm_batch_norm_result r = nm_batch_norm_with(b.tape, x, scale, NULL, NULL, NULL, &o);
    nm_tensor *dx = NULL;
    nm_gradients(b.tape, &r.y, &dy, 1, &x, 1, NM_KEEP_GRAPH, &dx);
    assert_fine(b.context);
    for (int64_t c = 0; c < channels; c++) {
        check_channel(&v, c, x, dy, scale, &r, dx);
    }
    end(&b);
}

START_TEST(every_width_of_rows_is_right)
{
    static const int64_t widths[] = {1,  2,  3,  5,   7,   13,  16,  17,
                                     33, 64, 65, 100, 128, 129, 200, 300};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        check_shape(9, widths[i], 1, NM_F32); /* less than one fold, or a rest of rows */
        if (widths[i] % 2) {
            check_shape(139, widths[i], 1, NM_F32); /* for wide ones, a short last chunk */
        }
    }
    check_shape(1301, 16, 1, NM_F32); /* a short last chunk of folded rows */
    check_shape(523, 13, 1, NM_F64);
    check_shape(70, 200, 1, NM_F64);
}
END_TEST

START_TEST(every_length_of_runs_is_right)
{
    static const int64_t lengths[] = {2, 3, 9, 49, 64, 700, 2500};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        check_shape(1, 5, lengths[i], NM_F32);
        check_shape(13, 3, lengths[i], NM_F32);
    }
    check_shape(11, 4, 49, NM_F64);
    check_shape(2, 300, 4, NM_F32);
}
END_TEST

/* ---- Results do not depend on the number of threads ---- */

static void run_threads(int threads, nm_shape shape, int axis, void *y, void *dx, size_t bytes)
{
    fixture b = begin_with(threads);
    nm_tensor *x = normal(&b, NM_F32, shape, 1, 3, 0), *dy = normal(&b, NM_F32, shape, 0, 1, 1);
    nm_tensor *out = nm_batch_norm(b.tape, x, NULL, NULL, .axis = axis), *grad = NULL;
    nm_gradients(b.tape, &out, &dy, 1, &x, 1, NM_KEEP_GRAPH, &grad);
    assert_fine(b.context);
    ck_assert_uint_eq(nm_tensor_bytes(out), bytes);
    memcpy(y, nm_tensor_data(out), bytes);
    memcpy(dx, nm_tensor_data(grad), bytes);
    end(&b);
}

static void check_threads(nm_shape shape, int axis)
{
    const size_t bytes = (size_t)nm_shape_count(&shape) * sizeof(float);
    char *one = malloc(4 * bytes), *other = one + 2 * bytes;
    ck_assert_ptr_nonnull(one);
    run_threads(1, shape, axis, one, one + bytes, bytes);
    for (int threads = 2; threads <= 5; threads++) {
        run_threads(threads, shape, axis, other, other + bytes, bytes);
        ck_assert_mem_eq(one, other, 2 * bytes);
    }
    free(one);
}

START_TEST(the_bits_do_not_depend_on_the_number_of_threads)
{
    check_threads(NM_SHAPE(3001, 16), -1);
    check_threads(NM_SHAPE(128, 512), -1);
    check_threads(NM_SHAPE(1000, 99), -1);
    check_threads(NM_SHAPE(40, 24, 8, 8), 1);
}
END_TEST

TEST_MAIN("ops/batch_norm_shapes", every_width_of_rows_is_right, every_length_of_runs_is_right,
          the_bits_do_not_depend_on_the_number_of_threads)
