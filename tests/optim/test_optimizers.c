/* All optimizers: their formulas on stored values (tests/golden/optimizers.py describes the file),
 * and what holds for each that is registered. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/file.h"
#include "ops/ops.h"
#include "optim/optim.h"
#include "optim/optimizers.h"
#include "tests/test.h"

static nm_context *context;
static nm_store *store;
static nm_tape *tape;

static void begin(test_memory *memory)
{
    context = test_context(memory);
    nm_register_ops(context);
    nm_register_optimizers(context);
    store = nm_store_create(context);
    tape = nm_tape_create(context);
}

static void end(test_memory *memory)
{
    nm_tape_destroy(tape);
    nm_store_destroy(store);
    test_context_end(context, memory);
}

/* The gradient of w becomes the elements of `values` from `at` on: that of sum(w * values). */
static void set_gradient(nm_tensor *w, const nm_tensor *values, int64_t at)
{
    nm_tape_reset(tape);
    nm_tensor *g = nm_tensor_create(context, nm_tensor_dtype(w), *nm_tensor_shape(w));
    for (int64_t i = 0; i < nm_tensor_count(w); i++) {
        nm_tensor_set(g, i, nm_tensor_get(values, at + i));
    }
    nm_backward(tape, nm_sum(tape, nm_mul(tape, w, g)), 0);
    assert_fine(context);
    nm_tensor_destroy(g);
}

static const nm_item *item_of(const char *name)
{
    const nm_item *item = nm_find(context, NM_KIND_OPTIMIZER, name);
    ck_assert_msg(item != NULL, "no optimizer %s", name);
    return item;
}

/* Options have at most as much room as a choice has for them. */
typedef union options_room {
    double align;
    char bytes[8 * NM_OWN_OPTIONS];
} options_room;

static nm_optimizer *optimizer_from(const nm_item *item, const char *text)
{
    options_room options;
    ck_assert_uint_le(item->spec->size, sizeof options);
    nm_spec_read_text(context, item->spec, text, item->name, &options);
    assert_fine(context);
    const nm_choice choice = {.item = item, .options = &options};
    nm_optimizer *optimizer = nm_optimizer_create(store, &choice, NULL, 0);
    assert_fine(context);
    return optimizer;
}

/* ---- Stored values ---- */

#define COUNT 6 /* elements of the parameter */

typedef struct golden {
    nm_tensor_file *file;
    nm_dtype dtype;
    double tolerance;
    int variants;
} golden;

static nm_tensor *required(const golden *g, const char *name)
{
    nm_tensor *tensor = nm_tensor_file_find(g->file, name);
    ck_assert_msg(tensor != NULL, "the file has no %s", name);
    return tensor;
}

static void check_steps(const golden *g, const char *variant, nm_optimizer *optimizer, nm_tensor *w)
{
    char name[96];
    snprintf(name, sizeof name, "%s/parameters", variant);
    const nm_tensor *rates = required(g, "rates"), *wanted = required(g, name);
    for (int64_t step = 0; step < nm_tensor_count(rates); step++) {
        set_gradient(w, required(g, "gradients"), step * COUNT);
        nm_optimizer_step(optimizer, step, nm_tensor_get(rates, step), 1);
        nm_store_clear_grads(store);
        for (int i = 0; i < COUNT; i++) {
            const double a = nm_tensor_get(w, i), b = nm_tensor_get(wanted, step * COUNT + i);
            ck_assert_msg(near_to(a, b, g->tolerance, g->tolerance),
                          "%s, step %d, element %d: %.17g, wanted %.17g", variant, (int)step, i, a,
                          b);
        }
    }
}

static void check_variant(golden *g, const char *variant)
{
    char kind[64];
    snprintf(kind, sizeof kind, "%.*s", (int)strcspn(variant, "/"), variant);
    begin(NULL);
    nm_tensor *w = nm_store_add(store, "w", NM_PARAMETER, NM_WEIGHT, g->dtype, NM_SHAPE(2, 3));
    for (int i = 0; i < COUNT; i++) {
        nm_tensor_set(w, i, nm_tensor_get(required(g, "parameter"), i));
    }
    nm_optimizer *optimizer =
        optimizer_from(item_of(kind), nm_tensor_file_metadata(g->file, variant));
    check_steps(g, variant, optimizer, w);
    nm_optimizer_destroy(optimizer);
    end(NULL);
    g->variants++;
}

