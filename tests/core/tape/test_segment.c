/* Segments: what they gave back is computed again, with the same bits, where a gradient comes. */
#include <string.h>

#include "core/derivatives.h"
#include "core/op.h"
#include "core/random.h"
#include "ops/ops.h"
#include "tests/test.h"

#define LAYERS 6
#define WIDTH 8

typedef struct net {
    nm_context *context;
    nm_tape *tape;
    nm_tensor *w[LAYERS], *mean, *var, *x;
    nm_random random;
    int64_t size; /* of a segment in layers; 0: none */
} net;

static nm_tensor *own(nm_context *context, nm_shape shape, uint64_t seed, double mean)
{
    nm_tensor *x = nm_tensor_create(context, NM_F64, shape);
    nm_random random = nm_random_create(seed, 5);
    if (x && nm_random_fill_normal(&random, x, mean, 0.4) == NM_OK) {
        nm_tensor_set_requires_grad(x, true);
    }
    return x;
}

static net begin_on(test_memory *memory, int64_t size)
{
    net n = {.context = test_context(memory), .random = nm_random_create(9, 1), .size = size};
    n.tape = n.context && nm_register_ops(n.context) == NM_OK ? nm_tape_create(n.context) : NULL;
    for (int i = 0; n.tape && i < LAYERS; i++) {
        n.w[i] = own(n.context, NM_SHAPE(WIDTH, WIDTH), (uint64_t)i + 1, 0);
    }
    n.x = n.tape ? own(n.context, NM_SHAPE(5, WIDTH), 77, 0) : NULL;
    n.mean = n.tape ? nm_tensor_create(n.context, NM_F64, NM_SHAPE(WIDTH)) : NULL;
    n.var = n.tape ? nm_tensor_create(n.context, NM_F64, NM_SHAPE(WIDTH)) : NULL;
    return n;
}

static net begin(int64_t size)
{
    net n = begin_on(NULL, size);
    nm_tensor_fill(n.mean, 0);
    nm_tensor_fill(n.var, 1);
    assert_fine(n.context);
    return n;
}

static void end_on(net *n, test_memory *memory)
{
    nm_tape_destroy(n->tape);
    for (int i = 0; i < LAYERS; i++) {
        nm_tensor_destroy(n->w[i]);
    }
    nm_tensor_destroy(n->x);
    nm_tensor_destroy(n->mean);
    nm_tensor_destroy(n->var);
    test_context_end(n->context, memory);
}

static void end(net *n)
{
    end_on(n, NULL);
}

/* Batch norm, dropout, a view, an op of two outputs of which one goes on. */
static nm_tensor *layer(net *n, nm_tensor *x, nm_tensor *w)
{
    nm_tensor *h = nm_dense(n->tape, x, w, NULL);
    h = nm_batch_norm_running(n->tape, h, NULL, NULL, n->mean, n->var, true);
    h = nm_dropout_drawn(n->tape, nm_tanh(n->tape, h), nm_tape_draw(n->tape, &n->random), 0.3);
    h = nm_reshape(n->tape, h, NM_SHAPE(WIDTH, 5));
    return nm_reshape(n->tape, nm_add(n->tape, h, nm_sin(n->tape, h)), NM_SHAPE(5, WIDTH));
}

static nm_tensor *forward(net *n)
{
    nm_tensor *x = n->x;
    int64_t segment = 0;
    for (int i = 0; i < LAYERS; i++) {
        if (n->size && i % n->size == 0) {
            segment = nm_tape_begin_segment(n->tape);
        }
        x = layer(n, x, n->w[i]);
        if (n->size && (i + 1) % n->size == 0) {
            nm_tape_end_segment(n->tape, segment, &x, 1);
        }
    }
    return nm_mean(n->tape, nm_square(n->tape, x));
}

static bool same(nm_tensor *a, nm_tensor *b)
{
    return memcmp(nm_tensor_data(a), nm_tensor_data(b), nm_tensor_bytes(a)) == 0;
}

