/* A trained network is a thing of its own: what it needs goes with it, and the command and a C
 * program get the same from it. */
#include <check.h>
#include <math.h>

#include "tests/models/command_helpers.h"

static const char iris_like[] = "model:\n  - dense: {units: 8}\n  - relu\n  - dense: {units: 3}\n"
                                "data:\n  train: {csv: {path: table.csv, target: kind}}\n"
                                "  batch: 20\nloss: cross_entropy\n"
                                "train:\n  epochs: 20\n"
                                "  optimizer: {sgd: {rate: 0.1, momentum: 0.9}}\n";

/* Three kinds told apart by their size; column b is ten thousand times a. */
static void write_table(const char *name, bool swapped, bool targets)
{
    static const char *const kinds[] = {"ash", "oak", "elm, the tall"};
    char text[8192];
    int length =
        snprintf(text, sizeof text, "%s%s\n", swapped ? "b,a" : "a,b", targets ? ",kind" : "");
    for (int i = 0; i < 60; i++) {
        const double a = 5 * (i % 3) + 0.01 * i, b = 10000 * a + 77;
        length += snprintf(text + length, sizeof text - (size_t)length, "%.4f,%.4f",
                           swapped ? b : a, swapped ? a : b);
        length +=
            targets ? snprintf(text + length, sizeof text - (size_t)length, ",\"%s\"", kinds[i % 3])
                    : 0;
        text[length++] = '\n';
        text[length] = 0;
    }
    test_write_file(test_path(name), text, (size_t)length);
}

static void train_table(const char *folder)
{
    write_text("net.yaml", iris_like);
    write_table("table.csv", false, true);
    assert_code(norma("train", "net.yaml", "--quiet", "--out", folder), 0);
}

START_TEST(a_run_predicts_without_its_training_data_and_names_the_classes)
{
    train_table("alone");
    write_table("new.csv", true, false); /* columns are found by name */
    remove(test_path("table.csv"));
    const ended *e = norma("predict", "alone", "new.csv");
    assert_code(e, 0);
    ck_assert_int_eq(strncmp(e->out, "0: class ash, probability ", 26), 0);
    assert_says(e->out, "\n59: class elm, the tall, probability ");
    e = norma("predict", "alone/best.safetensors", "new.csv", "--out", "p.csv", "--quiet");
    assert_code(e, 0);
    ck_assert_str_eq(e->out, "");
    size_t size;
    char *text = read_text(test_path("p.csv"), &size);
    assert_says(text, "sample,class,probability,ash,\"elm, the tall\",oak\n0,ash,");
    free(text);
}
END_TEST

/* The predictions of the first rows of the table. */
static nm_tensor *predict_with(nm_context *context, nm_predictor *predictor)
{
    nm_tensor *x = nm_tensor_create(context, NM_F32, NM_SHAPE(4, 2));
    for (int i = 0; i < 8; i++) {
        nm_tensor_set(x, i, i % 2 ? 50000 * (i % 3) + 77 : 5 * (i % 3));
    }
    nm_tensor *y = nm_predictor_run(predictor, x);
    nm_tensor_destroy(x);
    return y;
}

