/* Elementwise calls on inputs of one shape: a way of their own through the tape, elements within a
 * header, gradients in place. */
#include "tests/core/tape/tape_test.h"

/* ---- The short way of elementwise calls, and elements within a tensor's header ---- */

/* y = tanh(a b) / (c + 1) + a with its gradients, one behind the other. */
static void run_formula(int64_t count, bool anomaly, double *results)
{
    nm_tensor *in[3], *grads[3];
    nm_random random = nm_random_create(7, 0);
    nm_tape_reset(tape);
    nm_tape_set_anomaly(tape, anomaly); /* takes the long way */
    for (int i = 0; i < 3; i++) {
        in[i] = nm_tensor_create(context, NM_F32, NM_SHAPE(count));
        nm_random_fill_uniform(&random, in[i], 0.5, 1.5);
        nm_tensor_set_requires_grad(in[i], true);
    }
    nm_tensor *y =
        nm_div(tape, nm_tanh(tape, nm_mul(tape, in[0], in[1])), nm_affine(tape, in[2], 1, 1));
    y = nm_add(tape, y, in[0]);
    ck_assert_int_eq(nm_gradients(tape, &y, NULL, 1, in, 3, NM_KEEP_GRAPH, grads), NM_OK);
    for (int64_t i = 0; i < count; i++) {
        *results++ = nm_tensor_get(y, i);
        for (int k = 0; k < 3; k++) {
            *results++ = nm_tensor_get(grads[k], i);
        }
    }
    for (int i = 0; i < 3; i++) {
        nm_tensor_destroy(in[i]);
    }
}

START_TEST(the_short_way_gives_the_bits_of_the_long_one)
{
    static const int64_t counts[] = {1, 3, 4, 5, 100};
    double short_way[400], long_way[400];
    begin(NULL);
    for (int i = 0; i < NM_COUNT_OF(counts); i++) {
        size_t bytes = (size_t)counts[i] * 4 * sizeof(double);
        run_formula(counts[i], false, short_way);
        run_formula(counts[i], true, long_way);
        ck_assert_mem_eq(short_way, long_way, bytes);
    }
    end(NULL);
}
END_TEST

START_TEST(small_results_keep_their_elements_while_others_come_and_go)
{
    begin(NULL);
    nm_tensor *x = number(3), *two = number(2), *grads[2];
    nm_tensor *y = nm_mul(tape, x, two), *in[] = {x, two};
    nm_tensor *view = nm_reshape(tape, y, NM_SHAPE(1, 1)), *cut = nm_detach(tape, y);
    nm_tensor *loss = sum(nm_mul(tape, view, view));
    ck_assert_int_eq(nm_gradients(tape, &loss, NULL, 1, in, 2, NM_KEEP_GRAPH, grads), NM_OK);
    for (int i = 0; i < 1000; i++) { /* uses headers again that the pass gave back */
        ck_assert_int_eq(nm_backward(tape, loss, NM_KEEP_GRAPH), NM_OK);
    }
    ck_assert(nm_tensor_item(y) == 6 && nm_tensor_item(view) == 6 && nm_tensor_item(cut) == 6);
    ck_assert(nm_tensor_item(grads[0]) == 24 && nm_tensor_item(grads[1]) == 36);
    ck_assert(nm_tensor_item(nm_tensor_grad(x)) == 24000);
    nm_tensor_destroy(x);
    nm_tensor_destroy(two);
    end(NULL);
}
END_TEST

/* ---- Gradients in place ---- */

/* tanh of tanh, `depth` times, of many elements; x is of the context. */
static nm_tensor *many(int depth, nm_tensor **x, nm_tensor **last_but_one)
{
    const nm_shape shape = NM_SHAPE(100000);
    nm_random random = nm_random_create(1, 1);
    *x = nm_tensor_create(context, NM_F32, shape);
    nm_random_fill_normal(&random, *x, 0, 1);
    nm_tensor_set_requires_grad(*x, true);
    nm_tensor *y = *x;
    for (int i = 0; i < depth; i++) {
        *last_but_one = y;
        y = nm_tanh(tape, y);
    }
    return y;
}

START_TEST(gradients_of_elementwise_ops_take_the_memory_of_those_before)
{
    begin(NULL);
    nm_tensor *x, *before;
    nm_tensor *loss = sum(many(8, &x, &before));
    const size_t peak = nm_context_pool_peak(context);
    ck_assert_int_eq(nm_backward(tape, loss, NM_KEEP_GRAPH), NM_OK);
    /* the first of them, and a parameter's own */
    ck_assert_uint_le(nm_context_pool_peak(context), peak + 2 * 400000 + 100000);
    nm_tensor_destroy(x);
    end(NULL);
}
END_TEST

START_TEST(gradients_in_place_leave_what_others_read)
{
    begin(NULL);
    nm_tensor *x, *y, *grads[3], *alone[3];
    nm_tensor *z = many(3, &x, &y), *loss = sum(nm_mul(tape, z, z)), *sources[] = {z, y, x};
    nm_gradients(tape, &loss, NULL, 1, sources, 3, NM_KEEP_GRAPH, grads);
    for (int i = 0; i < 3; i++) {
        nm_gradients(tape, &loss, NULL, 1, &sources[i], 1, NM_CREATE_GRAPH, &alone[i]);
        assert_fine(context);
        ck_assert_mem_eq(nm_tensor_data(grads[i]), nm_tensor_data(alone[i]), 400000);
    }
    /* a gradient that comes from outside stays, too */
    nm_tensor *dz = nm_full(tape, NM_F32, NM_SHAPE(100000), 3), *dx;
    nm_gradients(tape, &z, &dz, 1, &x, 1, NM_KEEP_GRAPH, &dx);
    assert_fine(context);
    for (int64_t i = 0; i < 100000; i += 99) {
        ck_assert(nm_tensor_get(dz, i) == 3);
    }
    nm_tensor_destroy(x);
    end(NULL);
}
END_TEST

TEST_MAIN("core/short_way", the_short_way_gives_the_bits_of_the_long_one,
          small_results_keep_their_elements_while_others_come_and_go,
          gradients_of_elementwise_ops_take_the_memory_of_those_before,
          gradients_in_place_leave_what_others_read)
