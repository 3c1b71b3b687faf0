#include <fcntl.h>
#include <string.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/core/files/files.h"

/* ---- Plain files ---- */

static void refuse_read(const char *path, size_t limit, nm_status status, const char *message)
{
    nm_context *context = test_context(NULL);
    size_t size;
    ck_assert_ptr_null(nm_file_read(context, path, limit, &size));
    assert_error(context, status, message);
    ck_assert_ptr_null(nm_file_read_gz(context, path, limit, &size));
    assert_error(context, status, message);
    nm_context_destroy(context);
}

START_TEST(a_file_is_read_whole_with_a_zero_behind_it)
{
    test_write_file(test_path("empty"), "", 0);
    expect_contents(test_path("empty"), "", 0);
    test_write_file(test_path("binary"), "a\0b\n", 4);
    expect_contents(test_path("binary"), "a\0b\n", 4);
}
END_TEST

START_TEST(a_missing_file_and_a_folder_are_named_in_the_error)
{
    refuse_read(test_path("none"), 10, NM_ERROR_IO, "/none\": No such file or directory");
    refuse_read("", 10, NM_ERROR_IO, "cannot read \"\": No such file or directory");
    refuse_read(test_folder(), 10, NM_ERROR_IO, "it is a folder");
    test_write_file(test_path("file"), "x", 1);
    refuse_read(test_path("file/below"), 10, NM_ERROR_IO, "Not a directory");
}
END_TEST

START_TEST(a_file_above_the_limit_is_refused_before_memory_is_asked_for)
{
    test_memory memory = {.fail_at = -1};
    nm_context *context = test_context(&memory);
    test_write_file(test_path("ten"), "0123456789", 10);
    long calls = memory.calls;
    size_t size;
    ck_assert_ptr_null(nm_file_read(context, test_path("ten"), 9, &size));
    assert_error(context, NM_ERROR_FORMAT, "it has 10 bytes, more than the 9 bytes allowed");
    ck_assert_int_eq(memory.calls, calls);
    char *contents = nm_file_read(context, test_path("ten"), 10, &size);
    ck_assert_uint_eq(size, 10);
    nm_free(context, contents);
    test_context_end(context, &memory);
}
END_TEST

START_TEST(a_file_without_a_size_is_read_to_its_end)
{
    /* Files in /proc say that they have 0 bytes. */
    nm_context *context = test_context(NULL);
    size_t size;
    char *contents = nm_file_read(context, "/proc/self/status", SIZE_MAX, &size);
    assert_fine(context);
    ck_assert(size > 100 && strlen(contents) == size);
    nm_free(context, contents);
    nm_context_destroy(context);
    refuse_read("/proc/self/status", 100, NM_ERROR_FORMAT, "more than the 100 bytes allowed");
}
END_TEST

/* Writes into a pipe (or a file) from a process of its own, piece by piece. */
static pid_t feed(const char *path, const char *data, size_t size, size_t piece, useconds_t pause)
{
    pid_t child = fork();
    if (child == 0) {
        usleep(pause); /* the reader waits for someone to open the pipe */
        int fd = open(path, O_WRONLY);
        for (size_t at = 0; at < size; at += piece) {
            usleep(pause);
            size_t count = size - at < piece ? size - at : piece;
            if (write(fd, data + at, count) != (ssize_t)count) {
                _exit(1);
            }
        }
        _exit(0);
    }
    return child;
}

START_TEST(a_pipe_is_read_to_its_end_through_signals_and_short_reads)
{
    const char *path = test_path("pipe");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    static char data[100000];
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (char)(i * 7 + i / 251);
    }
    pid_t child = feed(path, data, sizeof data, 9999, 2000);
    interrupt_often(true);
    expect_contents(path, data, sizeof data);
    interrupt_often(false);
    expect_exit(child);
}
END_TEST

START_TEST(a_device_without_end_is_read_up_to_the_limit)
{
    refuse_read("/dev/zero", 300000, NM_ERROR_FORMAT, "more than the 300000 bytes allowed");
    refuse_read("/dev/zero", 1, NM_ERROR_FORMAT, "more than the 1 bytes allowed");
    refuse_read("/dev/zero", 0, NM_ERROR_FORMAT, "more than the 0 bytes allowed");
}
END_TEST

/* Makes the file at `path` standard input; returns what undo_input() needs. */
static int become_input(const char *path)
{
    int kept = dup(STDIN_FILENO), fd = open(path, O_RDONLY | O_CLOEXEC);
    ck_assert(kept >= 0 && fd >= 0 && dup2(fd, STDIN_FILENO) == STDIN_FILENO);
    close(fd);
    return kept;
}

