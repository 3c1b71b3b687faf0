/* CSV files: bytes as text. */
#include "tests/optim/data/csv/tables.h"

static const double numbers[] = {1, 2, 3, 4};

/* `text` as UTF-16, of which it holds only characters below U+10000; bytes written. */
static size_t utf16(const char *text, bool big_endian, bool mark, unsigned char *bytes)
{
    size_t size = 0;
    const uint32_t codes[] = {0xfeff};
    for (const unsigned char *at = (const unsigned char *)text; mark || *at;) {
        uint32_t code = *codes;
        if (!mark) {
            const bool two = *at >= 0xc0;
            code = two ? (uint32_t)(*at & 0x1f) << 6 | (at[1] & 0x3f) : *at;
            at += two ? 2 : 1;
        }
        mark = false;
        bytes[size++] = (unsigned char)(big_endian ? code >> 8 : code & 0xff);
        bytes[size++] = (unsigned char)(big_endian ? code & 0xff : code >> 8);
    }
    return size;
}

START_TEST(utf16_of_either_order_is_the_same_table_with_and_without_a_mark)
{
    begin(NULL);
    for (int kind = 0; kind < 4; kind++) {
        nm_dataset set;
        unsigned char bytes[256];
        const size_t size =
            utf16("a\tl\xc3\xa4nge\ty\r\n1\t2\t0\r\n3\t4\t1\r\n", kind & 1, kind & 2, bytes);
        open_bytes(&set, NULL, bytes, size, "");
        expect_values(&set, 2, 2, numbers);
        ck_assert_str_eq(set.schema->column[1].name, "l\xc3\xa4nge");
        nm_dataset_close(&set);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_character_above_the_first_plane_is_two_units)
{
    nm_dataset set;
    begin(NULL);
    static const unsigned char bytes[] = {0xff, 0xfe, 0x3d, 0xd8, 0x00, 0xde, ',', 0,   'y',
                                          0,    '\n', 0,    '1',  0,    ',',  0,   '0', 0};
    open_bytes(&set, NULL, bytes, sizeof bytes, "");
    assert_fine(context);
    ck_assert_str_eq(set.schema->column[0].name, "\xf0\x9f\x98\x80");
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_is_no_utf8_is_read_as_windows_1252_and_told)
{
    nm_dataset set;
    begin_telling();
    open_table(&set, "l\xe4nge,\x80,y\n1,2,0\n3,4,1\n", "");
    expect_values(&set, 2, 2, numbers);
    ck_assert_str_eq(set.schema->column[0].name, "l\xc3\xa4nge");
    ck_assert_str_eq(set.schema->column[1].name, "\xe2\x82\xac");
    assert_told("t.csv is no UTF-8; it is read as Windows-1252 (Latin-1)");
    nm_dataset_close(&set);
    told[0] = 0;
    open_table(&set, "l\xc3\xa4nge,b,y\n1,2,0\n3,4,1\n", "");
    ck_assert_str_eq(told, "");
    nm_dataset_close(&set);
    nm_context_destroy(context);
}
END_TEST

/* Overlong forms, surrogates, what lies above U+10FFFF, a character cut off. */
START_TEST(what_only_looks_like_utf8_is_none)
{
    static const char *const wrong[] = {"\xc0\xaf",         "\xe0\x80\xaf",     "\xed\xa0\x80",
                                        "\xf0\x80\x80\xaf", "\xf4\x90\x80\x80", "\xe2\x82"};
    for (int i = 0; i < NM_COUNT_OF(wrong); i++) {
        nm_dataset set;
        char text[64];
        begin_telling();
        snprintf(text, sizeof text, "%s,b,y\n1,2,0\n3,4,1\n", wrong[i]);
        open_table(&set, text, "");
        expect_values(&set, 2, 2, numbers);
        assert_told("is no UTF-8");
        nm_dataset_close(&set);
        nm_context_destroy(context);
    }
}
END_TEST

static void expect_no_text(const void *bytes, size_t size, const char *part)
{
    nm_dataset set;
    open_bytes(&set, NULL, bytes, size, "");
    assert_error(context, NM_ERROR_FORMAT, part);
}

START_TEST(a_file_that_is_no_text_is_told_what_it_is)
{
    begin(NULL);
    expect_no_text("PK\3\4rest", 8,
                   "t.csv: it is a zip archive, as .xlsx and .ods are; save the sheet");
    expect_no_text("PAR1rest", 8, "it is a Parquet file; write the table as CSV");
    expect_no_text("\x93NUMPY\1\0", 8, "it is a NumPy array; read it with npy");
    expect_no_text("% x\n\n@RELATION r\n", 17, "t.csv: it is an ARFF file; keep what stands below");
    expect_no_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n", 63,
                   "it is a pointer of Git LFS and not the file itself");
    expect_no_text("[\n {\"a\": 1}]", 12, "it is JSON; write the table as CSV");
    expect_no_text("\n<!DOCTYPE HTML>\n<p>404", 24, "it is a web page (HTML)");
    expect_no_text("\0\0\x08\1\0\0\0\1\5", 9, "it is an IDX file; read it with idx");
    expect_no_text("1,2\n3,\0\n", 8, "t.csv:2: a zero byte, which no text has");
    expect_no_text("\xff\xfe"
                   "1\0,",
                   5, "it is UTF-16, but ends within a character (byte 4)");
    expect_no_text("\xff\xfe"
                   "1\0\0\xd8,\0",
                   8, "half of a character stands alone (byte 4)");
    expect_no_text("\xff\xfe\0\xd8", 4, "half of a character stands alone (byte 2)");
    nm_context_destroy(context);
}
END_TEST

TEST_MAIN("optim/csv_text", utf16_of_either_order_is_the_same_table_with_and_without_a_mark,
          a_character_above_the_first_plane_is_two_units,
          what_is_no_utf8_is_read_as_windows_1252_and_told, what_only_looks_like_utf8_is_none,
          a_file_that_is_no_text_is_told_what_it_is)
