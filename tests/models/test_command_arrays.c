/* Arrays for a network that is there: of other types, with other labels. */
#include "tests/models/command_helpers.h"

typedef double number_of(int64_t i);

static void write_array(const char *name, nm_dtype dtype, nm_shape shape, number_of *number)
{
    nm_context *context = nm_open(NULL);
    nm_tensor *x = nm_tensor_create(context, dtype, shape);
    for (int64_t i = 0; i < nm_tensor_count(x); i++) {
        nm_tensor_set(x, i, number(i));
    }
    ck_assert_int_eq(nm_npy_write(x, test_path(name)), NM_OK);
    nm_tensor_destroy(x);
    nm_close(context);
}

static double some(int64_t i)
{
    return (double)(i * 37 % 100);
}

static double fraction(int64_t i)
{
    return (double)i / 8;
}

static double large(int64_t i)
{
    return (double)(i * 9);
}

static double odd(int64_t i)
{
    return (double)(5 + 2 * (i % 3)); /* 5, 7, 9 */
}

static double other(int64_t i)
{
    return i == 4 ? 8 : odd(i);
}

static double wide(int64_t i)
{
    return (double)(1000 + 30 * i);
}

static double unheard(int64_t i)
{
    return i == 11 ? 1 : wide(i);
}

static void train(const char *x, const char *y, int classes, const char *run)
{
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "model: [flatten, dense: {units: %d}]\nloss: cross_entropy\ntrain: {epochs: 1}\n"
             "data: {train: {npy: {x: %s, y: %s}}}\n",
             classes, x, y);
    write_text("net.yaml", yaml);
    assert_code(norma("train", "net.yaml", "--out", run, "--quiet"), 0);
}

START_TEST(labels_that_no_class_had_are_named)
{
    write_array("x.npy", NM_F32, NM_SHAPE(6, 3), some);
    write_array("y.npy", NM_I64, NM_SHAPE(6), odd);
    write_array("other.npy", NM_I64, NM_SHAPE(6), other);
    train("x.npy", "y.npy", 3, "odd");
    assert_code(norma("eval", "odd", "--data", "x.npy", "--labels", "y.npy"), 0);
    const ended *e = norma("eval", "odd", "--data", "x.npy", "--labels", "other.npy");
    assert_code(e, 2);
    assert_says(
        e->err,
        "other.npy: sample 4 has label 8, which is no class that was trained on: 5, 7, 9\n");
}
END_TEST

START_TEST(of_many_classes_the_first_are_named)
{
    write_array("wx.npy", NM_F32, NM_SHAPE(12, 3), some);
    write_array("wy.npy", NM_I64, NM_SHAPE(12), wide);
    write_array("wu.npy", NM_I64, NM_SHAPE(12), unheard);
    train("wx.npy", "wy.npy", 12, "wide");
    const ended *e = norma("eval", "wide", "--data", "wx.npy", "--labels", "wu.npy");
    assert_code(e, 2);
    assert_says(e->err,
                "sample 11 has label 1, which is no class that was trained on: 1000, 1030, ");
    assert_says(e->err, ", ...\n");
}
END_TEST

/* Whole numbers from 0 to 255 are bytes, of whatever type. */
START_TEST(a_network_of_bytes_takes_bytes_of_any_type_and_nothing_else)
{
    static const nm_dtype types[] = {NM_U8, NM_I32, NM_I64, NM_F32, NM_F64};
    const nm_shape shape = NM_SHAPE(6, 2, 2, 3);
    char first[MAX_TEXT] = "";
    write_array("b.npy", NM_U8, shape, some);
    write_array("by.npy", NM_I64, NM_SHAPE(6), odd);
    train("b.npy", "by.npy", 3, "bytes");
    for (int i = 0; i < NM_COUNT_OF(types); i++) {
        write_array("a.npy", types[i], shape, some);
        const ended *e = norma("predict", "bytes", "a.npy");
        assert_code(e, 0);
        ck_assert_str_eq(i ? first : e->out, e->out);
        strcpy(first, e->out);
    }
    write_array("a.npy", NM_I32, shape, large);
    const ended *e = norma("predict", "bytes", "a.npy");
    assert_code(e, 2);
    assert_says(e->err, "the network takes images of bytes, from 0 to 255, but 261 is among the ");
    ck_assert_ptr_null(strstr(e->err, "f64")); /* what i32 is read as */
    write_array("a.npy", NM_F32, shape, fraction);
    e = norma("predict", "bytes", "a.npy");
    assert_code(e, 2);
    assert_says(e->err, "0.125 is among the samples; if they were scaled, undo that");
}
END_TEST

