/* The layers self_attention and embedding: that they are their ops, what they hide, what they
 * refuse.
 */
#include <math.h>

#include "tests/models/model_test.h"

static nm_self_attention_inputs inputs_of(fixture *f)
{
    return (nm_self_attention_inputs){.in_weight = named(f, "self_attention1.in_proj_weight"),
                                      .in_bias = named(f, "self_attention1.in_proj_bias"),
                                      .out_weight = named(f, "self_attention1.out_proj.weight"),
                                      .out_bias = named(f, "self_attention1.out_proj.bias")};
}

static void assert_same(nm_tensor *a, nm_tensor *b)
{
    ck_assert(a && b && nm_shape_equal(nm_tensor_shape(a), nm_tensor_shape(b)));
    for (int64_t i = 0; i < nm_tensor_count(a); i++) {
        assert_near(nm_tensor_get(a, i), nm_tensor_get(b, i), 1e-13, 1e-13);
    }
}

static void finish(fixture *f, nm_tensor *x)
{
    assert_fine(f->context);
    nm_tape_reset(f->tape);
    nm_tensor_destroy(x);
    end(f);
}

START_TEST(the_layer_is_the_op_and_sequences_end_where_padding_begins)
{
    fixture f = begin_f64("[self_attention: {heads: 2, mask_value: 0}]", NM_SHAPE(4, 6));
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(3, 4, 6), 1);
    int64_t lengths[] = {2, 4, 0};
    for (int64_t i = 0; i < 72; i++) {
        if (i / 6 % 4 >= lengths[i / 24]) {
            nm_tensor_set(x, i, 0);
        }
    }
    nm_self_attention_inputs inputs = inputs_of(&f);
    inputs.lengths = nm_tape_wrap(f.tape, NM_I64, NM_SHAPE(3), lengths);
    nm_tensor *y = evaluate(&f, x);
    assert_same(y, nm_self_attention(f.tape, x, &inputs, .heads = 2));
    for (int64_t i = 0; i < 72; i++) {
        ck_assert(i / 6 % 4 < lengths[i / 24] || nm_tensor_get(y, i) == 0);
    }
    finish(&f, x);
}
END_TEST

START_TEST(a_causal_step_sees_nothing_later)
{
    fixture f =
        begin_f64("[self_attention: {heads: 2, embed_dim: 8, causal: true}]", NM_SHAPE(4, 6));
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(1, 4, 6), 1);
    nm_tensor *before = evaluate(&f, x);
    nm_tensor_set(x, 3 * 6, 9); /* the last step */
    nm_tensor *after = evaluate(&f, x);
    for (int64_t i = 0; i < 24; i++) {
        ck_assert((nm_tensor_get(before, i) == nm_tensor_get(after, i)) == (i < 18));
    }
    finish(&f, x);
}
END_TEST

START_TEST(weights_are_dropped_in_training_alone)
{
    fixture f = begin_f64("[self_attention: {dropout: 0.5}]", NM_SHAPE(4, 6));
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(2, 4, 6), 1);
    nm_self_attention_inputs inputs = inputs_of(&f);
    assert_same(evaluate(&f, x), nm_self_attention(f.tape, x, &inputs));
    nm_random same = f.random;
    nm_tensor *y = train(&f, x);
    inputs.seed = nm_tape_draw(f.tape, &same);
    assert_same(y, nm_self_attention(f.tape, x, &inputs, .dropout = 0.5));
    ck_assert(nm_tensor_get(y, 0) != nm_tensor_get(evaluate(&f, x), 0));
    finish(&f, x);
}
END_TEST

START_TEST(rows_are_found_and_that_of_padding_is_zero)
{
    fixture f = begin_f64("[embedding: {num_embeddings: 4, embedding_dim: 2, padding_idx: -1}]",
                          NM_SHAPE(3));
    nm_tensor *w = named(&f, "embedding1.weight");
    nm_tensor *x = nm_tensor_create(f.context, NM_F64, NM_SHAPE(1, 3));
    for (int64_t i = 0; i < 3; i++) {
        nm_tensor_set(x, i, (double)(3 - 2 * (i % 2)));
    }
    nm_tensor *y = train(&f, x);
    ck_assert(nm_tensor_get(y, 0) == 0 && nm_tensor_get(y, 1) == 0);
    ck_assert(nm_tensor_get(y, 2) == nm_tensor_get(w, 2) && nm_tensor_get(w, 2) != 0);
    nm_backward(f.tape, nm_sum(f.tape, y), 0);
    assert_fine(f.context);
    ck_assert(nm_tensor_get(nm_tensor_grad(w), 6) == 0 && nm_tensor_get(nm_tensor_grad(w), 2) == 1);
    nm_tensor_set(x, 0, 0.5);
    nm_tape_reset(f.tape);
    ck_assert_ptr_null(train(&f, x));
    assert_error(f.context, NM_ERROR_INPUT,
                 "x at [0, 0] is 0.5, and no index; samples that are indices are not to be "
                 "standardized");
    nm_tensor_set(x, 0, 4);
    nm_tape_reset(f.tape);
    ck_assert_ptr_null(train(&f, x));
    assert_error(f.context, NM_ERROR_INPUT, "index at [0, 0] is 4; there are 4");
    finish(&f, x);
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
    refused("[self_attention]", NM_SHAPE(8),
            "net.yaml:1:2: layer \"self_attention1\": self_attention: its input [batch, 8] must be "
            "sequences, [batch, steps, channels]");
    refused("[self_attention: {heads: 3}]", NM_SHAPE(2, 4),
            "net.yaml:1:2: layer \"self_attention1\": self_attention: heads: 3 do not divide the "
            "channels of its input, 4");
    refused("[embedding: {num_embeddings: 4, embedding_dim: 2, padding_idx: 4}]", NM_SHAPE(3),
            "net.yaml:1:2: layer \"embedding1\": embedding: padding_idx: 4 is none of the 4 "
            "numbers");
}
END_TEST

TEST_MAIN("models/attention", the_layer_is_the_op_and_sequences_end_where_padding_begins,
          a_causal_step_sees_nothing_later, weights_are_dropped_in_training_alone,
          rows_are_found_and_that_of_padding_is_zero, what_does_not_fit_is_refused)
