/* Models as a whole: what YAML makes, and how it runs. */
#include <math.h>
#include <stdio.h>

#include "models/layer.h"

#include "tests/models/model_test.h"

/* ---- The same network written by hand ---- */

#define NETWORK                                                                                    \
    "- conv2d: {channels: 4, kernel: 3, padding: 1, bias: false}\n"                                \
    "- batch_norm\n"                                                                               \
    "- relu\n"                                                                                     \
    "- residual: {body: [conv2d: {channels: 4, kernel: 3, padding: 1}, tanh]}\n"                   \
    "- flatten\n"                                                                                  \
    "- dense: {units: 3, name: head, weight_norm: true}\n"

static nm_tensor *by_hand(fixture *f, nm_tensor *x)
{
    nm_tape *t = f->tape;
    nm_tensor *h = nm_conv2d(t, x, named(f, "conv1.weight"), NULL, .padding = NM_INTS(1));
    h = nm_batch_norm(t, h, named(f, "bn1.scale"), named(f, "bn1.shift"));
    h = nm_relu(t, h);
    nm_tensor *body = nm_conv2d(t, h, named(f, "residual1.body.conv1.weight"),
                                named(f, "residual1.body.conv1.bias"), .padding = NM_INTS(1));
    h = nm_add(t, nm_tanh(t, body), h);
    h = nm_reshape(t, h, NM_SHAPE(5, 6 * 6 * 4));
    nm_tensor *w = nm_weight_norm(t, named(f, "head.weight_v"), named(f, "head.weight_g"));
    return nm_dense(t, h, w, named(f, "head.bias"));
}

static void backward_of(fixture *f, nm_tensor *y)
{
    nm_store_clear_grads(f->store);
    ck_assert_int_eq(nm_backward(f->tape, nm_sum(f->tape, nm_square(f->tape, y)), 0), NM_OK);
}

START_TEST(a_yaml_model_equals_the_same_network_by_hand_bit_for_bit)
{
    fixture f = begin(NETWORK, NM_SHAPE(6, 6, 2));
    nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(5, 6, 6, 2), 1);
    nm_tensor *y = nm_tensor_keep(train(&f, x)), *grads[16];
    backward_of(&f, y);
    int count = nm_store_count(f.store);
    ck_assert_int_le(count, 16);
    for (int i = 0; i < count; i++) {
        nm_tensor *g = nm_tensor_grad(nm_store_at(f.store, i)->tensor);
        ck_assert(!g == (nm_store_at(f.store, i)->role == NM_BUFFER));
        grads[i] =
            g ? nm_tensor_copy_of(f.context, NM_F32, *nm_tensor_shape(g), nm_tensor_data(g)) : NULL;
    }
    nm_tensor *hand = nm_tensor_keep(by_hand(&f, x));
    ck_assert(same_bits(y, hand));
    backward_of(&f, hand);
    assert_fine(f.context);
    for (int i = 0; i < count; i++) {
        nm_tensor *p = nm_store_at(f.store, i)->tensor;
        ck_assert_msg(!grads[i] || same_bits(nm_tensor_grad(p), grads[i]), "%s", nm_tensor_name(p));
        nm_tensor_destroy(grads[i]);
    }
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

/* ---- Names ---- */

START_TEST(layers_are_named_by_type_and_number_or_as_told)
{
    static const char *const names[] = {
        "conv1",    "bn1", "relu1", "residual1", "residual1.body.conv1", "residual1.body.tanh1",
        "flatten1", "head"};
    fixture f = begin(NETWORK, NM_SHAPE(6, 6, 2));
    ck_assert_int_eq(nm_model_layer_count(f.model), 8);
    for (int i = 0; i < 8; i++) {
        ck_assert_str_eq(nm_model_layer_at(f.model, i).name, names[i]);
    }
    end(&f);
    f = begin("[dense: {units: 2}, dense: {units: 2, name: middle}, dense: {units: 2}]",
              NM_SHAPE(2));
    ck_assert_str_eq(nm_model_layer_at(f.model, 2).name,
                     "dense3"); /* naming one renames no other */
    end(&f);
}
END_TEST