static void undo_input(int kept)
{
    ck_assert_int_eq(dup2(kept, STDIN_FILENO), STDIN_FILENO);
    close(kept);
}

START_TEST(standard_input_is_read_as_a_dash_and_stays_open)
{
    test_write_file(test_path("input"), "words", 5);
    int kept = become_input(test_path("input"));
    expect_contents("-", "words", 5);
    expect_contents("-", "", 0); /* it has been read, and is still there */
    undo_input(kept);
    kept = become_input(test_path("input"));
    refuse_read("-", 4, NM_ERROR_FORMAT, "cannot read standard input: it has 5 bytes, more than");
    undo_input(kept);
    kept = become_input("/dev/zero");
    refuse_read("-", 9, NM_ERROR_FORMAT, "cannot read standard input: it has more than the 9");
    undo_input(kept);
    kept = become_input(test_folder());
    refuse_read("-", 9, NM_ERROR_IO, "cannot read standard input: it is a folder");
    undo_input(kept);
}
END_TEST

/* ---- Gzip ---- */

/* Compresses `size` bytes into `out` as one gzip member; returns its length. */
static size_t gzip(const void *data, size_t size, unsigned char *out, size_t room)
{
    z_stream z = {0};
    ck_assert_int_eq(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)data;
    z.avail_in = (unsigned)size;
    z.next_out = out;
    z.avail_out = (unsigned)room;
    ck_assert_int_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    size_t length = z.total_out;
    deflateEnd(&z);
    return length;
}

static void expect_gz(const void *packed, size_t packed_size, size_t limit, const void *wanted,
                      size_t size)
{
    nm_context *context = test_context(NULL);
    test_write_file(test_path("x.gz"), packed, packed_size);
    size_t got = 0;
    char *contents = nm_file_read_gz(context, test_path("x.gz"), limit, &got);
    assert_fine(context);
    ck_assert_uint_eq(got, size);
    ck_assert_mem_eq(contents, wanted, size);
    ck_assert_int_eq(contents[size], 0);
    nm_free(context, contents);
    nm_context_destroy(context);
}

static void refuse_gz(const void *packed, size_t packed_size, size_t limit, const char *message)
{
    nm_context *context = test_context(NULL);
    test_write_file(test_path("x.gz"), packed, packed_size);
    size_t size;
    ck_assert_ptr_null(nm_file_read_gz(context, test_path("x.gz"), limit, &size));
    assert_error(context, NM_ERROR_FORMAT, message);
    nm_context_destroy(context);
}

static const char sentence[] = "the quick brown fox jumps over the lazy dog, again and again";

START_TEST(gzip_data_is_decompressed_and_other_data_left_alone)
{
    unsigned char packed[256];
    size_t length = gzip(sentence, sizeof sentence, packed, sizeof packed);
    expect_gz(packed, length, 1000, sentence, sizeof sentence);
    expect_gz("plain", 5, 1000, "plain", 5);
    expect_gz("\x1f", 1, 1000, "\x1f", 1);
    expect_gz("", 0, 1000, "", 0);
    length = gzip("", 0, packed, sizeof packed);
    expect_gz(packed, length, 1000, "", 0);
}
END_TEST

START_TEST(members_and_padding_behind_the_first_gzip_member_are_read)
{
    unsigned char packed[512] = {0};
    size_t first = gzip("one ", 4, packed, sizeof packed);
    size_t both = first + gzip("two", 3, packed + first, sizeof packed - first);
    expect_gz(packed, both, 1000, "one two", 7);
    expect_gz(packed, both + 100, 1000, "one two", 7); /* zeros */
    packed[both + 50] = 'x';
    refuse_gz(packed, both + 100, 1000, "100 bytes that are no gzip data follow");
}
END_TEST

START_TEST(gzip_data_cut_anywhere_is_an_error)
{
    unsigned char packed[256];
    size_t length = gzip(sentence, sizeof sentence, packed, sizeof packed);
    for (size_t cut = 2; cut < length; cut++) { /* one byte is no gzip data yet */
        refuse_gz(packed, cut, 1000, "truncated gzip data");
    }
}
END_TEST

START_TEST(damaged_gzip_data_is_an_error)
{
    unsigned char packed[256], bad[256];
    size_t length = gzip(sentence, sizeof sentence, packed, sizeof packed);
    memcpy(bad, packed, length);
    bad[length - 5] ^= 1; /* of the checksum */
    refuse_gz(bad, length, 1000, "damaged gzip data: incorrect data check");
    memcpy(bad, packed, length);
    bad[length - 1] ^= 1; /* of the length */
    refuse_gz(bad, length, 1000, "damaged gzip data: incorrect length check");
    memcpy(bad, packed, length);
    bad[2] = 7; /* the method */
    refuse_gz(bad, length, 1000, "damaged gzip data: unknown compression method");
}
END_TEST

