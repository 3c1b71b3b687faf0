/* A network written in C as a model: what the trainer, files, the predictor and the summary make of
 * it. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "norma.h"
#include "tests/test.h"

#define COUNT 60
#define HIDDEN 4

typedef struct net {
    nm_store *store;
    nm_tensor *w1, *scale, *shift, *mean, *var, *w2, *b2;
    bool scopes; /* the first three ops run as "block" */
    nm_network network;
} net;

static nm_tensor *forward(void *self, const nm_pass *pass, nm_tensor *x)
{
    const net *n = self;
    nm_tape *tape = pass->tape;
    const char *outer = nm_tape_set_scope(tape, n->scopes ? "block" : NULL);
    nm_tensor *h = nm_dense(tape, x, n->w1, NULL);
    h = nm_batch_norm_running(tape, h, n->scale, n->shift, n->mean, n->var, pass->training);
    h = nm_relu(tape, h);
    nm_tape_set_scope(tape, outer);
    return nm_dense(tape, h, n->w2, n->b2);
}

static void make_net(net *n, nm_context *context)
{
    *n = (net){.store = nm_store_create(context)};
    n->w1 = nm_parameter(n->store, "fc1.weight", NM_WEIGHT, NM_SHAPE(HIDDEN, 2));
    n->scale = nm_parameter(n->store, "bn1.scale", NM_NORM_SCALE, NM_SHAPE(HIDDEN));
    n->shift = nm_parameter(n->store, "bn1.shift", NM_NORM_SHIFT, NM_SHAPE(HIDDEN));
    n->mean = nm_parameter(n->store, "bn1.running_mean", NM_STATISTIC, NM_SHAPE(HIDDEN));
    n->var = nm_parameter(n->store, "bn1.running_var", NM_VARIANCE, NM_SHAPE(HIDDEN));
    n->w2 = nm_parameter(n->store, "fc2.weight", NM_WEIGHT, NM_SHAPE(2, HIDDEN));
    n->b2 = nm_parameter(n->store, "fc2.bias", NM_BIAS, NM_SHAPE(2));
    n->network = (nm_network){.self = n, .store = n->store, .forward = forward};
}

typedef struct bench {
    nm_context *context;
    net net;
    nm_model *model;
    float x[COUNT][2];
    int32_t labels[COUNT];
    nm_data data;
} bench;

static void begin(bench *b, test_memory *memory)
{
    nm_context_options options = {.threads = 1, .seed = 1, .log = test_log};
    if (memory) {
        options.allocator = test_allocator(memory);
    }
    memset(b, 0, sizeof *b);
    b->context = nm_open(&options);
    if (!b->context) {
        return;
    }
    for (int i = 0; i < COUNT; i++) {
        b->labels[i] = i % 2;
        b->x[i][0] = (float)(1000 + 100 * (i % 2) + i % 7);
        b->x[i][1] = (float)(i % 5);
    }
    make_net(&b->net, b->context);
    b->model = nm_model_wrap(&b->net.network, NM_SHAPE(2));
    nm_data_options data = NM_DATA_OPTIONS(.loader.batch = 8, .validation.share = 0.2);
    data.train =
        nm_arrays(.count = COUNT, .shape = NM_SHAPE(2), .f32 = b->x[0], .labels = b->labels);
    nm_data_open(b->context, &data, &b->data);
}

static void end(bench *b, test_memory *memory)
{
    nm_model_destroy(b->model);
    nm_store_destroy(b->net.store);
    nm_data_close(&b->data);
    test_context_end(b->context, memory);
}

static nm_trainer *trainer_of(const bench *b, const char *folder, int64_t steps)
{
    nm_trainer_setup setup = {.network = nm_model_network(b->model),
                              .data = &b->data,
                              .loss = nm_cross_entropy_loss(),
                              .options = NM_TRAIN_OPTIONS(.epochs = 4, .steps = steps),
                              .folder = folder};
    return nm_trainer_create(b->context, &setup);
}

static void train(bench *b, const char *folder, int64_t steps)
{
    nm_trainer *trainer = trainer_of(b, folder, steps);
    nm_trainer_run(trainer, NULL);
    assert_fine(b->context);
    nm_trainer_destroy(trainer);
}

START_TEST(from_graphs_of_its_passes_it_is_the_same_model_with_fewer_ops)
{
    bench b;
    begin(&b, NULL);
    nm_traced *traced = nm_traced_create(&b.net.network);
    nm_model *model = nm_model_wrap(nm_traced_network(traced), NM_SHAPE(2));
    nm_tape *tape = nm_tape_create(b.context);
    nm_tensor *x = nm_tensor_copy_of(b.context, NM_F32, NM_SHAPE(COUNT, 2), b.x);
    nm_tensor *alone = nm_model_predict(b.model, tape, x);
    const int64_t ops = nm_tape_cost_so_far(tape).ops;
    nm_tensor *together = nm_model_predict(model, tape, x);
    assert_fine(b.context);
    ck_assert_int_eq(ops, 4);
    ck_assert_int_eq(nm_tape_cost_so_far(tape).ops - ops, 3);
    for (int64_t i = 0; i < nm_tensor_count(alone); i++) {
        assert_near(nm_tensor_get(together, i), nm_tensor_get(alone, i), 1e-5, 1e-5);
    }
    ck_assert_int_eq(nm_model_layer_count(model), nm_model_layer_count(b.model));
    nm_tensor_destroy(x);
    nm_tape_destroy(tape);
    nm_model_destroy(model);
    nm_traced_destroy(traced);
    end(&b, NULL);
}
END_TEST

