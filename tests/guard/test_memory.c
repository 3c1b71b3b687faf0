/* Memory in steady training, for every network of the zoo: a step like the one before it asks the
 * context's allocator for nothing, and the C library's malloc() is called by oneDNN alone. */
#include <glob.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "models/config.h"
#include "ops/kernels/onednn.h"

#include "tests/malloc_count.h"
#include "tests/models/model_test.h"

#define BATCH 8
#define STEPS 10
#define WARM 4 /* steps after which everything is there */

/* oneDNN takes short-lived blocks from malloc() whenever it runs a primitive: for the map it makes
 * of the arguments, and more or fewer by what it found fastest. So the limits are what was counted
 * with oneDNN 2.6 told to use AVX2, in one thread: with more it takes some for each that comes.
 * Version 3 takes some for every block of a product, and has more or fewer blocks by the
 * processor's caches: of others than 2.6, a step takes as many as the last.
 */
static const struct {
    const char *file;
    nm_shape sample;
    long mallocs; /* a step, by oneDNN 2.6, at most: without AVX-512 a first layer is its too */
    bool strided; /* has convolutions that are always oneDNN's */
} networks[] = {
    {"fashion_mnist_mlp_bn.yaml", {3, {28, 28, 1}}, 0, false},
    {"fashion_mnist_mlp_wn.yaml", {3, {28, 28, 1}}, 0, false},
    {"fashion_mnist_bn_paper.yaml", {3, {28, 28, 1}}, 0, false},
    {"fashion_mnist_cnn_bn.yaml", {3, {28, 28, 1}}, 30, false},
    {"fashion_mnist_cnn_wn.yaml", {3, {28, 28, 1}}, 30, false},
    {"fashion_mnist_fast.yaml", {3, {28, 28, 1}}, 30, false},
    {"fashion_mnist_resnet.yaml", {3, {28, 28, 1}}, 30, false},
    {"resnet20.yaml", {3, {32, 32, 3}}, 340, true},
    {"spirals.yaml", {1, {2}}, 0, false},
};

static const char *zoo(const char *name)
{
    static char path[512];
    const char *source = getenv("NORMA_SOURCE");
    snprintf(path, sizeof path, "%s/models/zoo/%s", source ? source : ".", name);
    return path;
}

START_TEST(every_network_of_the_zoo_is_guarded)
{
    glob_t files;
    ck_assert_int_eq(glob(zoo("*"), 0, NULL, &files), 0);
    for (size_t k = 0; k < files.gl_pathc; k++) {
        const char *name = strrchr(files.gl_pathv[k], '/') + 1;
        bool found = false;
        for (int i = 0; i < NM_COUNT_OF(networks); i++) {
            found |= !strcmp(networks[i].file, name);
        }
        ck_assert_msg(found, "%s is not guarded", name);
    }
    globfree(&files);
}
END_TEST

/* ---- A run of the trainer, as the file says, on generated samples of the network's shape ---- */

typedef struct counts {
    test_memory memory;
    long ours[STEPS + 1], live[STEPS + 1], all[STEPS + 1]; /* after each step */
} counts;

/* Check's own assertions allocate, so they wait until the end. */
static nm_status count_step(void *user, const nm_train_state *state)
{
    counts *c = user;
    c->ours[state->step] = c->memory.calls;
    c->live[state->step] = c->memory.live;
    c->all[state->step] = count_mallocs();
    return NM_OK;
}

static void run(nm_context *context, const char *file, const nm_shape *sample,
                const char *precision, counts *c)
{
    char train[128], batch[32], steps[32], kind[32];
    const char *settings[] = {train, batch, steps, kind, "train.epochs=1", "data.test=null"};
    nm_config config;
    if (sample->rank == 1) {
        snprintf(train, sizeof train, "data.train.spirals.points=%d", BATCH * STEPS);
    } else {
        snprintf(train, sizeof train, "data.train={waves: {samples: %d, shape: [%d, %d, %d]}}",
                 BATCH * STEPS, (int)sample->dim[0], (int)sample->dim[1], (int)sample->dim[2]);
    }
    snprintf(batch, sizeof batch, "data.batch=%d", BATCH);
    snprintf(steps, sizeof steps, "train.steps=%d", STEPS);
    snprintf(kind, sizeof kind, "train.precision=%s", precision);
    nm_context_emulate_bf16(context, true); /* where the processor has none; says so once */
    nm_config_open(context, zoo(file), settings, NM_COUNT_OF(settings),
                   NM_NEED_DATA | NM_NEED_LOSS | NM_NEED_TRAIN, &config);
    assert_fine(context);
    nm_trainer_setup setup = nm_config_setup(&config);
    setup.callbacks = (nm_train_callbacks){.user = c, .on_step = count_step};
    nm_trainer *trainer = nm_trainer_create(context, &setup);
    nm_trainer_run(trainer, NULL);
    assert_fine(context);
    nm_trainer_destroy(trainer);
    nm_config_close(&config);
}

/* Number `i` of the table. */
static counts count(int i, const char *precision, bool onednn, int threads)
{
    counts c = {.memory = {.fail_at = -1}};
    ck_assert(begin_to_count_mallocs());
    nm_context *context = open_context(&c.memory);
    nm_context_set_onednn(context, onednn);
    nm_context_set_threads(context, threads);
    run(context, networks[i].file, &networks[i].sample, precision, &c);
    nm_close(context);
    ck_assert_int_eq(c.memory.live, 0);
    return c;
}

static void assert_steady(const char *file, const counts *c)
{
    ck_assert_int_gt(c->ours[1], 0); /* it does count */
    for (int step = WARM + 1; step <= STEPS; step++) {
        ck_assert_msg(c->ours[step] == c->ours[WARM], "%s: step %d made %ld allocations", file,
                      step, c->ours[step] - c->ours[step - 1]);
        ck_assert_int_eq(c->live[step], c->live[WARM]);
    }
}

