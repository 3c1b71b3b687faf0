/* Models as graphs: every network of the zoo against the list that it is known to be, layers that
 * no graph can hold, and what a graph does. NORMA_WRITE_GRAPHS=1 writes the lists anew. */
#include <stdio.h>
#include <stdlib.h>

#include "core/graph/graph.h"
#include "models/layer.h"
#include "ops/basic.h"
#include "tests/models/model_test.h"

/* ---- The zoo ---- */

static const struct {
    const char *name;
    nm_shape sample;
} networks[] = {
    {"fashion_mnist_mlp_bn", {3, {28, 28, 1}}},
    {"fashion_mnist_mlp_wn", {3, {28, 28, 1}}},
    {"fashion_mnist_bn_paper", {3, {28, 28, 1}}},
    {"fashion_mnist_cnn_bn", {3, {28, 28, 1}}},
    {"fashion_mnist_cnn_wn", {3, {28, 28, 1}}},
    {"fashion_mnist_fast", {3, {28, 28, 1}}},
    {"fashion_mnist_resnet", {3, {28, 28, 1}}},
    {"resnet20", {3, {32, 32, 3}}},
    {"spirals", {1, {2}}},
};

static nm_graph *trace_model(nm_model *model, nm_shape sample, bool training)
{
    nm_random random = nm_random_create(1, 0);
    const nm_pass pass = {.random = training ? &random : NULL, .training = training};
    return nm_network_trace(nm_model_network(model), &pass, NM_F32, batch_of(8, sample));
}

static void compare_with_file(const char *path, const char *text)
{
    if (getenv("NORMA_WRITE_GRAPHS")) {
        FILE *file = fopen(path, "w");
        ck_assert_ptr_nonnull(file);
        fputs(text, file);
        fclose(file);
        return;
    }
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s is missing", path);
    char line[512];
    for (const char *at = text; *at; at += strlen(line)) {
        ck_assert_msg(fgets(line, sizeof line, file) != NULL, "%s ends before %s", path, at);
        ck_assert_msg(strncmp(at, line, strlen(line)) == 0, "%s has\n%sbut it is\n%s", path, line,
                      at);
    }
    ck_assert_msg(!fgets(line, sizeof line, file), "%s goes on with %s", path, line);
    fclose(file);
}

START_TEST(every_network_of_the_zoo_is_the_list_that_it_is_known_to_be)
{
    const char *source = getenv("NORMA_SOURCE") ? getenv("NORMA_SOURCE") : ".";
    char yaml[512], list[512];
    nm_context *context = open_context(NULL);
    for (int i = 0; i < 2 * NM_COUNT_OF(networks); i++) {
        const char *name = networks[i / 2].name;
        snprintf(yaml, sizeof yaml, "%s/models/zoo/%s.yaml", source, name);
        snprintf(list, sizeof list, "%s/tests/models/graphs/%s.%s", source, name,
                 i % 2 ? "training" : "inference");
        nm_model *model = nm_model_open(context, yaml, &networks[i / 2].sample);
        nm_graph *graph = model ? trace_model(model, networks[i / 2].sample, i % 2) : NULL;
        char *text = nm_graph_text(graph);
        assert_fine(context);
        compare_with_file(list, text);
        nm_free(context, text);
        nm_graph_destroy(graph);
        nm_model_destroy(model);
    }
    nm_close(context);
}
END_TEST

/* ---- What a graph does ---- */

#define NETWORK                                                                                    \
    "[{dense: {units: 6, weight_norm: {axis: 0}}}, batch_norm, relu, {residual: {body: [{dense:"   \
    " {units: 6}}, {dropout: {p: 0.3}}, {batch_norm: {average: cumulative}}]}}, tanh, {dense:"     \
    " {units: 2}}]"

START_TEST(the_graph_of_a_model_does_what_its_layers_do)
{
    nm_tensor *y[2];
    fixture f[2];
    for (int i = 0; i < 2; i++) {
        f[i] =
            begin_with(NETWORK, NM_SHAPE(4), (nm_model_options){NM_MODEL_DEFAULTS, .fuse = false});
        nm_tensor *x = normal(&f[i], NM_F32, NM_SHAPE(8, 4), 3);
        nm_graph *graph = trace_model(f[i].model, NM_SHAPE(4), true);
        for (int step = 0; step < 3; step++) {
            nm_tape_reset(f[i].tape);
            if (i) {
                nm_graph_run(graph, f[i].tape, &f[i].random, &x, &y[i]);
            } else {
                y[i] = train(&f[i], x);
            }
        }
        assert_fine(f[i].context);
        nm_graph_destroy(graph);
        nm_tensor_destroy(x);
    }
    ck_assert(same_bits(y[0], y[1]));
    for (int e = 0; e < nm_store_count(f[0].store); e++) {
        ck_assert(
            same_bits(nm_store_at(f[0].store, e)->tensor, nm_store_at(f[1].store, e)->tensor));
    }
    ck_assert_double_eq(value_of(&f[1], "residual1.body.bn1.batches", 0), 3);
    ck_assert_uint_eq(f[0].random.position, f[1].random.position);
    end(&f[0]);
    end(&f[1]);
}
END_TEST

