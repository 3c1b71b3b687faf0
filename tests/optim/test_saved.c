/* Schemas and saved networks: as text and back, hostile text, and what converts without doubt. */
#include <check.h>
#include <math.h>
#include <string.h>

#include "core/text.h"
#include "norma.h"
#include "optim/data/schema_write.h"
#include "tests/test.h"

static nm_context *context;

static void begin(test_memory *memory)
{
    context = test_context(memory);
    if (context) {
        nm_register_losses(context);
        nm_register_metrics(context);
    }
}

/* A table of a number, a flag and two categories; three named classes. */
static nm_schema *make_table(void)
{
    static const char *const colours[] = {"red", "a \"quoted\", green"};
    static const char *const classes[] = {"no", "yes", "perhaps\n"};
    static const nm_column columns[] = {
        {.name = "width", .kind = NM_COLUMN_NUMBER, .fill = 2.5},
        {.name = "is it: {so}", .kind = NM_COLUMN_FLAG, .fill = (double)NAN},
        {.name = "",
         .kind = NM_COLUMN_CATEGORY,
         .fill = (double)NAN,
         .count = 2,
         .categories = colours}};
    static const double mean[] = {1.0 / 3, 0, 0, 0}, deviation[] = {1e-300, 1, 1, 1};
    nm_schema *s = nm_schema_create(context);
    if (s) {
        s->shape = NM_SHAPE(4);
        s->column = columns;
        s->columns = 3;
        s->mean = mean;
        s->deviation = deviation;
        s->channels = 4;
        s->classes = 3;
        s->class_names = classes;
    }
    return s;
}

static char *text_of(const nm_schema *schema)
{
    nm_text text = {.context = context};
    nm_schema_write(schema, &text);
    return nm_text_end(&text);
}

/* NULL: refused, with an error standing. */
static nm_schema *read_back(const char *text)
{
    nm_diagnostics d;
    nm_document *document = nm_document_parse(context, text, SIZE_MAX, "");
    nm_schema *schema = NULL;
    nm_diagnostics_begin(&d, context);
    if (document) {
        const nm_value *root = nm_document_root(document);
        schema = nm_schema_read(context, nm_value_get(root, "sample"), nm_value_get(root, "target"),
                                document, &d);
        nm_diagnostics_end(&d);
    }
    nm_document_destroy(document);
    return schema;
}

