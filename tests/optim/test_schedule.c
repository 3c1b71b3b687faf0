#include <math.h>

#include "optim/optim.h"
#include "optim/schedule.h"
#include "tests/test.h"

static nm_context *context;

static nm_schedule make(const nm_schedule_type *type, const void *options, const nm_warmup *warmup,
                        int64_t steps, int64_t steps_per_epoch)
{
    nm_schedule schedule;
    const nm_choice choice = {.item = &type->item, .options = options};
    nm_schedule_begin(&schedule, context, &choice, warmup, steps, steps_per_epoch);
    return schedule;
}

static void check_values(const nm_schedule *schedule, const double *values, int count)
{
    assert_fine(context);
    for (int i = 0; i < count; i++) {
        assert_near(nm_schedule_factor(schedule, i), values[i], 1e-9, 0);
    }
}

static void begin(void)
{
    context = test_context(NULL);
    nm_register_schedules(context);
}

static void end(void)
{
    test_context_end(context, NULL);
}

START_TEST(constant_is_one_and_the_default)
{
    begin();
    nm_schedule schedule;
    nm_schedule_begin(&schedule, context, &(nm_choice){0}, NULL, 10, 5);
    check_values(&schedule, (double[]){1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 10);
    end();
}
END_TEST

START_TEST(step_drops_when_an_epoch_begins)
{
    begin();
    nm_schedule every =
        make(&nm_schedule_step, &(nm_step_options){.every = 2, .factor = 0.5}, NULL, 15, 3);
    check_values(&every, (double[]){1, 1, 1, 1, 1, 1, .5, .5, .5, .5, .5, .5, .25, .25, .25}, 15);
    nm_schedule at = make(&nm_schedule_step,
                          &(nm_step_options){.at = NM_FLOATS(1, 3), .factor = 0.1}, NULL, 12, 3);
    check_values(&at, (double[]){1, 1, 1, .1, .1, .1, .1, .1, .1, .01, .01, .01}, 12);
    end();
}
END_TEST

START_TEST(step_drops_at_the_right_update_also_with_odd_epochs)
{
    begin();
    nm_schedule s = make(&nm_schedule_step, &(nm_step_options){.every = 7, .factor = 0.5}, NULL,
                         469 * 100, 469);
    for (int64_t drop = 1; drop < 14; drop++) {
        ck_assert(nm_schedule_factor(&s, 469 * 7 * drop - 1) == pow(0.5, (double)drop - 1));
        ck_assert(nm_schedule_factor(&s, 469 * 7 * drop) == pow(0.5, (double)drop));
    }
    end();
}
END_TEST

/* The values are PyTorch's: ExponentialLR(gamma=0.5), PolynomialLR(total_iters=4, power=2), and
 * CyclicLR(base_lr=0.1, max_lr=1, step_size_up=2, step_size_down=3), triangular and triangular2. */
START_TEST(exponential_falls_with_epochs)
{
    begin();
    nm_schedule s =
        make(&nm_schedule_exponential, &(nm_exponential_options){.factor = 0.5}, NULL, 6, 2);
    check_values(&s, (double[]){1, 1, .5, .5, .25, .25}, 6);
    s = make(&nm_schedule_exponential, &(nm_exponential_options){.factor = 0.25, .smooth = true},
             NULL, 4, 2);
    check_values(&s, (double[]){1, .5, .25, .125}, 4);
    s = make(&nm_schedule_exponential, &(nm_exponential_options){.factor = 0.5}, NULL, 300, 3);
    ck_assert(nm_schedule_factor(&s, 3 * 49 - 1) == pow(0.5, 48));
    ck_assert(nm_schedule_factor(&s, 3 * 49) == pow(0.5, 49));
    end();
}
END_TEST

START_TEST(polynomial_is_pytorchs)
{
    begin();
    nm_schedule s = make(&nm_schedule_polynomial, &(nm_polynomial_options){.power = 2}, NULL, 4, 2);
    check_values(&s, (double[]){1, .5625, .25, .0625, 0}, 5);
    s = make(&nm_schedule_polynomial, &(nm_polynomial_options){.power = 1, .end = 0.5}, NULL, 4, 2);
    check_values(&s, (double[]){1, .875, .75, .625, .5}, 5);
    end();
}
END_TEST

START_TEST(cyclic_is_pytorchs)
{
    begin();
    nm_cyclic_options o = {.base = 0.1, .up = 2, .down = 3, .cycle_factor = 1};
    nm_schedule s = make(&nm_schedule_cyclic, &o, NULL, 10, 5);
    check_values(&s, (double[]){.1, .55, 1, .7, .4, .1, .55, 1, .7, .4}, 10);
    o.cycle_factor = 0.5;
    s = make(&nm_schedule_cyclic, &o, NULL, 10, 5);
    check_values(&s, (double[]){.1, .55, 1, .7, .4, .1, .325, .55, .4, .25}, 10);
    o = (nm_cyclic_options){.base = 0, .up = 2, .cycle_factor = 1};
    s = make(&nm_schedule_cyclic, &o, NULL, 5, 5);
    check_values(&s, (double[]){0, .5, 1, .5, 0}, 5);
    end();
}
END_TEST

/* What ReduceLROnPlateau of PyTorch 2.13 makes of these losses, with factor 0.5, patience 1,
 * cooldown 2 and threshold 0.1; and of the same as something of which more is better. */
START_TEST(plateau_is_pytorchs)
{
    const double losses[] = {1,           0.95, 0.92, 0.91, 0.7, 0.7, 0.7,
                             (double)NAN, 0.6,  0.6,  0.6,  0.6, 0.6};
    const double factors[] = {1, 1, .5, .5, .5, .5, .25, .25, .25, .25, .125, .125, .125};
    begin();
    const nm_plateau_options o = {.factor = 0.5, .patience = 1, .threshold = 0.1, .cooldown = 2};
    for (int higher = 0; higher < 2; higher++) {
        nm_schedule s = make(&nm_schedule_plateau, &o, NULL, 100, 1);
        ck_assert(nm_schedule_factor(&s, 0) == 1);
        for (int i = 0; i < NM_COUNT_OF(losses); i++) {
            nm_schedule_watch(&s, losses[i], higher);
            assert_near(nm_schedule_factor(&s, i), factors[i], 0, 0);
        }
    }
    end();
}
END_TEST

START_TEST(a_plateau_does_not_fall_below_its_end)
{
    begin();
    const nm_plateau_options o = {.factor = 0.1, .threshold = 0, .end = 0.05};
    nm_schedule s = make(&nm_schedule_plateau, &o, NULL, 100, 1);
    for (int i = 0; i < 10; i++) {
        nm_schedule_watch(&s, 1, false);
    }
    assert_near(nm_schedule_factor(&s, 0), 0.05, 0, 0);
    nm_schedule_watch(&(nm_schedule){0}, 1, false); /* of none: nothing */
    end();
}
END_TEST

/* The values below are PyTorch's: CosineAnnealingLR(T_max=10, eta_min=0.1), OneCycleLR(max_lr=1,
 * total_steps=10) and OneCycleLR(max_lr=1, total_steps=7, pct_start=0.5, div_factor=10,
 * final_div_factor=100). */
START_TEST(cosine_is_pytorchs)
{
    begin();
    nm_schedule s = make(&nm_schedule_cosine, &(nm_cosine_options){.end = 0.1}, NULL, 10, 5);
    check_values(&s,
                 (double[]){1, 0.9779754323, 0.9140576475, 0.8145033635, 0.6890576475, 0.55,
                            0.4109423525, 0.2854966365, 0.1859423525, 0.1220245677},
                 10);
    assert_near(nm_schedule_factor(&s, 10), 0.1, 1e-12, 0);
    assert_near(nm_schedule_factor(&s, 15), 0.1, 1e-12, 0);
    end();
}
END_TEST

START_TEST(one_cycle_is_pytorchs)
{
    begin();
    nm_schedule s = make(&nm_schedule_one_cycle, NULL, NULL, 10, 5);
    check_values(&s,
                 (double[]){0.04, 0.52, 1, 0.950484632, 0.8117456539, 0.6112620219, 0.3887419781,
                            0.1882583461, 0.04951936799, 4e-06},
                 10);
    s = make(&nm_schedule_one_cycle,
             &(nm_one_cycle_options){.peak = 0.5, .start_divisor = 10, .end_divisor = 100}, NULL, 7,
             5);
    check_values(
        &s,
        (double[]){0.1, 0.4109423525, 0.9140576475, 0.9505339495, 0.6116492065, 0.189066844, 0.001},
        7);
    end();
}
END_TEST

START_TEST(every_schedule_is_finite_for_any_number_of_steps)
{
    begin();
    for (int i = 0; i < nm_item_count(context, NM_KIND_SCHEDULE); i++) {
        const nm_item *item = nm_item_at(context, NM_KIND_SCHEDULE, i);
        const nm_step_options every = {.every = 1, .factor = 0.1};
        for (int64_t steps = 1; steps < 9; steps++) {
            nm_schedule s = make((const nm_schedule_type *)(const void *)item,
                                 item == &nm_schedule_step.item ? &every : NULL, NULL, steps, 1);
            assert_fine(context);
            for (int64_t step = 0; step < steps + 3; step++) {
                double factor = nm_schedule_factor(&s, step);
                ck_assert(factor >= 0 && factor <= 1);
            }
        }
    }
    ck_assert_int_eq(nm_item_count(context, NM_KIND_SCHEDULE), 8);
    end();
}
END_TEST

START_TEST(one_cycle_without_a_way_up_begins_at_the_top)
{
    begin();
    nm_one_cycle_options o = {NM_ONE_CYCLE_DEFAULTS, .peak = 0};
    nm_schedule s = make(&nm_schedule_one_cycle, &o, NULL, 10, 5);
    assert_near(nm_schedule_factor(&s, 0), 1, 0, 0);
    assert_near(nm_schedule_factor(&s, 9), 4e-6, 1e-9, 0);
    end();
}
END_TEST

START_TEST(a_warm_up_rises_to_the_full_rate_before_the_schedule_begins)
{
    begin();
    const nm_warmup warmup = {.steps = 4};
    nm_schedule s = make(&nm_schedule_cosine, NULL, &warmup, 14, 7);
    nm_schedule alone = make(&nm_schedule_cosine, NULL, NULL, 10, 7);
    check_values(&s, (double[]){0.2, 0.4, 0.6, 0.8, 1}, 5);
    for (int64_t i = 0; i < 10; i++) {
        ck_assert(nm_schedule_factor(&s, 4 + i) == nm_schedule_factor(&alone, i));
    }
    end();
}
END_TEST

/* catalyst#851. The first values are PyTorch's: LinearLR(start_factor=0.1, total_iters=5). */
START_TEST(a_warm_up_begins_where_start_says_as_pytorchs_linear)
{
    begin();
    nm_schedule s = make(&nm_schedule_constant, NULL, &(nm_warmup){.steps = 5, .start = 0.1}, 9, 3);
    check_values(&s, (double[]){0.1, 0.28, 0.46, 0.64, 0.82, 1, 1, 1}, 8);
    s = make(&nm_schedule_constant, NULL, &(nm_warmup){.epochs = 0.5, .start = 0.2}, 20, 8);
    check_values(&s, (double[]){0.2, 0.4, 0.6, 0.8, 1, 1}, 6);
    s = make(&nm_schedule_constant, NULL, &(nm_warmup){.steps = 1, .start = 0.5}, 3, 3);
    check_values(&s, (double[]){0.5, 1, 1}, 3);
    end();
}
END_TEST

START_TEST(a_warm_up_without_start_makes_no_update_at_rate_0)
{
    begin();
    for (int64_t steps = 1; steps < 50; steps++) {
        nm_schedule s = make(&nm_schedule_constant, NULL, &(nm_warmup){.steps = steps}, 60, 60);
        for (int64_t i = 0; i <= steps; i++) {
            assert_near(nm_schedule_factor(&s, i), (double)(i + 1) / (double)(steps + 1), 1e-12, 0);
        }
    }
    end();
}
END_TEST

/* emmental#85: 0.07 * 100 is 7.000000000000001 in doubles, and 0.55 * 100 is 55.00000000000001. */
START_TEST(a_fraction_of_an_epoch_is_whole_updates_before_it_is_rounded_up)
{
    begin();
    for (int64_t updates = 1; updates < 300; updates++) {
        const nm_warmup warmup = {.epochs = (double)updates / 100};
        nm_schedule s = make(&nm_schedule_constant, NULL, &warmup, 300, 100);
        assert_fine(context);
        ck_assert_int_eq(s.warmup_steps, updates);
    }
    nm_schedule s = make(&nm_schedule_constant, NULL, &(nm_warmup){.epochs = 0.0701}, 100, 100);
    ck_assert_int_eq(s.warmup_steps, 8); /* a part of an update is one */
    end();
}
END_TEST

START_TEST(drops_come_at_the_very_update_also_within_epochs)
{
    begin();
    for (int64_t per_epoch = 10; per_epoch <= 1000; per_epoch *= 10) {
        const int64_t step = per_epoch / 10, drops = 30;
        nm_schedule s = make(&nm_schedule_step, &(nm_step_options){.every = 0.1, .factor = 0.5},
                             NULL, drops * step, per_epoch);
        for (int64_t i = 0; i < drops * step; i++) {
            ck_assert(nm_schedule_factor(&s, i) == pow(0.5, (double)(i / step)));
        }
    }
    nm_schedule s = make(&nm_schedule_step,
                         &(nm_step_options){.at = NM_FLOATS(0, 0.07, 0.55, 1.1), .factor = 0.5},
                         NULL, 200, 100);
    for (int64_t i = 0; i < 200; i++) {
        const int drops = 1 + (i >= 7) + (i >= 55) + (i >= 110);
        ck_assert(nm_schedule_factor(&s, i) == pow(0.5, drops));
    }
    end();
}
END_TEST

START_TEST(step_counts_epochs_from_before_the_warm_up)
{
    begin();
    const nm_warmup warmup = {.steps = 2};
    nm_schedule s =
        make(&nm_schedule_step, &(nm_step_options){.every = 1, .factor = 0.5}, &warmup, 9, 3);
    check_values(&s, (double[]){1 / 3.0, 2 / 3.0, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25}, 9);
    end();
}
END_TEST

START_TEST(a_warm_up_longer_than_the_run_is_an_error)
{
    begin();
    make(&nm_schedule_constant, NULL, &(nm_warmup){.epochs = 3}, 20, 10);
    assert_error(context, NM_ERROR_INPUT, "warmup: its 30 updates leave nothing of the 20");
    make(&nm_schedule_constant, NULL, &(nm_warmup){.steps = -1}, 20, 10);
    assert_error(context, NM_ERROR_INPUT, "\"steps\"");
    make(&nm_schedule_constant, NULL, &(nm_warmup){.start = 0.5}, 20, 10);
    assert_error(context, NM_ERROR_INPUT, "\"start\" without a length");
    end();
}
END_TEST

START_TEST(a_warm_up_before_a_schedule_with_its_own_is_an_error)
{
    begin();
    make(&nm_schedule_one_cycle, NULL, &(nm_warmup){.steps = 2}, 20, 10);
    assert_error(context, NM_ERROR_INPUT,
                 "warmup: the schedule \"one_cycle\" rises by itself; remove the warm-up");
    make(&nm_schedule_one_cycle, NULL, &(nm_warmup){0}, 20, 10);
    assert_fine(context);
    end();
}
END_TEST

static void check_yaml(const char *yaml, const char *error)
{
    nm_diagnostics d;
    nm_choice choice = {0};
    nm_document *document = nm_document_parse(context, yaml, SIZE_MAX, "net.yaml");
    nm_diagnostics_begin(&d, context);
    nm_choice_read(NM_KIND_SCHEDULE, nm_document_root(document), "train", document, &d, &choice);
    nm_diagnostics_end(&d);
    assert_error(context, NM_ERROR_INPUT, error);
    nm_document_destroy(document);
}

/* AlexeyAB/darknet#1869: a misspelt policy became the constant one. */
START_TEST(a_misspelt_schedule_is_an_error)
{
    begin();
    check_yaml("cosin", "unknown schedule \"cosin\"; did you mean \"cosine\"?");
    check_yaml("{cosine: {start: 0}}", "cosine: unknown option \"start\"");
    check_yaml("{cosine: {end: 2}}", "net.yaml:1:16: cosine: \"end\" must be");
    check_yaml("{one_cycle: {start_divisor: 0.5}}", "at least 1");
    check_yaml("step", "either \"every\" or \"at\"");
    check_yaml("{step: {every: 3, at: [1]}}", "either \"every\" or \"at\"");
    check_yaml("{constant: {rate: 1}}", "constant: it takes no options");
    end();
}
END_TEST

TEST_MAIN("optim/schedule", exponential_falls_with_epochs, polynomial_is_pytorchs,
          cyclic_is_pytorchs, plateau_is_pytorchs, a_plateau_does_not_fall_below_its_end,
          constant_is_one_and_the_default, step_drops_when_an_epoch_begins,
          step_drops_at_the_right_update_also_with_odd_epochs, cosine_is_pytorchs,
          one_cycle_is_pytorchs, every_schedule_is_finite_for_any_number_of_steps,
          one_cycle_without_a_way_up_begins_at_the_top,
          a_warm_up_rises_to_the_full_rate_before_the_schedule_begins,
          a_warm_up_begins_where_start_says_as_pytorchs_linear,
          a_warm_up_without_start_makes_no_update_at_rate_0,
          a_fraction_of_an_epoch_is_whole_updates_before_it_is_rounded_up,
          drops_come_at_the_very_update_also_within_epochs,
          a_warm_up_before_a_schedule_with_its_own_is_an_error,
          step_counts_epochs_from_before_the_warm_up, a_warm_up_longer_than_the_run_is_an_error,
          a_misspelt_schedule_is_an_error)
