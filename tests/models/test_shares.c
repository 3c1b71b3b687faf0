/* Training on values that are 0 or 1: the loss bce_with_logits, from a file to a prediction. */
#include <math.h>

#include "tests/models/command_helpers.h"

#define NET(loss, more)                                                                            \
    "model: [dense: {units: 2}]\n"                                                                 \
    "data: {train: {csv: {path: d.csv, target: [warm, far]}}, batch: 20" more "}\n"                \
    "loss: " loss "\n"                                                                             \
    "train: {epochs: 40, seed: 1, optimizer: {adam: {rate: 0.1}}}\n"

/* 60 rows, of which 45 are warm (x > 10) and 20 far (y < 1); `odd` stands in the last. */
static void write_table(const char *odd)
{
    char rows[4096];
    size_t length = (size_t)snprintf(rows, sizeof rows, "x,y,warm,far\n");
    for (int i = 0; i < 60; i++) {
        length += (size_t)snprintf(rows + length, sizeof rows - length, "%d.5,%d.25,%d,%s\n",
                                   i % 4 ? 11 + i % 7 : 2 + i % 5, i % 3, i % 4 > 0,
                                   i == 59 ? odd
                                   : i % 3 ? "0"
                                           : "1");
    }
    write_text("d.csv", rows);
}

static const ended *train(const char *net, const char *out)
{
    write_text("net.yaml", net);
    return norma("train", "net.yaml", "--out", out, "--quiet");
}

START_TEST(questions_are_learned_and_answered_with_probabilities)
{
    const char *last = "";
    write_table("0");
    assert_code(train(NET("bce_with_logits", ""), "learned"), 0);
    assert_code(norma("eval", "learned", "--data", "d.csv", "--json"), 0);
    size_t size;
    char *out = read_text(test_path("stdout"), &size);
    json_lines(out, &last);
    ck_assert(json_field(last, "binary_accuracy") == 1);
    ck_assert(json_field(last, "loss") < 0.3);
    free(out);
    write_text("new.csv", "x,y,warm,far\n15.5,0.25,,\n2.5,2.25,,\n");
    const ended *e = norma("predict", "learned", "new.csv");
    assert_code(e, 0);
    double warm[2], far[2];
    ck_assert_msg(sscanf(e->out, "0: warm %lf, far %lf\n1: warm %lf, far %lf", &warm[0], &far[0],
                         &warm[1], &far[1]) == 4,
                  "%s", e->out);
    ck_assert(warm[0] > 0.5 && warm[0] <= 1 && far[0] > 0.5 && far[0] <= 1);
    ck_assert(warm[1] < 0.5 && warm[1] >= 0 && far[1] < 0.5 && far[1] >= 0);
}
END_TEST

/* The loss of what is guessed without looking: the entropy of 3/4 and of 1/3, and their mean. */
START_TEST(the_baseline_answers_with_shares)
{
    write_table("0");
    const ended *e = train(NET("bce_with_logits", ", test: {csv: {path: d.csv}}"), "guessed");
    assert_code(e, 0);
    size_t size;
    char *log = read_text(test_path("guessed/log.jsonl"), &size);
    const double q = 0.75, p = 1.0 / 3;
    const double wanted =
        -(q * log1p(q - 1) + (1 - q) * log1p(-q) + p * log1p(p - 1) + (1 - p) * log1p(-p)) / 2;
    ck_assert_double_eq_tol(json_field(log, "test_baseline_loss"), wanted, 1e-6);
    free(log);
}
END_TEST

START_TEST(other_targets_and_scales_of_them_are_refused)
{
    write_table("2");
    const ended *e = train(NET("bce_with_logits", ""), "refused");
    assert_code(e, 2);
    assert_says(e->err, "target 1 of sample 59 is 2; the loss takes values from 0 to 1");
    write_table("0");
    e = train(NET("bce_with_logits", ", normalize_targets: auto"), "refused");
    assert_code(e, 2);
    assert_says(e->err, "the loss takes targets from 0 to 1 as they are");
    e = train(NET("{bce_with_logits: {pos_weight: [1]}}", ""), "refused");
    assert_code(e, 2);
    assert_says(e->err, "\"pos_weight\" has 1 number, but the network has 2 outputs");
}
END_TEST

START_TEST(a_sigmoid_before_the_loss_is_warned_of)
{
    write_table("0");
    const ended *e = train("model: [dense: {units: 2}, sigmoid]\n"
                           "data: {train: {csv: {path: d.csv, target: [warm, far]}}}\n"
                           "loss: bce_with_logits\n"
                           "train: {epochs: 1}\n",
                           "warned");
    assert_code(e, 0);
    assert_says(e->err, "the loss \"bce_with_logits\" takes a sigmoid itself");
}
END_TEST

