/* A network's text, drawn at random. */
#ifndef NM_TESTS_MODELS_RANDOM_NETWORK_H
#define NM_TESTS_MODELS_RANDOM_NETWORK_H

#include <stdio.h>
#include <stdlib.h>

#include "core/random.h"

#define TEXT 4096

typedef struct writer {
    nm_random random;
    char text[TEXT];
    size_t length;
    bool images, sequences; /* what samples are; neither: vectors */
    int depth;
} writer;

/* The first network's number: by the environment, so that others than those of every day are tried
 * (./dev differ). */
static inline int first_number(void)
{
    const char *text = getenv("NORMA_FIRST");
    return text ? atoi(text) : 0;
}

static inline int below(writer *w, int bound)
{
    return (int)nm_random_below(&w->random, bound);
}

static inline void add(writer *w, const char *text)
{
    w->length += (size_t)snprintf(w->text + w->length, TEXT - w->length, "%s", text);
}

/* Layers of sequences of 6 channels that keep their shape. */
static inline void add_sequence_layer(writer *w)
{
    static const char *const layers[] = {
        "{lstm: {units: 6}}",
        "{lstm: {units: 3, direction: both}}",
        "{lstm: {units: 6, direction: backward, bias: false, mask_value: 0}}",
        "{gru: {units: 6}}",
        "{gru: {units: 3, direction: both, init: orthogonal}}",
        "{self_attention: {heads: 2}}",
        "{self_attention: {heads: 3, causal: true, dropout: 0.2}}",
        "{conv1d: {channels: 6, kernel: 3, padding: 1}}",
        "{conv1d: {channels: 6, kernel: 1, bias: false, weight_norm: {axis: 0}}}",
        "{dense: {units: 6}}"};
    add(w, layers[below(w, 10)]);
}

#define ADD_ONE_OF(w, texts) add(w, (texts)[below(w, NM_COUNT_OF(texts))])

#endif
