/* Attention, lstm and gru beside PyTorch's stored values: calls, lengths, many steps, mistakes. */
#include <math.h>
#include <string.h>

#include "ops/ops.h"
#include "tests/test.h"

typedef struct fixture {
    nm_context *context;
    nm_tape *tape;
    nm_random random;
} fixture;

static fixture begin(void)
{
    fixture f = {.context = test_context(NULL), .random = nm_random_create(3, 1)};
    nm_register_ops(f.context);
    f.tape = nm_tape_create(f.context);
    assert_fine(f.context);
    return f;
}

static void end(fixture *f)
{
    nm_tape_destroy(f->tape);
    nm_context_destroy(f->context);
}

static nm_tensor *normal(fixture *f, nm_shape shape)
{
    nm_tensor *x = nm_tape_tensor(f->tape, NM_F64, shape);
    nm_random_fill_normal(&f->random, x, 0, 1);
    return x;
}

#define NUMBERS(f, ...)                                                                            \
    nm_tape_wrap((f).tape, NM_I64, NM_SHAPE(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),   \
                 (int64_t[]){__VA_ARGS__})

static nm_tensor *step_of(fixture *f, nm_tensor *x, int64_t at, int64_t end)
{
    return nm_slice(f->tape, x, .axes = NM_INTS(1), .start = NM_INTS(at), .stop = NM_INTS(end));
}

static void assert_same(fixture *f, nm_tensor *x, nm_tensor *y)
{
    assert_fine(f->context);
    ck_assert(nm_shape_equal(nm_tensor_shape(x), nm_tensor_shape(y)));
    for (int64_t i = 0; i < nm_tensor_count(x); i++) {
        assert_near(nm_tensor_get(x, i), nm_tensor_get(y, i), 1e-13, 1e-13);
    }
}

/* ---- lstm and gru ---- */

enum { N = 2, CHANNELS = 3, HIDDEN = 2 };

static nm_recurrent_inputs inputs_of(fixture *f, int gates)
{
    return (nm_recurrent_inputs){.w_ih = normal(f, NM_SHAPE(gates * HIDDEN, CHANNELS)),
                                 .w_hh = normal(f, NM_SHAPE(gates * HIDDEN, HIDDEN)),
                                 .b_ih = normal(f, NM_SHAPE(gates * HIDDEN)),
                                 .b_hh = normal(f, NM_SHAPE(gates * HIDDEN))};
}

/* More steps than an op has inputs, and no power of two. */
START_TEST(many_steps_are_so_many_calls_of_one_step)
{
    enum { STEPS = 75 };
    fixture f = begin();
    nm_tensor *x = normal(&f, NM_SHAPE(N, STEPS, CHANNELS));
    for (int gates = 3; gates <= 4; gates++) {
        nm_recurrent_inputs i = inputs_of(&f, gates);
        nm_recurrent_result (*call)(nm_tape *, nm_tensor *, const nm_recurrent_inputs *,
                                    const nm_recurrent_options *) =
            gates == 4 ? nm_lstm_with : nm_gru_with;
        const nm_recurrent_result all = call(f.tape, x, &i, NULL);
        for (int t = 0; t < STEPS; t++) {
            const nm_recurrent_result r = call(f.tape, step_of(&f, x, t, t + 1), &i, NULL);
            assert_same(&f, step_of(&f, all.y, t, t + 1), r.y);
            i.h0 = r.h;
            i.c0 = r.c;
        }
        assert_same(&f, all.h, i.h0);
        ck_assert((all.c != NULL) == (gates == 4));
    }
    end(&f);
}
END_TEST

START_TEST(a_sequence_of_no_steps_keeps_its_state)
{
    fixture f = begin();
    nm_recurrent_inputs i = inputs_of(&f, 4);
    i.h0 = normal(&f, NM_SHAPE(N, HIDDEN));
    i.c0 = normal(&f, NM_SHAPE(N, HIDDEN));
    i.lengths = NUMBERS(f, 0, 0);
    const nm_recurrent_result r =
        nm_lstm(f.tape, normal(&f, NM_SHAPE(N, 3, CHANNELS)), &i, .reverse = true);
    assert_same(&f, r.h, i.h0);
    assert_same(&f, r.c, i.c0);
    assert_same(&f, r.y, nm_full(f.tape, NM_F64, NM_SHAPE(N, 3, HIDDEN), 0));
    end(&f);
}
END_TEST