static void check_file(nm_dtype dtype, double tolerance)
{
    char path[512];
    const char *source = getenv("NORMA_SOURCE");
    snprintf(path, sizeof path, "%s/tests/golden/optimizers.safetensors", source ? source : ".");
    nm_context *files = test_context(NULL);
    golden g = {nm_tensor_file_read(files, path), dtype, tolerance, 0};
    assert_fine(files);
    for (int i = 0; i < nm_tensor_file_count(g.file); i++) {
        char variant[64];
        const char *name = nm_tensor_file_name(g.file, i), *slash = strrchr(name, '/');
        if (slash) {
            snprintf(variant, sizeof variant, "%.*s", (int)(slash - name), name);
            check_variant(&g, variant);
        }
    }
    ck_assert_int_eq(g.variants, nm_tensor_file_count(g.file) - 3);
    ck_assert_int_gt(g.variants, 10);
    nm_tensor_file_destroy(g.file);
    nm_context_destroy(files);
}

START_TEST(twenty_steps_are_pytorchs_and_the_papers)
{
    check_file(NM_F64, 1e-12);
    check_file(NM_F32, 2e-5);
}
END_TEST

/* ---- What holds for each ---- */

#define ALL_ELEMENTS 200003

/* `bits` takes the parameter after three steps. */
static void three_steps(const char *name, nm_dtype dtype, int threads, double *bits)
{
    begin(NULL);
    nm_context_set_threads(context, threads);
    nm_tensor *values = nm_tensor_create(context, dtype, NM_SHAPE(ALL_ELEMENTS));
    nm_tensor *w = nm_store_add(store, "w", NM_PARAMETER, NM_WEIGHT, dtype, NM_SHAPE(ALL_ELEMENTS));
    for (int64_t i = 0; i < ALL_ELEMENTS; i++) {
        nm_tensor_set(values, i, cos((double)i));
        nm_tensor_set(w, i, sin((double)i));
    }
    nm_optimizer *optimizer = optimizer_from(item_of(name), "{rate: 0.1, weight_decay: 0.01}");
    for (int step = 0; step < 3; step++) {
        set_gradient(w, values, 0);
        nm_optimizer_step(optimizer, step, 1, 0.7);
        nm_store_clear_grads(store);
    }
    memset(bits, 0, ALL_ELEMENTS * sizeof *bits);
    memcpy(bits, nm_tensor_data(w), (size_t)ALL_ELEMENTS * nm_dtype_size(dtype));
    nm_optimizer_destroy(optimizer);
    nm_tensor_destroy(values);
    end(NULL);
}

/* Calls `check` for each optimizer; returns how many there are. */
static int for_each(void (*check)(const char *name))
{
    const char *names[64];
    int count = 0;
    begin(NULL);
    for (const nm_item *item; (item = nm_item_at(context, NM_KIND_OPTIMIZER, count)); count++) {
        names[count] = item->name;
    }
    end(NULL);
    for (int i = 0; i < count; i++) {
        check(names[i]);
    }
    return count;
}

static void check_bits(const char *name)
{
    static double one[ALL_ELEMENTS], three[ALL_ELEMENTS];
    for (int i = 0; i < 2; i++) {
        three_steps(name, i ? NM_F64 : NM_F32, 1, one);
        three_steps(name, i ? NM_F64 : NM_F32, 3, three);
        ck_assert_msg(memcmp(one, three, sizeof one) == 0, "%s", name);
    }
}

START_TEST(the_bits_do_not_depend_on_the_number_of_threads)
{
    ck_assert_int_ge(for_each(check_bits), 8);
}
END_TEST

