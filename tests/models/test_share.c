/* One trained network serves many threads: nm_predictor_share(). */
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "models/initializer.h"
#include "models/open.h"
#include "models/predictor.h"
#include "ops/linear.h"
#include "optim/data/open_file.h"
#include "optim/optimizers.h"
#include "tests/test.h"

#define THREADS 4
#define ROWS 40
#define INPUTS 64

/* With everything that a forward pass may look at: folded and not, weight norm, residuals, views of
 * inputs, pooling. */
static const char network_text[] =
    "[op: {apply: {reshape: {shape: [-1, 8, 8, 1]}}}, conv2d: {channels: 4, kernel: 3, padding: 1},"
    " batch_norm, relu, residual: {body: [conv2d: {channels: 4, kernel: 3, padding: 1},"
    " batch_norm]}, batch_norm, max_pool2d: {kernel: 2}, flatten, dense: {units: 16, weight_norm:"
    " {}}, tanh, dropout: {p: 0.5}, dense: {units: 3}]";

static nm_context *open_on(test_memory *memory)
{
    return nm_open(&(nm_context_options){.allocator = test_allocator(memory), .threads = 1});
}

/* Writes the network with a schema: class scores of samples of INPUTS numbers. */
static void save_network(const char *path)
{
    nm_context *context = nm_open(&(nm_context_options){.threads = 1});
    nm_document *document = nm_document_parse(context, network_text, SIZE_MAX, "network");
    nm_schema *schema = nm_schema_create(context);
    schema->shape = NM_SHAPE(INPUTS);
    schema->classes = 3;
    nm_model *model =
        nm_model_create(context, document, nm_document_root(document), &NM_SHAPE(INPUTS), NULL);
    nm_model_set_schema(model, schema);
    nm_random random = nm_random_create(3, 0);
    nm_store *store = nm_model_store(model);
    for (int i = 0; i < nm_store_count(store); i++) {
        const nm_entry *entry = nm_store_at(store, i);
        if (nm_dtype_is_float(nm_tensor_dtype(entry->tensor)) && entry->purpose != NM_VARIANCE) {
            nm_random_fill_normal(&random, entry->tensor, 0, 0.4);
        }
    }
    nm_model_save(model, path);
    assert_fine(context);
    nm_model_destroy(model);
    nm_schema_destroy(schema);
    nm_document_destroy(document);
    nm_close(context);
}

static const char *saved(void)
{
    const char *path = test_path("shared.safetensors");
    static char kept[512];
    snprintf(kept, sizeof kept, "%s", path);
    save_network(kept);
    return kept;
}

static nm_tensor *make_samples(nm_context *context)
{
    nm_random random = nm_random_create(5, 0);
    nm_tensor *x = nm_tensor_create(context, NM_F32, NM_SHAPE(ROWS, INPUTS));
    nm_random_fill_normal(&random, x, 0, 1);
    return x;
}

/* The outputs for the samples, [ROWS, 3], into `y`. */
static bool predict_all(nm_context *context, nm_predictor *predictor, float *y)
{
    nm_tensor *x = make_samples(context), *out = nm_predictor_run(predictor, x);
    if (out) {
        memcpy(y, nm_tensor_f32(out), nm_tensor_bytes(out));
    }
    nm_tensor_destroy(out);
    nm_tensor_destroy(x);
    return out;
}

/* ---- Threads ---- */

typedef struct worker {
    pthread_t thread;
    const nm_predictor *network;
    const float *expected;
    int wrong;
} worker;

static void *serve(void *arg)
{
    worker *w = arg;
    float y[ROWS * 3];
    for (int i = 0; i < 5; i++) { /* opening and closing at the same time as others */
        nm_context *mine = nm_open(NULL);
        nm_predictor *predictor = nm_predictor_share(mine, w->network);
        for (int k = 0; k < 20; k++) {
            w->wrong += !predict_all(mine, predictor, y) || memcmp(y, w->expected, sizeof y) != 0;
        }
        w->wrong += nm_context_threads(mine) != 1;
        nm_predictor_close(predictor);
        nm_close(mine);
    }
    return NULL;
}

START_TEST(four_threads_compute_the_bits_of_one)
{
    nm_context *context = nm_open(&(nm_context_options){.threads = 1});
    nm_predictor *network = nm_predictor_open(context, saved());
    float expected[ROWS * 3], y[ROWS * 3];
    ck_assert(predict_all(context, network, expected));
    ck_assert_float_ne(expected[0], expected[3]);
    worker workers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.network = network, .expected = expected};
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, serve, &workers[i]), 0);
    }
    for (int k = 0; k < 50; k++) { /* itself too, meanwhile */
        ck_assert(predict_all(context, network, y));
        ck_assert_mem_eq(y, expected, sizeof y);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        ck_assert_int_eq(workers[i].wrong, 0);
    }
    assert_fine(context);
    nm_predictor_close(network);
    nm_close(context);
}
END_TEST

