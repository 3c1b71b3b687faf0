/* Training on labels in a row whose places are not known: the loss ctc, from a table to a
 * prediction. */
#include "core/random.h"
#include "ops/ops.h"
#include "tests/models/command_helpers.h"

#define NET                                                                                        \
    "model: [embedding: {num_embeddings: 4, embedding_dim: 8}, gru: {units: 12, direction: both}," \
    " dense: {units: 4}]\n"                                                                        \
    "data: {train: {csv: {path: d.csv, target: [a, b, c]}}, batch: 20, normalize: none%s}\n"       \
    "loss: %s\n"                                                                                   \
    "train: {epochs: %d, seed: 1, optimizer: {adam: {rate: 0.02}}}\n"

/* Eight steps; one to three of the even ones have a symbol from 1 to 3, and these are the labels.
 */
static void write_table(int padding)
{
    char rows[8192];
    nm_random random = nm_random_create(1, 0);
    size_t length = (size_t)snprintf(rows, sizeof rows, "p,q,r,s,t,u,v,w,a,b,c\n");
    for (int row = 0; row < 160; row++) {
        int labels[3] = {padding, padding, padding}, count = 0;
        for (int step = 0; step < 8; step++) {
            const bool speaks = step % 2 == 0 && count < 3 &&
                                (nm_random_below(&random, 2) || (step == 6 && !count));
            const int symbol = speaks ? 1 + (int)nm_random_below(&random, 3) : 0;
            if (speaks) {
                labels[count++] = symbol;
            }
            length += (size_t)snprintf(rows + length, sizeof rows - length, "%d,", symbol);
        }
        length += (size_t)snprintf(rows + length, sizeof rows - length, "%d,%d,%d\n", labels[0],
                                   labels[1], labels[2]);
    }
    write_text("d.csv", rows);
}

static const ended *train(const char *more, const char *loss, int epochs, const char *out)
{
    char net[1024];
    snprintf(net, sizeof net, NET, more, loss, epochs);
    write_text("net.yaml", net);
    return norma("train", "net.yaml", "--out", out, "--quiet");
}

START_TEST(labels_of_any_number_are_learned_without_their_places)
{
    const char *last = "";
    write_table(-1);
    assert_code(train("", "ctc", 8, "run"), 0);
    const ended *e = norma("eval", "run", "--data", "d.csv", "--json");
    assert_code(e, 0);
    json_lines(e->out, &last);
    ck_assert_double_lt(json_field(last, "loss"), 0.05); /* a coin for each label: 1 */
    ck_assert_double_lt(json_field(last, "label_error_rate"), 0.03);
    e = norma("eval", "run", "--data", "d.csv");
    assert_code(e, 0);
    ck_assert_ptr_null(strstr(e->out, "R2")); /* outputs are no targets */
}
END_TEST

/* The row of the table that has these symbols, learned well, and its labels. */
START_TEST(labels_are_predicted_without_padding_but_in_files)
{
    write_table(-1);
    assert_code(train("", "ctc", 8, "told"), 0);
    write_text("new.csv", "p,q,r,s,t,u,v,w\n1,0,3,0,0,0,0,0\n2,0,2,0,0,0,1,0\n");
    const ended *e = norma("predict", "told", "new.csv", "--out", "p.csv");
    assert_code(e, 0);
    ck_assert_str_eq(e->out, "0: 1 3\n1: 2 2 1\n");
    size_t size;
    char *table = read_text(test_path("p.csv"), &size);
    static const char head[] = "sample,output 0,output 1,output 2,output 3,output 4,output 5,"
                               "output 6,output 7\n0,1,3,-1,-1,-1,-1,-1,-1\n1,2,2,1,-1,";
    ck_assert_int_eq(strncmp(table, head, sizeof head - 1), 0);
    free(table);
    e = norma("predict", "told", "new.csv", "--json");
    assert_says(e->out, "\"outputs\": [1, 3]}");
}
END_TEST