/* ---- Costs ---- */

START_TEST(the_summary_counts_what_a_sample_costs)
{
    fixture f = begin("[conv2d: {channels: 8, kernel: 3, padding: 1, weight_norm: true}, flatten,"
                      " residual: {body: [dense: {units: 200}]}]",
                      NM_SHAPE(5, 5, 2));
    nm_layer_summary conv = nm_model_layer_at(f.model, 0);
    ck_assert_str_eq(conv.type, "conv2d");
    ck_assert(nm_shape_equal(&conv.output, &NM_SHAPE(5, 5, 8)));
    ck_assert_int_eq(conv.parameters, 8 * 9 * 2 + 8 + 8);
    ck_assert_int_eq(conv.multiply_adds, 25 * 8 * 9 * 2);
    ck_assert_int_eq(conv.bytes, 25 * 8 * 4); /* not the weight, which is there once for all */
    nm_layer_summary residual = nm_model_layer_at(f.model, 2);
    ck_assert(residual.has_children);
    ck_assert_int_eq(residual.depth, 0);
    ck_assert_int_eq(residual.parameters, 200 * 200 + 200);
    ck_assert_int_eq(residual.bytes, 2 * 200 * 4); /* with those of the layers in it */
    ck_assert_int_eq(nm_model_layer_at(f.model, 3).depth, 1);
    nm_layer_summary total = nm_model_total(f.model);
    ck_assert_int_eq(total.parameters, nm_store_parameters(f.store));
    ck_assert_int_eq(total.multiply_adds, conv.multiply_adds + 200 * 200);
    ck_assert(nm_shape_equal(&total.output, &NM_SHAPE(200)));
    end(&f);
}
END_TEST

/* ---- Size ---- */

START_TEST(a_thousand_layers_train_and_evaluate_in_little_memory)
{
    fixture f = begin("[repeat: {times: 334, body: [residual: {body: [dense: {units: 16, "
                      "weight_norm: true}, tanh]}]}]",
                      NM_SHAPE(16));
    ck_assert_int_eq(nm_model_layer_count(f.model), 1003);
    nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(512, 16), 1);
    size_t before = nm_context_pool_bytes(f.context);
    ck_assert_ptr_nonnull(evaluate(&f, x));
    ck_assert_uint_lt(nm_context_pool_bytes(f.context) - before, 10 * nm_tensor_bytes(x));
    nm_tape_reset(f.tape);
    backward_of(&f, train(&f, x));
    assert_fine(f.context);
    ck_assert_ptr_nonnull(nm_tensor_grad(named(&f, "repeat1.1.residual1.body.dense1.weight_v")));
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

/* What is given back between layers of a frozen part may still be needed by the part behind it. */
START_TEST(a_frozen_beginning_leaves_what_the_rest_needs)
{
    fixture f = begin("[dense: {units: 3}, tanh, dense: {units: 2}]", NM_SHAPE(3));
    nm_store_set_trainable(f.store, "dense1.*", false);
    nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(4, 3), 1);
    backward_of(&f, train(&f, x));
    assert_fine(f.context);
    ck_assert_ptr_null(nm_tensor_grad(named(&f, "dense1.weight")));
    ck_assert_ptr_nonnull(nm_tensor_grad(named(&f, "dense2.weight")));
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

/* `levels` residuals in each other. */
static void nest(char *yaml, int levels)
{
    *yaml = 0;
    for (int i = 0; i < levels; i++) {
        strcat(yaml, "[residual: {body: ");
    }
    strcat(yaml, "[dense: {units: 2}]");
    for (int i = 0; i < levels; i++) {
        strcat(yaml, "}]");
    }
}

