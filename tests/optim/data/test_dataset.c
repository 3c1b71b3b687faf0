/* Data sets in memory: IDX and NPY files, checking and splitting. */
#include <math.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/optim/data/data_sets.h"

/* ---- IDX ---- */

/* Three images of 2 x 2 and their labels. */
static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0,  2,  0,  0,
                                       0, 2, 0, 1, 2, 3, 4, 5, 6, 7, 90, 91, 92, 255};
static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 3, 2, 0, 1};

static const char *write_gz(const char *name, const void *data, size_t size)
{
    const char *path = test_path(name);
    gzFile file = gzopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(gzwrite(file, data, (unsigned)size), (int)size);
    ck_assert_int_eq(gzclose(file), Z_OK);
    return path;
}

static void check_three_images(const nm_dataset *set)
{
    assert_fine(context);
    ck_assert_int_eq(set->count, 3);
    ck_assert(nm_shape_equal(&set->shape, &NM_SHAPE(2, 2, 1)));
    ck_assert_int_eq(set->dtype, NM_U8);
    ck_assert_mem_eq(set->samples, images + 16, 12);
    ck_assert_int_eq(set->target_shape.rank, 0);
    ck_assert_int_eq(set->target_dtype, NM_I32);
    ck_assert_mem_eq(set->targets, ((const int32_t[]){2, 0, 1}), 3 * sizeof(int32_t));
    ck_assert_int_eq(set->classes, 3);
}

