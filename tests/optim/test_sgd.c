#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ops/ops.h"
#include "optim/clip.h"
#include "optim/optim.h"
#include "optim/optimizers.h"
#include "tests/test.h"

/* ---- Parameters with given gradients ---- */

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

/* Element i is factor * cos(i + phase): no two alike, no pattern of the vector length. */
static void fill(nm_tensor *tensor, double factor, double phase)
{
    for (int64_t i = 0; i < nm_tensor_count(tensor); i++) {
        nm_tensor_set(tensor, i, factor * cos((double)i + phase));
    }
}

static nm_tensor *add(const char *name, nm_purpose purpose, nm_dtype dtype, int64_t count)
{
    nm_tensor *tensor = nm_store_add(store, name, NM_PARAMETER, purpose, dtype, NM_SHAPE(count));
    fill(tensor, 1, 0);
    return tensor;
}

/* Adds g to the gradient of w, by differentiating sum(w * g). */
static void set_gradient(nm_tensor *w, nm_tensor *g)
{
    nm_tape_reset(tape);
    nm_backward(tape, nm_sum(tape, nm_mul(tape, w, g)), 0);
    assert_fine(context);
}

static void fill_gradient(nm_tensor *w, double factor, double phase)
{
    nm_tensor *g = nm_tensor_create(context, nm_tensor_dtype(w), *nm_tensor_shape(w));
    fill(g, factor, phase);
    set_gradient(w, g);
    nm_tensor_destroy(g);
}

static void set_one_gradient(nm_tensor *w, double value)
{
    nm_tensor *g = nm_tensor_create(context, nm_tensor_dtype(w), *nm_tensor_shape(w));
    nm_tensor_fill(g, value);
    set_gradient(w, g);
    nm_tensor_destroy(g);
}

static void step_once(const nm_choice *choice, const nm_group *groups, int count)
{
    nm_optimizer *optimizer = nm_optimizer_create(store, choice, groups, count);
    assert_fine(context);
    nm_optimizer_step(optimizer, 0, 1, 1);
    assert_fine(context);
    nm_optimizer_destroy(optimizer);
}

/* ---- The formulas ---- */

#define COUNT 37

/* The formulas of the header, in double, written out once more. */
typedef struct reference {
    double rate, decay, momentum;
    bool nesterov;
    double w[COUNT], v[COUNT];
} reference;

static void reference_step(reference *r, double factor, double phase)
{
    for (int i = 0; i < COUNT; i++) {
        double d = factor * cos(i + phase) + r->decay * r->w[i];
        r->v[i] = r->momentum * r->v[i] + d;
        r->w[i] -= r->rate * (r->nesterov ? d + r->momentum * r->v[i] : r->v[i]);
    }
}

static void check_formula(nm_dtype dtype, reference r, double tolerance)
{
    begin(NULL);
    nm_tensor *w = add("layer.weight", NM_WEIGHT, dtype, COUNT);
    for (int i = 0; i < COUNT; i++) {
        r.w[i] = cos(i);
    }
    nm_optimizer *optimizer =
        nm_optimizer_create(store,
                            &nm_sgd(.rate = r.rate, .weight_decay = r.decay, .momentum = r.momentum,
                                    .nesterov = r.nesterov),
                            NULL, 0);
    for (int step = 0; step < 5; step++) {
        fill_gradient(w, 0.5, step);
        nm_optimizer_step(optimizer, step, 1, 1);
        nm_store_clear_grads(store);
        reference_step(&r, 0.5, step);
    }
    assert_fine(context);
    for (int i = 0; i < COUNT; i++) {
        assert_near(nm_tensor_get(w, i), r.w[i], tolerance, tolerance);
    }
    nm_optimizer_destroy(optimizer);
    end(NULL);
}