static void assert_same_after(net *a, net *b)
{
    assert_fine(a->context);
    assert_fine(b->context);
    for (int i = 0; i < LAYERS; i++) {
        ck_assert(same(nm_tensor_grad(a->w[i]), nm_tensor_grad(b->w[i])));
    }
    ck_assert(same(nm_tensor_grad(a->x), nm_tensor_grad(b->x)));
    ck_assert(same(a->mean, b->mean) && same(a->var, b->var));
}

START_TEST(gradients_and_running_statistics_have_the_same_bits)
{
    net plain = begin(0);
    nm_backward(plain.tape, forward(&plain), 0);
    for (int64_t size = 1; size <= LAYERS; size++) {
        for (int anomaly = 0; anomaly < 2 && LAYERS % size == 0; anomaly++) {
            net n = begin(size);
            nm_tape_set_anomaly(n.tape, anomaly);
            nm_backward(n.tape, forward(&n), 0);
            assert_same_after(&plain, &n);
            end(&n);
        }
    }
    end(&plain);
}
END_TEST

/* Gradients of x alone, which lead through all; twice, the graph being kept; then of second order.
 */
static void take_gradients(net *n, nm_tensor **first, nm_tensor **second, nm_tensor **product)
{
    nm_tensor *loss = forward(n), *again, *keep = NULL;
    nm_gradients(n->tape, &loss, NULL, 1, &n->x, 1, NM_KEEP_GRAPH, &keep);
    nm_gradients(n->tape, &loss, NULL, 1, &n->x, 1, NM_KEEP_GRAPH, first);
    assert_fine(n->context);
    ck_assert(same(keep, *first));
    nm_hvp(n->tape, loss, &n->x, &n->x, 1, NM_KEEP_GRAPH, product);
    nm_gradients(n->tape, &loss, NULL, 1, &n->x, 1, NM_CREATE_GRAPH, &again);
    nm_tensor *size = nm_sum(n->tape, nm_square(n->tape, again));
    nm_gradients(n->tape, &size, NULL, 1, &n->w[1], 1, NM_KEEP_GRAPH, second);
    nm_backward(n->tape, size, 0);
    assert_fine(n->context);
}

START_TEST(gradients_of_gradients_have_the_same_bits)
{
    net plain = begin(0), n = begin(3);
    nm_tensor *first[2], *second[2], *product[2];
    take_gradients(&plain, &first[0], &second[0], &product[0]);
    take_gradients(&n, &first[1], &second[1], &product[1]);
    ck_assert(same(first[0], first[1]) && same(second[0], second[1]) &&
              same(product[0], product[1]));
    assert_same_after(&plain, &n);
    end(&n);
    end(&plain);
}
END_TEST

START_TEST(a_gradient_of_what_lies_within_comes_out)
{
    nm_tensor *got[2];
    for (int k = 0; k < 2; k++) {
        net n = begin(0);
        const int64_t segment = nm_tape_begin_segment(n.tape);
        nm_tensor *h = layer(&n, n.x, n.w[0]), *y = layer(&n, h, n.w[1]);
        if (k) {
            nm_tape_end_segment(n.tape, segment, &y, 1);
        }
        nm_tensor *loss = nm_sum(n.tape, nm_square(n.tape, y));
        nm_gradients(n.tape, &loss, NULL, 1, &h, 1, 0, &got[k]);
        assert_fine(n.context);
        static double kept[5 * WIDTH];
        if (k) {
            ck_assert(memcmp(kept, nm_tensor_data(got[k]), sizeof kept) == 0);
        } else {
            memcpy(kept, nm_tensor_data(got[k]), sizeof kept);
        }
        end(&n);
    }
}
END_TEST

/* Two outputs go on, the last ops lead to neither, and one of the outputs is used. */
static nm_tensor *forward_with_more(net *n, bool segments)
{
    const int64_t segment = segments ? nm_tape_begin_segment(n->tape) : 0;
    nm_tensor *first = layer(n, n->x, n->w[0]), *outputs[2] = {first, NULL};
    outputs[1] = layer(n, first, n->w[1]);
    nm_sin(n->tape, outputs[1]);
    if (segments) {
        nm_tape_end_segment(n->tape, segment, outputs, 2);
    }
    return nm_mean(n->tape, nm_square(n->tape, first));
}