START_TEST(its_summary_has_a_row_an_op_and_adds_up)
{
    bench b;
    begin(&b, NULL);
    static const struct {
        const char *name, *type;
        int64_t width, parameters, multiply_adds;
    } rows[] = {{"network", "network", 2, 26, 16},
                {"dense1", "dense", HIDDEN, 8, 8},
                {"batch_norm1", "batch_norm", HIDDEN, 8, 0},
                {"relu1", "relu", HIDDEN, 0, 0},
                {"dense2", "dense", 2, 10, 8}};
    assert_fine(b.context);
    ck_assert_int_eq(nm_model_layer_count(b.model), 5);
    for (int i = 0; i < 5; i++) {
        const nm_layer_summary s = nm_model_layer_at(b.model, i);
        ck_assert_str_eq(s.name, rows[i].name);
        ck_assert_str_eq(s.type, rows[i].type);
        ck_assert_int_eq(s.depth, i > 0);
        ck_assert_int_eq(s.has_children, i == 0);
        ck_assert_int_eq(s.output.rank, 1);
        ck_assert_int_eq(s.output.dim[0], rows[i].width);
        ck_assert_int_eq(s.parameters, rows[i].parameters);
        ck_assert_int_eq(s.multiply_adds, rows[i].multiply_adds);
    }
    const nm_layer_summary total = nm_model_total(b.model);
    ck_assert_int_eq(total.parameters, 26);
    ck_assert_int_eq(total.multiply_adds, 16);
    char *table = nm_model_table(b.model);
    ck_assert_ptr_nonnull(strstr(table, "batch_norm1  batch_norm   [4]"));
    nm_free(b.context, table);
    end(&b, NULL);
}
END_TEST

START_TEST(ops_of_one_scope_are_one_row)
{
    bench b;
    begin(&b, NULL);
    b.net.scopes = true;
    nm_model *model = nm_model_wrap(&b.net.network, NM_SHAPE(2));
    assert_fine(b.context);
    ck_assert_int_eq(nm_model_layer_count(model), 3);
    const nm_layer_summary block = nm_model_layer_at(model, 1);
    ck_assert_str_eq(block.name, "block");
    ck_assert_int_eq(block.parameters, 16);
    ck_assert_int_eq(block.multiply_adds, 8);
    ck_assert_str_eq(nm_model_layer_at(model, 2).name, "dense1");
    nm_model_destroy(model);
    end(&b, NULL);
}
END_TEST

START_TEST(it_is_trained_saved_and_predicts_from_raw_samples)
{
    bench b, c;
    begin(&b, NULL);
    train(&b, test_path("own"), 600);
    begin(&c, NULL);
    ck_assert_int_eq(nm_model_load(c.model, test_path("own")), NM_OK);
    nm_predictor *predictor = nm_predictor_create(c.model, NULL);
    ck_assert(nm_predictor_is_classifier(predictor));
    nm_tensor *x = nm_tensor_wrap(c.context, NM_F32, NM_SHAPE(COUNT, 2), c.x);
    nm_tensor *y = nm_predictor_run(predictor, x);
    assert_fine(c.context);
    int right = 0;
    for (int i = 0; i < COUNT; i++) {
        right += nm_tensor_get(y, 2 * i + c.labels[i]) > 0.5;
    }
    ck_assert_int_gt(right, COUNT * 9 / 10);
    size_t size;
    void *bytes = nm_model_save_memory(c.model, &size);
    nm_tensor_fill(c.net.w1, 0);
    ck_assert_int_eq(nm_model_load_memory(c.model, bytes, size, "bytes"), NM_OK);
    ck_assert(nm_tensor_get(c.net.w1, 0) != 0);
    ck_assert_ptr_null(nm_predictor_share(c.context, predictor));
    assert_error(c.context, NM_ERROR_INPUT, "make one for each thread");
    ck_assert_ptr_null(nm_model_open_saved(c.context, test_path("own")));
    assert_error(c.context, NM_ERROR_INPUT, "does not say of which network");
    nm_free(c.context, bytes);
    nm_tensor_destroy(y);
    nm_tensor_destroy(x);
    nm_predictor_close(predictor);
    end(&c, NULL);
    end(&b, NULL);
}
END_TEST

static bool same_bits(nm_tensor *a, nm_tensor *b)
{
    return memcmp(nm_tensor_data(a), nm_tensor_data(b), nm_tensor_bytes(a)) == 0;
}