START_TEST(sgd_follows_its_formulas)
{
    const reference cases[] = {
        {.rate = 0.1},
        {.rate = 0.1, .decay = 0.01},
        {.rate = 0.1, .momentum = 0.9},
        {.rate = 0.1, .momentum = 0.9, .decay = 0.01},
        {.rate = 0.1, .momentum = 0.9, .decay = 0.01, .nesterov = true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        check_formula(NM_F32, cases[i], 2e-6);
        check_formula(NM_F64, cases[i], 1e-14);
    }
}
END_TEST

START_TEST(the_schedule_scales_the_rate_and_clipping_the_gradient)
{
    begin(NULL);
    nm_tensor *w = add("w", NM_WEIGHT, NM_F64, 1);
    set_one_gradient(w, 2);
    nm_optimizer *optimizer = nm_optimizer_create(store, &nm_sgd(.rate = 0.5), NULL, 0);
    nm_optimizer_step(optimizer, 0, 0.25, 0.125);
    assert_near(nm_tensor_get(w, 0), 1 - 0.5 * 0.25 * 0.125 * 2, 1e-15, 0);
    assert_near(nm_tensor_get(nm_tensor_grad(w), 0), 2, 0, 0);
    nm_optimizer_destroy(optimizer);
    end(NULL);
}
END_TEST

START_TEST(without_a_gradient_a_parameter_stays)
{
    begin(NULL);
    nm_tensor *w = add("w", NM_WEIGHT, NM_F32, 3), *other = add("other", NM_WEIGHT, NM_F32, 1);
    set_one_gradient(other, 1);
    step_once(&nm_sgd(.rate = 0.5, .weight_decay = 0.5, .momentum = 0.9), NULL, 0);
    assert_near(nm_tensor_get(w, 0), 1, 0, 0);
    assert_near(nm_tensor_get(other, 0), 1 - 0.5 * (1 + 0.5), 1e-6, 0);
    end(NULL);
}
END_TEST

START_TEST(without_momentum_there_is_no_state)
{
    begin(NULL);
    add("w", NM_WEIGHT, NM_F32, 3);
    nm_optimizer *plain = nm_optimizer_create(store, &nm_sgd(.rate = 0.1), NULL, 0);
    nm_optimizer *heavy = nm_optimizer_create(store, &nm_sgd(.momentum = 0.9), NULL, 0);
    ck_assert_int_eq(nm_store_count(nm_optimizer_state(plain)), 0);
    ck_assert_ptr_nonnull(nm_store_find(nm_optimizer_state(heavy), "momentum.w"));
    nm_optimizer_destroy(plain);
    nm_optimizer_destroy(heavy);
    end(NULL);
}
END_TEST

/* Parameters of sizes that fit neither vectors nor the threads' parts. */
static const int64_t odd_sizes[] = {5, 70001, 1, 1, 1000, 13, 50003, 17};
#define ALL_ELEMENTS 121041

static void copy_bits(const char *prefix, nm_store *from, char *bits)
{
    for (int i = 0; i < NM_COUNT_OF(odd_sizes); i++) {
        char name[32];
        snprintf(name, sizeof name, "%s%d", prefix, i);
        nm_tensor *tensor = nm_store_find(from, name)->tensor;
        memcpy(bits, nm_tensor_data(tensor), nm_tensor_bytes(tensor));
        bits += nm_tensor_bytes(tensor);
    }
}

/* `bits` takes all parameters and their momentum. */
static void bits_of_two_steps(int threads, nm_dtype dtype, bool nesterov, double *bits)
{
    nm_tensor *w[NM_COUNT_OF(odd_sizes)];
    begin(NULL);
    nm_context_set_threads(context, threads);
    for (int i = 0; i < NM_COUNT_OF(odd_sizes); i++) {
        char name[32];
        snprintf(name, sizeof name, "w%d", i);
        w[i] = add(name, NM_WEIGHT, dtype, odd_sizes[i]);
    }
    nm_optimizer *optimizer = nm_optimizer_create(
        store, &nm_sgd(.rate = 0.1, .momentum = 0.9, .weight_decay = 0.01, .nesterov = nesterov),
        NULL, 0);
    for (int step = 0; step < 2; step++) {
        for (int i = 0; i < NM_COUNT_OF(odd_sizes); i++) {
            fill_gradient(w[i], 3, step + i);
        }
        nm_optimizer_step(optimizer, step, 1, 0.7);
        nm_store_clear_grads(store);
    }
    copy_bits("w", store, (char *)bits);
    copy_bits("momentum.w", nm_optimizer_state(optimizer), (char *)(bits + ALL_ELEMENTS));
    nm_optimizer_destroy(optimizer);
    end(NULL);
}

START_TEST(the_bits_do_not_depend_on_the_number_of_threads)
{
    static double one[2 * ALL_ELEMENTS], three[2 * ALL_ELEMENTS];
    for (int i = 0; i < 4; i++) {
        nm_dtype dtype = i % 2 ? NM_F64 : NM_F32;
        bits_of_two_steps(1, dtype, i / 2, one);
        bits_of_two_steps(3, dtype, i / 2, three);
        ck_assert(memcmp(one, three, sizeof one) == 0);
    }
}
END_TEST

START_TEST(every_parameter_of_many_moves_once)
{
    begin(NULL);
    for (int i = 0; i < NM_COUNT_OF(odd_sizes); i++) {
        char name[32];
        snprintf(name, sizeof name, "w%d", i);
        nm_tensor_fill(add(name, NM_WEIGHT, i % 2 ? NM_F64 : NM_F32, odd_sizes[i]), 1);
        if (i != 4) { /* one without a gradient stays */
            set_one_gradient(nm_store_find(store, name)->tensor, 1 << i);
        }
    }
    nm_context_set_threads(context, 2);
    step_once(&nm_sgd(.rate = 1.0 / 1024), NULL, 0);
    for (int i = 0; i < NM_COUNT_OF(odd_sizes); i++) {
        nm_tensor *w = nm_store_at(store, i)->tensor;
        const double wanted = i == 4 ? 1 : 1 - (1 << i) / 1024.0;
        for (int64_t k = 0; k < odd_sizes[i]; k++) {
            ck_assert(nm_tensor_get(w, k) == wanted);
        }
    }
    end(NULL);
}
END_TEST

/* ---- Weight decay and groups ---- */

static const struct {
    const char *name;
    nm_purpose purpose;
    bool decays;
} purposes[] = {{"conv.weight", NM_WEIGHT, true},
                {"conv.bias", NM_BIAS, false},
                {"bn.scale", NM_NORM_SCALE, false},
                {"bn.shift", NM_NORM_SHIFT, false}};

/* torch7#846, lbann#809: weight decay on the parameters of normalization. */
START_TEST(weight_decay_spares_biases_and_normalization)
{
    for (int everywhere = 0; everywhere < 2; everywhere++) {
        begin(NULL);
        nm_tensor *w[4];
        for (int i = 0; i < 4; i++) {
            w[i] = add(purposes[i].name, purposes[i].purpose, NM_F64, 1);
            set_one_gradient(w[i], 0);
        }
        step_once(&nm_sgd(.rate = 0.5, .weight_decay = 0.5, .decay_norm_and_bias = everywhere),
                  NULL, 0);
        for (int i = 0; i < 4; i++) {
            bool decays = everywhere || purposes[i].decays;
            assert_near(nm_tensor_get(w[i], 0), decays ? 0.75 : 1, 0, 0);
        }
        end(NULL);
    }
}
END_TEST

/* ---- Options ---- */

static void read_choice(const char *yaml, const char *error)
{
    nm_diagnostics d;
    nm_choice choice = {0};
    begin(NULL);
    nm_document *document = nm_document_parse(context, yaml, SIZE_MAX, "net.yaml");
    nm_diagnostics_begin(&d, context);
    nm_choice_read(NM_KIND_OPTIMIZER, nm_document_root(document), "train", document, &d, &choice);
    nm_diagnostics_end(&d);
    assert_error(context, NM_ERROR_INPUT, error);
    nm_document_destroy(document);
    end(NULL);
}

START_TEST(wrong_options_are_named_with_their_place)
{
    read_choice("sgd", "sgd: \"rate\" is missing");
    read_choice("{sgd: {rate: 0}}", "net.yaml:1:14: sgd: \"rate\" must be above 0, not 0");
    read_choice("{sgd: {rate: 0.1, momentum: 1}}", "at least 0 and below 1, not 1");
    read_choice("{sgd: {rate: 0.1, nesterov: true}}", "\"nesterov\" needs a momentum above 0");
    read_choice("{sgd: {rate: 0.1, momentun: 0.9}}", "did you mean \"momentum\"?");
    read_choice("{sdg: {rate: 0.1}}", "unknown optimizer \"sdg\"; did you mean \"sgd\"?");
}
END_TEST

START_TEST(options_from_c_are_checked_too)
{
    begin(NULL);
    add("w", NM_WEIGHT, NM_F32, 1);
    ck_assert_ptr_null(nm_optimizer_create(store, &nm_sgd(.rate = -1), NULL, 0));
    assert_error(context, NM_ERROR_INPUT, "\"rate\" must be above 0, not -1");
    ck_assert_ptr_null(nm_optimizer_create(store, &(nm_choice){0}, NULL, 0));
    assert_error(context, NM_ERROR_INPUT, "no optimizer");
    nm_store_add(store, "half", NM_PARAMETER, NM_WEIGHT, NM_BF16, NM_SHAPE(2));
    ck_assert_ptr_null(nm_optimizer_create(store, &nm_sgd(.rate = 1), NULL, 0));
    assert_error(context, NM_ERROR_INPUT, "sgd: parameter \"half\" is bf16");
    end(NULL);
}
END_TEST

/* ---- Clipping ---- */

static double norm_now(void)
{
    double norm = -1;
    ck_assert_int_eq(nm_gradient_norm(store, &norm), NM_OK);
    return norm;
}

START_TEST(the_norm_is_over_all_gradients)
{
    begin(NULL);
    ck_assert(norm_now() == 0);
    set_one_gradient(add("a", NM_WEIGHT, NM_F32, 9), 1);
    set_one_gradient(add("b", NM_BIAS, NM_F64, 1), 4);
    nm_tensor *frozen = add("c", NM_WEIGHT, NM_F32, 1);
    set_one_gradient(frozen, 100);
    nm_store_set_trainable(store, "c", false);
    assert_near(norm_now(), 5, 1e-15, 0);
    end(NULL);
}
END_TEST

START_TEST(the_norm_neither_overflows_nor_underflows)
{
    const double sizes[] = {1e-320, 1e-310, 1e-200, 1e-100, 1, 1e100, 1e200, 1e306};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        begin(NULL);
        set_one_gradient(add("w", NM_WEIGHT, NM_F64, 25), sizes[i]);
        assert_near(norm_now(), 5 * sizes[i], 1e-13, 0);
        end(NULL);
    }
    begin(NULL);
    set_one_gradient(add("w", NM_WEIGHT, NM_F32, 4), 3e38);
    assert_near(norm_now(), 6e38, 1e-6, 0);
    end(NULL);
}
END_TEST