START_TEST(what_nobody_uses_at_a_segments_end_changes_nothing)
{
    net plain = begin(0), n = begin(0);
    for (int i = 0; i < 2; i++) { /* the second time in the memory of the first */
        nm_backward(plain.tape, forward_with_more(&plain, false), 0);
        nm_backward(n.tape, forward_with_more(&n, true), 0);
        assert_fine(plain.context);
        assert_fine(n.context);
        ck_assert(same(nm_tensor_grad(plain.w[0]), nm_tensor_grad(n.w[0])));
        ck_assert(same(nm_tensor_grad(plain.x), nm_tensor_grad(n.x)));
        ck_assert(!nm_tensor_grad(n.w[1]) == !nm_tensor_grad(plain.w[1]));
        nm_tape_reset(plain.tape);
        nm_tape_reset(n.tape);
    }
    end(&n);
    end(&plain);
}
END_TEST

START_TEST(one_within_another_takes_part_in_it)
{
    net plain = begin(0), n = begin(0);
    nm_backward(plain.tape, forward(&plain), 0);
    const int64_t outer = nm_tape_begin_segment(n.tape);
    n.size = 2;
    nm_tensor *loss = forward(&n);
    nm_tape_end_segment(n.tape, outer, &loss, 1);
    nm_backward(n.tape, loss, 0);
    assert_same_after(&plain, &n);
    end(&n);
    end(&plain);
}
END_TEST

START_TEST(what_is_no_output_cannot_be_read_and_what_is_kept_can)
{
    net n = begin(0);
    const int64_t segment = nm_tape_begin_segment(n.tape);
    nm_tensor *a = nm_sin(n.tape, n.x), *b = nm_sin(n.tape, a), *y = nm_sin(n.tape, b);
    nm_tensor_keep(b);
    ck_assert_int_eq(nm_tape_end_segment(n.tape, segment, &y, 1), NM_OK);
    ck_assert_ptr_nonnull(nm_tensor_data(b));
    ck_assert_ptr_nonnull(nm_tensor_data(y));
    ck_assert_ptr_null(nm_tensor_data(a));
    assert_error(n.context, NM_ERROR_INPUT, "were given back at the end of its segment");
    nm_add(n.tape, a, y);
    assert_error(n.context, NM_ERROR_INPUT, "put it among the segment's outputs");
    end(&n);
}
END_TEST

START_TEST(what_was_changed_since_is_an_error_and_within_it_is_kept)
{
    net n = begin(0);
    int64_t segment = nm_tape_begin_segment(n.tape);
    nm_tensor *dx, *y = nm_sin(n.tape, nm_mul(n.tape, n.x, n.mean));
    nm_tensor_fill(n.mean, 3); /* within: the product stays */
    y = nm_sin(n.tape, y);
    nm_tape_end_segment(n.tape, segment, &y, 1);
    nm_gradients(n.tape, &y, NULL, 1, &n.x, 1, 0, &dx);
    assert_error(n.context, NM_ERROR_INPUT, "was changed after"); /* mul's own gradient reads it */
    nm_tape_reset(n.tape);

    nm_tensor_fill(n.mean, 0);
    segment = nm_tape_begin_segment(n.tape);
    y = nm_sin(n.tape, nm_add(n.tape, n.x, n.mean));
    nm_tensor_fill(n.mean, 3); /* the sum's gradient does not read it */
    nm_tape_end_segment(n.tape, segment, &y, 1);
    nm_gradients(n.tape, &y, NULL, 1, &n.x, 1, 0, &dx);
    assert_fine(n.context);
    ck_assert(same(dx, nm_cos(n.tape, n.x)));
    nm_tape_reset(n.tape);

    segment = nm_tape_begin_segment(n.tape);
    y = nm_sin(n.tape, nm_add(n.tape, n.x, n.mean));
    nm_tape_end_segment(n.tape, segment, &y, 1);
    nm_tensor_data(n.mean);
    ((double *)nm_tensor_data(n.mean))[1] = 7; /* behind its back */
    nm_gradients(n.tape, &y, NULL, 1, &n.x, 1, 0, &dx);
    assert_error(n.context, NM_ERROR_INPUT, "b was changed after");
    end(&n);
}
END_TEST