START_TEST(a_schema_reads_back_as_it_was_written)
{
    begin(NULL);
    nm_schema *schema = make_table();
    char *text = text_of(schema);
    nm_schema *again = read_back(text);
    assert_fine(context);
    char *second = text_of(again);
    ck_assert_str_eq(text, second);
    ck_assert(nm_shape_equal(&again->shape, &NM_SHAPE(4)));
    ck_assert_str_eq(again->column[1].name, "is it: {so}");
    ck_assert(again->column[0].fill == 2.5 && isnan(again->column[1].fill));
    ck_assert_str_eq(again->column[2].categories[1], "a \"quoted\", green");
    ck_assert(again->mean[0] == 1.0 / 3 && again->deviation[0] == 1e-300);
    ck_assert_str_eq(again->class_names[2], "perhaps\n");
    ck_assert_int_eq(nm_schema_class_of(again, "yes"), 1);
    ck_assert_int_eq(nm_schema_class_of(again, "no such"), -1);
    nm_free(context, text);
    nm_free(context, second);
    nm_schema_destroy(schema);
    nm_schema_destroy(again);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_schema_that_contradicts_itself_is_refused)
{
    static const char *const wrong[][2] = {
        {"sample: {}", "\"shape\""},
        {"sample: {shape: [0]}", "at least 1"},
        {"sample: {shape: [2, 2, 2, 2, 2, 2, 2]}", "1 to 5 dimensions"},
        {"sample: {shape: [9e14, 9e14]}", "dimensions"},
        {"sample: {shape: [3], mean: [1, 2, 3]}", "each of the 3 channels"},
        {"sample: {shape: [3], mean: [1, 2, 3], deviation: [1, 2]}", "each of the 3 channels"},
        {"sample: {shape: [1], mean: [1], deviation: [0]}", "positive numbers"},
        {"sample: {shape: [1], mean: [.nan], deviation: [1]}", "finite numbers"},
        {"sample: {shape: [1], mean: {a: 1}, deviation: [1]}", "must be a list"},
        {"sample: {shape: [3], columns: [{name: a}]}", "make 1 elements, but a sample has 3"},
        {"sample: {shape: [1], columns: [{kind: category}]}", "has none"},
        {"sample: {shape: [1], columns: [{kind: [1]}]}", "kind"},
        {"sample: {shape: [1]}\ntarget: {classes: 2, names: [a]}", "as many as the targets"},
        {"sample: {shape: [1]}\ntarget: {shape: [2], mean: [1], deviation: [1]}", "as many"},
        {"sample: {shape: [1]}\ntarget: {shape: [0]}", "positive dimensions"},
        {"sample: {shape: [1], mean: [a], deviation: [1]}", "finite numbers"},
        {"sample: {shape: [1], mean: [[1]], deviation: [1]}", "finite numbers"},
        {"sample: {shape: [1], columns: [{kind: category, categories: [[1]]}]}", "list of texts"},
        {"sample: {shape: [1], columns: [{name: a, fill: .inf}]}", "\"fill\" must be a finite"},
        {"sample: {shape: [2, 1], columns: [{name: a}]}", "make 1 elements, but a sample has 1"},
        {"sample: {shape: [1]}\ntarget: {shape: 3}", "must be a list"},
        {"sample: {shape: [1]}\ntarget: {shape: [[1]]}", "positive dimensions"},
        {"sample: {shape: [1]}\ntarget: {shape: [x]}", "positive dimensions"},
        {"sample: {shape: [1]}\ntarget: {shape: [2], mean: [1, 2]}", "as many"},
        {"sample: {shape: [1]}\ntarget: {shape: [2], mean: [1, 2], deviation: [1]}", "as many"},
        {"sample: {shape: [1]}\ntarget: {shape: [2], columns: [{name: a}]}", "as many"},
        {"sample: {shape: [1]}\ntarget: {shape: [2], names: [a]}", "as many"},
        {"sample: {shape: [1], what: 1}", "unknown option \"what\""},
        {"sample: {shape: [1]}\ntarget: {shape: [1, 1, 1, 1, 1, 1]}", "dimensions, at most 5"},
    };
    begin(NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_msg(!read_back(wrong[i][0]), "%s is read", wrong[i][0]);
        assert_error(context, NM_ERROR_INPUT, wrong[i][1]);
    }
    nm_context_destroy(context);
}
END_TEST

/* ---- Raw samples ---- */

static nm_schema *make_images(bool bytes)
{
    nm_schema *s = nm_schema_create(context);
    s->shape = NM_SHAPE(2, 2, 3);
    s->bytes = bytes;
    s->scale = bytes ? 1.0 / 255 : 1;
    return s;
}

static nm_tensor *filled(nm_dtype dtype, nm_shape shape, double value)
{
    nm_tensor *x = nm_tensor_create(context, dtype, shape);
    nm_tensor_fill(x, value);
    return x;
}

static void expect(const nm_schema *schema, nm_dtype dtype, nm_shape shape, double value,
                   const char *error)
{
    nm_tensor *x = filled(dtype, shape, value);
    nm_status status = nm_schema_check(schema, x);
    if (error) {
        ck_assert_int_ne(status, NM_OK);
        assert_error(context, NM_ERROR_INPUT, error);
    } else {
        assert_fine(context);
    }
    nm_tensor_destroy(x);
}

