/* What training does where nothing is said: batch, epochs and optimizer. */
#include <check.h>

#include "norma.h"
#include "optim/train_defaults.h"
#include "tests/test.h"

START_TEST(a_batch_is_a_sixteenth_of_the_set_from_16_to_128)
{
    static const int64_t expected[][2] = {{1, 16},     {16, 16},     {511, 16},     {512, 32},
                                          {1023, 32},  {1024, 64},   {2047, 64},    {2048, 128},
                                          {4096, 128}, {60000, 128}, {1 << 30, 128}};
    const nm_loader_options usual = {NM_LOADER_DEFAULTS}, said = {NM_LOADER_DEFAULTS, .batch = 7};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        ck_assert_int_eq(nm_loader_batch(&usual, expected[i][0]), expected[i][1]);
        ck_assert_int_eq(nm_loader_batch(&said, expected[i][0]), 7);
    }
}
END_TEST

START_TEST(epochs_make_two_thousand_updates_from_10_to_1000)
{
    static const int64_t expected[][2] = {{1, 1000}, {2, 1000}, {3, 667},  {10, 200},
                                          {199, 11}, {200, 10}, {469, 10}, {100000, 10}};
    const nm_train_options usual = {NM_TRAIN_DEFAULTS}, said = {NM_TRAIN_DEFAULTS, .epochs = 3};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        ck_assert_int_eq(nm_train_epochs(&usual, expected[i][0]), expected[i][1]);
        ck_assert_int_eq(nm_train_epochs(&said, expected[i][0]), 3);
    }
}
END_TEST

START_TEST(without_an_optimizer_it_is_sgd_with_momentum_and_cosine)
{
    nm_sgd_options chosen;
    nm_train_options usual = {NM_TRAIN_DEFAULTS};
    nm_train_complete(&usual, 300, 100, &chosen);
    ck_assert_ptr_eq(usual.optimizer.item, &nm_optimizer_sgd.item);
    const nm_sgd_options *sgd = usual.optimizer.options;
    ck_assert(sgd->rate == 0.02 && sgd->momentum == 0.9);
    ck_assert_double_eq_tol(sgd->weight_decay, 0.01 * 100 / 300, 1e-15);
    ck_assert(usual.clip_norm == 1);
    ck_assert_ptr_eq(usual.schedule.item, &nm_schedule_cosine.item);
    nm_train_options said = {NM_TRAIN_DEFAULTS, .optimizer = nm_sgd(.rate = 1)};
    nm_train_complete(&said, 300, 100, &chosen);
    ck_assert(said.clip_norm == 0);
    ck_assert(((const nm_sgd_options *)nm_choice_options(&said.optimizer))->rate == 1);
    ck_assert_ptr_eq(said.schedule.item, &nm_schedule_constant.item);
    nm_train_options step = {NM_TRAIN_DEFAULTS, .schedule = {.item = &nm_schedule_step.item}};
    nm_train_complete(&step, 300, 100, &chosen);
    ck_assert_ptr_eq(step.schedule.item, &nm_schedule_step.item);
}
END_TEST

START_TEST(weight_decay_falls_with_the_samples_and_grows_with_the_weights)
{
    static const struct {
        int64_t samples, weights;
        double expected;
    } cases[] = {{0, 10, 0.1},      {1, 9, 0.1},         {30, 30, 0.1},
                 {60, 0, 0},        {60, 60, 0.05},      {300, 3, 0.01 * 3 / 300},
                 {300, 3000, 0.01}, {60000, 60000, 5e-5}};
    for (int i = 0; i < NM_COUNT_OF(cases); i++) {
        nm_sgd_options chosen;
        nm_train_options usual = {NM_TRAIN_DEFAULTS};
        nm_train_complete(&usual, cases[i].samples, cases[i].weights, &chosen);
        ck_assert_double_eq_tol(chosen.weight_decay, cases[i].expected, 1e-15);
    }
}
END_TEST

START_TEST(a_norm_to_clip_to_that_is_given_stays)
{
    nm_sgd_options chosen;
    for (int norm = 0; norm < 3; norm++) {
        nm_train_options said = {NM_TRAIN_DEFAULTS, .clip_norm = norm};
        nm_train_complete(&said, 300, 100, &chosen);
        ck_assert(said.clip_norm == norm);
    }
}
END_TEST

TEST_MAIN("optim/train/defaults", a_batch_is_a_sixteenth_of_the_set_from_16_to_128,
          epochs_make_two_thousand_updates_from_10_to_1000,
          without_an_optimizer_it_is_sgd_with_momentum_and_cosine,
          weight_decay_falls_with_the_samples_and_grows_with_the_weights,
          a_norm_to_clip_to_that_is_given_stays)