START_TEST(samples_are_of_the_predictors_own_context)
{
    nm_context *context = nm_open(NULL), *mine = nm_open(NULL);
    nm_predictor *network = nm_predictor_open(context, saved());
    nm_predictor *predictor = nm_predictor_share(mine, network);
    nm_tensor *x = make_samples(context);
    ck_assert_ptr_null(nm_predictor_run(predictor, x));
    assert_error(mine, NM_ERROR_INPUT, "x belongs to another context");
    nm_tensor_destroy(x);
    x = nm_tensor_create(mine, NM_F32, NM_SHAPE(1, INPUTS - 1)); /* what is wrong is told there */
    ck_assert_ptr_null(nm_predictor_run(predictor, x));
    assert_error(mine, NM_ERROR_INPUT, "63");
    assert_fine(context);
    nm_tensor_destroy(x);
    nm_predictor_close(predictor);
    nm_predictor_close(network);
    nm_close(mine);
    nm_close(context);
}
END_TEST

START_TEST(a_context_whose_threads_were_chosen_keeps_them)
{
    nm_context *context = nm_open(NULL), *two = nm_open(&(nm_context_options){.threads = 2}),
               *later = nm_open(NULL);
    nm_predictor *network = nm_predictor_open(context, saved());
    nm_context_set_threads(later, 3);
    nm_predictor *a = nm_predictor_share(two, network), *b = nm_predictor_share(later, network);
    ck_assert_int_eq(nm_context_threads(two), 2);
    ck_assert_int_eq(nm_context_threads(later), 3);
    nm_predictor_close(a);
    nm_predictor_close(b);
    nm_predictor_close(network);
    nm_close(later);
    nm_close(two);
    nm_close(context);
}
END_TEST

/* ---- Whichever goes first ---- */

/* Closes the four things of two threads in the order of `order`, which is a permutation of "mcps":
 * the first one's predictor (p) and context (c), the other's predictor (s) and context (m). */
static void close_in_order(const char *path, const char *order)
{
    test_memory first = {.fail_at = -1}, other = {.fail_at = -1};
    nm_context *context = open_on(&first), *mine = open_on(&other);
    nm_predictor *network = nm_predictor_open(context, path);
    nm_predictor *predictor = nm_predictor_share(mine, network);
    float expected[ROWS * 3], y[ROWS * 3];
    ck_assert(predict_all(context, network, expected));
    for (const char *next = order; *next; next++) {
        switch (*next) {
        case 'p': nm_predictor_close(network); break;
        case 'c': nm_close(context); break;
        case 's':
            ck_assert_msg(predict_all(mine, predictor, y), "order %s", order);
            ck_assert_mem_eq(y, expected, sizeof y);
            nm_predictor_close(predictor);
            break;
        default: nm_close(mine);
        }
    }
    ck_assert_msg(!first.live && !other.live, "order %s: %ld and %ld blocks are left", order,
                  first.live, other.live);
}

START_TEST(predictors_and_contexts_may_be_closed_in_any_order)
{
    static const char *const orders[] = {"spcm", "smpc", "psmc", "pcsm", "pscm", "spmc"};
    const char *path = saved();
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        close_in_order(path, orders[i]);
    }
}
END_TEST

START_TEST(a_network_that_was_closed_while_it_was_read_goes_with_the_next_one)
{
    test_memory memory = {.fail_at = -1};
    nm_context *context = open_on(&memory), *mine = nm_open(NULL);
    const char *path = saved();
    nm_predictor *network = nm_predictor_open(context, path);
    nm_predictor *predictor = nm_predictor_share(mine, network);
    nm_predictor_close(network);
    const long with_one = memory.live;
    network = nm_predictor_open(context, path); /* a new version of it, while the old one serves */
    nm_context_trim(context);
    const long with_two = memory.live;
    ck_assert_int_gt(with_two, with_one);
    nm_predictor_close(predictor);
    predictor = nm_predictor_share(mine, network);
    nm_predictor *another = nm_predictor_open(context, path);
    nm_predictor_close(another);
    nm_context_trim(context);
    ck_assert_int_lt(memory.live, with_two); /* the old one has gone */
    nm_predictor_close(predictor);
    nm_predictor_close(network);
    nm_close(mine);
    nm_close(context);
    ck_assert_int_eq(memory.live, 0);
}
END_TEST