START_TEST(what_converts_without_doubt_is_taken_and_all_else_refused)
{
    const nm_shape right = NM_SHAPE(5, 2, 2, 3), first = NM_SHAPE(5, 3, 2, 2);
    begin(NULL);
    nm_schema *bytes = make_images(true), *floats = make_images(false);
    expect(bytes, NM_U8, right, 1, NULL);
    expect(bytes, NM_F32, right, 200, NULL);
    expect(bytes, NM_I64, right, 200, NULL);
    expect(bytes, NM_F32, right, 0.5, "0.5 is among the samples; if they were scaled, undo that");
    expect(bytes, NM_F32, right, 256, "from 0 to 255");
    expect(bytes, NM_F32, right, 1, "is 0 or 1; multiply it by 255");
    expect(bytes, NM_U8, first, 1, "np.moveaxis(x, 1, -1)");
    expect(bytes, NM_U8, NM_SHAPE(5, 12), 1, "reshape them");
    expect(bytes, NM_U8, NM_SHAPE(5, 2, 2), 1, "a sample has shape [2, 2], but those trained on");
    expect(bytes, NM_U8, NM_SHAPE(2, 2, 3), 1,
           "samples are counted by the first axis: in NumPy, x[None] is a single one");
    expect(floats, NM_U8, right, 200, "trained on images of floats, and the samples are bytes");
    expect(floats, NM_F64, right, 200, NULL);
    expect(floats, NM_I8, right, 100, "samples are u8, i32, i64, f32 or f64, not i8");
    nm_schema_destroy(bytes);
    nm_schema_destroy(floats);
    nm_context_destroy(context);
}
END_TEST

START_TEST(the_same_numbers_of_any_type_give_the_same_bits)
{
    static const double mean[] = {1600000000123.0, 7}, deviation[] = {3.7, 0.3};
    static const nm_dtype types[] = {NM_F64, NM_I64};
    begin(NULL);
    nm_schema *s = nm_schema_create(context);
    s->shape = NM_SHAPE(2);
    s->mean = mean;
    s->deviation = deviation;
    s->channels = 2;
    nm_tape *tape = nm_tape_create(context);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        nm_tensor *x = nm_tensor_create(context, types[i], NM_SHAPE(1, 2));
        nm_tensor_set(x, 0, 1600000000125.0); /* as f32 this and the mean would be one number */
        nm_tensor_set(x, 1, 8);
        nm_tensor *y = nm_schema_prepare(s, tape, x);
        assert_fine(context);
        ck_assert(nm_tensor_get(y, 0) == (double)(float)(2.0 * (1 / 3.7)));
        ck_assert(nm_tensor_get(y, 1) == (double)(float)(1.0 * (1 / 0.3)));
        nm_tensor_destroy(x);
    }
    nm_tape_destroy(tape);
    nm_schema_destroy(s);
    nm_context_destroy(context);
}
END_TEST

/* ---- Files ---- */

static nm_store *make_store(void)
{
    nm_store *store = nm_store_create(context);
    nm_store_add(store, "w", NM_PARAMETER, NM_WEIGHT, NM_F32, NM_SHAPE(2));
    return store;
}

START_TEST(a_saved_network_says_all_that_it_was_given)
{
    nm_saved saved;
    begin(NULL);
    nm_store *store = make_store();
    nm_schema *schema = make_table();
    const nm_cross_entropy_loss_options loss = {NM_CROSS_ENTROPY_LOSS_DEFAULTS, .ignore_index = 7};
    const nm_description d = {.model = "[{dense: {units: 3}}]",
                              .schema = schema,
                              .loss = {.item = &nm_loss_cross_entropy.item, .options = &loss},
                              .temperature = 1.5};
    ck_assert_int_eq(nm_saved_write(store, &d, test_path("n.safetensors")), NM_OK);
    ck_assert_int_eq(nm_saved_open(context, test_path("n.safetensors"), &saved), NM_OK);
    assert_fine(context);
    ck_assert_str_eq(saved.version, nm_version());
    ck_assert_int_eq(saved.model->kind, NM_VALUE_LIST);
    ck_assert_int_eq(saved.schema->columns, 3);
    ck_assert_ptr_eq(saved.loss.item, &nm_loss_cross_entropy.item);
    ck_assert_int_eq(((const nm_cross_entropy_loss_options *)saved.loss.options)->ignore_index, 7);
    ck_assert(saved.temperature == 1.5);
    ck_assert_int_eq(nm_saved_read(&saved, store), NM_OK);
    nm_saved_close(&saved);
    nm_schema_destroy(schema);
    nm_store_destroy(store);
    nm_context_destroy(context);
}
END_TEST