START_TEST(layers_nest_as_deep_as_the_file_may)
{
    char yaml[2048];
    nest(yaml, 20);
    fixture f = begin(yaml, NM_SHAPE(2));
    ck_assert_int_eq(nm_model_layer_at(f.model, 20).depth, 20);
    nm_tensor *x = normal(&f, NM_F32, NM_SHAPE(2, 2), 1);
    backward_of(&f, train(&f, x));
    assert_fine(f.context);
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
    nest(yaml, 40);
    f = begin_with(yaml, NM_SHAPE(2), (nm_model_options){NM_MODEL_DEFAULTS});
    assert_error(f.context, NM_ERROR_INPUT, "net.yaml:1:");
    end(&f);
}
END_TEST

START_TEST(repeats_of_repeats_do_not_explode)
{
    refused("[repeat: {times: 10000, body: [repeat: {times: 10000, body: [relu, tanh]}]}, relu]",
            NM_SHAPE(2),
            "net.yaml:1:62: model: it would have more than 10000 layers; repeat fewer");
}
END_TEST

/* ---- Mistakes ---- */

START_TEST(a_mistake_is_told_with_its_place_and_remedy)
{
    nm_shape vector = NM_SHAPE(4);
    refused("- relu\n- conv2d: {channels: 3, kernel: 3, kernl: 2}\n", vector,
            "net.yaml:2:36: conv2d: unknown option \"kernl\"; did you mean \"kernel\"?");
    refused("- dense: {units: many}", vector,
            "net.yaml:1:18: dense: \"units\" must be an integer, not \"many\"");
    refused("- dense: {units: 0}", vector,
            "net.yaml:1:18: dense: \"units\" must be at least 1 and at most 1e7, not 0");
    refused("- rleu", vector,
            "net.yaml:1:3: model: unknown layer \"rleu\"; did you mean \"relu\"?");
    refused("- dense:\n  units: 3", vector,
            "net.yaml:2:3: model: expected one layer, but \"units\" follows \"dense\"; indent its "
            "options below it, or write {dense: {units: ...}}");
    refused("relu", vector,
            "net.yaml:1:1: model: expected a list of layers, such as [dense: {units: 10}, relu]");
    refused(
        "[]", vector,
        "net.yaml:1:1: model: expected a list of layers, such as [dense: {units: 10}, relu], not "
        "an empty one");
    refused(
        "- sequence: {body: []}", vector,
        "net.yaml:1:20: sequence: expected a list of layers, such as [dense: {units: 10}, relu], "
        "not an empty one");
    refused("- dense: {units: 2, name: \"a.b\"}", vector,
            "net.yaml:1:27: dense: \"name\" must be 1 to 60 letters, digits, \"_\" or \"-\", not "
            "\"a.b\"");
    refused("- relu: {name: x}\n- tanh: {name: x}", vector,
            "net.yaml:2:16: tanh: the name \"x\" is taken by the layer in line 1; choose another");
    refused("- dense: {units: 2, weight_norm: {axis: 1, init: data}}", vector,
            "net.yaml:1:34: weight_norm: \"init: data\" gives each output channel its own length, "
            "which takes \"axis: 0\", not 1");
}
END_TEST

START_TEST(a_shape_that_does_not_fit_names_the_layer_and_both_shapes)
{
    refused("- flatten\n- dense: {units: 3, name: fc1}\n- conv2d: {channels: 3, kernel: 3}\n",
            NM_SHAPE(2, 2),
            "net.yaml:3:3: layer \"conv1\": conv2d: its input [batch, 3] must be images, [batch, "
            "height, width, channels]; put it before flatten (line 1), or remove that");
    refused("- residual:\n    body:\n      - dense: {units: 3}\n      - batch_norm: {axis: 2}\n",
            NM_SHAPE(4),
            "net.yaml:4:9: layer \"residual1.body.bn1\": batch_norm: its input [batch, 3] has no "
            "axis 2");
    refused("- conv2d: {channels: 4, kernel: 1, groups: 4}", NM_SHAPE(4, 4, 6),
            "net.yaml:1:3: layer \"conv1\": conv2d: the 6 channels of its input [batch, 4, 4, 6] "
            "do not "
            "divide into 4 groups");
    refused(
        "- softmax: {axis: 0}", NM_SHAPE(4),
        "net.yaml:1:3: layer \"softmax1\": softmax: axis 0 of its input [batch, 4] is the batch; "
        "choose another");
    refused("- dense: {units: 4, weight_norm: {axis: 3}}", NM_SHAPE(4),
            "net.yaml:1:3: layer \"dense1\": dense: weight_norm: the weight [4, 4] has no axis 3");
}
END_TEST

