/* The option recompute: less memory, the same training. */
#include <stdio.h>

#include "tests/models/same_runs.h"

/* The text with `recompute: false` and with `recompute: true`, by plans and on the tape. */
static void compare(const char *text)
{
    char yaml[2048];
    const char *none[] = {NULL};
    run runs[3];
    for (int i = 0; i < 3; i++) {
        snprintf(yaml, sizeof yaml, text, i ? "true" : "false");
        test_write_file(test_path("net.yaml"), yaml, strlen(yaml));
        runs[i] = train_file(test_path("net.yaml"), none, i < 2);
    }
    assert_same_runs(&runs[0], &runs[1], text);
    assert_same_runs(&runs[0], &runs[2], text);
    for (int i = 0; i < 3; i++) {
        end_run(&runs[i]);
    }
}

#define DATA                                                                                       \
    "data: {train: {spirals: {points: 46, noise: 0.1}}, batch: 8, last_batch: keep}\n"             \
    "loss: cross_entropy\ntrain: {epochs: 3, seed: 3, optimizer: {sgd: {rate: 0.1, momentum: "     \
    "0.9}}}\n"

START_TEST(a_network_trains_to_the_same_bits)
{
    compare(
        "model: [{dense: {units: 8}}, {repeat: {times: 3, recompute: %s, body: [{dense: {units: "
        "8}}, batch_norm, relu, {dropout: {p: 0.2}}]}}, {dense: {units: 2}}]\n" DATA);
    compare("model: [{dense: {units: 8}}, {residual: {recompute: %s, body: [batch_norm, tanh, "
            "{dropout: {p: 0.1}}, {dense: {units: 8}}], shortcut: [{dense: {units: 8}}]}}, {dense: "
            "{units: 2}}]\n" DATA);
    /* Layers whose statistics move, and take part in what they compute. */
    compare(
        "model: [{sequence: {recompute: %s, body: [{dense: {units: 8}}, batch_renorm, tanh, "
        "{dense: {units: 8, weight: {spectral_norm: {}}}}, {ghost_batch_norm: {size: 4}}, gelu, "
        "{batch_norm: {average: cumulative}}]}}, {dense: {units: 2}}]\n" DATA);
}
END_TEST

/* Bytes that a step of 50 layers holds at most. */
static size_t peak_of(const char *options, bool plan)
{
    char yaml[1024];
    const char *settings[] = {"train.steps=4", NULL};
    snprintf(
        yaml, sizeof yaml,
        "model: [{repeat: {times: 7, %sbody: [{repeat: {times: 7, body: [{dense: {units: 16}}, "
        "tanh]}}]}}, {dense: {units: 2}}]\n"
        "data: {train: {spirals: {points: 2048, noise: 0.1}}, batch: 1024}\n"
        "loss: cross_entropy\ntrain: {epochs: 4, optimizer: {sgd: {rate: 0.1}}}\n",
        options);
    test_write_file(test_path("deep.yaml"), yaml, strlen(yaml));
    run r = train_file(test_path("deep.yaml"), settings, plan);
    const size_t peak = nm_context_pool_peak(r.context);
    end_run(&r);
    return peak;
}

START_TEST(fifty_layers_take_less_than_half_of_the_memory)
{
    for (int plan = 0; plan < 2; plan++) {
        const size_t plain = peak_of("", plan), again = peak_of("recompute: true, ", plan);
        ck_assert_msg(again < plain / 2, "%zu bytes of %zu", again, plain);
    }
}
END_TEST

START_TEST(parameters_have_the_names_that_they_have_without)
{
    fixture a = begin("[sequence: {recompute: true, body: [dense: {units: 3}]}]", NM_SHAPE(2));
    fixture b = begin("[sequence: {body: [dense: {units: 3}]}]", NM_SHAPE(2));
    assert_same_stores(a.store, b.store, "sequence");
    ck_assert_str_eq(nm_store_at(a.store, 0)->name, nm_store_at(b.store, 0)->name);
    end(&b);
    end(&a);
}
END_TEST

START_TEST(what_others_call_it_leads_there)
{
    refused("[sequence: {gradient_checkpointing: true, body: [relu]}]", NM_SHAPE(2),
            "net.yaml:1:13: sequence: unknown option \"gradient_checkpointing\"; did you mean "
            "\"recompute\"?");
}
END_TEST

TEST_MAIN("models/recompute", a_network_trains_to_the_same_bits,
          fifty_layers_take_less_than_half_of_the_memory,
          parameters_have_the_names_that_they_have_without, what_others_call_it_leads_there)
