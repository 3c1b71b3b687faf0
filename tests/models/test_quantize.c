/* Networks with weights of 8 bits: nm_model_quantize(), their files, and norma quantize. */
#include <math.h>

#include "models/initializer.h"
#include "tests/models/command_helpers.h"

#define INPUTS 36
#define CLASSES 3
#define ROWS 300
#define SEEN 5 /* samples of the first rows */

/* Batch norm and weight norm that go into weights, a convolution, a short row, a layer without
 * bias, and one behind each activation. */
static const char network_text[] =
    "[op: {apply: {reshape: {shape: [-1, 6, 6, 1]}}}, conv2d: {channels: 4, kernel: 3, padding: 1},"
    " batch_norm, relu, flatten, dense: {units: 40, bias: false}, batch_norm, relu, dense: {units:"
    " 24, weight_norm: {}}, tanh, dense: {units: 5}, sigmoid, dense: {units: 9, bias: false}, relu,"
    " dense: {units: 3}]";

static nm_context *open_on(test_memory *memory)
{
    nm_context_options options = {.threads = 2, .seed = 1};
    if (memory) {
        options.allocator = test_allocator(memory);
    }
    return nm_open(&options);
}

/* Writes a network, with a schema, to n.safetensors. */
static void save_network(const char *text)
{
    nm_context *context = open_on(NULL);
    nm_document *document = nm_document_parse(context, text, SIZE_MAX, "network");
    nm_schema *schema = nm_schema_create(context);
    schema->shape = NM_SHAPE(INPUTS);
    schema->classes = CLASSES;
    nm_model *model =
        nm_model_create(context, document, nm_document_root(document), &NM_SHAPE(INPUTS), NULL);
    nm_model_set_schema(model, schema);
    nm_random random = nm_random_create(3, 0);
    nm_store *store = nm_model_store(model);
    for (int i = 0; i < nm_store_count(store); i++) {
        const nm_entry *entry = nm_store_at(store, i);
        if (entry->purpose == NM_NORM_SCALE || entry->purpose == NM_STATISTIC) {
            nm_random_fill_normal(&random, entry->tensor, 0.5, 0.3);
        }
    }
    ck_assert_int_eq(nm_model_save(model, test_path("n.safetensors")), NM_OK);
    assert_fine(context);
    nm_model_destroy(model);
    nm_schema_destroy(schema);
    nm_document_destroy(document);
    nm_close(context);
}

/* Saves it quantized as q.safetensors, too. */
static void save_both(void)
{
    nm_context *context = open_on(NULL);
    save_network(network_text);
    nm_model *model = nm_model_open_saved(context, test_path("n.safetensors"));
    ck_assert(!nm_model_is_quantized(model));
    ck_assert_int_eq(nm_model_quantize(model), NM_OK);
    ck_assert(nm_model_is_quantized(model));
    ck_assert_int_eq(nm_model_save(model, test_path("q.safetensors")), NM_OK);
    nm_model_destroy(model);
    nm_close(context);
}

static nm_tensor *make_samples(nm_context *context, int64_t first, int64_t count)
{
    nm_random random = nm_random_create(5, 0);
    nm_tensor *all = nm_tensor_create(context, NM_F32, NM_SHAPE(ROWS, INPUTS));
    nm_random_fill_normal(&random, all, 0.3, 1);
    nm_tensor *x = nm_tensor_copy_of(context, NM_F32, NM_SHAPE(count, INPUTS),
                                     nm_tensor_f32(all) + first * INPUTS);
    nm_tensor_destroy(all);
    return x;
}

/* Probabilities of samples; new. */
static nm_tensor *predict(nm_predictor *predictor, int64_t first, int64_t count)
{
    nm_context *context =
        nm_tensor_context(nm_store_at(nm_model_store(nm_predictor_model(predictor)), 0)->tensor);
    nm_tensor *x = make_samples(context, first, count), *y = nm_predictor_run(predictor, x);
    assert_fine(context);
    nm_tensor_destroy(x);
    return y;
}