START_TEST(memory_holds_what_a_file_does_and_predicts_the_same_bits)
{
    train_table("memory");
    size_t size, saved_size, again;
    char *file = read_text(test_path("memory/best.safetensors"), &size);
    nm_context *context = nm_open(NULL);
    nm_predictor *from_file = nm_predictor_open(context, test_path("memory"));
    nm_predictor *from_memory = nm_predictor_open_memory(context, file, size, "best");
    assert_fine(context);
    nm_tensor *a = predict_with(context, from_file), *b = predict_with(context, from_memory);
    ck_assert_mem_eq(nm_tensor_data(a), nm_tensor_data(b), nm_tensor_bytes(a));

    nm_model *model = nm_predictor_model(from_memory);
    void *saved = nm_model_save_memory(model, &saved_size);
    ck_assert_int_eq(nm_model_save(model, test_path("again.safetensors")), NM_OK);
    char *written = read_text(test_path("again.safetensors"), &again);
    ck_assert_uint_eq(saved_size, again);
    ck_assert_mem_eq(saved, written, again);
    nm_store *store = nm_model_store(model);
    nm_tensor_fill(nm_store_at(store, 0)->tensor, 0);
    ck_assert_int_eq(nm_model_load_memory(model, saved, saved_size, "saved"), NM_OK);
    ck_assert(nm_tensor_get(nm_store_at(store, 0)->tensor, 0) != 0);
    free(written);
    free(file);
    nm_free(context, saved);
    nm_tensor_destroy(a);
    nm_tensor_destroy(b);
    nm_predictor_close(from_file);
    nm_predictor_close(from_memory);
    nm_close(context);
}
END_TEST

typedef struct bytes {
    char *data;
    size_t size;
} bytes;

static bytes held;

static nm_status save_and_load(test_memory *memory)
{
    nm_context *context = nm_open(&(nm_context_options){.allocator = test_allocator(memory)});
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    size_t size;
    nm_predictor *p = nm_predictor_open_memory(context, held.data, held.size, "held");
    nm_model *model = nm_predictor_model(p);
    void *saved = nm_model_save_memory(model, &size);
    nm_model_load_memory(model, saved, size, "saved");
    nm_status status = nm_context_status(context);
    nm_free(context, saved);
    nm_predictor_close(p);
    test_context_end(context, memory);
    return status;
}

START_TEST(any_allocation_may_fail_while_memory_is_read_and_written)
{
    train_table("failing");
    held.data = read_text(test_path("failing/best.safetensors"), &held.size);
    test_every_allocation(save_and_load);
    free(held.data);
}
END_TEST

START_TEST(memory_is_checked_as_strictly_as_a_file)
{
    train_table("strict");
    size_t size;
    char *file = read_text(test_path("strict/best.safetensors"), &size);
    nm_context *context = nm_open(NULL);
    nm_model *model = nm_model_open_memory(context, file, size, "best");
    for (size_t cut = 0; cut < size; cut += cut < 64 ? 1 : 97) {
        char *part = malloc(cut + 1); /* so that a read behind it is noticed */
        memcpy(part, file, cut);
        ck_assert_int_ne(nm_model_load_memory(model, part, cut, "cut"), NM_OK);
        ck_assert_int_eq(strncmp(nm_context_error(context), "cut", 3), 0);
        nm_context_clear_error(context);
        ck_assert_ptr_null(nm_model_open_memory(context, part, cut, "cut"));
        nm_context_clear_error(context);
        free(part);
    }
    ck_assert_ptr_null(nm_model_open_memory(context, NULL, 8, "none"));
    assert_error(context, NM_ERROR_INPUT, "data");
    nm_tensor_fill(nm_store_at(nm_model_store(model), 0)->tensor, NAN);
    ck_assert_ptr_null(nm_model_save_memory(model, &size));
    ck_assert_uint_eq(size, 0);
    assert_error(context, NM_ERROR_NUMERIC, "NaN");
    free(file);
    nm_model_destroy(model);
    nm_close(context);
}
END_TEST