START_TEST(tracing_a_model_changes_nothing_of_it)
{
    fixture f = begin(NETWORK, NM_SHAPE(4));
    nm_graph_destroy(trace_model(f.model, NM_SHAPE(4), true));
    assert_fine(f.context);
    ck_assert_double_eq(value_of(&f, "residual1.body.bn1.batches", 0), 0);
    ck_assert_double_eq(value_of(&f, "bn1.running_var", 0), 1);
    end(&f);
}
END_TEST

START_TEST(a_pass_that_fails_names_its_layer)
{
    fixture f = begin(NETWORK, NM_SHAPE(4));
    const nm_pass pass = {.training = true};
    ck_assert_ptr_null(nm_network_trace(nm_model_network(f.model), &pass, NM_F32, NM_SHAPE(8, 4)));
    assert_error(f.context, NM_ERROR_INPUT,
                 "layer \"residual1.body.dropout1\": dropout: a training pass needs random "
                 "numbers; set its member random");
    ck_assert_ptr_null(nm_network_trace(nm_model_network(f.model), &pass, NM_F32, NM_SHAPE(8, 3)));
    assert_error(f.context, NM_ERROR_INPUT, "layer \"dense1\": dense: x [8, 3] does not fit");
    end(&f);
}
END_TEST

/* ---- Layers that no graph can hold ---- */

static int seen; /* how often a pass with elements came by */

static nm_tensor *look(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    (void)layer;
    seen += !nm_pass_is_dry(pass);
    return nm_square(pass->tape, x);
}

static nm_tensor *hiss(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    (void)layer;
    double scale = pass->random ? nm_random_uniform(pass->random) : 1;
    return nm_affine(pass->tape, x, scale, 0);
}

static nm_tensor *pass_on(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    (void)layer;
    seen += !nm_pass_is_dry(pass);
    return x;
}

#define LAYER(name_, forward_)                                                                     \
    static const nm_layer_type name_##_type = {                                                    \
        .item = NM_ITEM(nm_layer_type, #name_, "a layer to look at", .spec = &nm_layer_spec),      \
        .forward = forward_}

LAYER(look, look);
LAYER(hiss, hiss);
LAYER(pass_on, pass_on);

static fixture begin_with_layers(const char *yaml)
{
    fixture f = {.context = open_context(NULL), .random = nm_random_create(3, 0)};
    nm_shape sample = NM_SHAPE(4);
    nm_register_layer(f.context, &look_type);
    nm_register_layer(f.context, &hiss_type);
    nm_register_layer(f.context, &pass_on_type);
    f.tape = nm_tape_create(f.context);
    f.document = nm_document_parse(f.context, yaml, SIZE_MAX, "net.yaml");
    f.model = nm_model_create(f.context, f.document, nm_document_root(f.document), &sample, NULL);
    assert_fine(f.context);
    f.store = nm_model_store(f.model);
    return f;
}

START_TEST(a_layer_that_no_graph_can_hold_is_a_step_that_calls_it)
{
    fixture f = begin_with_layers("[{residual: {body: [look, {dense: {units: 4}}]}}, hiss, relu]");
    nm_graph *graph = trace_model(f.model, NM_SHAPE(4), true);
    assert_fine(f.context);
    char *text = nm_graph_text(graph);
    ck_assert_str_eq(text, "input x f32 [8, 4]\n"
                           "parameter residual1.body.dense1.weight f32 [4, 4]\n"
                           "parameter residual1.body.dense1.bias f32 [4]\n"
                           "%1 f32 [8, 4] = layer(x) layer \"residual1.body.look1\"\n"
                           "%2 f32 [8, 4] = dense(%1, residual1.body.dense1.weight, "
                           "residual1.body.dense1.bias) layer \"residual1.body.dense1\"\n"
                           "%3 f32 [8, 4] = add(%2, x) layer \"residual1\"\n"
                           "%4 f32 [8, 4] = layer(%3) layer \"hiss1\"\n"
                           "%5 f32 [8, 4] = relu(%4) layer \"relu1\"\n"
                           "output %5\n");
    nm_free(f.context, text);
    ck_assert_int_eq(seen, 0);
    nm_graph_destroy(graph);
    end(&f);
}
END_TEST

START_TEST(such_a_step_does_not_run_without_its_network)
{
    fixture f = begin_with_layers("[look, pass_on]");
    nm_graph *graph = trace_model(f.model, NM_SHAPE(4), true);
    nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(8, 4), 3), *y;
    ck_assert_int_ne(nm_graph_run(graph, f.tape, &f.random, &x, &y), NM_OK);
    assert_error(f.context, NM_ERROR_INPUT, "does what no graph holds; run the network itself");
    nm_tensor_destroy(x);
    nm_graph_destroy(graph);
    end(&f);
}
END_TEST

TEST_MAIN("models/trace", every_network_of_the_zoo_is_the_list_that_it_is_known_to_be,
          the_graph_of_a_model_does_what_its_layers_do, tracing_a_model_changes_nothing_of_it,
          a_pass_that_fails_names_its_layer, a_layer_that_no_graph_can_hold_is_a_step_that_calls_it,
          such_a_step_does_not_run_without_its_network)