static nm_tensor *predict_by(nm_context *context, const char *name)
{
    nm_predictor *predictor = nm_predictor_open(context, test_path(name));
    assert_fine(context);
    nm_tensor *y = predict(predictor, 0, ROWS);
    nm_predictor_close(predictor);
    return y;
}

/* ---- What is computed ---- */

START_TEST(probabilities_differ_from_those_of_f32_and_by_less_than_a_hundredth)
{
    nm_context *context = open_on(NULL);
    save_both();
    nm_tensor *a = predict_by(context, "n.safetensors"), *b = predict_by(context, "q.safetensors");
    double largest = 0, spread = 0;
    for (int64_t i = 0; i < nm_tensor_count(a); i++) {
        const double difference = fabs(nm_tensor_get(a, i) - nm_tensor_get(b, i));
        const double from_first = fabs(nm_tensor_get(a, i) - nm_tensor_get(a, i % CLASSES));
        largest = difference > largest ? difference : largest;
        spread = from_first > spread ? from_first : spread;
    }
    ck_assert_double_gt(largest, 0);
    ck_assert_double_lt(largest, 0.01);
    ck_assert_double_gt(spread, 3 * largest);
    nm_tensor_destroy(a);
    nm_tensor_destroy(b);
    nm_close(context);
}
END_TEST

START_TEST(a_network_predicts_the_same_bits_before_it_was_saved_and_saved_again)
{
    nm_context *context = open_on(NULL);
    save_both();
    nm_model *model = nm_model_open_saved(context, test_path("n.safetensors"));
    ck_assert_int_eq(nm_model_quantize(model), NM_OK);
    nm_predictor *predictor = nm_predictor_create(model, NULL);
    nm_tensor *a = predict(predictor, 0, ROWS), *b = predict_by(context, "q.safetensors");
    ck_assert_mem_eq(nm_tensor_data(a), nm_tensor_data(b), nm_tensor_bytes(a));
    nm_predictor_close(predictor);
    nm_model_destroy(model);

    model = nm_model_open_saved(context, test_path("q.safetensors"));
    ck_assert_int_eq(nm_model_quantize(model), NM_OK); /* again: nothing */
    ck_assert_int_eq(nm_model_save(model, test_path("again.safetensors")), NM_OK);
    nm_tensor *c = predict_by(context, "again.safetensors");
    ck_assert_mem_eq(nm_tensor_data(a), nm_tensor_data(c), nm_tensor_bytes(a));
    assert_fine(context);
    nm_tensor_destroy(a);
    nm_tensor_destroy(b);
    nm_tensor_destroy(c);
    nm_model_destroy(model);
    nm_close(context);
}
END_TEST

START_TEST(a_dense_network_predicts_a_sample_by_itself_as_among_others)
{
    static const char text[] =
        "[dense: {units: 40}, batch_norm, relu, dense: {units: 24}, relu, dense: {units: 3}]";
    nm_context *context = open_on(NULL);
    nm_document *document = nm_document_parse(context, text, SIZE_MAX, "network");
    nm_model *model =
        nm_model_create(context, document, nm_document_root(document), &NM_SHAPE(INPUTS), NULL);
    nm_tape *tape = nm_tape_create(context);
    ck_assert_int_eq(nm_model_quantize(model), NM_OK);
    nm_tensor *x = make_samples(context, 0, ROWS), *y = nm_model_predict(model, tape, x);
    for (int64_t i = 0; i < ROWS; i += 7) {
        nm_tensor *one = make_samples(context, i, 1), *of = nm_model_predict(model, tape, one);
        ck_assert_mem_eq(nm_tensor_f32(of), nm_tensor_f32(y) + i * CLASSES,
                         CLASSES * sizeof(float));
        nm_tensor_destroy(one);
    }
    assert_fine(context);
    nm_tensor_destroy(x);
    nm_tape_destroy(tape);
    nm_model_destroy(model);
    nm_document_destroy(document);
    nm_close(context);
}
END_TEST