START_TEST(the_norm_of_what_is_not_finite_is_not_finite)
{
    begin(NULL);
    nm_tensor *w = add("w", NM_WEIGHT, NM_F32, 10000);
    set_one_gradient(w, 1);
    nm_tensor_set(nm_tensor_grad(w), 7777, NAN);
    ck_assert(isnan(norm_now()));
    nm_tensor_set(nm_tensor_grad(w), 7777, INFINITY);
    ck_assert(isinf(norm_now()));
    end(NULL);
}
END_TEST

START_TEST(a_norm_of_a_million_is_accurate_on_any_number_of_threads)
{
    begin(NULL);
    nm_tensor *w = add("w", NM_WEIGHT, NM_F32, 1000003);
    fill_gradient(w, 1e-3, 0.5);
    long double sum = 0;
    for (int64_t i = 0; i < nm_tensor_count(w); i++) {
        long double g = nm_tensor_get(nm_tensor_grad(w), i);
        sum += g * g;
    }
    double norms[3];
    for (int threads = 1; threads <= 3; threads++) {
        nm_context_set_threads(context, threads);
        norms[threads - 1] = norm_now();
    }
    assert_near(norms[0], (double)sqrtl(sum), 1e-14, 0);
    ck_assert(norms[0] == norms[1] && norms[1] == norms[2]);
    end(NULL);
}
END_TEST