START_TEST(no_damaged_byte_of_gzip_data_crashes_or_changes_the_contents)
{
    unsigned char packed[256];
    size_t length = gzip(sentence, sizeof sentence, packed, sizeof packed);
    nm_context *context = test_context(NULL);
    for (size_t at = 2; at < length; at++) {
        for (int bit = 0; bit < 8; bit++) {
            packed[at] ^= (unsigned char)(1 << bit);
            test_write_file(test_path("y.gz"), packed, length);
            size_t size;
            char *contents = nm_file_read_gz(context, test_path("y.gz"), 100000, &size);
            ck_assert(!contents == (nm_context_status(context) == NM_ERROR_FORMAT));
            /* Time, flags and system in the header are nobody's business. */
            ck_assert(!contents ||
                      (size == sizeof sentence && memcmp(contents, sentence, size) == 0));
            nm_free(context, contents);
            nm_context_clear_error(context);
            packed[at] ^= (unsigned char)(1 << bit);
        }
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(the_limit_holds_for_what_is_decompressed)
{
    static char zeros[1000000];
    static unsigned char packed[4096];
    size_t length = gzip(zeros, sizeof zeros, packed, sizeof packed);
    expect_gz(packed, length, sizeof zeros, zeros, sizeof zeros);
    refuse_gz(packed, length, sizeof zeros - 1, "more than the 999999 bytes allowed");
    refuse_gz(packed, length, length, "bytes allowed");
    refuse_gz(packed, length, length - 1, "bytes allowed"); /* not even the file */
}
END_TEST

/* An allocator that notes the largest block asked for. */
static void *noting_resize(void *user, void *memory, size_t size)
{
    size_t *largest = user;
    *largest = size > *largest ? size : *largest;
    if (!size) {
        free(memory);
        return NULL;
    }
    return realloc(memory, size);
}

START_TEST(a_claim_of_a_large_size_makes_no_memory)
{
    unsigned char packed[64];
    size_t length = gzip("x", 1, packed, sizeof packed), largest = 0, size;
    memset(packed + length - 4, 0xff, 4);
    test_write_file(test_path("claim.gz"), packed, length);
    nm_context_options options = {.allocator = {noting_resize, &largest}};
    nm_context *context = nm_context_create(&options);
    ck_assert_ptr_null(nm_file_read_gz(context, test_path("claim.gz"), SIZE_MAX, &size));
    assert_error(context, NM_ERROR_FORMAT, "incorrect length check");
    ck_assert(largest < 200000);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_bomb_of_many_members_meets_the_limit)
{
    static char zeros[1000000];
    static unsigned char packed[200000];
    size_t length = 0;
    for (int i = 0; i < 100; i++) {
        length += gzip(zeros, sizeof zeros, packed + length, sizeof packed - length);
    }
    refuse_gz(packed, length, 10000000, "more than the 10000000 bytes allowed");
}
END_TEST

/* ---- Memory ---- */

static nm_status read_both(test_memory *memory)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    size_t size;
    nm_free(context, nm_file_read(context, "/proc/self/status", 100000, &size));
    nm_free(context, nm_file_read_gz(context, test_path("memory.gz"), 1000000, &size));
    nm_status status = nm_context_status(context);
    test_context_end(context, memory);
    return status;
}

START_TEST(any_allocation_may_fail)
{
    static char zeros[300000];
    static unsigned char packed[4096];
    size_t length = gzip(zeros, sizeof zeros, packed, sizeof packed);
    length += gzip(zeros, 1, packed + length, sizeof packed - length); /* a bad guess: it grows */
    test_write_file(test_path("memory.gz"), packed, length);
    test_every_allocation(read_both);
}
END_TEST

TEST_MAIN("core/files/read", a_file_is_read_whole_with_a_zero_behind_it,
          a_missing_file_and_a_folder_are_named_in_the_error,
          a_file_above_the_limit_is_refused_before_memory_is_asked_for,
          a_file_without_a_size_is_read_to_its_end,
          a_pipe_is_read_to_its_end_through_signals_and_short_reads,
          a_device_without_end_is_read_up_to_the_limit,
          standard_input_is_read_as_a_dash_and_stays_open,
          gzip_data_is_decompressed_and_other_data_left_alone,
          members_and_padding_behind_the_first_gzip_member_are_read,
          gzip_data_cut_anywhere_is_an_error, damaged_gzip_data_is_an_error,
          no_damaged_byte_of_gzip_data_crashes_or_changes_the_contents,
          the_limit_holds_for_what_is_decompressed, a_claim_of_a_large_size_makes_no_memory,
          a_bomb_of_many_members_meets_the_limit, any_allocation_may_fail)
