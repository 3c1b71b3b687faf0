/* Averages of weights: what they are, where they are seen, and that training never sees them. */
#include "core/file.h"
#include "tests/optim/small_run.h"

#define STEPS 18

/* The first weights after each step, as training had them. */
typedef struct seen {
    small_run run;
    double w[STEPS + 1][INPUTS * HIDDEN];
} seen;

static nm_status look(void *user, const nm_train_state *state)
{
    seen *s = user;
    for (int i = 0; i < INPUTS * HIDDEN; i++) {
        s->w[state->step][i] = nm_tensor_get(s->run.network.w1, i);
    }
    return NM_OK;
}

static void begin(seen *s, const nm_averaging *average)
{
    small_begin(&s->run, NULL);
    s->run.data.train.count = 43;
    s->run.setup.callbacks = (nm_train_callbacks){.user = s, .on_step = look};
    if (average) {
        s->run.setup.options.average = *average;
    }
}

static void check_weights(const seen *s, const double *wanted)
{
    for (int i = 0; i < INPUTS * HIDDEN; i++) {
        assert_near(nm_tensor_get(s->run.network.w1, i), wanted[i], 1e-5, 1e-6);
    }
}

START_TEST(an_exponential_average_begins_with_the_first_weights_and_forgets)
{
    static seen s;
    begin(&s, &(nm_averaging){NM_AVERAGING_DEFAULTS, .decay = 0.8, .recalibrate = false});
    small_train(&s.run);
    assert_fine(s.run.context);
    ck_assert_int_eq(s.run.result.steps, STEPS);
    double wanted[INPUTS * HIDDEN];
    for (int i = 0; i < INPUTS * HIDDEN; i++) {
        wanted[i] = s.w[1][i];
        for (int step = 2; step <= STEPS; step++) {
            wanted[i] = 0.8 * wanted[i] + 0.2 * s.w[step][i];
        }
    }
    check_weights(&s, wanted);
    small_end(&s.run, NULL);
}
END_TEST

START_TEST(an_equal_average_is_the_mean_of_the_last_part)
{
    static seen s;
    begin(&s, &(nm_averaging){NM_AVERAGING_DEFAULTS, .kind = NM_AVERAGE_EQUAL, .last = 0.5,
                              .every = 3, .recalibrate = false});
    small_train(&s.run);
    assert_fine(s.run.context);
    double wanted[INPUTS * HIDDEN];
    for (int i = 0; i < INPUTS * HIDDEN; i++) { /* of 18 steps every third above 9 */
        wanted[i] = (s.w[12][i] + s.w[15][i] + s.w[18][i]) / 3;
    }
    check_weights(&s, wanted);
    small_end(&s.run, NULL);
}
END_TEST

START_TEST(training_goes_as_it_goes_without)
{
    static seen plain, averaged;
    begin(&plain, NULL);
    begin(&averaged, &(nm_averaging){NM_AVERAGING_DEFAULTS, .recalibrate = false});
    small_train(&plain.run);
    small_train(&averaged.run);
    assert_fine(averaged.run.context);
    ck_assert(memcmp(plain.w, averaged.w, sizeof plain.w) == 0);
    ck_assert(plain.run.result.train_loss == averaged.run.result.train_loss);
    ck_assert(plain.run.result.test_loss != averaged.run.result.test_loss);
    small_end(&plain.run, NULL);
    small_end(&averaged.run, NULL);
}
END_TEST

/* What is evaluated last, what is kept, and what is in the network at the end. */
START_TEST(what_is_kept_is_what_was_evaluated)
{
    static seen s;
    begin(&s, &(nm_averaging){NM_AVERAGING_DEFAULTS, .decay = 0.5, .recalibrate = false});
    s.run.setup.folder = test_path("kept");
    small_train(&s.run);
    assert_fine(s.run.context);
    nm_evaluation again;
    nm_trainer_evaluate(s.run.trainer, &s.run.data.test, &again);
    ck_assert(again.loss == s.run.result.test_loss);
    nm_tensor_file *best = nm_tensor_file_read(s.run.context, test_path("kept/best.safetensors"));
    nm_tensor_file *last =
        nm_tensor_file_read(s.run.context, test_path("kept/checkpoint.safetensors"));
    assert_fine(s.run.context);
    nm_tensor *kept = nm_tensor_file_find(best, "first.weight");
    nm_tensor *raw = nm_tensor_file_find(last, "model.first.weight");
    nm_tensor *average = nm_tensor_file_find(last, "average.first.weight");
    for (int i = 0; i < INPUTS * HIDDEN; i++) {
        const double now = nm_tensor_get(s.run.network.w1, i);
        ck_assert(nm_tensor_get(kept, i) == now && nm_tensor_get(average, i) == now);
        ck_assert(nm_tensor_get(raw, i) == s.w[STEPS][i]);
    }
    nm_tensor_file_destroy(best);
    nm_tensor_file_destroy(last);
    small_end(&s.run, NULL);
}
END_TEST

START_TEST(an_average_of_nothing_yet_is_the_network_itself)
{
    static seen s;
    begin(&s, &(nm_averaging){NM_AVERAGING_DEFAULTS, .kind = NM_AVERAGE_EQUAL, .every = 1000});
    small_train(&s.run);
    assert_fine(s.run.context);
    check_weights(&s, s.w[STEPS]);
    small_end(&s.run, NULL);
}
END_TEST

/* This network's batch norm keeps its statistics to itself. */
START_TEST(statistics_that_cannot_be_found_again_are_told)
{
    static seen s;
    begin(&s, &(nm_averaging){NM_AVERAGING_DEFAULTS});
    test_warnings();
    small_train(&s.run);
    assert_fine(s.run.context);
    const char *warnings = test_warnings();
    ck_assert_msg(strstr(warnings, "the running statistics stay the last ones") != NULL, "%s",
                  warnings);
    small_end(&s.run, NULL);
}
END_TEST

START_TEST(options_out_of_range_are_refused)
{
    static const nm_averaging wrong[] = {
        {NM_AVERAGING_DEFAULTS, .decay = 1},
        {NM_AVERAGING_DEFAULTS, .last = 0},
        {NM_AVERAGING_DEFAULTS, .every = 0},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        static seen s;
        begin(&s, &wrong[i]);
        ck_assert_ptr_null(nm_trainer_create(s.run.context, &s.run.setup));
        assert_error(s.run.context, NM_ERROR_INPUT, "must be");
        small_end(&s.run, NULL);
    }
}
END_TEST

TEST_MAIN("optim/train/average", an_exponential_average_begins_with_the_first_weights_and_forgets,
          an_equal_average_is_the_mean_of_the_last_part, training_goes_as_it_goes_without,
          what_is_kept_is_what_was_evaluated, an_average_of_nothing_yet_is_the_network_itself,
          statistics_that_cannot_be_found_again_are_told, options_out_of_range_are_refused)