START_TEST(images_and_labels_are_read_from_idx_files)
{
    nm_dataset set;
    begin(NULL);
    open_set(&set, "idx: {images: %s, labels: %s}", write_file("i", images, sizeof images),
             write_file("l", labels, sizeof labels));
    check_three_images(&set);
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(gzip_idx_files_are_the_same)
{
    nm_dataset set;
    begin(NULL);
    open_set(&set, "idx: {images: %s, labels: %s}", write_gz("i.gz", images, sizeof images),
             write_gz("l.gz", labels, sizeof labels));
    check_three_images(&set);
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(idx_images_may_come_without_labels)
{
    nm_dataset set;
    begin(NULL);
    open_set(&set, "idx: {images: %s}", write_file("i", images, sizeof images));
    assert_fine(context);
    ck_assert_ptr_null(set.targets);
    ck_assert_int_eq(set.classes, 0);
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(big_endian_idx_elements_of_any_type_become_f32)
{
    static const struct {
        unsigned char type, bytes[8];
        size_t size;
        float value;
    } rows[] = {
        {0x09, {0xfe}, 1, -2},
        {0x0b, {0xff, 0x00}, 2, -256},
        {0x0c, {0xff, 0xff, 0xff, 0xfd}, 4, -3},
        {0x0d, {0x3f, 0xc0, 0, 0}, 4, 1.5f},
        {0x0e, {0xc0, 0x04, 0, 0, 0, 0, 0, 0}, 8, -2.5f},
    };
    begin(NULL);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned char file[20] = {0, 0, rows[i].type, 2, 0, 0, 0, 1, 0, 0, 0, 1};
        nm_dataset set;
        memcpy(file + 12, rows[i].bytes, rows[i].size);
        open_set(&set, "idx: {images: %s}", write_file("typed", file, 12 + rows[i].size));
        assert_fine(context);
        ck_assert_int_eq(set.dtype, NM_F32);
        ck_assert(*(const float *)set.samples == rows[i].value);
        nm_dataset_close(&set);
    }
    nm_context_destroy(context);
}
END_TEST

/* Opens `size` bytes as images and expects that message. */
static void expect_idx_error(const void *bytes, size_t size, nm_status status, const char *part)
{
    nm_dataset set;
    const char *path = write_file("hostile", bytes, size);
    open_set(&set, "idx: {images: %s}", path);
    ck_assert_msg(strstr(nm_context_error(context), path) != NULL, "%s does not name the file",
                  nm_context_error(context));
    assert_error(context, status, part);
    ck_assert_ptr_null(set.samples);
}

START_TEST(hostile_idx_files_are_refused)
{
    begin(NULL);
    static const unsigned char magic[] = {0x89, 'P', 'N', 'G', 0, 0, 0, 0};
    expect_idx_error(magic, sizeof magic, NM_ERROR_FORMAT,
                     "not an IDX file but a picture; save all");
    expect_idx_error("a,b,class\n", 10, NM_ERROR_FORMAT,
                     "not an IDX file but text; read a table with csv: {path: ...}");
    expect_idx_error("\x93NUMPY\1\0", 8, NM_ERROR_FORMAT,
                     "not an IDX file but a NumPy array; read it with npy: {x: ..., y: ...}");
    expect_idx_error("", 0, NM_ERROR_FORMAT, "not an IDX file but empty");
    expect_idx_error("\0\0\x0a\1", 4, NM_ERROR_FORMAT,
                     "not an IDX file: it begins with 00 00 0a 01");
    expect_idx_error("\1\0\x08", 3, NM_ERROR_FORMAT, "not an IDX file: it begins with 01 00 08");
    expect_idx_error("\0\0\x0a\1\0\0\0\0", 8, NM_ERROR_FORMAT, "not an IDX file");
    expect_idx_error("\0\0\x08\0", 4, NM_ERROR_FORMAT, "0 dimensions");
    expect_idx_error("\0\0\x08\x07", 4, NM_ERROR_FORMAT, "7 dimensions; 1 to 6");
    expect_idx_error("\0\0\x08\x03\0\0", 6, NM_ERROR_FORMAT, "cannot hold 3 dimensions");
    expect_idx_error(images, sizeof images - 1, NM_ERROR_FORMAT,
                     "truncated: the header promises [3, 2, 2] elements of 1 bytes, but 11 bytes");
    expect_idx_error("\0\0\x08\x02\0\0\0\1\0\0\0\1xy", 14, NM_ERROR_FORMAT, "too long");
    expect_idx_error(labels, sizeof labels, NM_ERROR_FORMAT, "are these the labels?");
    expect_idx_error("\0\0\x08\x02\0\0\0\0\0\0\0\1", 12, NM_ERROR_FORMAT, "no samples");
    expect_idx_error("\0\0\x08\x02\0\0\0\1\0\0\0\0", 12, NM_ERROR_FORMAT, "none of them 0");
    nm_context_destroy(context);
}
END_TEST

START_TEST(idx_files_that_hold_far_more_or_less_than_they_say_are_refused)
{
    static unsigned char bomb[4 << 20];
    nm_dataset set;
    begin(NULL);
    memcpy(bomb, "\0\0\x08\3\0\0\0\4\0\0\0\2\0\0\0\2", 16);
    open_set(&set, "idx: {images: %s}", write_gz("bomb.gz", bomb, sizeof bomb));
    assert_error(
        context, NM_ERROR_FORMAT,
        "too long: the header promises [4, 2, 2] elements of 1 bytes, but at least 17 bytes");
    memcpy(bomb + 4, "\x7f\xff\xff\xff", 4);
    open_set(&set, "idx: {images: %s}", write_gz("less.gz", bomb, 100));
    assert_error(context, NM_ERROR_FORMAT, "[2147483647, 2, 2] elements of 1 bytes, but at most ");
    /* 4 GiB, or 1 where a process can address no more. */
    const bool wide = SIZE_MAX > UINT32_MAX;
    const char *path = write_file(
        "sparse", wide ? "\0\0\x08\2\0\1\0\0\0\1\0\0" : "\0\0\x08\2\0\0\x80\0\0\0\x80\0", 12);
    ck_assert_int_eq(truncate(path, ((off_t)1 << (wide ? 32 : 30)) + 12), 0);
    open_set(&set, "idx: {images: %s}", path);
    assert_error(context, NM_ERROR_FORMAT, "are stored, the rest are holes");
    nm_context_destroy(context);
}
END_TEST

START_TEST(idx_files_come_from_standard_input)
{
    nm_dataset set;
    begin(NULL);
    int kept = dup(STDIN_FILENO);
    ck_assert_ptr_nonnull(freopen(write_gz("i.gz", images, sizeof images), "rb", stdin));
    open_set(&set, "idx: {images: '-', labels: %s}", write_file("l", labels, sizeof labels));
    check_three_images(&set);
    nm_dataset_close(&set);
    open_set(&set, "idx: {images: '-'}");
    assert_error(context, NM_ERROR_FORMAT, "standard input: not an IDX file but empty");
    ck_assert_int_eq(dup2(kept, STDIN_FILENO), STDIN_FILENO);
    close(kept);
    nm_context_destroy(context);
}
END_TEST

START_TEST(idx_dimensions_whose_product_overflows_are_refused)
{
    unsigned char file[32];
    begin(NULL);
    memset(file, 0xff, sizeof file);
    memcpy(file, "\0\0\x08\x06", 4);
    expect_idx_error(file, sizeof file, NM_ERROR_FORMAT, "truncated: the header promises");
    /* 2^62 elements of 8 bytes are 2^65 bytes, which wraps to 0. */
    static const unsigned char wraps[] = {0, 0, 0x0e, 2, 0x80, 0, 0, 0, 0x80, 0, 0, 0};
    expect_idx_error(wraps, sizeof wraps, NM_ERROR_FORMAT, "truncated: the header promises");
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_truncated_gzip_file_is_refused)
{
    nm_dataset set;
    unsigned char file[256];
    begin(NULL);
    FILE *whole = fopen(write_gz("whole.gz", images, sizeof images), "rb");
    size_t size = fread(file, 1, sizeof file, whole);
    fclose(whole);
    for (size_t cut = 3; cut < size; cut++) {
        const char *path = write_file("cut.gz", file, cut);
        ck_assert_int_ne(open_set(&set, "idx: {images: %s}", path), NM_OK);
        assert_error(context, NM_ERROR_FORMAT, "cut.gz");
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_label_out_of_range_is_named)
{
    nm_dataset set;
    begin(NULL);
    const char *i = write_file("i", images, sizeof images);
    const char *l = write_file("l", labels, sizeof labels);
    open_set(&set, "idx: {images: %s, labels: %s, classes: 2}", i, l);
    ck_assert_ptr_nonnull(strstr(nm_context_error(context), l));
    assert_error(context, NM_ERROR_FORMAT,
                 "sample 0 has label 2, but the 2 classes go from 0 to 1");
    static const unsigned char negative[] = {0, 0, 9, 1, 0, 0, 0, 3, 0, 0xff, 1};
    open_set(&set, "idx: {images: %s, labels: %s}", i, write_file("n", negative, sizeof negative));
    assert_error(context, NM_ERROR_FORMAT, "sample 1 has label -1");
    open_set(&set, "idx: {images: %s, labels: %s, classes: 10}", i, l);
    assert_fine(context);
    ck_assert_int_eq(set.classes, 10);
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(unequal_counts_and_swapped_files_are_named)
{
    nm_dataset set;
    begin(NULL);
    const char *i = write_file("i", images, sizeof images);
    static const unsigned char two[] = {0, 0, 8, 1, 0, 0, 0, 2, 0, 1};
    open_set(&set, "idx: {images: %s, labels: %s}", i, write_file("two", two, sizeof two));
    assert_error(context, NM_ERROR_FORMAT, "has 2 labels, but");
    open_set(&set, "idx: {images: %s, labels: %s}", i, i);
    assert_error(context, NM_ERROR_FORMAT, "are these the images?");
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_missing_file_comes_with_a_remedy)
{
    nm_dataset set;
    begin(NULL);
    open_set(&set, "idx: {images: /nowhere/fashion-mnist/train-images-idx3-ubyte.gz}");
    assert_error(context, NM_ERROR_IO,
                 "idx: cannot read /nowhere/fashion-mnist/train-images-idx3-ubyte.gz: No such file "
                 "or directory; Debian has it: apt install dataset-fashion-mnist");
    open_set(&set, "idx: {images: nowhere.gz}");
    assert_error(context, NM_ERROR_IO, "a path in a file is meant from that file");
    open_set(&set, "idx: {labels: x}");
    assert_error(context, NM_ERROR_INPUT, "\"images\" is missing");
    nm_context_destroy(context);
}
END_TEST

/* ---- NPY ---- */

static const char *write_npy(const char *name, nm_dtype dtype, nm_shape shape, const void *data)
{
    const char *path = test_path(name);
    nm_tensor *tensor = nm_tensor_copy_of(context, dtype, shape, data);
    nm_npy_write(tensor, path);
    nm_tensor_destroy(tensor);
    assert_fine(context);
    return path;
}

START_TEST(npy_targets_are_labels_or_values_by_their_type)
{
    nm_dataset set;
    begin(NULL);
    const char *x = write_npy("x.npy", NM_F64, NM_SHAPE(2, 2), (double[]){1, 2, 3, 4.5});
    const char *y = write_npy("y.npy", NM_I64, NM_SHAPE(2), (int64_t[]){4, 0});
    open_set(&set, "npy: {x: %s, y: %s}", x, y);
    assert_fine(context);
    ck_assert_int_eq(set.dtype, NM_F64);
    ck_assert_mem_eq(set.samples, ((const double[]){1, 2, 3, 4.5}), 4 * sizeof(double));
    ck_assert_int_eq(set.target_dtype, NM_I32);
    ck_assert_mem_eq(set.targets, ((const int32_t[]){4, 0}), 2 * sizeof(int32_t));
    ck_assert_int_eq(set.classes, 5);
    nm_dataset_close(&set);
    open_set(&set, "npy: {x: %s, y: %s, targets: values}", x, y);
    assert_fine(context);
    ck_assert_int_eq(set.target_dtype, NM_F64);
    /* Never []: [batch] against an output of [batch, 1] would broadcast. */
    ck_assert(nm_shape_equal(&set.target_shape, &NM_SHAPE(1)));
    ck_assert_mem_eq(set.targets, ((const double[]){4, 0}), 2 * sizeof(double));
    ck_assert_int_eq(set.classes, 0);
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(every_reader_lets_the_ignored_label_through)
{
    static const unsigned char signed_labels[] = {0, 0, 9, 1, 0, 0, 0, 3, 1, 0x9c, 0};
    static const double floats[] = {1, -100, 0};
    static const int64_t integers[] = {1, -100, 0};
    static const char csv[] = "5,1\n6,-100\n7,0\n";
    nm_dataset sets[4];
    begin(NULL);
    const char *x = write_npy("x.npy", NM_F32, NM_SHAPE(3, 1), (float[]){5, 6, 7});
    open_ignoring(&sets[0], -100, "idx: {images: %s, labels: %s}",
                  write_file("i", images, sizeof images),
                  write_file("l", signed_labels, sizeof signed_labels));
    open_ignoring(&sets[1], -100, "npy: {x: %s, y: %s}", x,
                  write_npy("i.npy", NM_I64, NM_SHAPE(3), integers));
    open_ignoring(&sets[2], -100, "npy: {x: %s, y: %s, targets: labels}", x,
                  write_npy("f.npy", NM_F64, NM_SHAPE(3), floats));
    open_ignoring(&sets[3], -100, "csv: {path: %s}", write_file("t.csv", csv, strlen(csv)));
    assert_fine(context);
    for (int i = 0; i < 4; i++) {
        ck_assert_mem_eq(sets[i].targets, ((const int32_t[]){1, -100, 0}), 12);
        ck_assert_int_eq(sets[i].classes, 2);
        nm_dataset_close(&sets[i]);
    }
    nm_context_destroy(context);
}
END_TEST

/* Negative, but not the one that is ignored; too large for a label; between two. */
START_TEST(other_labels_are_refused_still)
{
    static const double wrong[] = {4e9, -100.5, -4e9};
    nm_dataset set;
    begin(NULL);
    const char *x = write_npy("x.npy", NM_F32, NM_SHAPE(1, 1), (float[]){5});
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const char *y = write_npy("y.npy", NM_F64, NM_SHAPE(1), &wrong[i]);
        open_ignoring(&set, -100, "npy: {x: %s, y: %s, targets: labels}", x, y);
        assert_error(context, NM_ERROR_FORMAT, "for a label; labels are integers");
    }
    open_ignoring(&set, -100, "npy: {x: %s, y: %s, targets: labels}", x,
                  write_npy("y.npy", NM_F64, NM_SHAPE(1), (double[]){-99}));
    assert_error(context, NM_ERROR_FORMAT, "sample 0 has label -99; classes count from 0");
    nm_context_destroy(context);
}
END_TEST

START_TEST(bytes_in_npy_files_are_images)
{
    nm_dataset set;
    begin(NULL);
    open_set(&set, "npy: {x: %s}",
             write_npy("x.npy", NM_U8, NM_SHAPE(3, 2, 2), (unsigned char[12]){1, 2, 3}));
    assert_fine(context);
    ck_assert_int_eq(set.dtype, NM_U8);
    ck_assert(nm_shape_equal(&set.shape, &NM_SHAPE(2, 2, 1)));
    ck_assert_int_eq(((const unsigned char *)set.samples)[2], 3);
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(npy_files_that_do_not_fit_are_refused)
{
    nm_dataset set;
    begin(NULL);
    const char *x = write_npy("x.npy", NM_F32, NM_SHAPE(2, 1), (float[]){1, NAN});
    open_set(&set, "npy: {x: %s}", x);
    assert_error(context, NM_ERROR_FORMAT, "sample 1 has NaN among its values");
    x = write_npy("x.npy", NM_F64, NM_SHAPE(2, 1), (double[]){(double)INFINITY, 1});
    open_set(&set, "npy: {x: %s}", x);
    assert_error(context, NM_ERROR_FORMAT, "sample 0 has an infinity");
    x = write_npy("x.npy", NM_F64, NM_SHAPE(2, 1), (double[]){1, -1e39});
    open_set(&set, "npy: {x: %s}", x);
    assert_error(context, NM_ERROR_FORMAT, "sample 1 has -1e39 among its values, more than f32");
    x = write_npy("x.npy", NM_I64, NM_SHAPE(2, 1), (int64_t[]){1ll << 53, (1ll << 53) + 1});
    open_set(&set, "npy: {x: %s}", x);
    assert_error(context, NM_ERROR_FORMAT,
                 "element [1, 0] is 9007199254740993, whose last digits f64 does not keep");
    x = write_npy("x.npy", NM_F32, NM_SHAPE(2, 1), (float[]){1, 2});
    const char *y = write_npy("y.npy", NM_F32, NM_SHAPE(2), (float[]){1, 0.5f});
    open_set(&set, "npy: {x: %s, y: %s, targets: labels}", x, y);
    assert_error(context, NM_ERROR_FORMAT, "sample 1 has 0.5 for a label");
    y = write_npy("y.npy", NM_I32, NM_SHAPE(3), (int32_t[]){1, 0, 1});
    open_set(&set, "npy: {x: %s, y: %s}", x, y);
    assert_error(context, NM_ERROR_FORMAT, "has 2 samples; they must be as many");
    y = write_npy("y.npy", NM_I32, NM_SHAPE(2, 2), (int32_t[]){1, 0, 1, 0});
    open_set(&set, "npy: {x: %s, y: %s}", x, y);
    assert_error(context, NM_ERROR_FORMAT, "one number a sample (to predict numbers, set");
    open_set(&set, "npy: {x: %s}", write_npy("v.npy", NM_F32, NM_SHAPE(2), (float[]){1, 2}));
    assert_error(context, NM_ERROR_FORMAT,
                 "2 dimensions or more, samples first: in NumPy, x[None] is a single sample");
    y = write_npy("y.npy", NM_F64, NM_SHAPE(2), (double[]){1, 1e12});
    open_set(&set, "npy: {x: %s, y: %s, targets: labels}", x, y);
    assert_error(context, NM_ERROR_FORMAT, "sample 1 has 1000000000000 for a label; labels are");
    y = write_npy("y.npy", NM_I32, NM_SHAPE(2), (int32_t[]){-7, -3});
    open_set(&set, "npy: {x: %s, y: %s}", x, y);
    assert_error(
        context, NM_ERROR_FORMAT,
        "sample 0 has label -7; classes count from 0 (to predict numbers, the loss is mse");
    nm_context_destroy(context);
}
END_TEST

/* ---- Splitting ---- */

START_TEST(a_split_takes_every_sample_once_and_in_order)
{
    nm_dataset set, rest, part;
    begin(NULL);
    open_set(&set, "spirals: {points: 100}");
    ck_assert_int_eq(nm_dataset_split(&set, 0.25, 7, &rest, &part), NM_OK);
    ck_assert_int_eq(part.count, 25);
    ck_assert_int_eq(rest.count, 75);
    int seen[100] = {0};
    for (int64_t i = 0; i < part.count; i++) {
        seen[part.rows[i]]++;
        ck_assert(i == 0 || part.rows[i] > part.rows[i - 1]);
    }
    ck_assert_int_ne(part.rows[24], 24); /* not simply the first ones */
    ck_assert_int_ne(part.rows[0], 75);  /* nor the last */
    for (int64_t i = 0; i < rest.count; i++) {
        seen[rest.rows[i]]++;
        ck_assert(i == 0 || rest.rows[i] > rest.rows[i - 1]);
    }
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(seen[i], 1);
    }
    nm_dataset_close(&rest);
    nm_dataset_close(&part);
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_split_depends_on_its_seed_alone)
{
    nm_dataset set, rest[3], part[3];
    begin(NULL);
    open_set(&set, "spirals: {points: 100}");
    for (int i = 0; i < 3; i++) {
        nm_dataset_split(&set, 0.5, i == 2 ? 8 : 7, &rest[i], &part[i]);
    }
    ck_assert_mem_eq(part[0].rows, part[1].rows, 50 * sizeof(int64_t));
    ck_assert_mem_ne(part[0].rows, part[2].rows, 50 * sizeof(int64_t));
    for (int i = 0; i < 3; i++) {
        nm_dataset_close(&rest[i]);
        nm_dataset_close(&part[i]);
    }
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_split_that_leaves_one_side_empty_is_refused)
{
    nm_dataset set, rest, part;
    begin(NULL);
    open_set(&set, "spirals: {points: 4}");
    static const double fractions[] = {0.1, 0.9, 0, 1, -1, NAN};
    for (int i = 0; i < 6; i++) {
        nm_dataset_split(&set, fractions[i], 0, &rest, &part);
        assert_error(context, NM_ERROR_INPUT, "of 4 samples would leave one side empty");
        ck_assert(!rest.rows && !part.rows);
    }
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

/* ---- A reader from outside ---- */

static nm_status open_nothing(nm_context *c, const void *options, const nm_schema *schema,
                              nm_dataset *set)
{
    (void)options;
    (void)schema;
    set->memory[0] = nm_alloc(c, 8); /* what a failing reader leaves is closed for it */
    set->count = 5;
    return NM_OK;
}

START_TEST(a_reader_that_breaks_its_contract_is_an_error)
{
    static const nm_dataset_type hollow = {
        .item = NM_ITEM(nm_dataset_type, "hollow", "no samples", .spec = NULL),
        .open = open_nothing};
    nm_dataset set;
    test_memory memory = {.fail_at = -1};
    begin(&memory);
    nm_register(context, NM_KIND_DATASET, &hollow.item);
    open_set(&set, "hollow");
    assert_error(context, NM_ERROR_FORMAT, "hollow: it has no samples");
    test_context_end(context, &memory);
}
END_TEST

/* ---- Memory ---- */

static nm_status open_and_split(test_memory *memory)
{
    nm_dataset set, rest, part;
    begin(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    if (open_set(&set, "idx: {images: %s, labels: %s}", test_path("i"), test_path("l")) == NM_OK) {
        nm_dataset_split(&set, 0.4, 0, &rest, &part);
        nm_dataset_close(&rest);
        nm_dataset_close(&part);
    }
    nm_dataset_close(&set);
    open_set(&set, "spirals: {points: 4}");
    nm_dataset_close(&set);
    open_set(&set, "npy: {x: %s, y: %s}", test_path("x.npy"), test_path("y.npy"));
    nm_dataset_close(&set);
    nm_status status = nm_context_status(context);
    test_context_end(context, memory);
    return status;
}

START_TEST(every_failing_allocation_is_reported_and_leaks_nothing)
{
    write_file("i", images, sizeof images);
    write_file("l", labels, sizeof labels);
    begin(NULL);
    write_npy("x.npy", NM_F64, NM_SHAPE(2, 1), (double[]){1, 2});
    write_npy("y.npy", NM_I64, NM_SHAPE(2), (int64_t[]){0, 1});
    nm_context_destroy(context);
    test_every_allocation(open_and_split);
}
END_TEST

TEST_MAIN("optim/dataset", images_and_labels_are_read_from_idx_files, gzip_idx_files_are_the_same,
          idx_images_may_come_without_labels, big_endian_idx_elements_of_any_type_become_f32,
          hostile_idx_files_are_refused,
          idx_files_that_hold_far_more_or_less_than_they_say_are_refused,
          idx_files_come_from_standard_input, idx_dimensions_whose_product_overflows_are_refused,
          a_truncated_gzip_file_is_refused, a_label_out_of_range_is_named,
          unequal_counts_and_swapped_files_are_named, a_missing_file_comes_with_a_remedy,
          npy_targets_are_labels_or_values_by_their_type,
          every_reader_lets_the_ignored_label_through, other_labels_are_refused_still,
          bytes_in_npy_files_are_images, npy_files_that_do_not_fit_are_refused,
          a_split_takes_every_sample_once_and_in_order, a_split_depends_on_its_seed_alone,
          a_split_that_leaves_one_side_empty_is_refused,
          a_reader_that_breaks_its_contract_is_an_error,
          every_failing_allocation_is_reported_and_leaks_nothing)