START_TEST(another_thread_shares_it_and_predicts_the_same_bits)
{
    nm_context *context = open_on(NULL), *mine = open_on(NULL);
    save_both();
    nm_predictor *predictor = nm_predictor_open(context, test_path("q.safetensors"));
    nm_predictor *shared = nm_predictor_share(mine, predictor);
    nm_tensor *x = make_samples(context, 0, ROWS), *own = make_samples(mine, 0, ROWS);
    nm_tensor *a = nm_predictor_run(predictor, x), *b = nm_predictor_run(shared, own);
    assert_fine(context);
    assert_fine(mine);
    ck_assert_mem_eq(nm_tensor_data(a), nm_tensor_data(b), nm_tensor_bytes(a));
    nm_tensor_destroy(x);
    nm_tensor_destroy(a);
    nm_tensor_destroy(b);
    nm_tensor_destroy(own);
    nm_predictor_close(shared);
    nm_predictor_close(predictor);
    nm_close(mine);
    nm_close(context);
}
END_TEST

START_TEST(a_sample_whose_numbers_leave_the_range_of_f32_is_noticed)
{
    nm_context *context = open_on(NULL);
    save_both();
    nm_predictor *predictor = nm_predictor_open(context, test_path("q.safetensors"));
    nm_tensor *x = make_samples(context, 0, SEEN);
    for (int i = 0; i < INPUTS; i++) {
        nm_tensor_set(x, 2 * INPUTS + i, i % 2 ? 3.4e38 : -3.4e38);
    }
    ck_assert_ptr_null(nm_predictor_run(predictor, x));
    assert_error(context, NM_ERROR_NUMERIC, "sample 2: the network's output is NaN");
    nm_tensor_destroy(x);
    nm_predictor_close(predictor);
    nm_close(context);
}
END_TEST

START_TEST(a_recorded_pass_has_gradients_of_the_rounded_weights)
{
    nm_context *context = open_on(NULL);
    save_both();
    nm_model *model = nm_model_open_saved(context, test_path("q.safetensors"));
    nm_tape *tape = nm_tape_create(context);
    nm_tensor *x = make_samples(context, 0, SEEN);
    ck_assert_int_eq(nm_tensor_set_requires_grad(x, true), NM_OK);
    const nm_pass pass = {.tape = tape};
    nm_tensor *y = nm_model_forward(model, &pass, x);
    ck_assert_int_eq(nm_backward(tape, nm_sum(tape, y), 0), NM_OK);
    double largest = 0;
    for (int64_t i = 0; i < SEEN * INPUTS; i++) {
        largest = fmax(largest, fabs(nm_tensor_get(nm_tensor_grad(x), i)));
    }
    ck_assert_double_gt(largest, 1e-4);
    assert_fine(context);
    nm_tensor_destroy(x);
    nm_tape_destroy(tape);
    nm_model_destroy(model);
    nm_close(context);
}
END_TEST

START_TEST(parameters_that_change_afterwards_are_rounded_anew)
{
    nm_context *context = open_on(NULL);
    save_both();
    nm_model *model = nm_model_open_saved(context, test_path("q.safetensors"));
    nm_predictor *predictor = nm_predictor_create(model, NULL);
    nm_tensor *a = predict(predictor, 0, SEEN);
    nm_tensor_fill(nm_store_find(nm_model_store(model), "dense5.weight")->tensor, 0);
    nm_tensor *b = predict(predictor, 0, SEEN);
    ck_assert_double_ne(nm_tensor_get(a, 0), nm_tensor_get(a, CLASSES));
    for (int64_t i = CLASSES; i < nm_tensor_count(b); i++) {
        ck_assert_double_eq(nm_tensor_get(b, i), nm_tensor_get(b, i % CLASSES));
    }
    nm_tensor_destroy(a);
    nm_tensor_destroy(b);
    nm_predictor_close(predictor);
    nm_model_destroy(model);
    nm_close(context);
}
END_TEST

/* ---- What is refused ---- */