/* A rare 1 that counts nine times pulls the output up. */
START_TEST(the_weight_of_ones_is_the_ops)
{
    nm_context *context = nm_open(NULL);
    nm_tape *tape = nm_tape_create(context);
    float logits[] = {0.5f, -1, 2, 0.25f}, targets[] = {1, 0, 0, 1};
    nm_numbers weight = {.count = 2, .at = (double[]){9, 0.5}};
    const nm_bce_with_logits_loss_options o = {.pos_weight = weight};
    const nm_choice choice = {.item = &nm_loss_bce_with_logits.item, .options = &o};
    nm_loss loss;
    ck_assert_int_eq(nm_loss_begin(&loss, context, &choice), NM_OK);
    nm_tensor *x = nm_tape_wrap(tape, NM_F32, NM_SHAPE(2, 2), logits);
    const nm_batch batch = {
        .count = 2, .targets = targets, .target_dtype = NM_F32, .target_shape = NM_SHAPE(2, 2)};
    double wanted = 0;
    for (int i = 0; i < 4; i++) {
        const double p = 1 / (1 + exp(-(double)logits[i]));
        wanted -= targets[i] > 0 ? weight.at[i % 2] * log(p) : log(1 - p);
    }
    nm_tensor *y = nm_loss_of(&loss, tape, x, &batch);
    assert_fine(context);
    assert_near(nm_tensor_item(y), wanted / 4, 1e-6, 0);
    nm_loss_end(&loss);
    nm_tape_destroy(tape);
    nm_close(context);
}
END_TEST

/* ---- lbfgs: of all samples ---- */

START_TEST(lbfgs_learns_in_few_updates_and_warns_of_parts)
{
    static const char net[] =
        "model: [dense: {units: 2}]\n"
        "data: {train: {csv: {path: d.csv, target: [warm, far]}}, batch: %d}\n"
        "loss: mse\n"
        "train: {epochs: 30, seed: 1, optimizer: lbfgs}\n";
    char text[512];
    write_table("0");
    snprintf(text, sizeof text, net, 30);
    const ended *e = train(text, "parts");
    assert_says(e->err, "lbfgs goes by gradients of all samples, but an epoch has 2 updates");
    assert_says(e->err, "give `data: {batch: 60}`");
    snprintf(text, sizeof text, net, 60);
    e = train(text, "all");
    assert_code(e, 0);
    ck_assert_str_eq(e->err, "");
}
END_TEST

/* ---- nll ---- */

START_TEST(nll_of_log_softmax_learns_what_cross_entropy_does)
{
    static const char net[] = "model: [dense: {units: 2}%s]\n"
                              "data: {train: {csv: {path: d.csv, target: warm}}, batch: 20}\n"
                              "loss: %s\n"
                              "train: {epochs: 5, seed: 1, optimizer: {adam: {rate: 0.1}}}\n";
    static const char *const ends[][2] = {{"", "cross_entropy"}, {", log_softmax", "nll"}};
    char text[512];
    double losses[2];
    write_table("0");
    for (int i = 0; i < 2; i++) {
        const char *last = "";
        snprintf(text, sizeof text, net, ends[i][0], ends[i][1]);
        const ended *e = train(text, ends[i][1]);
        assert_code(e, 0);
        ck_assert_str_eq(e->err, "");
        assert_code(norma("eval", ends[i][1], "--data", "d.csv", "--json"), 0);
        size_t size;
        char *out = read_text(test_path("stdout"), &size);
        json_lines(out, &last);
        losses[i] = json_field(last, "loss");
        free(out);
    }
    ck_assert_double_eq_tol(losses[0], losses[1], 1e-5);
    snprintf(text, sizeof text, net, "", "nll");
    const ended *e = train(text, "plain");
    assert_says(e->err, "the loss \"nll\" takes logarithms of probabilities");
}
END_TEST

TEST_MAIN("models/shares", questions_are_learned_and_answered_with_probabilities,
          the_baseline_answers_with_shares, other_targets_and_scales_of_them_are_refused,
          a_sigmoid_before_the_loss_is_warned_of, the_weight_of_ones_is_the_ops,
          lbfgs_learns_in_few_updates_and_warns_of_parts,
          nll_of_log_softmax_learns_what_cross_entropy_does)
