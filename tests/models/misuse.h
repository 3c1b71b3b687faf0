/* A small network, its store and its data, all in C, for the tests of what is held wrongly. */
#ifndef NM_TESTS_MODELS_MISUSE_H
#define NM_TESTS_MODELS_MISUSE_H

#include <string.h>

#include "norma.h"
#include "tests/test.h"

#define COUNT 10

typedef struct bench {
    nm_context *context;
    nm_store *store;
    nm_network network;
    float x[COUNT * 4 + 1];
    int32_t labels[COUNT + 1];
    nm_data data;
    nm_trainer_setup setup;
} bench;

static inline nm_tensor *forward(void *self, const nm_pass *pass, nm_tensor *x)
{
    const nm_store *store = self;
    return nm_dense(pass->tape, x, nm_store_find(store, "w")->tensor, NULL);
}

static inline void begin(bench *b, test_memory *memory)
{
    memset(b, 0, sizeof *b);
    nm_context_options options = {.threads = 1, .log = test_log};
    if (memory) {
        options.allocator = test_allocator(memory);
    }
    b->context = nm_open(&options);
    b->store = nm_store_create(b->context);
    nm_store_add(b->store, "w", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(2, 4));
    for (int i = 0; i < COUNT * 4; i++) {
        b->x[i] = (float)(i % 7);
    }
    for (int i = 0; i < COUNT; i++) {
        b->labels[i] = i % 2;
    }
    nm_data_options data = NM_DATA_OPTIONS(.loader.batch = 5);
    data.train = nm_arrays(.count = COUNT, .shape = NM_SHAPE(4), .f32 = b->x, .labels = b->labels);
    nm_data_open(b->context, &data, &b->data);
    b->network = (nm_network){.self = b->store, .store = b->store, .forward = forward};
    b->setup = (nm_trainer_setup){.network = &b->network,
                                  .data = &b->data,
                                  .loss = nm_cross_entropy_loss(),
                                  .options = NM_TRAIN_OPTIONS(.epochs = 2, .optimizer = nm_sgd())};
    assert_fine(b->context);
}

static inline void end(bench *b, test_memory *memory)
{
    nm_store_destroy(b->store);
    nm_data_close(&b->data);
    test_context_end(b->context, memory);
}

#endif