START_TEST(training_it_is_refused_and_loading_a_network_of_f32_ends_that)
{
    nm_context *context = open_on(NULL);
    save_both();
    nm_model *model = nm_model_open_saved(context, test_path("q.safetensors"));
    nm_tape *tape = nm_tape_create(context);
    nm_tensor *x = make_samples(context, 0, SEEN);
    const nm_pass pass = {.tape = tape, .training = true};
    ck_assert_ptr_null(nm_model_forward(model, &pass, x));
    assert_error(context, NM_ERROR_INPUT,
                 "the network's weights have 8 bits, which are for "
                 "predictions; train the network that it was made from");
    ck_assert_int_eq(nm_model_load(model, test_path("n.safetensors")), NM_OK);
    ck_assert(!nm_model_is_quantized(model));
    ck_assert_ptr_nonnull(nm_model_forward(model, &pass, x));
    ck_assert_int_eq(nm_model_load(model, test_path("q.safetensors")), NM_OK);
    ck_assert(nm_model_is_quantized(model));
    assert_fine(context);
    nm_tensor_destroy(x);
    nm_tape_destroy(tape);
    nm_model_destroy(model);
    nm_close(context);
}
END_TEST

START_TEST(a_model_of_f64_is_not_quantized)
{
    nm_context *context = open_on(NULL);
    const nm_model_options options = {NM_MODEL_DEFAULTS, .dtype = NM_F64};
    nm_document *document = nm_document_parse(context, "[dense: {units: 3}]", SIZE_MAX, "network");
    nm_model *model =
        nm_model_create(context, document, nm_document_root(document), &NM_SHAPE(INPUTS), &options);
    ck_assert_int_ne(nm_model_quantize(model), NM_OK);
    assert_error(context, NM_ERROR_INPUT, "nm_model_quantize: the model is of f64");
    nm_model_destroy(model);
    nm_document_destroy(document);
    nm_close(context);
}
END_TEST

/* q.safetensors with another tensor in the place of `name`, as broken.safetensors; NULL: none. */
static void break_file(nm_context *context, const char *name, nm_tensor *with)
{
    nm_tensor_file *file = nm_tensor_file_read(context, test_path("q.safetensors"));
    nm_tensor_writer *writer = nm_tensor_writer_create(context);
    const char *key;
    for (int i = 0; (key = nm_tensor_file_metadata_key(file, i)); i++) {
        nm_tensor_writer_set_metadata(writer, key, nm_tensor_file_metadata(file, key));
    }
    ck_assert_ptr_nonnull(nm_tensor_file_find(file, name));
    for (int i = 0; i < nm_tensor_file_count(file); i++) {
        const char *at = nm_tensor_file_name(file, i);
        nm_tensor *tensor = strcmp(at, name) ? nm_tensor_file_at(file, i) : with;
        if (tensor) {
            nm_tensor_writer_add(writer, at, tensor);
        }
    }
    ck_assert_int_eq(nm_tensor_writer_write(writer, test_path("broken.safetensors")), NM_OK);
    assert_fine(context);
    nm_tensor_writer_destroy(writer);
    nm_tensor_file_destroy(file);
}

static void refuse_broken(const char *name, nm_dtype dtype, nm_shape shape, double value,
                          const char *message)
{
    nm_context *context = open_on(NULL);
    nm_tensor *with = message ? nm_tensor_create(context, dtype, shape) : NULL;
    for (int64_t i = 0; with && i < nm_tensor_count(with); i++) {
        nm_tensor_set(with, i, i == 2 ? value : 1);
    }
    break_file(context, name, with);
    ck_assert_ptr_null(nm_model_open_saved(context, test_path("broken.safetensors")));
    assert_error(context, NM_ERROR_FORMAT, message ? message : "it is not there");
    ck_assert_ptr_null(nm_predictor_open(context, test_path("broken.safetensors")));
    assert_error(context, NM_ERROR_FORMAT, "broken.safetensors: ");
    nm_tensor_destroy(with);
    nm_close(context);
}