/* Steps down w^2 / 2 from 1: none goes up, nor past the other side as far as it was. */
static void check_descent(const char *name)
{
    begin(NULL);
    nm_tensor *w = nm_store_add(store, "w", NM_PARAMETER, NM_WEIGHT, NM_F64, NM_SHAPE(4));
    nm_tensor_fill(w, 1);
    nm_optimizer *optimizer = optimizer_from(item_of(name), "{rate: 0.01}");
    for (int step = 0; step < 50; step++) {
        const double before = nm_tensor_get(w, 0);
        nm_tape_reset(tape);
        nm_optimizer_minimize(optimizer, tape,
                              nm_affine(tape, nm_sum(tape, nm_square(tape, w)), 0.5, 0), step);
        ck_assert_msg(nm_tensor_get(w, 0) < before && nm_tensor_get(w, 0) > -before, "%s", name);
    }
    assert_fine(context);
    nm_optimizer_destroy(optimizer);
    end(NULL);
}

START_TEST(each_goes_downhill)
{
    ck_assert_int_ge(for_each(check_descent), 8);
}
END_TEST

/* A gradient of 0 from the start moves nothing and makes no NaN, weight decay aside. */
static void check_rest(const char *name)
{
    begin(NULL);
    nm_tensor *w = nm_store_add(store, "w", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(3));
    nm_tensor *zeros = nm_store_add(store, "z", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(3));
    nm_tensor_fill(w, 1);
    nm_optimizer *optimizer = optimizer_from(item_of(name), "{rate: 0.5, weight_decay: 0}");
    for (int step = 0; step < 3; step++) {
        set_gradient(w, zeros, 0);
        set_gradient(zeros, w, 0); /* and from 0 a weight moves */
        nm_optimizer_step(optimizer, step, 1, 1);
        nm_store_clear_grads(store);
        ck_assert_msg(nm_tensor_get(w, 0) == 1, "%s: %g", name, nm_tensor_get(w, 0));
        ck_assert_msg(nm_tensor_get(zeros, 0) < 0, "%s: %g", name, nm_tensor_get(zeros, 0));
        nm_tensor_fill(zeros, 0);
    }
    nm_optimizer_destroy(optimizer);
    end(NULL);
}

START_TEST(without_a_gradient_nothing_moves_and_zeros_can)
{
    ck_assert_int_ge(for_each(check_rest), 8);
}
END_TEST

static void check_nan(const char *name)
{
    begin(NULL);
    nm_tensor *w = nm_store_add(store, "w", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(2));
    nm_tensor *g = nm_tensor_create(context, NM_F32, NM_SHAPE(2));
    nm_tensor_fill(w, 1);
    nm_tensor_set(g, 0, (double)NAN);
    nm_optimizer *optimizer = optimizer_from(item_of(name), "{rate: 0.5}");
    set_gradient(w, g, 0);
    nm_optimizer_step(optimizer, 0, 1, 1);
    ck_assert_msg(isnan(nm_tensor_get(w, 0)), "%s: %g", name, nm_tensor_get(w, 0));
    nm_optimizer_destroy(optimizer);
    nm_tensor_destroy(g);
    end(NULL);
}

START_TEST(a_gradient_that_is_nan_is_seen_in_the_parameter)
{
    ck_assert_int_ge(for_each(check_nan), 8);
}
END_TEST

/* ---- Loops by hand that forget something ---- */

/* Two updates by w^2 of those numbers; whether the second one is made. */
static bool takes_steps(const char *name, int64_t first, int64_t second)
{
    begin(NULL);
    nm_tensor *w = nm_store_add(store, "w", NM_PARAMETER, NM_WEIGHT, NM_F64, NM_SHAPE(4));
    nm_tensor_fill(w, 1);
    nm_optimizer *optimizer = optimizer_from(item_of(name), "{rate: 0.01}");
    nm_optimizer_minimize(optimizer, tape, nm_sum(tape, nm_square(tape, w)), first);
    const double before = nm_tensor_get(w, 0);
    ck_assert_msg(before < 1, "%s", name);
    nm_tape_reset(tape);
    nm_optimizer_minimize(optimizer, tape, nm_sum(tape, nm_square(tape, w)), second);
    const bool taken = nm_context_status(context) == NM_OK;
    ck_assert_msg((nm_tensor_get(w, 0) < before) == taken, "%s", name);
    if (!taken) {
        assert_error(context, NM_ERROR_INPUT, "count it up with each");
    }
    nm_optimizer_destroy(optimizer);
    end(NULL);
    return taken;
}