START_TEST(a_program_gets_what_the_command_writes_to_the_bit)
{
    static const nm_dtype types[] = {NM_F64, NM_F32};
    train_table("bits");
    nm_context *context = nm_open(NULL);
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        nm_tensor *x = nm_tensor_create(context, types[k], NM_SHAPE(150, 2));
        for (int i = 0; i < 300; i++) {
            nm_tensor_set(x, i, i % 2 ? 777.25 * i : 0.0625 * i);
        }
        nm_npy_write(x, test_path("x.npy"));
        assert_code(norma("predict", "bits", "x.npy", "--quiet", "--out", "y.npy"), 0);
        nm_predictor *predictor = nm_predictor_open(context, test_path("bits"));
        nm_tensor *mine = nm_predictor_run(predictor, x),
                  *theirs = nm_npy_read(context, test_path("y.npy"));
        assert_fine(context);
        ck_assert(nm_shape_equal(nm_tensor_shape(mine), nm_tensor_shape(theirs)));
        ck_assert_mem_eq(nm_tensor_data(mine), nm_tensor_data(theirs), nm_tensor_bytes(mine));
        nm_tensor_destroy(theirs);
        nm_tensor_destroy(mine);
        nm_predictor_close(predictor);
        nm_tensor_destroy(x);
    }
    nm_close(context);
}
END_TEST

START_TEST(eval_and_check_take_a_run_or_its_file_alone)
{
    train_table("whole");
    const ended *e = norma("eval", "whole", "--data", "table.csv", "--json");
    assert_code(e, 0);
    ck_assert_double_eq_tol(json_field(e->out, "metric"), 1, 1e-12);
    ck_assert_double_eq(json_field(e->out, "samples"), 60);
    rename(test_path("whole/best.safetensors"), test_path("moved.safetensors"));
    e = norma("eval", "moved.safetensors", "--data", "table.csv", "--json");
    assert_code(e, 0);
    ck_assert_double_eq_tol(json_field(e->out, "metric"), 1, 1e-12);
    e = norma("eval", "moved.safetensors");
    assert_code(e, 2);
    assert_says(e->err, "give --data FILE");
    e = norma("check", "moved.safetensors");
    assert_code(e, 0);
    assert_says(e->out, "trained with cross_entropy");
    assert_says(e->out, "dense2");
    write_table("new.csv", false, false);
    e = norma("eval", "moved.safetensors", "--data", "new.csv");
    ck_assert_int_ne(e->code, 0);
    assert_says(e->err, "new.csv has no targets to compare with");
}
END_TEST

START_TEST(values_come_back_in_their_own_unit)
{
    static const char net[] = "model: [dense: {units: 2}]\n"
                              "data: {train: {csv: {path: v.csv, target: [money, degrees]}}, "
                              "batch: 10}\nloss: mse\n"
                              "train: {epochs: 60, metric: mean_absolute_error, "
                              "optimizer: {sgd: {rate: 0.1, momentum: 0.9}}}\n";
    char text[4096] = "a,money,degrees\n";
    for (int i = 0; i < 50; i++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "%d,%d,%g\n", i,
                 1000000 + 20000 * ((i * 7) % 50), 20 - 0.5 * ((i * 7) % 50));
    }
    write_text("values.yaml", net);
    write_text("v.csv", text);
    assert_code(norma("train", "values.yaml", "--quiet", "--out", "values", "--set",
                      "data.train.csv.columns=a"),
                0);
    write_text("one.csv", "a\n14\n");
    const ended *e = norma("predict", "values", "one.csv");
    assert_code(e, 0);
    assert_says(e->out, "0: money 1");
    assert_says(e->out, ", degrees ");
    nm_context *context = nm_open(NULL);
    nm_model *model = nm_model_open_saved(context, test_path("values"));
    assert_fine(context);
    const nm_schema *schema = nm_model_schema(model);
    ck_assert_int_eq(schema->target_channels, 2);
    ck_assert_double_eq_tol(schema->target_mean[0], 1490000, 1e-6);
    ck_assert_double_eq_tol(schema->target_mean[1], 7.75, 1e-12);
    nm_model_destroy(model);
    nm_close(context);
}
END_TEST

