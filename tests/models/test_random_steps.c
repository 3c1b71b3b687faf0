/* Random small networks of all layers, with random optimizers and settings of a run: steps done
 * from lists train the same as steps on the tape, bit for bit. */
#include <stdio.h>

#include "tests/models/random_network.h"
#include "tests/models/same_runs.h"

#define RUNS 24

/* ---- Layers, which keep the shape ---- */

static void add_linear(writer *w)
{
    static const char *const begins[] = {"{dense: {units: 6",
                                         "{conv2d: {channels: 6, kernel: 3, padding: 1",
                                         "{conv2d: {channels: 6, kernel: 1",
                                         "{conv2d_transpose: {channels: 6, kernel: 3, padding: 1"};
    static const char *const weights[] = {"",
                                          "",
                                          ", bias: false",
                                          ", weight_norm: {axis: 0}",
                                          ", weight_norm: {axis: 0, init: data}",
                                          ", weight: {spectral_norm: {iterations: 2}}",
                                          ", weight: {weight_standardization: true}"};
    if (w->sequences && below(w, 3)) {
        add_sequence_layer(w);
        return;
    }
    const int kind = w->images ? 1 + below(w, 3) : 0;
    add(w, begins[kind]);
    ADD_ONE_OF(w, weights);
    add(w, "}}");
}

static void add_norm(writer *w)
{
    static const char *const norms[] = {"batch_norm",
                                        "{batch_norm: {momentum: 0.3}}",
                                        "{batch_norm: {mean_only: true}}",
                                        "{batch_norm: {affine: false}}",
                                        "{batch_norm: {average: cumulative}}",
                                        "{batch_norm: {frozen: true}}",
                                        "{batch_renorm: {warmup: 1, ramp: 3}}",
                                        "{ghost_batch_norm: {size: 3}}",
                                        "{iterative_whitening: {size: 2, iterations: 3}}",
                                        "dynamic_tanh",
                                        "layer_norm",
                                        "{rms_norm: {affine: false}}",
                                        "{group_norm: {groups: 2}}",
                                        "switchable_norm",
                                        "filter_response_norm",
                                        "instance_norm"};
    add(w, norms[below(w, w->images ? 16 : 13)]);
}

static void add_activation(writer *w)
{
    static const char *const all[] = {"relu",
                                      "leaky_relu",
                                      "sigmoid",
                                      "tanh",
                                      "gelu",
                                      "silu",
                                      "mish",
                                      "elu",
                                      "selu",
                                      "celu",
                                      "softplus",
                                      "hard_sigmoid",
                                      "prelu",
                                      "hard_swish",
                                      "softmax",
                                      "log_softmax",
                                      "{dropout: {p: 0.3}}",
                                      "{dropout: {p: 0.1}}",
                                      "{op: {apply: square}}",
                                      "{op: {apply: {clamp: {min: -1, max: 1}}}}"};
    ADD_ONE_OF(w, all);
}

static void add_layers(writer *w, int count);

static void add_container(writer *w)
{
    static const char *const begins[] = {"{sequence: {", "{residual: {", "{repeat: {times: 2, "};
    const int kind = below(w, 3);
    w->depth++;
    add(w, begins[kind]);
    add(w, below(w, 2) ? "recompute: true, body: [" : "body: [");
    add_layers(w, 1 + below(w, 3));
    if (kind == 1 && below(w, 2)) {
        add(w, "], shortcut: [");
        add_layers(w, 1);
    }
    add(w, "]}}");
    w->depth--;
}

static void add_layers(writer *w, int count)
{
    for (int i = 0; i < count; i++) {
        add(w, i ? ", " : "");
        switch (below(w, w->depth < 2 ? 10 : 9)) {
        case 0:
        case 1:
        case 2: add_linear(w); break;
        case 3:
        case 4:
        case 5: add_norm(w); break;
        case 9: add_container(w); break;
        default: add_activation(w); break;
        }
    }
}