static void check_numbers(const char *name)
{
    const bool counts = strstr("adam adamw adagrad lamb", name) != NULL;
    ck_assert_msg(takes_steps(name, 0, 0) == !counts, "%s", name); /* a step that stays 0 */
    ck_assert_msg(takes_steps(name, 9, 0) == !counts, "%s",
                  name); /* one that an epoch begins anew */
    ck_assert_msg(takes_steps(name, 0, 1) && takes_steps(name, 7, 90), "%s", name);
}

START_TEST(a_kind_that_computes_with_the_number_of_updates_takes_none_twice)
{
    ck_assert_int_ge(for_each(check_numbers), 8);
}
END_TEST

/* An update by sum(w), of gradient 1, and then one after `between`; what w is in the end. */
static double step_twice(void (*between)(nm_tensor *w, nm_optimizer *optimizer))
{
    begin(NULL);
    nm_tensor *w = nm_store_add(store, "w", NM_PARAMETER, NM_WEIGHT, NM_F64, NM_SHAPE(1));
    nm_optimizer *optimizer = nm_optimizer_create(store, &nm_sgd(.rate = 1), NULL, 0);
    nm_backward(tape, nm_sum(tape, w), 0);
    nm_optimizer_step(optimizer, 0, 1, 1);
    between(w, optimizer);
    nm_tape_reset(tape);
    nm_backward(tape, nm_sum(tape, w), 0);
    const nm_status status = nm_optimizer_step(optimizer, 1, 1, 1);
    const double value = nm_tensor_get(w, 0);
    if (status != NM_OK) {
        assert_error(context, NM_ERROR_INPUT,
                     "in the gradient of \"w\" is still that of the update");
    }
    nm_optimizer_destroy(optimizer);
    end(NULL);
    return status == NM_OK ? value : (double)NAN;
}

static void forget(nm_tensor *w, nm_optimizer *optimizer)
{
    (void)w, (void)optimizer;
}

static void clear(nm_tensor *w, nm_optimizer *optimizer)
{
    (void)w, (void)optimizer;
    nm_store_clear_grads(store);
}

static void fill_with_zeros(nm_tensor *w, nm_optimizer *optimizer)
{
    (void)optimizer;
    nm_tensor_fill(nm_tensor_grad(w), 0);
}

static void write_zeros(nm_tensor *w, nm_optimizer *optimizer)
{
    (void)optimizer;
    nm_tensor_f64(nm_tensor_grad(w))[0] = 0;
}

static void put_another(nm_tensor *w, nm_optimizer *optimizer)
{
    (void)optimizer;
    nm_tensor_set_grad_f64(w, &(double){0}, 1);
}

static void step_again(nm_tensor *w, nm_optimizer *optimizer)
{
    nm_optimizer_step(optimizer, 0, 1, 1); /* by the same gradient: that is meant */
    clear(w, optimizer);
}

/* Another network's backward pass adds to it, and then it is cleared. */
static void pass_in_between(nm_tensor *w, nm_optimizer *optimizer)
{
    nm_tape_reset(tape);
    nm_backward(tape, nm_sum(tape, w), 0);
    clear(w, optimizer);
}

START_TEST(a_gradient_that_nobody_cleared_is_an_error_of_the_next_update)
{
    ck_assert(isnan(step_twice(forget)));
    ck_assert(step_twice(clear) == -2);
    ck_assert(step_twice(fill_with_zeros) == -2);
    ck_assert(step_twice(write_zeros) == -2);
    ck_assert(step_twice(put_another) == -2);
    ck_assert(step_twice(step_again) == -3);
    ck_assert(step_twice(pass_in_between) == -2);
}
END_TEST

