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
    bool images;
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

#define ADD_ONE_OF(w, texts) add(w, (texts)[below(w, NM_COUNT_OF(texts))])

#endif