START_TEST(closing_the_context_first_is_told)
{
    nm_context *context = nm_open(&(nm_context_options){.log = test_log, .threads = 1}),
               *mine = nm_open(NULL);
    nm_predictor *network = nm_predictor_open(context, saved());
    nm_predictor *predictor = nm_predictor_share(mine, network);
    test_warnings();
    nm_predictor_close(network);
    nm_close(context);
    ck_assert_ptr_nonnull(
        strstr(test_warnings(), "while 1 predictors of others read its networks"));
    nm_predictor_close(predictor);
    nm_close(mine);
}
END_TEST

/* ---- Read-only ---- */

START_TEST(what_is_shared_cannot_be_changed)
{
    const char *path = saved();
    nm_context *context = nm_open(NULL), *mine = nm_open(NULL);
    nm_predictor *network = nm_predictor_open(context, path);
    nm_model *model = nm_predictor_model(network);
    nm_store *store = nm_model_store(model);
    nm_tensor *bias = nm_store_find(store, "dense2.bias")->tensor;
    nm_optimizer *sgd = nm_optimizer_create(store, &nm_sgd(), NULL, 0);
    nm_predictor *predictor = nm_predictor_share(mine, network);
    nm_random random = nm_random_create(1, 0);
    nm_tape *tape = nm_tape_create(context);
    nm_tensor *x = nm_full(tape, NM_F32, NM_SHAPE(2, INPUTS), 1);
    nm_pass pass = {.tape = tape, .random = &random, .training = true};

    static const char said[] = "read by 1 predictors of other contexts";
    nm_tensor_set(bias, 0, 5);
    assert_error(context, NM_ERROR_INPUT, said);
    nm_tensor_fill(bias, 5);
    assert_error(context, NM_ERROR_INPUT, "dense2.bias is read by 1");
    nm_tensor_assign(bias, bias);
    assert_error(context, NM_ERROR_INPUT, said);
    nm_random_fill_normal(&random, bias, 0, 1);
    assert_error(context, NM_ERROR_INPUT, said);
    nm_store_set_trainable(store, "*", false);
    assert_error(context, NM_ERROR_INPUT, said);
    nm_optimizer_step(sgd, 0, 1, 1);
    assert_error(context, NM_ERROR_INPUT, said);
    nm_model_load(model, path);
    assert_error(context, NM_ERROR_INPUT, said);
    nm_model_set_schema(model, NULL);
    assert_error(context, NM_ERROR_INPUT, said);
    ck_assert_ptr_null(nm_model_forward(model, &pass, x));
    assert_error(context, NM_ERROR_INPUT, said);
    ck_assert_int_eq(nm_model_fold(model), NM_OK); /* it is, and nothing has changed since */
    ck_assert_ptr_null(nm_predictor_model(predictor));
    assert_error(mine, NM_ERROR_INPUT, "ask that one");

    nm_predictor_close(predictor);
    nm_tensor_set(bias, 0, 5);
    ck_assert_ptr_nonnull(nm_model_forward(model, &pass, x));
    ck_assert_int_eq(nm_model_load(model, path), NM_OK);
    assert_fine(context);
    nm_tape_destroy(tape);
    nm_optimizer_destroy(sgd);
    nm_predictor_close(network);
    nm_close(mine);
    nm_close(context);
}
END_TEST

/* ---- What a sharer costs ---- */

static size_t held; /* bytes */

static void *count_bytes(void *user, void *memory, size_t size)
{
    (void)user;
    size_t *block = memory ? (size_t *)memory - 2 : NULL;
    held -= block ? *block : 0;
    if (!size) {
        free(block);
        return NULL;
    }
    size_t *grown = realloc(block, size + 2 * sizeof *block);
    ck_assert_ptr_nonnull(grown);
    *grown = size;
    held += size;
    return grown + 2;
}

START_TEST(a_sharer_holds_no_parameters)
{
    nm_context *context = nm_open(NULL);
    nm_document *document = nm_document_parse(
        context, "[dense: {units: 2000}, relu, dense: {units: 3}]", SIZE_MAX, "n");
    nm_schema *schema = nm_schema_create(context);
    schema->shape = NM_SHAPE(INPUTS);
    schema->classes = 3;
    nm_model *model =
        nm_model_create(context, document, nm_document_root(document), &NM_SHAPE(INPUTS), NULL);
    nm_model_set_schema(model, schema);
    nm_predictor *network = nm_predictor_create(model, NULL);
    assert_fine(context);
    nm_context *mine = nm_open(&(nm_context_options){.allocator = {count_bytes, NULL}});
    const size_t bare = held;
    nm_predictor *predictor = nm_predictor_share(mine, network);
    ck_assert_uint_lt(held - bare, 2048);
    nm_tensor *one = nm_tensor_create(mine, NM_F32, NM_SHAPE(1, INPUTS));
    nm_tensor *y = nm_predictor_run(predictor, one);
    ck_assert_ptr_nonnull(y);
    ck_assert_uint_lt(held - bare, 128 << 10); /* of half a megabyte */
    nm_tensor_destroy(y);
    nm_tensor_destroy(one);
    nm_predictor_close(predictor);
    nm_close(mine);
    ck_assert_uint_eq(held, 0);
    nm_predictor_close(network);
    nm_model_destroy(model);
    nm_schema_destroy(schema);
    nm_document_destroy(document);
    nm_close(context);
}
END_TEST