/* ---- What is behind a length ---- */

enum { INPUTS = 8, STEPS = 4 };

/* The first input is x [3, STEPS, CHANNELS]; a shape of rank 0 is an input that is no number. */
static const struct padded {
    const char *op, *options;
    int count, outputs, lengths; /* inputs, outputs, which input is the lengths */
    nm_shape in[INPUTS];
} padded[] = {
#define X                                                                                          \
    {                                                                                              \
        3,                                                                                         \
        {                                                                                          \
            3, STEPS, CHANNELS                                                                     \
        }                                                                                          \
    }
#define GATES(n)                                                                                   \
    {2, {n, CHANNELS}}, {2, {n, HIDDEN}}, {1, {n}},                                                \
    {                                                                                              \
        1,                                                                                         \
        {                                                                                          \
            n                                                                                      \
        }                                                                                          \
    }
#define STATE                                                                                      \
    {                                                                                              \
        2,                                                                                         \
        {                                                                                          \
            3, HIDDEN                                                                              \
        }                                                                                          \
    }
    {"lstm", "{}", 8, 3, 7, {X, GATES(4 * HIDDEN), STATE, STATE}},
    {"lstm", "{reverse: true}", 8, 3, 7, {X, GATES(4 * HIDDEN), STATE, STATE}},
    {"gru", "{}", 7, 2, 6, {X, GATES(3 * HIDDEN), STATE}},
    {"gru", "{reverse: true}", 7, 2, 6, {X, GATES(3 * HIDDEN), STATE}},
    {"self_attention",
     "{heads: 2}",
     6,
     1,
     5,
     {X, {2, {12, CHANNELS}}, {1, {12}}, {2, {CHANNELS, 4}}, {1, {CHANNELS}}}},
    {"self_attention",
     "{heads: 2, is_causal: true}",
     6,
     1,
     5,
     {X, {2, {12, CHANNELS}}, {1, {12}}, {2, {CHANNELS, 4}}, {1, {CHANNELS}}}},
    {"ctc", "{blank: 2, zero_infinity: true}", 3, 1, 2, {X}},
    {"ctc", "{blank: 2, zero_infinity: true, reduction: none}", 3, 1, 2, {X}},
};

/* Outputs, the inputs' gradients, and those of these: all that there is to compare. */
typedef struct found {
    int count;
    nm_tensor *at[3 * INPUTS];
} found;

static int64_t lengths[] = {2, STEPS, 0}, labels[] = {0, 1, 1, 0, 1, 1};

static found run_padded(fixture *f, const struct padded *p, nm_dtype dtype, double behind)
{
    nm_tensor *in[INPUTS], *floats[INPUTS];
    int given = 0;
    f->random = nm_random_create(5, 0);
    for (int i = 0; i < p->count; i++) {
        in[i] = i == p->lengths      ? nm_tape_wrap(f->tape, NM_I64, NM_SHAPE(3), lengths)
                : p->in[i].rank == 0 ? nm_tape_wrap(f->tape, NM_I64, NM_SHAPE(3, 2), labels)
                                     : nm_tape_tensor(f->tape, dtype, p->in[i]);
        if (nm_dtype_is_float(nm_tensor_dtype(in[i]))) {
            nm_random_fill_normal(&f->random, in[i], 0, 1);
            nm_tensor_set_requires_grad(in[i], true);
            floats[given++] = in[i];
        }
    }
    for (int64_t i = 0; i < nm_tensor_count(in[0]); i++) {
        if (i / CHANNELS % STEPS >= lengths[i / CHANNELS / STEPS]) {
            nm_tensor_set(in[0], i, behind);
        }
    }
    found all = {.count = p->outputs + 2 * given};
    nm_tensor **g = all.at + p->outputs;
    nm_call(f->tape, p->op, in, p->count, p->options, all.at, p->outputs);
    nm_gradients(f->tape, all.at, NULL, p->outputs, floats, given, NM_CREATE_GRAPH, g);
    nm_gradients(f->tape, g, NULL, given, floats, given, NM_KEEP_GRAPH, g + given);
    assert_fine(f->context);
    return all;
}