START_TEST(a_steady_step_in_bf16_allocates_nothing)
{
    for (int i = 0; i < NM_COUNT_OF(networks) && nm_has_onednn(); i++) {
        counts c = count(i, "bf16", true, 2);
        assert_steady(networks[i].file, &c);
    }
}
END_TEST

static long mallocs_of_step(const counts *c, int step)
{
    return c->all[step] - c->all[step - 1];
}

static long most_mallocs(const counts *c)
{
    long most = 0;
    for (int step = WARM + 1; step <= STEPS; step++) {
        long calls = mallocs_of_step(c, step);
        most = calls > most ? calls : most;
    }
    return most;
}

START_TEST(a_steady_step_without_onednn_allocates_nothing)
{
    for (int i = 0; i < NM_COUNT_OF(networks); i++) {
        counts c = count(i, "f32", false, 2);
        assert_steady(networks[i].file, &c);
        ck_assert_msg(most_mallocs(&c) == 0, "%s: %ld calls of malloc() a step", networks[i].file,
                      most_mallocs(&c));
    }
}
END_TEST

START_TEST(a_steady_step_allocates_nothing_and_onednn_no_more_than_it_did)
{
    setenv("DNNL_MAX_CPU_ISA", "AVX2", 1); /* oneDNN looks when it is used first */
    for (int i = 0; i < NM_COUNT_OF(networks) && nm_has_onednn(); i++) {
        counts c = count(i, "f32", true, 1);
        assert_steady(networks[i].file, &c);
        long most = most_mallocs(&c);
        char why[NM_ONEDNN_WHY];
        bool known = nm_onednn_version(why, sizeof why) == 206;
        long limit = known ? networks[i].mallocs : mallocs_of_step(&c, WARM);
        printf("%s: malloc() is called %ld times a step\n", networks[i].file, most);
        ck_assert_msg(most <= limit, "%s: %ld calls of malloc() a step, not %ld", networks[i].file,
                      most, limit);
        ck_assert(most > 0 || !networks[i].strided); /* it sees what another library does */
    }
}
END_TEST

/* ---- A long run ---- */

#define LONG 10000

/* The C library's allocator, with the bytes in use. */
static void *measured_resize(void *user, void *memory, size_t size)
{
    size_t *bytes = user;
    *bytes -= malloc_usable_size(memory);
    void *result = size ? realloc(memory, size) : (free(memory), NULL);
    *bytes += malloc_usable_size(result);
    return result;
}

typedef struct learner {
    nm_context *context;
    nm_document *document;
    nm_model *model;
    nm_optimizer *optimizer;
    nm_tape *tape;
    nm_tensor *x, *labels;
    int64_t steps;
} learner;

static learner begin_learner(size_t *bytes)
{
    nm_context_options options = {.allocator = {measured_resize, bytes}, .threads = 2};
    nm_random random = nm_random_create(1, 0);
    learner l = {.context = nm_open(&options)};
    l.document = nm_document_parse(l.context,
                                   "[{dense: {units: 16}}, batch_norm, relu, {dense: {units: 16}}, "
                                   "batch_norm, relu, {dense: {units: 4}}]",
                                   SIZE_MAX, "net.yaml");
    l.model =
        nm_model_create(l.context, l.document, nm_document_root(l.document), &NM_SHAPE(8), NULL);
    l.optimizer = nm_optimizer_create(nm_model_store(l.model),
                                      &nm_sgd(.rate = 0.01, .momentum = 0.9), NULL, 0);
    l.tape = nm_tape_create(l.context);
    l.x = nm_tensor_create(l.context, NM_F32, NM_SHAPE(16, 8));
    l.labels = nm_tensor_create(l.context, NM_I32, NM_SHAPE(16));
    nm_random_fill_normal(&random, l.x, 0, 1);
    assert_fine(l.context);
    return l;
}

static void learn(learner *l, int steps)
{
    nm_pass pass = {.tape = l->tape, .training = true};
    for (int i = 0; i < steps; i++) {
        nm_tape_reset(l->tape);
        nm_tensor *y = nm_model_forward(l->model, &pass, l->x);
        nm_backward(l->tape, nm_cross_entropy(l->tape, y, l->labels), 0);
        nm_optimizer_step(l->optimizer, l->steps++, 1, 1);
        nm_store_clear_grads(nm_model_store(l->model));
    }
    assert_fine(l->context);
}

static void end_learner(learner *l)
{
    nm_tensor_destroy(l->x);
    nm_tensor_destroy(l->labels);
    nm_tape_destroy(l->tape);
    nm_optimizer_destroy(l->optimizer);
    nm_model_destroy(l->model);
    nm_document_destroy(l->document);
    nm_close(l->context);
}

START_TEST(ten_thousand_steps_leave_memory_where_it_was)
{
    size_t bytes = 0;
    learner l = begin_learner(&bytes);
    learn(&l, WARM);
    size_t warm = bytes, pool = nm_context_pool_bytes(l.context);
    ck_assert_uint_gt(warm, pool);
    learn(&l, LONG);
    ck_assert_uint_eq(bytes, warm);
    ck_assert_uint_eq(nm_context_pool_bytes(l.context), pool);
    end_learner(&l);
    ck_assert_uint_eq(bytes, 0);
}
END_TEST

TEST_MAIN("guard/memory", every_network_of_the_zoo_is_guarded,
          a_steady_step_in_bf16_allocates_nothing, a_steady_step_without_onednn_allocates_nothing,
          a_steady_step_allocates_nothing_and_onednn_no_more_than_it_did,
          ten_thousand_steps_leave_memory_where_it_was)