START_TEST(a_metric_is_of_labels_in_a_row_or_of_values)
{
    write_table(-1);
    assert_code(train("", "ctc", 1, "b"), 0);
    const ended *e = norma("eval", "b", "--data", "d.csv", "--set", "train.metric=[r2]");
    assert_code(e, 2);
    assert_says(e->err, "the metric \"r2\" is for values, the loss \"ctc\" for labels in a row");
    e = norma("eval", "b", "--data", "d.csv", "--set", "train.metric=[sequence_accuracy]");
    assert_code(e, 0);
    assert_says(e->out, "sequence_accuracy");
}
END_TEST

/* The padding is the user's, and the same is learned, bit for bit. */
START_TEST(the_padding_may_be_another)
{
    double losses[2];
    for (int i = 0; i < 2; i++) {
        const char *last = "";
        write_table(i ? 99 : -1);
        assert_code(train("", i ? "{ctc: {padding: 99}}" : "ctc", 1, i ? "two" : "one"), 0);
        const ended *e = norma("eval", i ? "two" : "one", "--data", "d.csv", "--json");
        json_lines(e->out, &last);
        losses[i] = json_field(last, "loss");
    }
    ck_assert_double_gt(losses[0], 0.05);
    ck_assert_double_eq(losses[0], losses[1]);
    const ended *e = train("", "ctc", 1, "other");
    assert_code(e, 2);
    assert_says(e->err, "is 99; labels are classes from 0 to 3, and not the blank, 0");
}
END_TEST

START_TEST(targets_are_not_standardized_nor_asked_to_be)
{
    write_table(-1);
    const ended *e = train(", normalize_targets: auto", "ctc", 1, "asked");
    assert_code(e, 2);
    assert_says(e->err, "the loss takes targets as they are, but \"normalize_targets\" is auto");
}
END_TEST

/* ---- In C ---- */

/* The loss of outputs x [2, 5, 4] and targets [2, 3]. */
static nm_tensor *loss_of(nm_tape *tape, const nm_choice *choice, nm_tensor *x,
                          const float *targets)
{
    nm_loss loss;
    const nm_batch batch = {.count = 2,
                            .targets = (void *)(uintptr_t)targets,
                            .target_dtype = NM_F32,
                            .target_shape = NM_SHAPE(2, 3)};
    ck_assert_int_eq(nm_loss_begin(&loss, nm_tape_context(tape), choice), NM_OK);
    nm_tensor *mean = nm_loss_of(&loss, tape, x, &batch);
    nm_loss_end(&loss);
    return mean;
}

static nm_tensor *make_outputs(nm_tape *tape)
{
    nm_tensor *x = nm_tape_tensor(tape, NM_F32, NM_SHAPE(2, 5, 4));
    nm_random random = nm_random_create(1, 0);
    nm_random_fill_normal(&random, x, 0, 1);
    return x;
}

START_TEST(it_is_the_op_with_the_lengths_that_the_padding_says)
{
    nm_context *context = test_context(NULL);
    nm_register_ops(context);
    nm_tape *tape = nm_tape_create(context);
    const nm_choice choice = nm_ctc_loss();
    nm_tensor *x = make_outputs(tape);
    nm_tensor *mean = loss_of(tape, &choice, x, (const float[]){1, 2, -1, 3, -1, -1});
    nm_tensor *labels = nm_tape_wrap(tape, NM_I32, NM_SHAPE(2, 3), (int32_t[]){1, 2, 0, 3, 0, 0});
    nm_tensor *lengths = nm_tape_wrap(tape, NM_I32, NM_SHAPE(2), (int32_t[]){2, 1});
    nm_tensor *same = nm_ctc(tape, nm_log_softmax(tape, x), labels, NULL, lengths);
    assert_fine(context);
    ck_assert_double_eq(nm_tensor_item(mean), nm_tensor_item(same));
    nm_tensor *flat = nm_reshape(tape, x, NM_SHAPE(2, 20));
    ck_assert_ptr_null(loss_of(tape, &choice, flat, (const float[]){1, 2, -1, 3, -1, -1}));
    ck_assert_ptr_nonnull(strstr(nm_context_error(context), "must be [batch, steps, classes]"));
    nm_tape_destroy(tape);
    nm_context_destroy(context);
}
END_TEST