START_TEST(targets_of_another_shape_are_refused)
{
    write_array("vx.npy", NM_F32, NM_SHAPE(6, 3), some);
    write_array("two.npy", NM_F32, NM_SHAPE(6, 2), fraction);
    write_array("three.npy", NM_F32, NM_SHAPE(6, 3), fraction);
    write_text("net.yaml", "model: [dense: {units: 2}]\nloss: mse\ntrain: {epochs: 1}\n"
                           "data: {train: {npy: {x: vx.npy, y: two.npy}}}\n");
    assert_code(norma("train", "net.yaml", "--out", "values", "--quiet"), 0);
    const ended *e = norma("eval", "values", "--data", "vx.npy", "--labels", "three.npy");
    assert_code(e, 2);
    assert_says(e->err, "npy: a target has shape [3], but those trained on have [2]");
}
END_TEST

/* Images of one, three or four channels that a page has room for are shown as they are. */
START_TEST(mistakes_on_images_of_bytes_are_shown)
{
    static const struct {
        int64_t side, channels;
        bool shown;
    } cases[] = {{2, 1, true}, {2, 2, false}, {2, 3, true}, {2, 4, true}, {600, 1, false}};
    write_array("iy.npy", NM_I64, NM_SHAPE(6), odd);
    for (int i = 0; i < NM_COUNT_OF(cases); i++) {
        char run[24], page[24];
        size_t size;
        snprintf(run, sizeof run, "images%d", i);
        snprintf(page, sizeof page, "page%d.html", i);
        write_array("i.npy", NM_U8, NM_SHAPE(6, cases[i].side, 2, cases[i].channels), some);
        train("i.npy", "iy.npy", 3, run);
        assert_code(norma("report", run, "--out", page), 0);
        char *text = read_text(test_path(page), &size);
        ck_assert_msg(!strstr(text, "data:image/png") == !cases[i].shown, "case %d", i);
        free(text);
    }
}
END_TEST

static void expect_indexes(const char *x, const char *data, int count, const char *says)
{
    char yaml[512];
    snprintf(yaml, sizeof yaml,
             "model: [embedding: {num_embeddings: %d, embedding_dim: 2}, flatten, dense: {units: "
             "3}]\nloss: cross_entropy\ntrain: {epochs: 1}\n"
             "data: {train: {npy: {x: %s, y: ey.npy}}%s}\n",
             count, x, data);
    write_text("net.yaml", yaml);
    for (int trains = 0; trains < 2; trains++) {
        const ended *e =
            trains ? norma("train", "net.yaml", "--out", "refused") : norma("check", "net.yaml");
        assert_code(e, 2);
        assert_says(e->err, says);
        ck_assert(!is_there("refused"));
    }
}

START_TEST(what_an_embedding_cannot_take_is_told_before_training)
{
    write_array("ex.npy", NM_F32, NM_SHAPE(6, 3), some);
    write_array("ef.npy", NM_F64, NM_SHAPE(6, 3), fraction);
    write_array("ey.npy", NM_I64, NM_SHAPE(6), odd);
    expect_indexes(
        "ex.npy", "", 100,
        "net.yaml:1:9: layer \"embedding1\" takes whole numbers, so samples are not to be "
        "standardized: data: {normalize: none}\n");
    expect_indexes(
        "ex.npy", ", normalize: none", 90,
        "net.yaml:1:9: sample 2 has 96 among its numbers, but layer \"embedding1\" takes "
        "whole ones from 0 to 89; num_embeddings says how many\n");
    expect_indexes("ex.npy", ", normalize: none, test: {npy: {x: ef.npy, y: ey.npy}}", 100,
                   "sample 0 has 0.125 among its numbers");
    write_text("net.yaml", "model: [embedding: {num_embeddings: 100, embedding_dim: 2}, flatten, "
                           "dense: {units: 3}]\nloss: cross_entropy\ntrain: {epochs: 1}\n"
                           "data: {train: {npy: {x: ex.npy, y: ey.npy}}, normalize: none}\n");
    assert_code(norma("train", "net.yaml", "--quiet", "--out", "embedded"), 0);
}
END_TEST

TEST_MAIN("models/command_arrays", labels_that_no_class_had_are_named,
          of_many_classes_the_first_are_named,
          a_network_of_bytes_takes_bytes_of_any_type_and_nothing_else,
          targets_of_another_shape_are_refused, mistakes_on_images_of_bytes_are_shown,
          what_an_embedding_cannot_take_is_told_before_training)