START_TEST(targets_in_a_file_of_their_own_are_no_column_of_the_samples)
{
    char x[2048] = "", y[2048] = "";
    for (int i = 0; i < 40; i++) {
        snprintf(x + strlen(x), sizeof x - strlen(x), "%d %d.5 %d\n", (i * 7) % 40, i % 9, i % 5);
        snprintf(y + strlen(y), sizeof y - strlen(y), "%d.25\n", (i * 7) % 40 + 2 * (i % 9));
    }
    write_text("x.csv", x);
    write_text("y.csv", y);
    write_text("apart.yaml", "model: [dense: {units: 1}]\n"
                             "data:\n  train: {csv: {path: x.csv, target_path: y.csv}}\n"
                             "  test: {csv: {path: x.csv, target_path: y.csv}}\nloss: mse\n");
    assert_code(norma("train", "apart.yaml", "--quiet", "--out", "apart"), 0);
    const ended *e = norma("predict", "apart", "x.csv", "--json");
    assert_code(e, 0);
    assert_says(e->out, "{\"sample\": 39, ");
    e = norma("eval", "apart", "--json");
    assert_code(e, 0);
    ck_assert_double_eq(json_field(e->out, "samples"), 40);
    ck_assert_double_lt(json_field(e->out, "loss"), 1e-4); /* it is linear, but for weight decay */
}
END_TEST

START_TEST(weights_of_another_network_are_refused_with_the_first_difference)
{
    train_table("mine");
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "other", "--set", "model.1=tanh"),
                0);
    const ended *e = norma("predict", "net.yaml", "table.csv", "--weights", "other");
    assert_code(e, 2);
    assert_says(e->err, "it is of another network: layer relu1 is tanh there, relu here");
}
END_TEST

START_TEST(a_sample_that_is_not_finite_is_named_with_its_element)
{
    train_table("finite");
    nm_context *context = nm_open(NULL);
    nm_predictor *predictor = nm_predictor_open(context, test_path("finite"));
    float samples[2][2] = {{1, 10077}, {1, (float)NAN}};
    nm_tensor *x = nm_tensor_wrap(context, NM_F32, NM_SHAPE(2, 2), samples);
    ck_assert_ptr_null(nm_predictor_run(predictor, x));
    assert_error(context, NM_ERROR_INPUT, "sample 1 has NaN at element 1; remove or replace it");
    nm_context_clear_error(context);
    samples[1][1] = 0;
    samples[0][0] = (float)INFINITY;
    ck_assert_ptr_null(nm_predictor_run(predictor, x));
    assert_error(context, NM_ERROR_INPUT, "sample 0 has an infinity at element 0");
    nm_context_clear_error(context);
    samples[0][0] = 1;
    nm_tensor *y = nm_predictor_run(predictor, x);
    ck_assert_ptr_nonnull(y);
    nm_tensor_destroy(y);
    nm_tensor_destroy(x);
    nm_predictor_close(predictor);
    nm_close(context);
}
END_TEST

START_TEST(a_program_that_holds_nothing_gets_an_error_and_no_crash)
{
    nm_context *context = nm_open(NULL);
    ck_assert_ptr_null(nm_predictor_open(context, test_path("no such run")));
    assert_error(context, NM_ERROR_IO, "no such run");
    ck_assert_ptr_null(nm_predictor_run(NULL, NULL));
    nm_predictor_close(NULL);
    nm_close(context);
}
END_TEST

TEST_MAIN("models/predictor", a_run_predicts_without_its_training_data_and_names_the_classes,
          a_program_gets_what_the_command_writes_to_the_bit,
          memory_holds_what_a_file_does_and_predicts_the_same_bits,
          any_allocation_may_fail_while_memory_is_read_and_written,
          memory_is_checked_as_strictly_as_a_file, eval_and_check_take_a_run_or_its_file_alone,
          values_come_back_in_their_own_unit,
          targets_in_a_file_of_their_own_are_no_column_of_the_samples,
          weights_of_another_network_are_refused_with_the_first_difference,
          a_sample_that_is_not_finite_is_named_with_its_element,
          a_program_that_holds_nothing_gets_an_error_and_no_crash)