START_TEST(what_stands_behind_a_length_is_without_effect)
{
    const double padding[] = {NAN, INFINITY, -INFINITY, 1e30};
    for (size_t i = 0; i < 2 * sizeof padded / sizeof *padded; i++) {
        fixture f = begin();
        const nm_dtype dtype = i % 2 ? NM_F32 : NM_F64;
        const found clean = run_padded(&f, &padded[i / 2], dtype, 0);
        for (int k = 0; k < 4; k++) {
            const found dirty = run_padded(&f, &padded[i / 2], dtype, padding[k]);
            for (int j = 0; j < clean.count; j++) {
                ck_assert_msg(memcmp(nm_tensor_data(dirty.at[j]), nm_tensor_data(clean.at[j]),
                                     nm_tensor_bytes(clean.at[j])) == 0,
                              "%s %s, %s, %g behind: %d of %d differs", padded[i / 2].op,
                              padded[i / 2].options, nm_dtype_name(dtype), padding[k], j,
                              clean.count);
            }
        }
        end(&f);
    }
}
END_TEST

START_TEST(what_does_not_fit_a_sequence_is_named)
{
    fixture f = begin();
    nm_tensor *x = normal(&f, NM_SHAPE(N, 3, CHANNELS));
    nm_recurrent_inputs i = inputs_of(&f, 4);
    nm_gru(f.tape, x, &i);
    assert_error(f.context, NM_ERROR_INPUT,
                 "w_hh [8, 2] must be [n, steps, channels], of one step");
    nm_lstm(f.tape, step_of(&f, x, 0, 0), &i);
    assert_error(f.context, NM_ERROR_INPUT, "lstm: x [2, 0, 3]");
    i.b_hh = normal(&f, NM_SHAPE(2));
    nm_lstm(f.tape, x, &i);
    assert_error(f.context, NM_ERROR_INPUT, "lstm: b_hh [2] must be [8]");
    i.b_hh = NULL;
    i.c0 = normal(&f, NM_SHAPE(1, HIDDEN));
    nm_lstm(f.tape, x, &i);
    assert_error(f.context, NM_ERROR_INPUT, "c0 [1, 2] must be [2, 2]");
    i.c0 = NULL;
    i.lengths = NUMBERS(f, 3, 4);
    nm_lstm(f.tape, x, &i);
    assert_error(f.context, NM_ERROR_INPUT, "the length at [1] is 4; there are 3 steps");
    i.lengths = NUMBERS(f, -1, 3);
    nm_lstm(f.tape, x, &i);
    assert_error(f.context, NM_ERROR_INPUT, "the length at [0] is -1");
    end(&f);
}
END_TEST

/* ---- Attention ---- */

START_TEST(a_mask_and_causality_hide_what_either_hides)
{
    fixture f = begin();
    nm_tensor *q = normal(&f, NM_SHAPE(3, 2)), *k = normal(&f, NM_SHAPE(3, 2));
    nm_tensor *v = normal(&f, NM_SHAPE(3, 2));
    nm_tensor *mask = NUMBERS(f, 0, 1, 1), *both = NUMBERS(f, 0, 0, 0, 0, 1, 0, 0, 1, 1);
    assert_same(
        &f, nm_scaled_dot_product_attention(f.tape, q, k, v, mask, .is_causal = true),
        nm_scaled_dot_product_attention(f.tape, q, k, v, nm_reshape(f.tape, both, NM_SHAPE(3, 3))));
    end(&f);
}
END_TEST

START_TEST(a_query_that_sees_nothing_has_neither_a_value_nor_a_gradient)
{
    fixture f = begin();
    nm_tensor *q = normal(&f, NM_SHAPE(2, 2)), *k = normal(&f, NM_SHAPE(2, 2)), *dq;
    nm_tensor_set_requires_grad(q, true);
    nm_tensor *mask = nm_reshape(f.tape, NUMBERS(f, 0, 0, 1, 0), NM_SHAPE(2, 2));
    nm_tensor *y = nm_scaled_dot_product_attention(f.tape, q, k, k, mask);
    ck_assert_int_eq(nm_gradients(f.tape, &y, NULL, 1, &q, 1, NM_KEEP_GRAPH, &dq), NM_OK);
    for (int i = 0; i < 2; i++) {
        assert_near(nm_tensor_get(y, i), 0, 0, 0);
        assert_near(nm_tensor_get(dq, i), 0, 0, 0);
        assert_near(nm_tensor_get(y, 2 + i), nm_tensor_get(k, i), 0, 0);
    }
    end(&f);
}
END_TEST

