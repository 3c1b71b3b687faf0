/* norma bench: which rows there are, that each of them runs, and what it says. Times decide
 * nothing. */
#include <dirent.h>

#include "tests/models/command_helpers.h"

/* ---- Rows ---- */

START_TEST(every_network_of_the_zoo_has_a_row)
{
    char folder[512];
    const ended *e = norma("bench", "--list");
    assert_code(e, 0);
    DIR *zoo = opendir(build_file(folder, "NORMA_SOURCE", "models/zoo"));
    ck_assert_ptr_nonnull(zoo);
    int count = 0;
    for (struct dirent *entry; (entry = readdir(zoo));) {
        char name[300];
        snprintf(name, sizeof name, "%s", entry->d_name);
        char *ending = strstr(name, ".yaml");
        if (ending) {
            *ending = 0;
            assert_says(e->out, name);
            count++;
        }
    }
    closedir(zoo);
    ck_assert_int_gt(count, 5);
}
END_TEST

START_TEST(every_row_runs_and_says_the_same_things)
{
    const char *at;
    int rows = 0;
    for (at = norma("bench", "--list")->out; (at = strchr(at, '\n')); at++) {
        rows++;
    }
    const ended *e = norma("bench", "--seconds", "0", "--json", "--threads", "2");
    assert_code(e, 0);
    ck_assert_str_eq(e->err, "");
    int count = 0;
    for (const char *line = e->out; *line; line = strchr(line, '\n') + 1, count++) {
        ck_assert_double_gt(json_field(line, "us_best"), 0);
        ck_assert_double_ge(json_field(line, "us_median"), json_field(line, "us_best"));
        ck_assert_double_ge(json_field(line, "batch"), 1);
        ck_assert_double_eq(json_field(line, "threads"), 2);
        ck_assert_double_gt(json_field(line, "peak_mb"), 1);
    }
    ck_assert_int_eq(count, rows);
    ck_assert_int_gt(count, 50);
}
END_TEST

START_TEST(every_op_has_a_row_that_runs)
{
    char row[100];
    nm_context *context = test_context(NULL);
    ck_assert_int_eq(nm_register_ops(context), NM_OK);
    const ended *e = norma("bench", "--ops", "--seconds", "0", "--json", "--threads", "2");
    assert_code(e, 0);
    ck_assert_str_eq(e->err, "");
    for (int i = 0; i < nm_item_count(context, NM_KIND_OP); i++) {
        snprintf(row, sizeof row, "\"name\": \"%s ", nm_item_at(context, NM_KIND_OP, i)->name);
        assert_says(e->out, row);
    }
    test_context_end(context, NULL);
}
END_TEST

START_TEST(an_ops_row_is_large_beside_its_sample_and_says_what_is_composed)
{
    const char *last = "";
    const ended *e = norma("bench", "--ops", "sigmoid_grad", "--json", "--seconds", "0.001");
    assert_code(e, 0);
    json_lines(e->out, &last);
    ck_assert_double_gt(json_field(last, "batch"), 100);
    ck_assert_double_gt(json_field(last, "share"), 0);
    assert_says(norma("bench", "--ops", "--list", "var")->out, ", composed\n");
    ck_assert_ptr_null(strstr(norma("bench", "--ops", "--list", "cumsum")->out, "composed"));
}
END_TEST

START_TEST(a_filter_keeps_the_rows_that_contain_it)
{
    const char *last = "";
    const ended *e = norma("bench", "mlp_bn_paper", "--json", "--seconds", "0", "--threads", "1");
    assert_code(e, 0);
    ck_assert_int_eq(json_lines(e->out, &last), 1);
    assert_says(last, "\"name\": \"mlp_bn_paper\"");
    assert_says(last, "\"precision\": \"f32\"");
    ck_assert_double_eq(json_field(last, "batch"), 60);
    ck_assert_double_eq(json_field(last, "threads"), 1);
    ck_assert_double_gt(json_field(last, "samples_per_second"), 0);
    ck_assert_double_gt(json_field(last, "gflops"), 0);
    ck_assert_double_gt(json_field(last, "share"), 0);
}
END_TEST

START_TEST(the_table_has_a_heading_and_the_machines_limit)
{
    const ended *e = norma("bench", "batch_norm 128x8x8x64", "--seconds", "0", "--threads", "1");
    assert_code(e, 0);
    assert_says(e->out, "1 thread, f32\n");
    assert_says(e->out, "One op");
    assert_says(e->out, "of limit");
    assert_says(e->out, "batch_norm 128x8x8x64");
    assert_says(e->out, "GB/s");
}
END_TEST

