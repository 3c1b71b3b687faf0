/* The layers lstm and gru: that they are their ops, how they begin, what they refuse. */
#include <math.h>
#include <stdio.h>

#include "tests/models/model_test.h"

static nm_recurrent_inputs inputs_of(fixture *f, const char *layer, const char *end)
{
    static const char *const kinds[] = {"weight_ih", "weight_hh", "bias_ih", "bias_hh"};
    nm_tensor *found[4];
    for (int i = 0; i < 4; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.%s%s", layer, kinds[i], end);
        found[i] = named(f, name);
    }
    return (nm_recurrent_inputs){found[0], found[1], found[2], found[3], NULL, NULL, NULL};
}

START_TEST(both_directions_stand_side_by_side)
{
    fixture f = begin_f64("[gru: {units: 3, direction: both}]", NM_SHAPE(5, 2));
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(2, 5, 2), 1);
    const nm_recurrent_inputs there = inputs_of(&f, "gru1", "");
    const nm_recurrent_inputs back = inputs_of(&f, "gru1", "_reverse");
    nm_tensor *parts[] = {nm_gru(f.tape, x, &there).y, nm_gru(f.tape, x, &back, .reverse = true).y};
    nm_tensor *y = nm_concat(f.tape, parts, 2, .axis = 2), *z = evaluate(&f, x);
    assert_fine(f.context);
    ck_assert(nm_shape_equal(nm_tensor_shape(y), nm_tensor_shape(z)));
    for (int64_t i = 0; i < nm_tensor_count(y); i++) {
        assert_near(nm_tensor_get(z, i), nm_tensor_get(y, i), 1e-13, 1e-13);
    }
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

START_TEST(the_last_output_is_the_last_state)
{
    fixture f = begin_f64("[lstm: {units: 3, output: last, direction: backward}]", NM_SHAPE(4, 2));
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(2, 4, 2), 1);
    const nm_recurrent_inputs inputs = inputs_of(&f, "lstm1", "");
    nm_tensor *y = nm_lstm(f.tape, x, &inputs, .reverse = true).h, *z = evaluate(&f, x);
    assert_fine(f.context);
    ck_assert(nm_shape_equal(nm_tensor_shape(y), nm_tensor_shape(z)));
    for (int64_t i = 0; i < nm_tensor_count(y); i++) {
        assert_near(nm_tensor_get(z, i), nm_tensor_get(y, i), 1e-13, 1e-13);
    }
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

START_TEST(weights_begin_within_the_root_of_the_units)
{
    fixture f = begin("[lstm: {units: 4}]", NM_SHAPE(3, 50));
    nm_tensor *w = named(&f, "lstm1.weight_ih");
    double largest = 0;
    for (int64_t i = 0; i < nm_tensor_count(w); i++) {
        largest = fmax(largest, fabs(nm_tensor_get(w, i)));
    }
    ck_assert(largest <= 0.5 && largest > 0.45);
    ck_assert(value_of(&f, "lstm1.bias_hh", 0) == 0);
    end(&f);
}
END_TEST

/* Of 2, 4 and no steps, the rest filled with -1. */
START_TEST(padded_sequences_end_where_they_do)
{
    fixture f = begin_f64("[lstm: {units: 3, mask_value: -1, direction: both}]", NM_SHAPE(5, 2));
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(3, 5, 2), 1);
    int64_t lengths[] = {2, 4, 0};
    for (int64_t i = 0; i < 30; i++) {
        if (i / 2 % 5 >= lengths[i / 10]) {
            nm_tensor_set(x, i, -1);
        }
    }
    nm_tensor_set(x, 0, -1); /* one of a step's numbers */
    nm_tensor *y = evaluate(&f, x);
    nm_recurrent_inputs there = inputs_of(&f, "lstm1", "");
    nm_recurrent_inputs back = inputs_of(&f, "lstm1", "_reverse");
    there.lengths = back.lengths = nm_tape_wrap(f.tape, NM_I64, NM_SHAPE(3), lengths);
    nm_tensor *parts[] = {nm_lstm(f.tape, x, &there).y,
                          nm_lstm(f.tape, x, &back, .reverse = true).y};
    nm_tensor *z = nm_concat(f.tape, parts, 2, .axis = 2);
    assert_fine(f.context);
    for (int64_t i = 0; i < nm_tensor_count(y); i++) {
        assert_near(nm_tensor_get(y, i), nm_tensor_get(z, i), 1e-13, 1e-13);
        ck_assert(i / 6 % 5 < lengths[i / 30] || nm_tensor_get(y, i) == 0);
    }
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

START_TEST(what_is_no_sequence_is_refused)
{
    refused("[lstm: {units: 3}]", NM_SHAPE(8),
            "net.yaml:1:2: layer \"lstm1\": lstm: its input [batch, 8] must be sequences, [batch, "
            "steps, channels]; if it is, put op: {apply: {reshape: {shape: [-1, steps, 1]}}} in "
            "front");
    refused("[gru: {units: 3}]", NM_SHAPE(2, 2, 2),
            "net.yaml:1:2: layer \"gru1\": gru: its input [batch, 2, 2, 2] must be sequences, "
            "[batch, steps, channels]; if it is, put op: {apply: {reshape: {shape: [-1, steps, "
            "channels]}}} in front");
}
END_TEST

TEST_MAIN("models/recurrent", both_directions_stand_side_by_side, the_last_output_is_the_last_state,
          padded_sequences_end_where_they_do, weights_begin_within_the_root_of_the_units,
          what_is_no_sequence_is_refused)
