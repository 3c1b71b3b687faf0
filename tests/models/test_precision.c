/* Training with bf16 products: what it does to the numbers, and what a processor without units for
 * bf16 does. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "models/config.h"
#include "ops/linear.h"
#include "ops/loss.h"
#include "optim/optimizers.h"
#include "tests/models/same_runs.h"

static const char net[] = "[{conv2d: {channels: 16, kernel: 3, padding: 1}}, batch_norm, relu,"
                          " {max_pool2d: {kernel: 2}}, {conv2d: {channels: 16, kernel: 3}}, relu,"
                          " flatten, {dense: {units: 5}}]";

typedef struct outcome {
    double first, last; /* losses */
    float weight[9];
} outcome;

static nm_tensor *images(fixture *f, int64_t count)
{
    nm_tensor *x = normal(f, NM_F32, NM_SHAPE(count, 12, 12, 3), 4);
    for (int64_t i = 0; i < nm_tensor_count(x); i++) { /* class by brightness */
        nm_tensor_set(x, i, 0.3 * nm_tensor_get(x, i) + (double)(i / 432 % 5));
    }
    return x;
}

static outcome train_with(nm_precision precision, bool emulate)
{
    fixture f = begin(net, NM_SHAPE(12, 12, 3));
    nm_context_emulate_bf16(f.context, emulate);
    nm_tensor *x = images(&f, 20), *labels = nm_tensor_create(f.context, NM_I32, NM_SHAPE(20));
    nm_optimizer *optimizer = nm_optimizer_create(f.store, &nm_sgd(.rate = 0.02), NULL, 0);
    outcome o = {0};
    for (int64_t i = 0; i < 20; i++) {
        nm_tensor_set(labels, i, (double)(i % 5));
    }
    for (int64_t i = 0; i < 15; i++) {
        nm_pass pass = {
            .tape = f.tape, .random = &f.random, .training = true, .precision = precision};
        nm_tape_reset(f.tape);
        nm_tensor *loss = nm_cross_entropy(f.tape, nm_model_forward(f.model, &pass, x), labels);
        nm_backward(f.tape, loss, 0);
        assert_fine(f.context);
        nm_optimizer_step(optimizer, i, 1, 1);
        nm_store_clear_grads(f.store);
        o.last = nm_tensor_get(loss, 0);
        o.first = i == 0 ? o.last : o.first;
    }
    memcpy(o.weight, nm_tensor_data(named(&f, "conv1.weight")), sizeof o.weight);
    nm_optimizer_destroy(optimizer);
    nm_tensor_destroy(labels);
    nm_tensor_destroy(x);
    end(&f);
    return o;
}

START_TEST(bf16_trains_as_f32_does_within_its_rounding)
{
    const outcome f32 = train_with(NM_PRECISION_F32, true);
    const outcome bf16 = train_with(NM_PRECISION_BF16, true);
    assert_near(bf16.first, f32.first, 0.02, 0);
    assert_near(bf16.last, f32.last, 0.15, 0.02);
    ck_assert(bf16.last < 0.7 * bf16.first);
    ck_assert(!nm_has_onednn() || memcmp(bf16.weight, f32.weight, sizeof f32.weight) != 0);
    for (int i = 0; i < 9; i++) { /* weights are f32: steps far below bf16's rounding add up */
        assert_near((double)bf16.weight[i], (double)f32.weight[i], 0, 0.02);
    }
}
END_TEST

START_TEST(without_units_for_it_bf16_is_f32_to_the_bit)
{
    if (nm_has_bf16()) {
        return; /* the other test has seen its numbers */
    }
    const outcome f32 = train_with(NM_PRECISION_F32, false);
    const outcome bf16 = train_with(NM_PRECISION_BF16, false);
    ck_assert(bf16.last == f32.last);
    ck_assert_mem_eq(bf16.weight, f32.weight, sizeof f32.weight);
}
END_TEST

/* ---- What lies between convolutions and batch norms ---- */

#define BODY                                                                                       \
    "[{residual: {body: [{conv2d: {channels: 16, kernel: 3, padding: 1}}, batch_norm, relu, "      \
    "{conv2d: {channels: 16, kernel: 3, padding: 1}}, batch_norm]}}, relu]"