START_TEST(it_ends_where_its_rows_cannot_be_written)
{
    const char *const words[] = {"bench", "copy", "--seconds", "0", NULL};
    const ended *e = finish(start(words, (running_options){.out = "/dev/full"}));
    assert_code(e, 1);
    assert_says(e->err, "norma: cannot write to standard output");
}
END_TEST

/* ---- A file ---- */

START_TEST(a_file_is_a_row_of_its_own)
{
    const char *last = "";
    write_text("net.yaml", "model: {input: [12], layers: [{dense: {units: 3}}]}\n"
                           "loss: mse\n");
    const ended *e = norma("bench", "net.yaml", "--batch", "7", "--seconds", "0", "--json");
    assert_code(e, 0);
    ck_assert_int_eq(json_lines(e->out, &last), 1);
    assert_says(last, "\"name\": \"net\"");
    ck_assert_double_eq(json_field(last, "batch"), 7);
}
END_TEST

START_TEST(a_file_that_leaves_the_batch_to_the_data_has_one)
{
    const char *last = "";
    write_text("net.yaml", "model: {input: [2], layers: [{dense: {units: 2}}]}\n"
                           "data: {train: {spirals: {points: 40}}}\n");
    const ended *e = norma("bench", "net.yaml", "--seconds", "0", "--json");
    assert_code(e, 0);
    ck_assert_int_eq(json_lines(e->out, &last), 1);
    ck_assert_double_eq(json_field(last, "batch"), 128);
}
END_TEST

START_TEST(a_loss_that_counts_classes_counts_those_of_the_batch)
{
    const char *last = "";
    write_text("net.yaml", "model: {input: [12], layers: [{dense: {units: 3}}]}\n"
                           "loss: {cross_entropy: {weight: balanced}}\n");
    const ended *e = norma("bench", "net.yaml", "--seconds", "0", "--json");
    assert_code(e, 0);
    ck_assert_int_eq(json_lines(e->out, &last), 1);
}
END_TEST

/* ---- Mistakes ---- */

START_TEST(a_mistake_is_named)
{
    static const struct {
        const char *const words[6], *says;
    } cases[] = {
        {{"bench", "mlp_nb"}, "no row's name contains \"mlp_nb\"; `norma bench --list`"},
        {{"bench", "--threads", "0"}, "--threads is \"0\"; it must be a number from 1 to 1024"},
        {{"bench", "--threads", "100000"}, "--threads is \"100000\"; it must be a number from 1"},
        {{"bench", "--threads", "1.5"}, "--threads must be a whole number"},
        {{"bench", "--seconds", "two"}, "--seconds is \"two\"; it must be a number from 0 to 3600"},
        {{"bench", "--precision", "f16"}, "--precision is \"f16\"; it must be f32 or bf16"},
        {{"bench", "--batch", "64", "mlp"}, "--batch goes with a FILE"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ended *e = finish(start(cases[i].words, (running_options){0}));
        assert_code(e, 2);
        assert_says(e->err, cases[i].says);
        ck_assert_str_eq(e->out, "");
    }
    const ended *e = norma("bench", "nowhere.yaml");
    assert_code(e, 1);
    assert_says(e->err, "nowhere.yaml");
}
END_TEST

START_TEST(a_processor_without_bf16_is_told_so)
{
    const char *last = "";
    const ended *e =
        norma("bench", "mlp_bn_paper", "--seconds", "0", "--json", "--precision", "bf16");
    assert_code(e, 0);
    ck_assert_int_eq(json_lines(e->out, &last), 1);
    assert_says(last, nm_has_bf16() ? "\"bf16\"" : "\"f32\"");
    ck_assert_int_eq(strstr(e->err, "no bf16 products") != NULL, !nm_has_bf16());
}
END_TEST

TEST_MAIN("models/command_bench", every_network_of_the_zoo_has_a_row,
          every_row_runs_and_says_the_same_things, every_op_has_a_row_that_runs,
          an_ops_row_is_large_beside_its_sample_and_says_what_is_composed,
          a_filter_keeps_the_rows_that_contain_it, the_table_has_a_heading_and_the_machines_limit,
          it_ends_where_its_rows_cannot_be_written, a_file_is_a_row_of_its_own,
          a_file_that_leaves_the_batch_to_the_data_has_one,
          a_loss_that_counts_classes_counts_those_of_the_batch, a_mistake_is_named,
          a_processor_without_bf16_is_told_so)
