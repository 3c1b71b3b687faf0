/* A network so small that calls, not arithmetic, are what a step costs: 2-64-64-2, as small
 * machines train it, one sample or a few at a time. */
#include <string.h>

#include "models/command/bench/bench.h"
#include "optim/learn.h"

#define MOST 16   /* samples of a batch */
#define PARTS 100 /* steps between two looks at the clock */

typedef struct tiny {
    nm_document *document;
    nm_model *model;
    nm_tape *tape;
    nm_loss loss;
    nm_optimizer *optimizer;
    nm_learner learner;
    nm_batch batch;
    nm_tensor *x; /* for predictions */
    float samples[2 * MOST];
    int32_t labels[MOST];
} tiny;

static const char text[] = "{input: [2], layers: [{dense: {units: 64}}, relu, {dense: {units: 64}},"
                           " relu, {dense: {units: 2}}]}";

static void learn(void *state)
{
    tiny *t = state;
    for (int i = 0; i < PARTS; i++) {
        nm_learn(&t->learner, &t->batch, NULL);
    }
}

static void predict(void *state)
{
    tiny *t = state;
    for (int i = 0; i < PARTS; i++) {
        nm_tape_reset(t->tape);
        nm_model_predict(t->model, t->tape, t->x);
    }
}

static void fill_batch(tiny *t, int64_t count)
{
    nm_random random = nm_random_create(1, 0);
    for (int64_t i = 0; i < count; i++) {
        t->samples[2 * i] = (float)nm_random_normal(&random);
        t->samples[2 * i + 1] = (float)nm_random_normal(&random);
        t->labels[i] = (int32_t)nm_random_below(&random, 2);
    }
    t->batch = nm_batch_of_labels(NM_SHAPE(count, 2), t->samples, t->labels);
}

static nm_status begin(tiny *t, nm_context *context, int64_t batch)
{
    static const nm_choice loss = {.item = &nm_loss_cross_entropy.item};
    *t = (tiny){.document = nm_document_parse(context, text, strlen(text), "the network")};
    if (!t->document || nm_loss_begin(&t->loss, context, &loss) != NM_OK) {
        return nm_context_status(context);
    }
    t->model = nm_model_create(context, t->document, nm_document_root(t->document), NULL, NULL);
    t->tape = nm_tape_create(context);
    t->optimizer = nm_optimizer_create(nm_model_store(t->model), &nm_sgd(.rate = 0.001), NULL, 0);
    fill_batch(t, batch);
    t->x = nm_tensor_copy_of(context, NM_F32, NM_SHAPE(1, 2), t->samples);
    t->learner = (nm_learner){.network = nm_model_network(t->model),
                              .loss = &t->loss,
                              .optimizer = t->optimizer,
                              .tape = t->tape};
    return nm_context_status(context);
}

static void end(tiny *t)
{
    nm_tensor_destroy(t->x);
    nm_optimizer_destroy(t->optimizer);
    nm_tape_destroy(t->tape);
    nm_loss_end(&t->loss);
    nm_model_destroy(t->model);
    nm_document_destroy(t->document);
}

static nm_status measure(bench *b, const char *name, int64_t batch, void (*step)(void *))
{
    if (!bench_wanted(b, name)) {
        return NM_OK;
    }
    tiny t;
    nm_status status = begin(&t, b->context, batch);
    if (status == NM_OK && step == predict) {
        status = nm_model_fold(t.model);
    }
    if (status == NM_OK) {
        const bench_row row = {.name = name,
                               .batch = batch,
                               .parts = PARTS,
                               .counts_samples = true,
                               .step = step,
                               .state = &t};
        status = bench_measure(b, &row);
    }
    end(&t);
    return status;
}

nm_status bench_tiny(bench *b)
{
    b->heading = "Tiny network";
    nm_status status = measure(b, "tiny step, batch 1", 1, learn);
    if (status == NM_OK) status = measure(b, "tiny step, batch 4", 4, learn);
    if (status == NM_OK) status = measure(b, "tiny step, batch 16", MOST, learn);
    if (status == NM_OK) status = measure(b, "tiny prediction", 1, predict);
    return status;
}