static const char deep[] =
    "model: [{conv2d: {channels: 16, kernel: 3, padding: 1}}, batch_norm, relu, {repeat: {times: "
    "%d, recompute: %s, body: " BODY "}}, "
    "{residual: {body: [{conv2d: {channels: 32, kernel: 3, stride: 2, padding: 1}}, batch_norm], "
    "shortcut: [{conv2d: {channels: 32, kernel: 1, stride: 2}}, batch_norm]}}, relu, "
    "{avg_pool2d: {global: true}}, flatten, {dense: {units: 3}}]\n"
    "data: {train: {waves: {samples: 400, shape: [12, 12, 3], classes: 3, seed: 1}}, batch: %d}\n"
    "loss: cross_entropy\ntrain: {epochs: 1, steps: %d, optimizer: {sgd: {rate: 0.05}}, "
    "precision: %s}\n";

/* Four steps of a batch of 16, or one of a deeper network's of 100. */
static run train_deep(bool deeper, bool recompute, const char *precision, bool plan)
{
    const char *none[] = {NULL};
    char yaml[2048];
    snprintf(yaml, sizeof yaml, deep, deeper ? 7 : 2, recompute ? "true" : "false",
             deeper ? 100 : 16, deeper ? 1 : 4, precision);
    test_write_file(test_path("deep.yaml"), yaml, strlen(yaml));
    return train_file(test_path("deep.yaml"), none, plan);
}

START_TEST(kept_in_bf16_it_has_the_same_bits_with_and_without_plan_and_recomputed)
{
    run planned = train_deep(false, false, "bf16", true);
    run taped = train_deep(false, false, "bf16", false);
    run again = train_deep(false, true, "bf16", true), wide = train_deep(false, false, "f32", true);
    assert_same_runs(&planned, &taped, "on the tape");
    assert_same_runs(&planned, &again, "recomputed");
    assert_near(planned.result.train_loss, wide.result.train_loss, 0.1, 0.02);
    end_run(&wide);
    end_run(&again);
    end_run(&taped);
    end_run(&planned);
}
END_TEST

START_TEST(kept_in_bf16_it_takes_little_more_than_half_of_the_memory)
{
    run narrow = train_deep(true, false, "bf16", false);
    run wide = train_deep(true, false, "f32", false);
    const double ratio =
        (double)nm_context_pool_peak(narrow.context) / (double)nm_context_pool_peak(wide.context);
    ck_assert_msg(!nm_has_bf16() || ratio < 0.65, "it takes %.3f times as much", ratio);
    end_run(&wide);
    end_run(&narrow);
}
END_TEST

/* ---- The trainer says so ---- */

static int warnings;

static void count_warnings(void *user, nm_log_level level, const char *message)
{
    (void)user;
    warnings += level == NM_LOG_WARNING && strstr(message, "bf16") != NULL;
}

START_TEST(the_trainer_tells_a_user_whose_processor_has_no_bf16)
{
    static const char *const settings[] = {"train.precision=bf16", "train.epochs=1"};
    const char *source = getenv("NORMA_SOURCE");
    char path[512];
    snprintf(path, sizeof path, "%s/models/zoo/spirals.yaml", source ? source : ".");
    warnings = 0;
    nm_context *context = nm_open(&(nm_context_options){.threads = 1, .log = count_warnings});
    nm_config config;
    nm_config_open(context, path, settings, 2, NM_NEED_DATA | NM_NEED_LOSS | NM_NEED_TRAIN,
                   &config);
    assert_fine(context);
    nm_trainer_setup setup = nm_config_setup(&config);
    nm_trainer *trainer = nm_trainer_create(context, &setup);
    assert_fine(context);
    ck_assert_int_eq(warnings, nm_has_bf16() ? 0 : 1);
    nm_trainer_destroy(trainer);
    nm_config_close(&config);
    nm_close(context);
}
END_TEST

TEST_MAIN("models/precision", bf16_trains_as_f32_does_within_its_rounding,
          without_units_for_it_bf16_is_f32_to_the_bit,
          kept_in_bf16_it_has_the_same_bits_with_and_without_plan_and_recomputed,
          kept_in_bf16_it_takes_little_more_than_half_of_the_memory,
          the_trainer_tells_a_user_whose_processor_has_no_bf16)