/* ---- A network of the program's own ---- */

static nm_tensor *own_forward(void *self, const nm_pass *pass, nm_tensor *x)
{
    const nm_tensor *const *weight = self;
    return nm_dense(pass->tape, x, (nm_tensor *)(uintptr_t)*weight, NULL);
}

START_TEST(a_network_of_ones_own_is_shared_if_it_says_that_it_may_be)
{
    nm_context *context = nm_open(&(nm_context_options){.threads = 1}), *mine = nm_open(NULL);
    nm_store *store = nm_store_create(context);
    nm_tensor *weight = nm_parameter(store, "weight", NM_WEIGHT, NM_SHAPE(3, INPUTS));
    nm_network network = {.self = &weight, .store = store, .forward = own_forward};
    nm_schema *schema = nm_schema_create(context);
    schema->shape = NM_SHAPE(INPUTS);
    schema->classes = 3;
    for (int may = 0; may < 2; may++) {
        network.reentrant = may;
        nm_model *model = nm_model_wrap(&network, NM_SHAPE(INPUTS));
        nm_model_set_schema(model, schema);
        nm_predictor *first = nm_predictor_create(model, NULL);
        nm_predictor *predictor = nm_predictor_share(mine, first);
        if (!may) {
            ck_assert_ptr_null(predictor);
            assert_error(mine, NM_ERROR_INPUT, "nm_network.reentrant");
        } else {
            float expected[ROWS * 3];
            ck_assert(predict_all(context, first, expected));
            worker workers[THREADS];
            for (int i = 0; i < THREADS; i++) {
                workers[i] = (worker){.network = first, .expected = expected};
                ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, serve, &workers[i]), 0);
            }
            for (int i = 0; i < THREADS; i++) {
                pthread_join(workers[i].thread, NULL);
                ck_assert_int_eq(workers[i].wrong, 0);
            }
            nm_tensor_fill(weight, 1);
            assert_error(context, NM_ERROR_INPUT, "weight is read by 1 predictors");
        }
        nm_predictor_close(predictor);
        nm_predictor_close(first);
        nm_model_destroy(model);
    }
    assert_fine(context);
    nm_schema_destroy(schema);
    nm_store_destroy(store);
    nm_close(mine);
    nm_close(context);
}
END_TEST

static const nm_predictor *lent; /* for the scenario */

static nm_status share_and_run(test_memory *memory)
{
    nm_context *mine = open_on(memory);
    nm_predictor *predictor = nm_predictor_share(mine, lent);
    float y[ROWS * 3];
    const bool done = mine && predict_all(mine, predictor, y);
    nm_status status = nm_context_status(mine);
    ck_assert(done == (status == NM_OK));
    nm_predictor_close(predictor);
    test_context_end(mine, memory);
    return status;
}

START_TEST(running_out_of_memory_is_an_error_and_leaves_nothing)
{
    nm_context *context = nm_open(NULL);
    nm_predictor *network = nm_predictor_open(context, saved());
    lent = network;
    test_every_allocation(share_and_run);
    nm_tensor_set(nm_store_at(nm_model_store(nm_predictor_model(network)), 0)->tensor, 0, 1);
    assert_fine(context); /* nobody reads it any more */
    nm_predictor_close(network);
    nm_close(context);
}
END_TEST

TEST_MAIN("models/share", four_threads_compute_the_bits_of_one,
          samples_are_of_the_predictors_own_context, a_context_whose_threads_were_chosen_keeps_them,
          predictors_and_contexts_may_be_closed_in_any_order,
          a_network_that_was_closed_while_it_was_read_goes_with_the_next_one,
          closing_the_context_first_is_told, what_is_shared_cannot_be_changed,
          a_sharer_holds_no_parameters, a_network_of_ones_own_is_shared_if_it_says_that_it_may_be,
          running_out_of_memory_is_an_error_and_leaves_nothing)