static void add_model(writer *w)
{
    add(w, "model: [");
    add(w, w->sequences ? "{op: {apply: {reshape: {shape: [-1, 5, 6]}}}}, " : "");
    add_linear(w);
    add(w, ", ");
    add_layers(w, 3 + below(w, 4));
    if (w->images) {
        add(w, below(w, 2) ? ", {max_pool2d: {kernel: 2}}" : ", {avg_pool2d: {kernel: 2}}");
    }
    add(w, w->images || w->sequences ? ", flatten" : "");
    add(w, ", {dense: {units: 2}}]\n");
}

/* ---- The run ---- */

static void add_data(writer *w)
{
    static const char *const ends[] = {", last_batch: drop", ", last_batch: merge"};
    static const char *const losses[] = {"cross_entropy",
                                         "cross_entropy",
                                         "{cross_entropy: {label_smoothing: 0.1}}",
                                         "{cross_entropy: {weight: [0.3, 2]}}",
                                         "{cross_entropy: {weight: balanced}}",
                                         "{cross_entropy: {ignore_index: 1}}"};
    add(w, w->images
               ? "data: {train: {waves: {samples: 27, shape: [6, 4, 2], classes: 2}}, flip: true"
           : w->sequences ? "data: {train: {waves: {samples: 27, shape: [5, 6, 1], classes: 2}}"
                          : "data: {train: {spirals: {points: 27, noise: 0.1}}");
    add(w, ", batch: 8");
    ADD_ONE_OF(w, ends);
    add(w, below(w, 2) ? ", validation: 0.2}\nloss: " : "}\nloss: ");
    ADD_ONE_OF(w, losses);
}

static void add_train(writer *w)
{
    static const char *const optimizers[] = {
        "",
        ", optimizer: {sgd: {rate: 0.1, momentum: 0.9, weight_decay: 0.01}}",
        ", optimizer: {sgd: {rate: 0.1, momentum: 0.8, nesterov: true}}",
        ", optimizer: {adam: {rate: 0.01, amsgrad: true}}",
        ", optimizer: {adamw: {rate: 0.01}}",
        ", optimizer: {rmsprop: {rate: 0.003, momentum: 0.5, centered: true}}",
        ", optimizer: {adagrad: {rate: 0.1, rate_decay: 0.1}}",
        ", optimizer: {lion: {rate: 0.003}}",
        ", optimizer: {lars: {rate: 0.1}}",
        ", optimizer: {lamb: {rate: 0.01}}"};
    static const char *const settings[] = {
        "",
        ", schedule: cosine, warmup: {steps: 3}",
        ", schedule: {step: {every: 1, factor: 0.5}}",
        ", accumulate: 2",
        ", accumulate: 3, clip_norm: 0.1",
        ", clip_value: 0.01",
        ", average: {decay: 0.9}",
        ", average: {kind: equal, last: 1, recalibrate: false}, accumulate: 2",
        ", groups: [{match: \"*.bias\", rate: 2, weight_decay: 0}]",
        ", groups: [{match: \"*.bias\", frozen: true}]"};
    char text[64];
    snprintf(text, sizeof text, "\ntrain: {epochs: 3, seed: %d", 1 + below(w, 99));
    add(w, text);
    ADD_ONE_OF(w, optimizers);
    ADD_ONE_OF(w, settings);
    add(w, below(w, 4) ? "}\n" : ", precision: bf16}\n");
}

START_TEST(a_random_run_from_lists_is_the_run_on_the_tape)
{
    for (int i = first_number(), end = i + RUNS; i < end; i++) {
        writer w = {.random = nm_random_create((uint64_t)i, 17),
                    .images = i % 3 == 0,
                    .sequences = i % 3 == 1};
        add_model(&w);
        add_data(&w);
        add_train(&w);
        compare_text(w.text);
    }
}
END_TEST

TEST_MAIN("models/random_steps", a_random_run_from_lists_is_the_run_on_the_tape)