/* KANN scales to a norm of 1, whatever the threshold. */
START_TEST(clipping_scales_to_the_threshold_and_never_up)
{
    assert_near(nm_clip_factor(10, 5), 0.5, 0, 0);
    assert_near(nm_clip_factor(5, 5), 1, 0, 0);
    assert_near(nm_clip_factor(0, 5), 1, 0, 0);
    assert_near(nm_clip_factor(3, 0), 0, 0, 0);
    ck_assert(isnan(nm_clip_factor(NAN, 5)) && isnan(nm_clip_factor(INFINITY, 5)));
    ck_assert(isnan(nm_clip_factor(10, -5)) && isnan(nm_clip_factor(10, NAN)));
    begin(NULL);
    nm_tensor *w = add("w", NM_WEIGHT, NM_F64, 4);
    nm_tensor_fill(w, 0);
    set_one_gradient(w, 3);
    nm_optimizer *optimizer = nm_optimizer_create(store, &nm_sgd(.rate = 1), NULL, 0);
    nm_optimizer_step(optimizer, 0, 1, nm_clip_factor(norm_now(), 5));
    for (int i = 0; i < 4; i++) {
        assert_near(nm_tensor_get(w, i), -2.5, 1e-15, 0); /* 4 * 2.5^2 = 5^2 */
    }
    nm_optimizer_destroy(optimizer);
    end(NULL);
}
END_TEST