START_TEST(without_keys_attention_is_zero)
{
    fixture f = begin();
    nm_tensor *none = nm_full(f.tape, NM_F64, NM_SHAPE(0, 2), 1);
    nm_tensor *y =
        nm_scaled_dot_product_attention(f.tape, normal(&f, NM_SHAPE(3, 2)), none, none, NULL);
    assert_same(&f, y, nm_full(f.tape, NM_F64, NM_SHAPE(3, 2), 0));
    nm_tensor *mask = nm_full(f.tape, NM_I64, NM_SHAPE(3, 0), 1);
    y = nm_scaled_dot_product_attention(f.tape, normal(&f, NM_SHAPE(3, 2)), none, none, mask);
    assert_same(&f, y, nm_full(f.tape, NM_F64, NM_SHAPE(3, 2), 0));
    end(&f);
}
END_TEST

START_TEST(a_key_that_is_the_only_one_may_be_hidden)
{
    fixture f = begin();
    nm_tensor *q = normal(&f, NM_SHAPE(2, 3)), *k = normal(&f, NM_SHAPE(1, 3));
    nm_tensor *mask = nm_reshape(f.tape, NUMBERS(f, 0, 1), NM_SHAPE(2, 1));
    nm_tensor *y = nm_scaled_dot_product_attention(f.tape, q, k, k, mask);
    assert_fine(f.context);
    for (int64_t i = 0; i < 3; i++) {
        ck_assert_double_eq(nm_tensor_get(y, i), 0);
        ck_assert_double_eq(nm_tensor_get(y, 3 + i), nm_tensor_get(k, i));
    }
    end(&f);
}
END_TEST

START_TEST(what_does_not_fit_an_attention_is_named)
{
    fixture f = begin();
    nm_tensor *q = normal(&f, NM_SHAPE(3, 2)), *k = normal(&f, NM_SHAPE(4, 2));
    nm_scaled_dot_product_attention(f.tape, q, k, q, NULL);
    assert_error(f.context, NM_ERROR_INPUT, "q [3, 2], k [4, 2] and v [3, 2] must be [..., quer");
    nm_scaled_dot_product_attention(f.tape, q, k, k, NUMBERS(f, 1, 0));
    assert_error(f.context, NM_ERROR_INPUT, "mask [2] does not broadcast to the scores [3, 4]");
    nm_scaled_dot_product_attention(f.tape, q, k, k, nm_full(f.tape, NM_F64, NM_SHAPE(2, 3, 4), 1));
    assert_error(f.context, NM_ERROR_INPUT, "mask [2, 3, 4] does not broadcast to the scores");
    nm_scaled_dot_product_attention(f.tape, q, k, k, nm_full(f.tape, NM_F32, NM_SHAPE(3, 4), 1));
    assert_error(f.context, NM_ERROR_INPUT, "mask is f32 and q f64");
    end(&f);
}
END_TEST

START_TEST(a_mask_of_lengths_counts_from_0_to_all_steps)
{
    fixture f = begin();
    nm_tensor *mask = nm_sequence_mask(f.tape, NUMBERS(f, 0, 2, 3), 3);
    const double wanted[] = {0, 0, 0, 1, 1, 0, 1, 1, 1};
    assert_fine(f.context);
    for (int i = 0; i < 9; i++) {
        ck_assert(nm_tensor_get(mask, i) == wanted[i]);
    }
    nm_sequence_mask(f.tape, NUMBERS(f, 4), 3);
    assert_error(f.context, NM_ERROR_INPUT, "sequence_mask: the length at [0] is 4; there are 3");
    end(&f);
}
END_TEST

TEST_MAIN("ops/sequence", many_steps_are_so_many_calls_of_one_step,
          a_sequence_of_no_steps_keeps_its_state, what_stands_behind_a_length_is_without_effect,
          what_does_not_fit_a_sequence_is_named, a_mask_and_causality_hide_what_either_hides,
          a_query_that_sees_nothing_has_neither_a_value_nor_a_gradient,
          without_keys_attention_is_zero, a_key_that_is_the_only_one_may_be_hidden,
          what_does_not_fit_an_attention_is_named, a_mask_of_lengths_counts_from_0_to_all_steps)