START_TEST(an_update_without_any_gradient_is_an_error)
{
    begin(NULL);
    nm_tensor *w = nm_store_add(store, "w", NM_PARAMETER, NM_WEIGHT, NM_F64, NM_SHAPE(1));
    nm_optimizer *optimizer = nm_optimizer_create(store, &nm_sgd(.rate = 1), NULL, 0);
    ck_assert_int_eq(nm_optimizer_step(optimizer, 0, 1, 1), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "none that is trained has a gradient");
    nm_backward(tape, nm_sum(tape, w), 0);
    nm_store_set_trainable(store, "w", false);
    ck_assert_int_eq(nm_optimizer_step(optimizer, 0, 1, 1), NM_ERROR_INPUT);
    assert_error(context, NM_ERROR_INPUT, "none that is trained has a gradient");
    nm_optimizer_destroy(optimizer);
    end(NULL);
}
END_TEST

START_TEST(a_backward_pass_that_needs_parameters_as_they_were_is_an_error_after_an_update)
{
    begin(NULL);
    nm_tensor *w = nm_store_add(store, "w", NM_PARAMETER, NM_WEIGHT, NM_F64, NM_SHAPE(1));
    nm_tensor_fill(w, 1);
    nm_optimizer *optimizer = nm_optimizer_create(store, &nm_sgd(.rate = 1), NULL, 0);
    nm_tensor *kept = nm_sum(tape, nm_square(tape, w));
    nm_backward(tape, nm_sum(tape, w), 0);
    nm_optimizer_step(optimizer, 0, 1, 1);
    assert_fine(context);
    nm_backward(tape, kept, 0);
    assert_error(context, NM_ERROR_INPUT, "was changed after the forward pass had read it");
    nm_optimizer_destroy(optimizer);
    end(NULL);
}
END_TEST

/* ---- Rates of layers ---- */

START_TEST(only_weights_have_rates_of_layers)
{
    begin(NULL);
    nm_tensor *weight = nm_store_add(store, "w", NM_PARAMETER, NM_WEIGHT, NM_F64, NM_SHAPE(2));
    nm_tensor *bias = nm_store_add(store, "b", NM_PARAMETER, NM_BIAS, NM_F64, NM_SHAPE(2));
    nm_tensor_fill(weight, 3);
    nm_tensor_fill(bias, 3);
    nm_optimizer *optimizer =
        nm_optimizer_create(store, &nm_lars(.rate = 1, .coefficient = 0.5), NULL, 0);
    set_gradient(weight, bias, 0);
    set_gradient(bias, bias, 0);
    nm_optimizer_step(optimizer, 0, 1, 1);
    assert_near(nm_tensor_get(weight, 0), 3 - 0.5 * 3, 1e-15, 0);
    assert_near(nm_tensor_get(bias, 0), 0, 0, 1e-15);
    nm_optimizer_destroy(optimizer);
    end(NULL);
}
END_TEST

/* ---- L-BFGS ---- */

/* (1000 a^2 + b^2) / 2, in which gradient descent takes thousands of steps. */
static double valley(nm_optimizer *optimizer, nm_tensor *a, nm_tensor *b, int64_t step)
{
    nm_tape_reset(tape);
    nm_tensor *steep = nm_affine(tape, nm_square(tape, a), 500, 0);
    nm_tensor *flat = nm_affine(tape, nm_square(tape, b), 0.5, 0);
    nm_tensor *loss = nm_add(tape, nm_sum(tape, steep), nm_sum(tape, flat));
    const double value = nm_tensor_item(loss);
    nm_optimizer_minimize(optimizer, tape, loss, step);
    return value;
}