START_TEST(clipping_by_value_limits_both_sides_and_keeps_nan)
{
    begin(NULL);
    for (int wide = 0; wide < 2; wide++) {
        nm_tensor *w = add(wide ? "b" : "a", NM_WEIGHT, wide ? NM_F64 : NM_F32, 5);
        set_one_gradient(w, 0.5);
        nm_tensor *g = nm_tensor_grad(w);
        nm_tensor_set(g, 1, 4);
        nm_tensor_set(g, 2, -4);
        nm_tensor_set(g, 3, NAN);
        nm_tensor_set(g, 4, -INFINITY);
        nm_clip_values(store, 0.5, 1);
        assert_near(nm_tensor_get(g, 0), 0.25, 0, 0);
        assert_near(nm_tensor_get(g, 1), 1, 0, 0);
        assert_near(nm_tensor_get(g, 2), -1, 0, 0);
        ck_assert(isnan(nm_tensor_get(g, 3)));
        assert_near(nm_tensor_get(g, 4), -1, 0, 0);
        ck_assert_int_eq(nm_clip_values(store, 1, -0.25), NM_ERROR_INPUT);
        assert_error(context, NM_ERROR_INPUT, "the scale is 1 and the limit -0.25");
        ck_assert_int_eq(nm_clip_values(store, NAN, 1), NM_ERROR_INPUT);
        assert_error(context, NM_ERROR_INPUT, "the scale is nan");
        assert_near(nm_tensor_get(g, 0), 0.25, 0, 0);
    }
    end(NULL);
}
END_TEST

/* ---- Memory ---- */

static nm_status make_and_step(test_memory *memory)
{
    nm_context *c = test_context(memory);
    if (!c) {
        return NM_ERROR_MEMORY;
    }
    nm_store *s = nm_store_create(c);
    if (s) {
        nm_store_add(s, "a.weight", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(3));
        nm_store_add(s, "b.weight", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(3));
    }
    if (nm_context_status(c) == NM_OK) {
        const nm_group group = {NM_GROUP_DEFAULTS, .match = "b.*", .frozen = true};
        nm_optimizer *o = nm_optimizer_create(s, &nm_sgd(.momentum = 0.9), &group, 1);
        double norm;
        nm_gradient_norm(s, &norm);
        nm_optimizer_destroy(o);
    }
    nm_status status = nm_context_status(c);
    nm_store_destroy(s);
    test_context_end(c, memory);
    return status;
}

START_TEST(every_failing_allocation_is_an_error_without_a_leak)
{
    test_every_allocation(make_and_step);
}
END_TEST

START_TEST(a_parameter_that_comes_after_the_optimizer_is_an_error)
{
    begin(NULL);
    nm_tensor *w = add("w", NM_WEIGHT, NM_F32, 3);
    nm_optimizer *sgd = nm_optimizer_create(store, &nm_sgd(.rate = 0.1), NULL, 0);
    nm_store_add(store, "statistic", NM_BUFFER, NM_STATISTIC, NM_F32, NM_SHAPE(3));
    fill_gradient(w, 1, 0);
    ck_assert_int_eq(nm_optimizer_step(sgd, 0, 1, 1), NM_OK); /* a buffer is not moved anyway */
    add("late", NM_WEIGHT, NM_F32, 3);
    ck_assert_int_ne(nm_optimizer_step(sgd, 1, 1, 1), NM_OK);
    assert_error(context, NM_ERROR_INPUT, "the parameter \"late\" was added to the store after");
    nm_optimizer_destroy(sgd);
    end(NULL);
}
END_TEST

