/* Whole runs in which a request for memory fails, for each of some hundred requests and with all
 * later ones: networks of every layer, all probes, metrics, averages, evaluation, statistics,
 * files. They end with an error that says so, and hold nothing. Commands are tried by
 * tests/torture. */
#include <stdio.h>
#include <string.h>

#include "models/config.h"
#include "models/predictor.h"
#include "optim/probe.h"
#include "optim/statistics.h"

#include "tests/models/model_test.h"

#define ALL (NM_NEED_DATA | NM_NEED_LOSS | NM_NEED_TRAIN)

static const char images[] =
    "model:\n"
    "  - conv2d: {channels: 4, kernel: 3, padding: 1, weight_norm: {axis: 0, init: data}}\n"
    "  - batch_norm\n"
    "  - relu\n"
    "  - residual: {body: [{conv2d: {channels: 4, kernel: 3, padding: 1, bias: false}},"
    " {ghost_batch_norm: {size: 4}}]}\n"
    "  - max_pool2d: {kernel: 2}\n"
    "  - conv2d: {channels: 4, kernel: 3, padding: 1, stride: 2, groups: 2}\n"
    "  - switchable_norm\n"
    "  - gelu\n"
    "  - conv2d_transpose: {channels: 4, kernel: 2, stride: 2}\n"
    "  - group_norm: {groups: 2}\n"
    "  - filter_response_norm\n"
    "  - avg_pool2d: {kernel: 2}\n"
    "  - flatten\n"
    "  - dense: {units: 8, weight: {spectral_norm: true}}\n"
    "  - batch_renorm\n"
    "  - iterative_whitening: {size: 2}\n"
    "  - dropout: {p: 0.2}\n"
    "  - dense: {units: 3}\n"
    "data: {train: {waves: {samples: 48, shape: [8, 8, 2], classes: 3}}, validation: 0.25,"
    " normalize: auto, crop: 1, flip: true, batch: 12, balance: true}\n"
    "loss: {cross_entropy: {label_smoothing: 0.1}}\n"
    "train: {epochs: 2, clip_norm: 1, optimizer: {adamw: {rate: 0.01}}, schedule: one_cycle,"
    " average: {kind: exponential}, early_stopping: {patience: 5}, checkpoint_every_steps: 2}\n";

static const char sequences[] =
    "model:\n"
    "  - op: {apply: {reshape: {shape: [-1, 8, 8]}}}\n"
    "  - lstm: {units: 6, direction: both}\n"
    "  - layer_norm\n"
    "  - self_attention: {heads: 2, dropout: 0.1}\n"
    "  - conv1d: {channels: 6, kernel: 3, padding: 1}\n"
    "  - instance_norm\n"
    "  - silu\n"
    "  - repeat: {times: 2, body: [{dense: {units: 6}}, dynamic_tanh]}\n"
    "  - gru: {units: 5, output: last}\n"
    "  - rms_norm\n"
    "  - prelu\n"
    "  - dense: {units: 3}\n"
    "data: {train: {waves: {samples: 40, shape: [8, 8, 1], classes: 3}}, batch: 10}\n"
    "loss: cross_entropy\n"
    "train: {steps: 3, optimizer: {lion: {rate: 0.001}}, accumulate: 2}\n";

static const char table[] =
    "model: [{dense: {units: 8}}, batch_norm, relu, {dense: {units: 1}}]\n"
    "data: {train: {csv: {path: rows.csv, target: price, ignore: [note]}}, validation: 0.3,"
    " batch: 8, last_batch: keep}\n"
    "loss: {huber: {delta: 1}}\n"
    "train: {epochs: 2, metric: [mean_absolute_error, r2], optimizer: {lars: {rate: 0.1}}, "
    "schedule: plateau}\n";

static const char probed[] =
    "model: [{dense: {units: 6}}, batch_norm, tanh, {dense: {units: 2}}]\n"
    "data: {train: {spirals: {points: 30}}, batch: 10}\n"
    "loss: cross_entropy\n"
    "train: {steps: 2, plan: false, optimizer: {sgd: {rate: 0.05, momentum: 0.9}}}\n";

static const char *const probes[] = {
    "probes=[gradient_norms, activation_percentiles, activation_statistics, saturation,"
    " weight_norms, update_ratio]",
    "probes=[weight_angle, {batch_statistics: {batches: 2}}, {gradient_noise: {batches: 2}},"
    " loss_along_gradient, gradient_predictiveness, effective_smoothness]",
    "probes=[covariate_shift, evaluation_mode, running_statistics,"
    " {top_hessian_eigenvalue: {iterations: 2}}, {loss_surface: {points: 3}}]",
};

static const char *setting;   /* of the network's file; NULL: none */
static bool moves_statistics; /* it has layers with running ones */
static long opened;           /* requests of nm_open(), which are tried elsewhere */