START_TEST(all_independent_mistakes_come_at_once)
{
    refused("- dense: {units: 3}\n"
            "- batch_norm: {axis: 4}\n" /* the shape: found although the lines below are wrong */
            "- repeat: {times: 3, body: [dropout: {p: 1}]}\n"
            "- batchnorm\n"
            "- dense: {units: 2, init: hee}\n",
            NM_SHAPE(4),
            "net.yaml:3:42: dropout: \"p\" must be at least 0 and below 1, not 1\n"
            "net.yaml:4:3: model: unknown layer \"batchnorm\"; did you mean \"batch_norm\"?\n"
            "net.yaml:5:27: dense: unknown initializer \"hee\"; did you mean \"he\"?\n"
            "net.yaml:2:3: layer \"bn1\": batch_norm: its input [batch, 3] has no axis 4");
}
END_TEST

START_TEST(the_sample_shape_may_stand_in_the_file)
{
    fixture f = begin("{input: [2, 3], layers: [flatten, dense: {units: 2}]}", NM_SHAPE(2, 3));
    ck_assert(nm_shape_equal(nm_model_input(f.model), &NM_SHAPE(2, 3)));
    ck_assert(nm_shape_equal(nm_model_output(f.model), &NM_SHAPE(2)));
    end(&f);
    refused("{input: [2, 3], layers: [flatten]}", NM_SHAPE(3, 2),
            "net.yaml:1:9: model: \"input\" is [2, 3], but the samples are [3, 2]");
    refused("{input: [0], layers: [relu]}", NM_SHAPE(3),
            "net.yaml:1:10: model: \"input\"[0] must be at least 1 and at most 1e9, not 0");
    refused("{input: [1, 1, 1, 1, 1, 1], layers: [relu]}", NM_SHAPE(3),
            "net.yaml:1:9: model: \"input\" has at most 5 dimensions, not 6");
    refused("{inputs: [1]}", NM_SHAPE(3),
            "net.yaml:1:2: model: unknown option \"inputs\"; did you mean \"input\"?\n"
            "net.yaml:1:1: model: \"layers\" is missing (the layers, one after the other); add it");
}
END_TEST

/* ---- Files ---- */

START_TEST(a_saved_model_is_loaded_with_its_running_statistics)
{
    fixture a = begin(NETWORK, NM_SHAPE(6, 6, 2));
    fixture b = begin_with(NETWORK, NM_SHAPE(6, 6, 2), (nm_model_options){.seed = 9});
    nm_tensor *x = normal(&a, NM_F32, NM_SHAPE(5, 6, 6, 2), 1);
    nm_tensor *same = normal(&b, NM_F32, NM_SHAPE(5, 6, 6, 2), 1);
    train(&a, x);
    ck_assert(!same_bits(evaluate(&a, x), evaluate(&b, same)));
    ck_assert_int_eq(nm_model_save(a.model, test_path("a.safetensors")), NM_OK);
    ck_assert_int_eq(nm_model_load(b.model, test_path("a.safetensors")), NM_OK);
    ck_assert(same_bits(evaluate(&a, x), evaluate(&b, same)));
    nm_tape_reset(a.tape);
    nm_tape_reset(b.tape);
    nm_tensor_destroy(x);
    nm_tensor_destroy(same);
    end(&a);
    end(&b);
}
END_TEST

START_TEST(a_file_of_another_network_changes_nothing)
{
    fixture a = begin("[dense: {units: 3}]", NM_SHAPE(2));
    fixture b = begin("[dense: {units: 4}]", NM_SHAPE(2));
    double before = value_of(&b, "dense1.weight", 0);
    ck_assert_int_eq(nm_model_save(a.model, test_path("b.safetensors")), NM_OK);
    ck_assert_int_ne(nm_model_load(b.model, test_path("b.safetensors")), NM_OK);
    assert_error(b.context, NM_ERROR_INPUT,
                 "it is of another network: layer dense1 has {units: 3} there, {units: 4} here");
    ck_assert(value_of(&b, "dense1.weight", 0) == before);
    end(&a);
    end(&b);
}
END_TEST