START_TEST(to_minimize_is_backward_a_step_and_clear_gradients)
{
    begin(NULL);
    nm_tensor *w = add("w", NM_WEIGHT, NM_F64, 5), *same = add("same", NM_WEIGHT, NM_F64, 5);
    nm_optimizer *sgd = nm_optimizer_create(store, &nm_sgd(.rate = 0.1, .momentum = 0.9), NULL, 0);
    for (int64_t step = 0; step < 3; step++) {
        nm_tape_reset(tape);
        nm_backward(tape, nm_sum(tape, nm_square(tape, w)), 0); /* what is there counts too */
        nm_optimizer_minimize(sgd, tape, nm_sum(tape, nm_square(tape, same)), step);
        ck_assert_ptr_null(nm_tensor_grad(w));
        ck_assert_mem_eq(nm_tensor_data(w), nm_tensor_data(same), 5 * sizeof(double));
    }
    /* From 1, with the gradient 2 w: 0.8, then by the momentum 0.46, then 0.062. */
    assert_near(nm_tensor_get(w, 0), 0.062, 1e-12, 0);
    ck_assert_int_ne(nm_optimizer_minimize(sgd, tape, NULL, 3), NM_OK);
    assert_error(context, NM_ERROR_INPUT, "the loss is NULL");
    nm_optimizer_destroy(sgd);
    end(NULL);
}
END_TEST

START_TEST(a_loss_that_is_not_finite_moves_nothing)
{
    begin(NULL);
    nm_tensor *w = add("w", NM_WEIGHT, NM_F32, 1);
    nm_optimizer *sgd = nm_optimizer_create(store, &nm_sgd(.rate = 0.1), NULL, 0);
    for (int i = 0; i < 2; i++) {
        const double factor = i ? (double)INFINITY : (double)NAN;
        nm_tensor *loss = nm_sum(tape, nm_affine(tape, w, 1, 0));
        loss = nm_mul(tape, loss, nm_full(tape, NM_F32, NM_SCALAR_SHAPE, factor));
        ck_assert_int_eq(nm_optimizer_minimize(sgd, tape, loss, 0), NM_ERROR_NUMERIC);
        assert_error(context, NM_ERROR_NUMERIC, "the loss is not finite, and no parameter was");
        nm_context_clear_error(context);
        ck_assert_double_eq(nm_tensor_get(w, 0), 1);
    }
    nm_optimizer_destroy(sgd);
    end(NULL);
}
END_TEST

static nm_choice choose_in_a_helper(double rate)
{
    return nm_sgd(.rate = rate, .momentum = 0.5);
}

START_TEST(options_outlive_the_block_that_they_were_written_in)
{
    begin(NULL);
    add("w", NM_WEIGHT, NM_F32, 3);
    nm_choice choice = choose_in_a_helper(0.25);
    nm_choice slow = choose_in_a_helper(1e-3);
    nm_optimizer *sgd = nm_optimizer_create(store, &choice, NULL, 0);
    ck_assert(nm_optimizer_rate(sgd) == 0.25);
    ck_assert(((const nm_sgd_options *)nm_choice_options(&slow))->rate == 1e-3);
    nm_optimizer_destroy(sgd);
    end(NULL);
}
END_TEST

TEST_MAIN("optim/sgd", a_loss_that_is_not_finite_moves_nothing,
          to_minimize_is_backward_a_step_and_clear_gradients,
          a_parameter_that_comes_after_the_optimizer_is_an_error,
          options_outlive_the_block_that_they_were_written_in, sgd_follows_its_formulas,
          the_schedule_scales_the_rate_and_clipping_the_gradient,
          without_a_gradient_a_parameter_stays, without_momentum_there_is_no_state,
          the_bits_do_not_depend_on_the_number_of_threads, every_parameter_of_many_moves_once,
          weight_decay_spares_biases_and_normalization, wrong_options_are_named_with_their_place,
          options_from_c_are_checked_too, the_norm_is_over_all_gradients,
          the_norm_neither_overflows_nor_underflows, the_norm_of_what_is_not_finite_is_not_finite,
          a_norm_of_a_million_is_accurate_on_any_number_of_threads,
          clipping_scales_to_the_threshold_and_never_up,
          clipping_by_value_limits_both_sides_and_keeps_nan,
          every_failing_allocation_is_an_error_without_a_leak)