static void write_rows(void)
{
    char text[8192] = "size,kind,when,price,note\n";
    for (int i = 0; i < 60; i++) {
        char line[96];
        snprintf(line, sizeof line, "%d.5,%s,2024-0%d-1%d,%d,n%d\n", i * 7 % 11,
                 i % 3 ? "flat" : "house", 1 + i % 9, i % 10, i * i % 17, i);
        strcat(text, line);
    }
    test_write_file(test_path("rows.csv"), text, strlen(text));
}

static nm_status take(void *user, const nm_train_state *state, const nm_probe_record *record)
{
    (void)user;
    (void)state;
    (void)record;
    return NM_OK;
}

static void recalibrate(nm_context *context, const nm_config *config)
{
    nm_loader *loader =
        nm_loader_create(context, &config->data.train, &config->data_options.loader, false, 1);
    if (loader) {
        nm_recalibrate(nm_model_network(config->model), loader);
    }
    nm_loader_destroy(loader);
}

static void predict(nm_context *context, const char *path)
{
    nm_model *model = nm_model_open_saved(context, path);
    nm_tape *tape = model ? nm_tape_create(context) : NULL;
    if (tape) {
        nm_shape batch = *nm_model_input(model);
        memmove(batch.dim + 1, batch.dim, sizeof batch.dim - sizeof batch.dim[0]);
        batch.dim[0] = 2;
        batch.rank++;
        nm_model_fold(model);
        nm_tensor *x = nm_full(tape, NM_F32, batch, 9);
        if (x) {
            nm_model_predict(model, tape, x);
        }
    }
    nm_tape_destroy(tape);
    nm_model_destroy(model);
}

/* What can be done with a network that was trained. */
static void use(nm_context *context, const nm_config *config, nm_trainer *trainer)
{
    const char *saved = test_path("short.safetensors");
    nm_trainer_save(trainer, test_path("short-checkpoint.safetensors"));
    nm_model_save(config->model, saved);
    if (moves_statistics) {
        recalibrate(context, config);
    }
    predict(context, saved);
    nm_free(context, nm_model_table(config->model));
}

static void run(nm_context *context)
{
    nm_config config;
    if (nm_config_open(context, test_path("short.yaml"), &setting, setting != NULL, ALL, &config) !=
        NM_OK) {
        return;
    }
    nm_trainer_setup setup = nm_config_setup(&config);
    setup.callbacks.on_probe = take;
    nm_trainer *trainer = nm_trainer_create(context, &setup);
    if (trainer && nm_trainer_run(trainer, NULL) == NM_OK) {
        use(context, &config, trainer);
    }
    nm_trainer_destroy(trainer);
    nm_config_close(&config);
}

static nm_status scenario(test_memory *memory)
{
    nm_context *context = open_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    opened = memory->calls;
    run(context);
    const nm_status status = nm_context_status(context);
    ck_assert_msg(status == NM_OK || status == NM_ERROR_MEMORY, "%s", nm_context_error(context));
    nm_close(context);
    ck_assert_msg(memory->live == 0, "%ld blocks leaked (failing allocation %ld)", memory->live,
                  memory->fail_at);
    return status;
}

/* Some hundred of the requests, evenly; once each, and with all later ones. */
static void fails_anywhere(const char *network, const char *more)
{
    setting = more;
    moves_statistics = strstr(network, "batch_norm") != NULL;
    write_rows();
    test_write_file(test_path("short.yaml"), network, strlen(network));
    test_memory sound = {.fail_at = -1};
    ck_assert_int_eq(scenario(&sound), NM_OK);
    const long first = opened, end = sound.calls, step = (end - first) / 250 + 1;
    for (int after = 0; after < 2; after++) {
        for (long n = first + after; n < end; n += step) {
            test_memory memory = {.fail_at = n, .fail_after = after};
            nm_status status = scenario(&memory);
            ck_assert_msg(status == NM_ERROR_MEMORY || memory.calls <= n,
                          "allocation %ld failed, but the status is %s", n, nm_status_name(status));
        }
    }
}

START_TEST(a_run_on_images_ends_with_an_error_whichever_request_fails)
{
    fails_anywhere(images, NULL);
}
END_TEST

START_TEST(a_run_on_sequences_ends_with_an_error_whichever_request_fails)
{
    fails_anywhere(sequences, NULL);
}
END_TEST

START_TEST(a_run_on_a_table_ends_with_an_error_whichever_request_fails)
{
    fails_anywhere(table, NULL);
}
END_TEST

START_TEST(a_run_with_probes_ends_with_an_error_whichever_request_fails)
{
    for (int i = 0; i < NM_COUNT_OF(probes); i++) {
        fails_anywhere(probed, probes[i]);
    }
}
END_TEST

TEST_MAIN("models/short_runs", a_run_on_images_ends_with_an_error_whichever_request_fails,
          a_run_on_sequences_ends_with_an_error_whichever_request_fails,
          a_run_on_a_table_ends_with_an_error_whichever_request_fails,
          a_run_with_probes_ends_with_an_error_whichever_request_fails)