static void write_with_text(const char *path, const char *text)
{
    nm_store *store = make_store();
    nm_tensor_writer *writer = nm_tensor_writer_create(context);
    nm_tensor_writer_set_metadata(writer, "network", text);
    nm_store_write(store, NULL, writer);
    nm_tensor_writer_write(writer, path);
    nm_tensor_writer_destroy(writer);
    nm_store_destroy(store);
}

START_TEST(a_hostile_description_is_refused_and_an_absent_one_is_none)
{
    static const char *const wrong[][2] = {
        {"loss: no_such_loss", "no_such_loss"},
        {"sample: [", "its description:1:"},
        {"temperature: 0", "temperature"},
        {"loss: {cross_entropy: {label_smoothing: 7}}", "label_smoothing"},
        {"unheard: of", "unknown option \"unheard\""},
        {"plugins: 3", "plugins: a list is wanted"},
        {"plugins: [3]", "plugins: a name and what is needed of it are wanted"},
        {"plugins: [{name: a}]", "plugins: a name and what is needed"},
        {"plugins: [{name: [a], needs: []}]", "plugins: a name and what is needed"},
        {"plugins: [{name: a, needs: 3}]", "plugins: a name and what is needed"},
        {"plugins: [{name: a, needs: [op no_such_op]}]",
         "op no_such_op of the plugin a, which is not"},
    };
    nm_saved saved;
    begin(NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        write_with_text(test_path("h.safetensors"), wrong[i][0]);
        const nm_status status = nm_saved_open(context, test_path("h.safetensors"), &saved);
        ck_assert_msg(status != NM_OK, "%s is read", wrong[i][0]);
        ck_assert_ptr_null(saved.file);
        assert_error(context, NM_ERROR_INPUT, wrong[i][1]);
    }
    /* Of a later version, perhaps: what kind that is nobody knows here. */
    write_with_text(test_path("h.safetensors"), "plugins: [{name: a, needs: [thing mine, [x]]}]");
    ck_assert_int_eq(nm_saved_open(context, test_path("h.safetensors"), &saved), NM_OK);
    nm_saved_close(&saved);
    nm_store *store = make_store();
    nm_tensor_writer *writer = nm_tensor_writer_create(context);
    nm_store_write(store, NULL, writer);
    nm_tensor_writer_write(writer, test_path("plain.safetensors"));
    nm_tensor_writer_destroy(writer);
    ck_assert_int_eq(nm_saved_open(context, test_path("plain.safetensors"), &saved), NM_OK);
    ck_assert(!saved.schema && !saved.model && !saved.loss.item && saved.temperature == 1);
    ck_assert_int_eq(nm_saved_read(&saved, store), NM_OK);
    nm_saved_close(&saved);
    nm_store_destroy(store);
    nm_context_destroy(context);
}
END_TEST

static char *bytes_of(const char *name, size_t *size)
{
    char *bytes = nm_file_read(context, test_path(name), SIZE_MAX, size);
    ck_assert_ptr_nonnull(bytes);
    return bytes;
}