START_TEST(wrong_calls_are_errors)
{
    net n = begin(0), other = begin(0);
    nm_tensor *y = nm_sin(n.tape, n.x), *foreign = nm_sin(other.tape, other.x);
    nm_tape_end_segment(n.tape, 2, &y, 1);
    assert_error(n.context, NM_ERROR_INPUT, "no segment began at node 2 of 1");
    nm_tape_end_segment(n.tape, -1, &y, 1);
    assert_error(n.context, NM_ERROR_INPUT, "no segment began at node -1");
    nm_tape_end_segment(n.tape, 0, &foreign, 1);
    assert_error(n.context, NM_ERROR_INPUT, "output 0 is another tape's");
    y = NULL;
    nm_tape_end_segment(n.tape, 0, &y, 1);
    assert_error(n.context, NM_ERROR_INPUT, "output 0 is NULL");
    end(&other);
    end(&n);
}
END_TEST

/* Peak of the pool in a step of 50 layers, segments of `size`. */
static size_t peak_of(int64_t size)
{
    nm_context *context = test_context(NULL);
    nm_register_ops(context);
    nm_tape *tape = nm_tape_create(context);
    nm_tensor *x = own(context, NM_SHAPE(64, 64), 3, 0), *w = own(context, NM_SHAPE(64, 64), 4, 0);
    for (int step = 0; step < 2; step++) {
        nm_tape_reset(tape);
        nm_tensor *h = x;
        int64_t segment = 0;
        for (int i = 0; i < 50; i++) {
            segment = size && i % size == 0 ? nm_tape_begin_segment(tape) : segment;
            h = nm_tanh(tape, nm_dense(tape, h, w, NULL));
            if (size && (i % size == size - 1 || i == 49)) {
                nm_tape_end_segment(tape, segment, &h, 1);
            }
        }
        nm_backward(tape, nm_sum(tape, h), 0);
    }
    assert_fine(context);
    const size_t peak = nm_context_pool_peak(context);
    nm_tape_destroy(tape);
    nm_tensor_destroy(x);
    nm_tensor_destroy(w);
    nm_context_destroy(context);
    return peak;
}

START_TEST(fifty_layers_take_less_than_half_of_the_memory)
{
    const size_t plain = peak_of(0), segments = peak_of(7);
    ck_assert_msg(segments < plain / 2, "%zu bytes of %zu", segments, plain);
}
END_TEST

static nm_status scenario(test_memory *memory)
{
    net n = begin_on(memory, 3);
    nm_status status = NM_ERROR_MEMORY;
    if (n.tape) {
        nm_tensor_fill(n.mean, 0);
        nm_tensor_fill(n.var, 1);
        nm_tensor *loss = nm_context_status(n.context) == NM_OK ? forward(&n) : NULL;
        status = nm_backward(n.tape, loss, 0);
    }
    end_on(&n, memory);
    return status;
}

START_TEST(an_allocation_that_fails_is_an_error)
{
    test_every_allocation(scenario);
}
END_TEST

TEST_MAIN("core/segment", gradients_and_running_statistics_have_the_same_bits,
          gradients_of_gradients_have_the_same_bits, a_gradient_of_what_lies_within_comes_out,
          what_nobody_uses_at_a_segments_end_changes_nothing, one_within_another_takes_part_in_it,
          what_is_no_output_cannot_be_read_and_what_is_kept_can,
          what_was_changed_since_is_an_error_and_within_it_is_kept, wrong_calls_are_errors,
          fifty_layers_take_less_than_half_of_the_memory, an_allocation_that_fails_is_an_error)