START_TEST(a_file_whose_scales_are_wrong_is_refused_with_what_is_wrong)
{
    static const char name[] = "dense1.weight_scale";
    const nm_shape rows = NM_SHAPE(40);
    save_both();
    refuse_broken(name, NM_F32, rows, NAN, "\"dense1.weight_scale\" is NaN at [2]");
    refuse_broken(name, NM_F32, rows, 0,
                  "\"dense1.weight_scale\" is 0 at [2]; it must be a finite "
                  "number above 0");
    refuse_broken(name, NM_F32, rows, -0.5, "\"dense1.weight_scale\" is -0.5 at [2]");
    refuse_broken(name, NM_F32, rows, INFINITY, "\"dense1.weight_scale\" is inf at [2]");
    refuse_broken(name, NM_F32, rows, 3e38, "\"dense1.weight\" is ");
    refuse_broken(name, NM_F32, NM_SHAPE(39), 1, "f32 [40]; it is of another type or shape");
    refuse_broken(name, NM_F32, NM_SHAPE(40, 1), 1, "f32 [40]; it is of another type or shape");
    refuse_broken(name, NM_F64, rows, 1, "f32 [40]; it is of another type or shape");
    refuse_broken(name, NM_F32, rows, 1, NULL);
}
END_TEST

START_TEST(a_file_whose_weights_are_of_another_type_or_shape_is_refused)
{
    save_both();
    refuse_broken("dense1.weight", NM_I8, NM_SHAPE(40, 7), 1,
                  "\"dense1.weight\" is f32 [40, 144] in the network, but f32 [40, 7] in the file");
    refuse_broken("dense1.weight", NM_I8, NM_SCALAR_SHAPE, 1,
                  "f32 [0]; it is of another type or shape");
    refuse_broken("dense1.weight", NM_U8, NM_SHAPE(40, 144), 1, "but u8 [40, 144] in the file");
    refuse_broken("dense1.weight", NM_F32, NM_SHAPE(40, 144), 1,
                  "the file has a tensor \"dense1.weight_scale\" that the network has not");
    refuse_broken("bn1.running_mean", NM_I8, NM_SHAPE(4), 1, "bn1.running_mean_scale");
}
END_TEST

/* ---- Files ---- */

START_TEST(a_file_has_weights_of_8_bits_with_scales_and_all_else_as_it_was)
{
    nm_context *context = open_on(NULL);
    save_both();
    nm_tensor_file *f32 = nm_tensor_file_read(context, test_path("n.safetensors"));
    nm_tensor_file *i8 = nm_tensor_file_read(context, test_path("q.safetensors"));
    assert_says(nm_tensor_file_metadata(i8, "network"), "weights: i8\n");
    ck_assert_ptr_null(strstr(nm_tensor_file_metadata(f32, "network"), "weights:"));
    int narrow = 0;
    for (int i = 0; i < nm_tensor_file_count(f32); i++) {
        char scale_name[128];
        const char *name = nm_tensor_file_name(f32, i);
        nm_tensor *a = nm_tensor_file_at(f32, i), *b = nm_tensor_file_find(i8, name);
        snprintf(scale_name, sizeof scale_name, "%s_scale", name);
        nm_tensor *scale = nm_tensor_file_find(i8, scale_name);
        ck_assert(nm_shape_equal(nm_tensor_shape(a), nm_tensor_shape(b)));
        if (!scale) {
            ck_assert_mem_eq(nm_tensor_data(a), nm_tensor_data(b), nm_tensor_bytes(a));
            continue;
        }
        narrow++;
        ck_assert_int_eq(nm_tensor_dtype(b), NM_I8);
        const int64_t row = nm_tensor_count(a) / nm_tensor_count(scale);
        for (int64_t k = 0; k < nm_tensor_count(a); k++) {
            const double step = nm_tensor_get(scale, k / row);
            ck_assert_double_le(fabs(nm_tensor_get(a, k) - step * nm_tensor_get(b, k)),
                                0.5001 * step);
        }
    }
    /* conv1, dense1, dense2 (weight_v), dense3, dense5; dense4 has rows of 5 */
    ck_assert_int_eq(narrow, 5);
    ck_assert_int_eq(nm_tensor_dtype(nm_tensor_file_find(i8, "dense4.weight")), NM_F32);
    nm_tensor_file_destroy(f32);
    nm_tensor_file_destroy(i8);
    nm_close(context);
}
END_TEST