START_TEST(lbfgs_finds_the_end_of_a_long_valley)
{
    begin(NULL);
    nm_tensor *a = nm_store_add(store, "a", NM_PARAMETER, NM_WEIGHT, NM_F64, NM_SHAPE(1));
    nm_tensor *b = nm_store_add(store, "b", NM_PARAMETER, NM_BIAS, NM_F64, NM_SHAPE(2, 1));
    nm_tensor_fill(a, 1);
    nm_tensor_fill(b, -3);
    const nm_choice choice = nm_lbfgs();
    nm_optimizer *optimizer = nm_optimizer_create(store, &choice, NULL, 0);
    for (int64_t step = 0; step < 50; step++) {
        valley(optimizer, a, b, step);
    }
    assert_fine(context);
    assert_near(nm_tensor_get(a, 0), 0, 0, 1e-6);
    assert_near(nm_tensor_get(b, 1), 0, 0, 5e-5);
    const double end_of_b = nm_tensor_get(b, 1);
    for (int64_t step = 50; step < 60; step++) {
        valley(optimizer, a, b, step); /* within its tolerances: all stays */
    }
    assert_near(nm_tensor_get(b, 1), end_of_b, 0, 0);
    nm_optimizer_destroy(optimizer);
    end(NULL);
}
END_TEST

START_TEST(lbfgs_keeps_as_much_as_its_options_say)
{
    begin(NULL);
    nm_store_add(store, "w", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(2, 3));
    const nm_choice choice = nm_lbfgs(.history_size = 4);
    nm_optimizer *optimizer = nm_optimizer_create(store, &choice, NULL, 0);
    const nm_entry *steps = nm_store_find(nm_optimizer_state(optimizer), "steps.w");
    ck_assert(nm_shape_equal(nm_tensor_shape(steps->tensor), &NM_SHAPE(4, 6)));
    nm_optimizer_destroy(optimizer);
    const nm_choice many = nm_lbfgs(.history_size = 101);
    ck_assert_ptr_null(nm_optimizer_create(store, &many, NULL, 0));
    assert_error(context, NM_ERROR_INPUT, "history_size");
    end(NULL);
}
END_TEST

/* ---- Calls in C ---- */

static void check_choice(nm_choice choice, const char *name, double rate)
{
    ck_assert_str_eq(choice.item->name, name);
    nm_optimizer *optimizer = nm_optimizer_create(store, &choice, NULL, 0);
    assert_fine(context);
    ck_assert(nm_optimizer_rate(optimizer) == rate);
    nm_optimizer_destroy(optimizer);
}

START_TEST(each_has_a_call_with_its_defaults)
{
    begin(NULL);
    nm_store_add(store, "w", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(2));
    check_choice(nm_adam(), "adam", 1e-3);
    check_choice(nm_adamw(.beta2 = 0.95), "adamw", 1e-3);
    check_choice(nm_rmsprop(.centered = true), "rmsprop", 0.01);
    check_choice(nm_adagrad(), "adagrad", 0.01);
    check_choice(nm_lion(.weight_decay = 1), "lion", 1e-4);
    check_choice(nm_lars(.rate = 2), "lars", 2);
    check_choice(nm_lamb(), "lamb", 1e-3);
    check_choice(nm_lbfgs(.history_size = 5), "lbfgs", 1);
    nm_choice wrong = nm_adam(.beta1 = 1);
    ck_assert_ptr_null(nm_optimizer_create(store, &wrong, NULL, 0));
    assert_error(context, NM_ERROR_INPUT, "beta1");
    end(NULL);
}
END_TEST

TEST_MAIN("optim/optimizers", twenty_steps_are_pytorchs_and_the_papers,
          the_bits_do_not_depend_on_the_number_of_threads, each_goes_downhill,
          without_a_gradient_nothing_moves_and_zeros_can,
          a_gradient_that_is_nan_is_seen_in_the_parameter,
          a_kind_that_computes_with_the_number_of_updates_takes_none_twice,
          a_gradient_that_nobody_cleared_is_an_error_of_the_next_update,
          an_update_without_any_gradient_is_an_error,
          a_backward_pass_that_needs_parameters_as_they_were_is_an_error_after_an_update,
          only_weights_have_rates_of_layers, lbfgs_finds_the_end_of_a_long_valley,
          lbfgs_keeps_as_much_as_its_options_say, each_has_a_call_with_its_defaults)
