/* Which rows are held out, told by a file. */
#include "core/op.h"
#include "tests/optim/data/data_sets.h"

static nm_status read_rows(const char *name, const char *text, int64_t first, bool held[10])
{
    memset(held, 0, 10 * sizeof *held);
    return nm_split_read(context, write_file(name, text, strlen(text)), first, 10, held);
}

START_TEST(rows_are_read_from_text)
{
    bool held[10];
    static const char *const texts[] = {"3\n9\n0\n", "row\r\n3\r\n 9 \r\n\r\n0\r\n",
                                        "# held out\n3\n# and\n9\n0", "\xef\xbb\xbfindex\n3\n9\n0"};
    begin(NULL);
    for (int i = 0; i < NM_COUNT_OF(texts); i++) {
        ck_assert_int_eq(read_rows("rows.csv", texts[i], 0, held), NM_OK);
        for (int k = 0; k < 10; k++) {
            ck_assert_int_eq(held[k], k == 3 || k == 9 || k == 0);
        }
    }
    ck_assert_int_eq(read_rows("rows.txt", "1\n10\n", 1, held), NM_OK);
    ck_assert(held[0] && held[9] && !held[1]);
    nm_context_destroy(context);
}
END_TEST

START_TEST(rows_that_cannot_be_have_their_place)
{
    bool held[10];
    static const struct {
        const char *text;
        int64_t first;
        const char *error;
    } wrong[] = {
        {"3\n10\n", 0,
         "line 2: there is no row 10; they go from 0 to 9 (if the first one is 1, set "
         "first_index: 1)"},
        {"3\n-1\n", 0, "line 2: there is no row -1; they go from 0 to 9"},
        {"0\n", 1, "line 1: there is no row 0; they go from 1 to 10"},
        {"3\n\n3\n", 0, "line 3: row 3 is there twice"},
        {"3\n4.5\n", 0, "line 2: \"4.5\" is no row's number"},
        {"3,4\n", 0, "line 1: \"3,4\" is no row's number; write one a line"},
        {"3\nrow\n", 0, "line 2: \"row\" is no row's number"},
        {"3\n99999999999999999999\n", 0, "line 2: \"99999999999999999999\" is no row's number"},
        {"row\n", 0, "names no rows, which leaves one side empty"},
        {"", 0, "names no rows"},
        {"0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n", 0, "names all rows, which leaves one side empty"},
    };
    begin(NULL);
    for (int i = 0; i < NM_COUNT_OF(wrong); i++) {
        read_rows("rows.txt", wrong[i].text, wrong[i].first, held);
        assert_error(context, NM_ERROR_INPUT, wrong[i].error);
    }
    nm_split_read(context, test_path("nowhere.txt"), 0, 10, held);
    assert_error(context, NM_ERROR_IO, "nowhere.txt");
    nm_context_destroy(context);
}
END_TEST

static const char *write_array(const char *name, nm_dtype dtype, int64_t count, const void *data)
{
    const char *path = test_path(name);
    nm_tensor *t = nm_tensor_create(context, dtype, NM_SHAPE(count));
    memcpy(nm_tensor_data(t), data, (size_t)count * nm_dtype_size(dtype));
    nm_npy_write(t, path);
    nm_tensor_destroy(t);
    return path;
}

START_TEST(rows_are_read_from_an_array)
{
    bool held[10] = {0};
    begin(NULL);
    const char *path = write_array("rows.npy", NM_I64, 2, (int64_t[]){7, 2});
    ck_assert_int_eq(nm_split_read(context, path, 0, 10, held), NM_OK);
    ck_assert(held[7] && held[2] && !held[0]);
    path = write_array("rows.npy", NM_I32, 2, (int32_t[]){7, 7});
    memset(held, 0, sizeof held);
    nm_split_read(context, path, 0, 10, held);
    assert_error(context, NM_ERROR_INPUT, "element 1: row 7 is there twice");
    path = write_array("rows.npy", NM_F32, 2, (float[]){7, 2});
    nm_split_read(context, path, 0, 10, held);
    assert_error(context, NM_ERROR_INPUT, "holds f32; rows are integers, or truth values (bool)");
    nm_context_destroy(context);
}
END_TEST

/* NumPy's type of truth values, which tensors do not have. */
static const char *write_flags(const char *flags, int count)
{
    char file[128 + 10] = "\x93NUMPY\x01";
    memset(file + 10, ' ', 118);
    file[8] = 118;
    file[10 + snprintf(file + 10, 118, "{'descr': '|b1', 'fortran_order': False, 'shape': (%d,), }",
                       count)] = ' ';
    file[127] = '\n';
    memcpy(file + 128, flags, (size_t)count);
    return write_file("flags.npy", file, 128 + (size_t)count);
}

START_TEST(truth_values_tell_for_each_row)
{
    bool held[10] = {0};
    begin(NULL);
    nm_split_read(context, write_flags("\0\1\0\0\0\0\0\0\0\1", 10), 0, 10, held);
    assert_fine(context);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(held[i], i == 1 || i == 9);
    }
    nm_split_read(context, write_flags("\0\1\0", 3), 0, 10, held);
    assert_error(context, NM_ERROR_INPUT, "has 3 truth values, but there are 10 rows");
    nm_context_destroy(context);
}
END_TEST

START_TEST(rows_that_were_written_are_read_again)
{
    static const uint8_t parts[10] = {0, 1, 2, 1, 0, 0, 3, 0, 0, 1};
    bool held[10] = {0};
    begin(NULL);
    const char *path = test_path("validation.csv");
    ck_assert_int_eq(nm_split_write(context, path, parts, 10, NM_PART_VALIDATION), NM_OK);
    ck_assert_int_eq(nm_split_read(context, path, 0, 10, held), NM_OK);
    for (int i = 0; i < 10; i++) {
        ck_assert_int_eq(held[i], parts[i] == NM_PART_VALIDATION);
    }
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("optim/split_rows", rows_are_read_from_text, rows_that_cannot_be_have_their_place,
          rows_are_read_from_an_array, truth_values_tell_for_each_row,
          rows_that_were_written_are_read_again)