START_TEST(a_temperature_is_put_into_a_file_and_nothing_else_changes)
{
    nm_saved saved;
    begin(NULL);
    nm_store *store = make_store();
    nm_schema *schema = make_table();
    const double guess[] = {-1.5, -0.25, -3};
    const nm_description d = {.model = "[{dense: {units: 3}}]",
                              .schema = schema,
                              .loss = {.item = &nm_loss_cross_entropy.item},
                              .metric = NM_CHOICES({.item = &nm_metric_f1.item}),
                              .guess = {.count = 3, .at = guess}};
    nm_tensor_set(nm_store_at(store, 0)->tensor, 1, 0.1);
    ck_assert_int_eq(nm_saved_write(store, &d, test_path("t.safetensors")), NM_OK);
    size_t size[2];
    char *before = bytes_of("t.safetensors", &size[0]);
    ck_assert_int_eq(nm_saved_set_temperature(context, test_path("t.safetensors"), 1.5), NM_OK);
    ck_assert_int_eq(nm_saved_open(context, test_path("t.safetensors"), &saved), NM_OK);
    ck_assert_double_eq(saved.temperature, 1.5);
    ck_assert_int_eq(saved.guess.count, 3);
    ck_assert_ptr_eq(saved.metric.at[0].item, &nm_metric_f1.item);
    nm_saved_close(&saved);
    ck_assert_int_eq(nm_saved_set_temperature(context, test_path("t.safetensors"), 1), NM_OK);
    char *after = bytes_of("t.safetensors", &size[1]);
    ck_assert_uint_eq(size[0], size[1]);
    ck_assert_mem_eq(before, after, size[0]);
    nm_free(context, before);
    nm_free(context, after);
    nm_schema_destroy(schema);
    nm_store_destroy(store);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_file_without_a_description_takes_no_temperature)
{
    begin(NULL);
    nm_store *store = make_store();
    nm_tensor_writer *writer = nm_tensor_writer_create(context);
    nm_store_write(store, NULL, writer);
    nm_tensor_writer_write(writer, test_path("plain.safetensors"));
    nm_tensor_writer_destroy(writer);
    nm_saved_set_temperature(context, test_path("plain.safetensors"), 2);
    assert_error(context, NM_ERROR_INPUT, "does not say of which network it is");
    nm_store_destroy(store);
    nm_context_destroy(context);
}
END_TEST

/* One whole way, with an allocation that fails somewhere in it. */
static nm_status write_and_open(test_memory *memory)
{
    nm_saved saved = {.file = NULL};
    begin(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    nm_store *store = nm_store_create(context);
    nm_schema *schema = store ? make_table() : NULL;
    const nm_description d = {
        .model = "[relu]", .schema = schema, .loss = {.item = &nm_loss_cross_entropy.item}};
    if (schema && nm_saved_write(store, &d, test_path("m.safetensors")) == NM_OK &&
        nm_saved_open(context, test_path("m.safetensors"), &saved) == NM_OK) {
        nm_saved_read(&saved, store);
        nm_saved_set_temperature(context, test_path("m.safetensors"), 1.25);
    }
    nm_status status = nm_context_status(context);
    nm_saved_close(&saved);
    nm_schema_destroy(schema);
    nm_store_destroy(store);
    test_context_end(context, memory);
    return status;
}

START_TEST(any_allocation_may_fail)
{
    test_every_allocation(write_and_open);
}
END_TEST

TEST_MAIN("optim/saved", a_schema_reads_back_as_it_was_written,
          a_schema_that_contradicts_itself_is_refused,
          what_converts_without_doubt_is_taken_and_all_else_refused,
          the_same_numbers_of_any_type_give_the_same_bits,
          a_saved_network_says_all_that_it_was_given,
          a_hostile_description_is_refused_and_an_absent_one_is_none,
          a_temperature_is_put_into_a_file_and_nothing_else_changes,
          a_file_without_a_description_takes_no_temperature, any_allocation_may_fail)