START_TEST(a_model_is_opened_from_a_file)
{
    static const char text[] = "model: {input: [2], layers: [dense: {units: 3}]}\ntrain: {x: y}\n";
    test_write_file(test_path("net.yaml"), text, sizeof text - 1);
    nm_context *context = open_context(NULL);
    nm_model *model = nm_model_open(context, test_path("net.yaml"), NULL);
    assert_fine(context);
    ck_assert_int_eq(nm_store_parameters(nm_model_store(model)), 9);
    nm_model_destroy(model);
    test_write_file(test_path("bare.yaml"), "model: [relu]", 13);
    ck_assert_ptr_null(nm_model_open(context, test_path("bare.yaml"), NULL));
    assert_error(context, NM_ERROR_INPUT,
                 "bare.yaml:1:9: model: the shape of a sample is not known");
    test_write_file(test_path("none.yaml"), "data: {}", 8);
    ck_assert_ptr_null(nm_model_open(context, test_path("none.yaml"), NULL));
    assert_error(context, NM_ERROR_INPUT, "none.yaml: it has no part \"model\"; add it");
    ck_assert_ptr_null(nm_model_open(context, test_path("missing.yaml"), NULL));
    assert_error(context, NM_ERROR_IO, "missing.yaml");
    nm_close(context);
}
END_TEST

/* ---- Memory ---- */

#define BIG                                                                                        \
    "[dense: {units: 3, weight_norm: {init: data}, name: a}, batch_norm, dropout, relu, "          \
    "residual: {body: [repeat: {times: 2, body: [dense: {units: 3}]}]}, "                          \
    "op: {apply: {affine: {scale: 2}}}, dense: {units: 2, init: orthogonal}]"

static nm_status step(nm_context *context, nm_model *model, nm_tape *tape, nm_random *random,
                      bool initialize)
{
    float values[8] = {1, 2, 3, 4, 5, 6, 7, 9};
    nm_pass pass = {.tape = tape, .random = random, .training = true, .initialize = initialize};
    nm_tape_reset(tape);
    nm_tensor *x = nm_tape_wrap(tape, NM_F32, NM_SHAPE(4, 2), values);
    nm_tensor *y = nm_model_forward(model, &pass, x);
    nm_backward(tape, nm_sum(tape, y), 0);
    return nm_context_status(context);
}

static nm_status build_and_step(test_memory *memory)
{
    nm_context *context = open_context(memory);
    if (!context) {
        ck_assert_int_eq(memory->live, 0);
        return NM_ERROR_MEMORY;
    }
    nm_random random = nm_random_create(1, 1);
    nm_document *document = nm_document_parse(context, BIG, SIZE_MAX, "net.yaml");
    nm_model *model = document ? nm_model_create(context, document, nm_document_root(document),
                                                 &NM_SHAPE(2), NULL)
                               : NULL;
    nm_tape *tape = model ? nm_tape_create(context) : NULL;
    nm_status status = tape ? step(context, model, tape, &random, true) : NM_ERROR_MEMORY;
    nm_tape_destroy(tape);
    nm_model_destroy(model);
    nm_document_destroy(document);
    test_context_end(context, memory);
    return status;
}

START_TEST(every_failing_allocation_is_reported_and_leaks_nothing)
{
    test_every_allocation(build_and_step);
}
END_TEST