START_TEST(a_temperature_put_into_the_file_leaves_its_weights)
{
    nm_context *context = open_on(NULL);
    save_both();
    ck_assert_int_eq(nm_saved_set_temperature(context, test_path("q.safetensors"), 2), NM_OK);
    nm_tensor_file *file = nm_tensor_file_read(context, test_path("q.safetensors"));
    ck_assert_int_eq(nm_tensor_dtype(nm_tensor_file_find(file, "dense1.weight")), NM_I8);
    nm_tensor_file_destroy(file);
    nm_model *model = nm_model_open_saved(context, test_path("q.safetensors"));
    ck_assert(nm_model_is_quantized(model));
    ck_assert_double_eq(nm_model_saved(model)->temperature, 2);
    assert_fine(context);
    nm_model_destroy(model);
    nm_close(context);
}
END_TEST

static nm_status quantize_and_predict(test_memory *memory)
{
    nm_context *context = open_on(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    nm_tensor *x = nm_tensor_create(context, NM_F32, NM_SHAPE(SEEN, INPUTS)), *y = NULL;
    nm_model *model = nm_model_open_saved(context, test_path("n.safetensors"));
    size_t size = 0;
    void *saved = NULL;
    if (model && nm_model_quantize(model) == NM_OK) {
        saved = nm_model_save_memory(model, &size);
    }
    nm_predictor *predictor =
        saved ? nm_predictor_open_memory(context, saved, size, "saved") : NULL;
    y = predictor ? nm_predictor_run(predictor, x) : NULL;
    nm_status status = nm_context_status(context);
    ck_assert_int_eq(status == NM_OK, y != NULL);
    nm_tensor_destroy(y);
    nm_tensor_destroy(x);
    nm_predictor_close(predictor);
    nm_free(context, saved);
    nm_model_destroy(model);
    test_context_end(context, memory);
    return status;
}

START_TEST(every_allocation_may_fail_and_nothing_leaks)
{
    save_network("[dense: {units: 9}, relu, dense: {units: 3, weight_norm: {}}]");
    test_every_allocation(quantize_and_predict);
}
END_TEST

/* ---- The command ---- */

static const char file_text[] = "model:\n  - dense: {units: 20}\n  - relu\n  - dense: {units: 2}\n"
                                "data:\n  train: {spirals: {}}\n  test: {spirals: {seed: 2}}\n"
                                "  batch: 20\nloss: cross_entropy\n"
                                "train:\n  epochs: 3\n"
                                "  optimizer: {sgd: {rate: 0.1, momentum: 0.9}}\n";

START_TEST(the_command_writes_the_file_and_says_what_it_costs)
{
    write_text("net.yaml", file_text);
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "run"), 0);
    const ended *e = norma("quantize", "run", "--out", "small.safetensors");
    assert_code(e, 0);
    assert_says(e->out, "small.safetensors: ");
    assert_says(e->out, "\ntest loss ");
    assert_says(e->out, "; with f32 ");
    assert_says(e->out, "samples get another class\n");
    assert_says(norma("check", "small.safetensors")->out, "Its weights have 8 bits: it is for "
                                                          "predictions.\n");
    e = norma("eval", "small.safetensors");
    ck_assert_int_eq(e->code, 2); /* no data beside it */
    e = norma("eval", "net.yaml", "--weights", "small.safetensors", "--quiet");
    assert_code(e, 0);
    assert_says(e->out, ", small.safetensors, weights of 8 bits)\n");
    e = norma("eval", "net.yaml", "--weights", "small.safetensors", "--json");
    ck_assert_double_eq(json_field(e->out, "bits"), 8);
    e = norma("quantize", "run", "--out", "again.safetensors", "--json");
    assert_code(e, 0);
    ck_assert_double_gt(json_field(e->out, "largest_difference"), 0);
    ck_assert_double_ge(json_field(e->out, "largest_difference"),
                        json_field(e->out, "mean_difference"));
    ck_assert_double_lt(json_field(e->out, "mean_difference"), 0.02 * json_field(e->out, "size"));
    assert_near(json_field(e->out, "loss"), json_field(e->out, "f32_loss"), 0.02, 0);
    assert_same_bytes("small.safetensors", "again.safetensors");
    e = norma("quantize", "small.safetensors", "--out", "twice.safetensors");
    assert_code(e, 2);
    assert_says(e->err, "small.safetensors has weights of 8 bits already");
    e = norma("quantize", "run", "--out", "./run/best.safetensors");
    assert_code(e, 2);
    assert_says(e->err, "run/best.safetensors would be replaced, and is needed to train on");
    e = norma("quantize", "run");
    assert_code(e, 2);
    assert_says(e->err, "--out is missing");
    e = norma("quantize", "run", "--out", "-");
    assert_code(e, 2);
    assert_says(e->err, "--out is a file's name, not standard output");
    e = norma("quantize", "run/best.safetensors", "--weights", "run", "--out", "x.safetensors");
    assert_code(e, 2);
}
END_TEST