START_TEST(a_resumed_run_makes_the_same_bits)
{
    bench whole, first, second;
    begin(&whole, NULL);
    train(&whole, NULL, 0);
    begin(&first, NULL);
    nm_trainer *half = trainer_of(&first, NULL, 0);
    nm_trainer_start(half);
    nm_trainer_save(half, test_path("begin.safetensors"));
    assert_fine(first.context);
    begin(&second, NULL);
    nm_trainer *rest = trainer_of(&second, NULL, 0);
    ck_assert_int_eq(nm_trainer_resume(rest, test_path("begin.safetensors")), NM_OK);
    ck_assert_int_eq(nm_trainer_run(rest, NULL), NM_OK);
    ck_assert(same_bits(whole.net.w1, second.net.w1));
    ck_assert(same_bits(whole.net.var, second.net.var));
    nm_trainer_destroy(half);
    nm_trainer_destroy(rest);
    end(&second, NULL);
    end(&first, NULL);
    end(&whole, NULL);
}
END_TEST

START_TEST(what_is_wrong_is_known_before_it_is_trained)
{
    bench b;
    begin(&b, NULL);
    ck_assert_ptr_null(nm_model_wrap(&b.net.network, NM_SHAPE(3)));
    assert_error(b.context, NM_ERROR_INPUT, "dense: ");
    nm_network none = {.store = b.net.store};
    ck_assert_ptr_null(nm_model_wrap(&none, NM_SHAPE(2)));
    assert_error(b.context, NM_ERROR_INPUT, "network->forward");
    b.data.train.count = 9; /* a batch of eight, and one of one sample that batch norm refuses */
    nm_trainer *trainer = trainer_of(&b, NULL, 0);
    assert_fine(b.context);
    ck_assert_int_eq(nm_trainer_state(trainer)->batches, 1);
    nm_trainer_destroy(trainer);
    end(&b, NULL);
}
END_TEST

START_TEST(a_file_of_another_network_changes_nothing)
{
    bench b;
    begin(&b, NULL);
    nm_store *other = nm_store_create(b.context);
    nm_parameter(other, "fc1.weight", NM_WEIGHT, NM_SHAPE(HIDDEN, 3));
    nm_parameters_write(other, test_path("other.safetensors"));
    const double before = nm_tensor_get(b.net.w1, 0);
    ck_assert_int_ne(nm_model_load(b.model, test_path("other.safetensors")), NM_OK);
    assert_error(b.context, NM_ERROR_FORMAT, "\"fc1.weight\" is f32 [4, 2] in the network");
    ck_assert(nm_tensor_get(b.net.w1, 0) == before);
    nm_store_destroy(other);
    end(&b, NULL);
}
END_TEST

START_TEST(parameters_begin_as_their_purpose_has_it)
{
    bench b;
    begin(&b, NULL);
    ck_assert(nm_tensor_get(b.net.w1, 0) != 0 && nm_tensor_get(b.net.w1, 1) != 0);
    ck_assert(nm_tensor_get(b.net.scale, 3) == 1 && nm_tensor_get(b.net.shift, 3) == 0);
    ck_assert(nm_tensor_get(b.net.mean, 3) == 0 && nm_tensor_get(b.net.var, 3) == 1);
    ck_assert_int_eq(nm_store_find(b.net.store, "bn1.running_var")->role, NM_BUFFER);
    ck_assert_int_eq(nm_store_find(b.net.store, "fc2.bias")->role, NM_PARAMETER);
    nm_tensor *counter = nm_parameter(b.net.store, "steps", NM_COUNTER, NM_SCALAR_SHAPE);
    ck_assert_int_eq(nm_tensor_dtype(counter), NM_I64);
    ck_assert_ptr_null(nm_parameter(b.net.store, "steps", NM_COUNTER, NM_SCALAR_SHAPE));
    assert_error(b.context, NM_ERROR_INPUT, "\"steps\" is taken");
    end(&b, NULL);
}
END_TEST

static nm_status wrap_failing(test_memory *memory)
{
    bench b;
    begin(&b, memory);
    if (!b.context) {
        return NM_ERROR_MEMORY;
    }
    char *table = nm_model_table(b.model);
    nm_status status = nm_context_status(b.context);
    nm_free(b.context, table);
    end(&b, memory);
    return status;
}

START_TEST(any_allocation_may_fail)
{
    test_every_allocation(wrap_failing);
}
END_TEST

TEST_MAIN("models/wrap", from_graphs_of_its_passes_it_is_the_same_model_with_fewer_ops,
          its_summary_has_a_row_an_op_and_adds_up, ops_of_one_scope_are_one_row,
          it_is_trained_saved_and_predicts_from_raw_samples, a_resumed_run_makes_the_same_bits,
          what_is_wrong_is_known_before_it_is_trained, a_file_of_another_network_changes_nothing,
          parameters_begin_as_their_purpose_has_it, any_allocation_may_fail)