START_TEST(a_step_like_the_one_before_allocates_nothing)
{
    test_memory memory = {.fail_at = -1};
    nm_context *context = open_context(&memory);
    nm_random random = nm_random_create(1, 1);
    nm_document *document = nm_document_parse(context, BIG, SIZE_MAX, "net.yaml");
    nm_model *model =
        nm_model_create(context, document, nm_document_root(document), &NM_SHAPE(2), NULL);
    nm_tape *tape = nm_tape_create(context);
    step(context, model, tape, &random, true);
    for (int i = 0; i < 3; i++) {
        step(context, model, tape, &random, false);
    }
    long calls = memory.calls;
    step(context, model, tape, &random, false);
    assert_fine(context);
    ck_assert_int_eq(memory.calls, calls);
    nm_tape_destroy(tape);
    nm_model_destroy(model);
    nm_document_destroy(document);
    test_context_end(context, &memory);
}
END_TEST

/* ---- A layer from outside ---- */

static nm_tensor *twice(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    (void)layer;
    return nm_affine(pass->tape, x, 2, 0);
}

static const nm_layer_type layer_twice = {
    .item = NM_ITEM(nm_layer_type, "twice", "2 x", .doc = NULL), /* not even a spec */
    .forward = twice,
};

START_TEST(a_program_may_register_a_layer_of_its_own)
{
    nm_context *context = open_context(NULL);
    ck_assert_int_eq(nm_register_layer(context, &layer_twice), NM_OK);
    nm_document *document = nm_document_parse(context, "[twice, twice]", SIZE_MAX, NULL);
    nm_model *model =
        nm_model_create(context, document, nm_document_root(document), &NM_SHAPE(1), NULL);
    assert_fine(context);
    ck_assert_str_eq(nm_model_layer_at(model, 1).name, "twice2");
    nm_tape *tape = nm_tape_create(context);
    nm_tensor *y = nm_model_predict(model, tape, nm_full(tape, NM_F32, NM_SHAPE(1, 1), 3));
    assert_near(nm_tensor_item(y), 12, 0, 0);
    nm_tape_destroy(tape);
    nm_model_destroy(model);
    nm_document_destroy(document);
    nm_close(context);
}
END_TEST

static const nm_normal_options no_name = {0, 1};
static const nm_option deviation_only[] = {
    {NM_FIELD(nm_normal_options, deviation), NM_OPTION_FLOAT, .doc = "-"},
};
static const nm_spec nameless = NM_LAYER_SPEC(nm_normal_options, no_name, deviation_only, NULL);

START_TEST(a_layer_that_cannot_run_is_not_registered)
{
    static const nm_layer_type still = {.item = NM_ITEM(nm_layer_type, "still", "-", .doc = NULL)};
    static const nm_layer_type odd = {
        .item = NM_ITEM(nm_layer_type, "odd", "-", .spec = &nameless),
        .forward = twice,
    };
    nm_context *context = open_context(NULL);
    ck_assert_int_ne(nm_register_layer(context, &still), NM_OK);
    assert_error(context, NM_ERROR_INPUT, "\"still\": it has no forward pass");
    ck_assert_int_ne(nm_register_layer(context, &odd), NM_OK);
    assert_error(context, NM_ERROR_INPUT, "\"odd\": its options must begin with NM_LAYER_FIELDS");
    nm_close(context);
}
END_TEST

TEST_MAIN("models/model", a_yaml_model_equals_the_same_network_by_hand_bit_for_bit,
          layers_are_named_by_type_and_number_or_as_told, the_summary_counts_what_a_sample_costs,
          a_thousand_layers_train_and_evaluate_in_little_memory,
          a_frozen_beginning_leaves_what_the_rest_needs, layers_nest_as_deep_as_the_file_may,
          repeats_of_repeats_do_not_explode, a_mistake_is_told_with_its_place_and_remedy,
          a_shape_that_does_not_fit_names_the_layer_and_both_shapes,
          all_independent_mistakes_come_at_once, the_sample_shape_may_stand_in_the_file,
          a_saved_model_is_loaded_with_its_running_statistics,
          a_file_of_another_network_changes_nothing, a_model_is_opened_from_a_file,
          every_failing_allocation_is_reported_and_leaks_nothing,
          a_step_like_the_one_before_allocates_nothing, a_program_may_register_a_layer_of_its_own,
          a_layer_that_cannot_run_is_not_registered)