/* Of a network that has hardly learned anything, between two arms that are as good as each other.
 */
START_TEST(samples_that_get_another_class_are_counted)
{
    write_text("net.yaml", file_text);
    const char *const points = "data.test={spirals: {seed: 2, points: 10000}}";
    assert_code(norma("train", "net.yaml", "--set", "train.steps=2", "--set", "train.seed=3",
                      "--set", points, "--quiet", "--out", "short"),
                0);
    const ended *e =
        norma("quantize", "short", "--set", points, "--out", "small.safetensors", "--json");
    assert_code(e, 0);
    const double better = json_field(e->out, "accuracy") - json_field(e->out, "f32_accuracy");
    ck_assert_double_gt(json_field(e->out, "changed"), 0);
    ck_assert_double_lt(json_field(e->out, "changed"), 200);
    ck_assert_double_ge(json_field(e->out, "changed") + 0.5, fabs(better) * 10000);
}
END_TEST

START_TEST(nothing_is_trained_from_it)
{
    char text[1024];
    write_text("net.yaml", file_text);
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "base"), 0);
    assert_code(norma("quantize", "base", "--out", "small.safetensors", "--quiet"), 0);
    snprintf(text, sizeof text, "%s  from: small.safetensors\n", file_text);
    write_text("more.yaml", text);
    const ended *e = norma("train", "more.yaml", "--quiet", "--out", "more");
    assert_code(e, 2);
    assert_says(e->err, "small.safetensors has weights of 8 bits, which are for predictions; begin "
                        "from the network that it was made from");
}
END_TEST

TEST_MAIN("models/quantize", probabilities_differ_from_those_of_f32_and_by_less_than_a_hundredth,
          a_network_predicts_the_same_bits_before_it_was_saved_and_saved_again,
          a_dense_network_predicts_a_sample_by_itself_as_among_others,
          another_thread_shares_it_and_predicts_the_same_bits,
          a_sample_whose_numbers_leave_the_range_of_f32_is_noticed,
          a_recorded_pass_has_gradients_of_the_rounded_weights,
          parameters_that_change_afterwards_are_rounded_anew,
          training_it_is_refused_and_loading_a_network_of_f32_ends_that,
          a_model_of_f64_is_not_quantized,
          a_file_whose_scales_are_wrong_is_refused_with_what_is_wrong,
          a_file_whose_weights_are_of_another_type_or_shape_is_refused,
          a_file_has_weights_of_8_bits_with_scales_and_all_else_as_it_was,
          a_temperature_put_into_the_file_leaves_its_weights,
          every_allocation_may_fail_and_nothing_leaks,
          the_command_writes_the_file_and_says_what_it_costs,
          samples_that_get_another_class_are_counted, nothing_is_trained_from_it)