/* Rows of 0 behind the third step are padding: the loss is that of three steps, and nothing is read
 * there. */
START_TEST(steps_that_a_mask_leaves_out_do_not_count)
{
    nm_context *context = test_context(NULL);
    nm_register_ops(context);
    nm_tape *tape = nm_tape_create(context);
    const nm_choice choice = nm_ctc_loss(.mask_value = 0, .blank = 3);
    nm_tensor *x = make_outputs(tape);
    for (int64_t i = 12; i < 20; i++) {
        nm_tensor_set(x, i, 0);
    }
    const float targets[] = {1, 2, -1, 2, 0, 1};
    nm_tensor *mean = loss_of(tape, &choice, x, targets);
    nm_tensor *labels = nm_tape_wrap(tape, NM_I32, NM_SHAPE(2, 3), (int32_t[]){1, 2, 0, 2, 0, 1});
    nm_tensor *counts = nm_tape_wrap(tape, NM_I32, NM_SHAPE(2), (int32_t[]){2, 3});
    nm_tensor *steps = nm_tape_wrap(tape, NM_I32, NM_SHAPE(2), (int32_t[]){3, 5});
    nm_tensor *same = nm_ctc(tape, nm_log_softmax(tape, x), labels, steps, counts, .blank = 3);
    assert_fine(context);
    ck_assert_double_eq(nm_tensor_item(mean), nm_tensor_item(same));
    nm_loss loss;
    nm_loss_begin(&loss, context, &choice);
    nm_tensor *y = nm_loss_predicted(&loss, tape, x);
    ck_assert(nm_tensor_dtype(y) == NM_F32 && nm_tensor_get(y, 3) == -1 &&
              nm_tensor_get(y, 4) == -1); /* 0, the first of equal ones, is no blank here */
    nm_loss_end(&loss);
    assert_fine(context);
    nm_tape_destroy(tape);
    nm_context_destroy(context);
}
END_TEST

/* The last label counts, whatever stands before it. */
START_TEST(only_what_is_behind_a_rows_labels_is_padding)
{
    nm_context *context = test_context(NULL);
    nm_register_ops(context);
    nm_tape *tape = nm_tape_create(context);
    const nm_choice of_class = nm_ctc_loss(.padding = 2), none = nm_ctc_loss();
    nm_tensor *x = make_outputs(tape);
    nm_tensor *a = loss_of(tape, &of_class, x, (const float[]){1, 2, 3, 2, 3, 2});
    nm_tensor *b = loss_of(tape, &none, x, (const float[]){1, 2, 3, 2, 3, -1});
    assert_fine(context);
    ck_assert_double_eq(nm_tensor_item(a), nm_tensor_item(b));
    ck_assert_ptr_null(loss_of(tape, &none, x, (const float[]){1, -1, 3, 2, 3, -1}));
    ck_assert_ptr_nonnull(strstr(nm_context_error(context), "is -1; labels are classes"));
    nm_tape_destroy(tape);
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("models/ctc_loss", labels_of_any_number_are_learned_without_their_places,
          labels_are_predicted_without_padding_but_in_files,
          a_metric_is_of_labels_in_a_row_or_of_values, steps_that_a_mask_leaves_out_do_not_count,
          the_padding_may_be_another, targets_are_not_standardized_nor_asked_to_be,
          it_is_the_op_with_the_lengths_that_the_padding_says,
          only_what_is_behind_a_rows_labels_is_padding)
