/* What a file costs that says more, or holds more, than it should: traps of holes, of gzip data,
 * and pipes, whose size nobody knows. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "core/files/input.h"
#include "tests/core/files/files.h"
#include "tests/core/files/npy.h"

#define GIB ((off_t)1 << 30)

/* Large, and within what the processor can address. */
#if SIZE_MAX > UINT32_MAX
#define LARGE (4 * GIB)
#define LARGE_TEXT "4294967296"
#define HALF_TEXT "2147483648"
#define LESS_TEN_TEXT "4294967286"
#else
#define LARGE GIB
#define LARGE_TEXT "1073741824"
#define HALF_TEXT "536870912"
#define LESS_TEN_TEXT "1073741814"
#endif

/* ---- Helpers ---- */

/* An allocator that refuses blocks of more than 2 MiB. */
static void *small_resize(void *user, void *memory, size_t size)
{
    (void)user;
    if (!size) {
        free(memory);
        return NULL;
    }
    return size > 2 << 20 ? NULL : realloc(memory, size);
}

static nm_context *small_context(void)
{
    nm_context *context =
        nm_context_create(&(nm_context_options){.allocator = {small_resize, NULL}});
    ck_assert_ptr_nonnull(context);
    return context;
}

/* A file that begins with `front` and has `size` bytes, the rest of them a hole. */
static const char *make_sparse(const char *name, const void *front, size_t count, off_t size)
{
    const char *path = test_path(name);
    test_write_file(path, front, count);
    ck_assert_int_eq(truncate(path, size), 0);
    return path;
}

static void refuse_npy(const char *path, nm_status status, const char *message)
{
    nm_context *context = small_context();
    ck_assert_ptr_null(nm_npy_read(context, path));
    assert_error(context, status, message);
    nm_context_destroy(context);
}

static void refuse_tensors(const char *path, nm_status status, const char *message)
{
    nm_context *context = small_context();
    ck_assert_ptr_null(nm_tensor_file_read(context, path));
    assert_error(context, status, message);
    nm_context_destroy(context);
}

/* ---- Holes ---- */

START_TEST(an_array_that_declares_little_of_a_large_file_costs_little)
{
    bytes b = spell(1, DICT("'<f4'", "False", "(2, 3)"), 24);
    const char *path = make_sparse("little.npy", b.data, b.size, LARGE);
    char message[64];
    snprintf(message, sizeof message, "%lld bytes behind the array",
             (long long)LARGE - (long long)b.size);
    refuse_npy(path, NM_ERROR_FORMAT, message);
}
END_TEST

START_TEST(an_array_that_is_nearly_all_holes_is_refused)
{
    bytes b = spell(1, DICT("'|u1'", "False", "(" LARGE_TEXT ",)"), 0);
    const char *path = make_sparse("holes.npy", b.data, b.size, LARGE + (off_t)b.size);
    refuse_npy(path, NM_ERROR_FORMAT, "are stored, the rest are holes; was it copied whole?");
    /* Converted ones are no other. */
    b = spell(1, DICT("'>i2'", "False", "(" HALF_TEXT ",)"), 0);
    path = make_sparse("holes.npy", b.data, b.size, LARGE + (off_t)b.size);
    refuse_npy(path, NM_ERROR_FORMAT, "are stored, the rest are holes");
}
END_TEST

START_TEST(a_small_file_may_have_holes)
{
    bytes b = spell(1, DICT("'|u1'", "False", "(1000000,)"), 0);
    nm_context *context = test_context(NULL);
    nm_tensor *tensor =
        nm_npy_read(context, make_sparse("small.npy", b.data, b.size, 1000000 + (off_t)b.size));
    assert_fine(context);
    ck_assert_int_eq(nm_tensor_count(tensor), 1000000);
    nm_tensor_destroy(tensor);
    nm_context_destroy(context);
}
END_TEST

START_TEST(an_array_beyond_all_memory_is_refused_before_it_is_asked_for)
{
    /* 8 TiB: a system that gives more memory than it has would begin to read. */
    bytes b = spell(1, DICT("'<f8'", "False", "(1099511627776,)"), 0);
    off_t size = 8192 * GIB + (off_t)b.size;
    const char *path = test_path("huge.npy");
    test_write_file(path, b.data, b.size);
    if (truncate(path, size) != 0) { /* the file system has no such files */
        size = 0;
    }
    const bool fits = (uintmax_t)size <= SIZE_MAX;
    refuse_npy(path, size && fits ? NM_ERROR_MEMORY : NM_ERROR_FORMAT,
               !size  ? "truncated"
               : fits ? "it needs 8796093022208 bytes of memory, and"
                      : "bytes allowed");
}
END_TEST

START_TEST(a_tensor_file_of_holes_costs_little)
{
    const char *path = make_sparse("tail", "\2\0\0\0\0\0\0\0{}", 10, LARGE);
    refuse_tensors(path, NM_ERROR_FORMAT, LESS_TEN_TEXT " bytes behind the last tensor's");
    path = make_sparse("header", "\0\xe1\xf5\5\0\0\0\0", 8, LARGE); /* 100 000 000 */
    refuse_tensors(path, NM_ERROR_FORMAT, "its header must begin with {");
    static const char header[] =
        "\x4e\0\0\0\0\0\0\0{\"a\": {\"dtype\": \"U8\", \"shape\": [" LARGE_TEXT "], "
        "\"data_offsets\": [0, " LARGE_TEXT "]}}";
    ck_assert_uint_eq(sizeof header - 1, 8 + 0x4e);
    path = make_sparse("data", header, sizeof header - 1, LARGE + (off_t)sizeof header - 1);
    refuse_tensors(path, NM_ERROR_FORMAT, "are stored, the rest are holes");
}
END_TEST

START_TEST(a_text_of_holes_is_refused)
{
    const char *path = make_sparse("text", "a,b\n", 4, LARGE);
    nm_context *context = small_context();
    size_t size;
    ck_assert_ptr_null(nm_file_read(context, path, SIZE_MAX, &size));
    assert_error(context, NM_ERROR_FORMAT, "of its " LARGE_TEXT " bytes only ");
    nm_context_destroy(context);
}
END_TEST

/* ---- Gzip ---- */

/* Writes `size` zeros as gzip data. */
static const char *make_bomb(const char *name, size_t size)
{
    static const char zeros[1 << 20];
    const char *path = test_path(name);
    gzFile file = gzopen(path, "wb9");
    for (size_t left = size; left; left -= left < sizeof zeros ? left : sizeof zeros) {
        gzwrite(file, zeros, (unsigned)(left < sizeof zeros ? left : sizeof zeros));
    }
    ck_assert_int_eq(gzclose(file), Z_OK);
    return path;
}

START_TEST(text_that_unpacks_to_a_hundred_times_its_size_is_refused)
{
    nm_context *context = test_context(NULL);
    size_t size;
    ck_assert_ptr_null(
        nm_file_read_gz(context, make_bomb("bomb", (size_t)100 << 20), SIZE_MAX, &size));
    assert_error(context, NM_ERROR_FORMAT, "it unpacks to more than 100 times its size (from ");
    /* Below 64 MiB it may. */
    char *contents = nm_file_read_gz(context, make_bomb("mild", 60000000), SIZE_MAX, &size);
    assert_fine(context);
    ck_assert_uint_eq(size, 60000000);
    nm_free(context, contents);
    nm_context_destroy(context);
}
END_TEST

/* Opens, reads `front` bytes, takes `declared` bytes: *there. */
static void take(const char *path, size_t front, uint64_t declared, uint64_t *there, bool *got_all)
{
    nm_context *context = small_context();
    nm_input input;
    char front_bytes[64];
    size_t got;
    void *data;
    ck_assert_int_eq(nm_input_open(&input, context, path, SIZE_MAX, true), NM_OK);
    ck_assert_int_eq(nm_input_read(&input, front_bytes, front, &got), NM_OK);
    ck_assert_uint_eq(got, front);
    nm_status status = nm_input_take(&input, declared, there, &data);
    assert_fine(context);
    ck_assert_int_eq(status, NM_OK);
    *got_all = data != NULL;
    nm_free(context, data);
    nm_input_close(&input);
    nm_context_destroy(context);
}

START_TEST(of_a_bomb_no_more_is_unpacked_than_was_declared)
{
    uint64_t there;
    bool all;
    const char *path = make_bomb("bomb", (size_t)100 << 20);
    take(path, 16, 100, &there, &all);
    ck_assert_uint_eq(there, 101); /* at least one more */
    ck_assert(!all);
    path = make_bomb("honest", 116);
    take(path, 16, 100, &there, &all);
    ck_assert(there == 100 && all);
    take(path, 16, 101, &there, &all);
    ck_assert(there == 100 && !all);
    take(path, 16, 0, &there, &all);
    ck_assert(there == 1 && !all);
}
END_TEST

START_TEST(what_no_gzip_data_could_unpack_to_is_refused_before_unpacking)
{
    uint64_t there;
    bool all;
    const char *path = make_bomb("tiny", 116);
    take(path, 16, (uint64_t)1 << 40, &there, &all);
    ck_assert(!all && there < 1000000);
}
END_TEST

/* ---- Pipes ---- */

/* A process that writes the bytes into a pipe. */
static pid_t feed_pipe(const char *path, const void *data, size_t size)
{
    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGPIPE, SIG_IGN);
        int fd = open(path, O_WRONLY);
        for (size_t at = 0; at < size; at += 7) {
            if (write(fd, (const char *)data + at, size - at < 7 ? size - at : 7) < 0) {
                break;
            }
        }
        _exit(0);
    }
    return child;
}

static nm_tensor *read_from_pipe(nm_context *context, const bytes *b)
{
    const char *path = test_path("pipe");
    pid_t child = feed_pipe(path, b->data, b->size);
    nm_tensor *tensor = nm_npy_read(context, path);
    expect_exit(child);
    return tensor;
}

START_TEST(an_array_comes_through_a_pipe)
{
    nm_context *context = test_context(NULL);
    bytes b = spell(1, DICT("'<f4'", "False", "(2, 3)"), 24);
    nm_tensor *tensor = read_from_pipe(context, &b);
    assert_fine(context);
    test_turn(nm_tensor_data(tensor), 24, 4);
    ck_assert_mem_eq(nm_tensor_data(tensor), b.data + b.size - 24, 24);
    nm_tensor_destroy(tensor);
    b.size--;
    ck_assert_ptr_null(read_from_pipe(context, &b));
    assert_error(context, NM_ERROR_FORMAT,
                 "truncated: the header promises 24 bytes of data, the "
                 "file has 23");
    b.size += 2;
    ck_assert_ptr_null(read_from_pipe(context, &b));
    assert_error(context, NM_ERROR_FORMAT, "1 bytes behind the array");
    b.size = 20;
    ck_assert_ptr_null(read_from_pipe(context, &b));
    assert_error(context, NM_ERROR_FORMAT, "truncated: the file ends within the header");
    nm_context_destroy(context);
}
END_TEST

START_TEST(what_a_pipe_declares_is_not_believed)
{
    nm_context *context = small_context();
    bytes b = spell(1, DICT("'<f4'", "False", "(1000000000000,)"), 100);
    ck_assert_ptr_null(read_from_pipe(context, &b));
    assert_error(context, NM_ERROR_FORMAT, "truncated: the header promises 4000000000000 bytes");
    b = spell(2, DICT("'<f4'", "False", "(10,)"), 100);
    b.data[11] = 0x20; /* half a gigabyte of header */
    ck_assert_ptr_null(read_from_pipe(context, &b));
    assert_error(context, NM_ERROR_FORMAT, "damaged NPY header: it claims 5368");
    nm_context_destroy(context);
}
END_TEST

START_TEST(tensors_come_through_a_pipe)
{
    static const char file[] = "\x3c\0\0\0\0\0\0\0{\"a\": {\"dtype\": \"U8\", \"shape\": [3], "
                               "\"data_offsets\": [0, 3]}}xyz";
    nm_context *context = test_context(NULL);
    const char *path = test_path("pipe");
    pid_t child = feed_pipe(path, file, sizeof file - 1);
    nm_tensor_file *tensors = nm_tensor_file_read(context, path);
    expect_exit(child);
    assert_fine(context);
    ck_assert_mem_eq(nm_tensor_data(nm_tensor_file_find(tensors, "a")), "xyz", 3);
    nm_tensor_file_destroy(tensors);
    child = feed_pipe(path, file, sizeof file - 2);
    ck_assert_ptr_null(nm_tensor_file_read(context, path));
    expect_exit(child);
    assert_error(context, NM_ERROR_FORMAT,
                 "truncated: the header promises 3 bytes of data, the "
                 "file has 2");
    child = feed_pipe(path, file, 20);
    ck_assert_ptr_null(nm_tensor_file_read(context, path));
    expect_exit(child);
    assert_error(context, NM_ERROR_FORMAT, "truncated: the file ends within the header");
    nm_context_destroy(context);
}
END_TEST

/* ---- Looking first ---- */

static void expect_look(nm_context *context, const char *path, const char *wanted)
{
    char looked[16];
    size_t got = 0;
    ck_assert_int_eq(nm_input_look(context, path, looked, strlen(wanted), &got), NM_OK);
    ck_assert_uint_eq(got, strlen(wanted));
    ck_assert_mem_eq(looked, wanted, got);
}

static void expect_all(nm_context *context, const char *path, const char *wanted)
{
    size_t size = 0;
    char *contents = nm_file_read_gz(context, path, SIZE_MAX, &size);
    assert_fine(context);
    ck_assert_uint_eq(size, strlen(wanted));
    ck_assert_str_eq(contents, wanted);
    nm_free(context, contents);
}

START_TEST(a_pipe_that_was_looked_at_is_read_from_its_begin)
{
    const char *path = test_path("looked");
    nm_context *context = test_context(NULL);
    pid_t child = feed_pipe(path, "some words and more", 19);
    expect_look(context, path, "some w");
    expect_look(context, path, "some words and m");
    expect_all(context, path, "some words and more");
    expect_exit(child);
    child = feed_pipe(path, "abc", 3);
    expect_look(context, path, "abc");
    expect_exit(child);
    nm_context_destroy(context); /* it is closed though nobody read it */
}
END_TEST

START_TEST(gzip_data_from_a_pipe_are_looked_at_unpacked)
{
    static char words[] = "words, words, words";
    const char *packed = test_path("packed.gz"), *path = test_path("looked");
    gzFile file = gzopen(packed, "wb");
    gzwrite(file, words, sizeof words - 1);
    ck_assert_int_eq(gzclose(file), Z_OK);
    nm_context *context = test_context(NULL);
    size_t size;
    char *text = nm_file_read(context, packed, SIZE_MAX, &size);
    pid_t child = feed_pipe(path, text, size);
    expect_look(context, path, "words,");
    expect_all(context, path, words);
    expect_exit(child);
    expect_look(context, packed, "words,");
    expect_all(context, packed, words);
    nm_free(context, text);
    nm_context_destroy(context);
}
END_TEST

START_TEST(an_array_that_was_looked_at_comes_from_standard_input)
{
    bytes b = spell(1, DICT("'<i2'", "False", "(3,)"), 6);
    test_write_file(test_path("input.npy"), b.data, b.size);
    nm_context *context = test_context(NULL);
    int kept = dup(STDIN_FILENO), fd = open(test_path("input.npy"), O_RDONLY);
    ck_assert_int_eq(dup2(fd, STDIN_FILENO), STDIN_FILENO);
    expect_look(context, "-", "\x93NUMPY");
    nm_tensor *tensor = nm_npy_read(context, "-");
    assert_fine(context);
    ck_assert(nm_tensor_get(tensor, 2) == 0x0504);
    nm_tensor_destroy(tensor);
    ck_assert_ptr_null(nm_npy_read(context, "-"));
    assert_error(context, NM_ERROR_FORMAT, "standard input: not an NPY file");
    dup2(kept, STDIN_FILENO);
    close(kept);
    close(fd);
    nm_context_destroy(context);
}
END_TEST

/* ---- Memory ---- */

START_TEST(the_memory_at_hand_is_a_number_of_this_system)
{
    size_t at_hand = nm_memory_at_hand();
    size_t pages = (size_t)sysconf(_SC_PHYS_PAGES), page = (size_t)sysconf(_SC_PAGESIZE);
    ck_assert(at_hand > 1 << 20);
    ck_assert(at_hand <= pages * page || at_hand == SIZE_MAX);
}
END_TEST

static nm_status read_all_ways(test_memory *memory)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    nm_input input;
    void *data = NULL;
    uint64_t there;
    if (nm_input_open(&input, context, test_path("packed"), SIZE_MAX, true) == NM_OK) {
        nm_input_take(&input, 300000, &there, &data);
        nm_free(context, data);
        nm_input_close(&input);
    }
    nm_tensor_destroy(nm_npy_read(context, test_path("converted.npy")));
    char looked[4];
    size_t got;
    nm_input_look(context, "/dev/null", looked, sizeof looked, &got);
    nm_status status = nm_context_status(context);
    test_context_end(context, memory);
    return status;
}

START_TEST(any_allocation_may_fail)
{
    make_bomb("packed", 300000);
    bytes b = spell(1, DICT("'>i2'", "True", "(30, 20)"), 1200);
    test_write_file(test_path("converted.npy"), b.data, b.size);
    test_every_allocation(read_all_ways);
}
END_TEST

TEST_MAIN("core/files/input", an_array_that_declares_little_of_a_large_file_costs_little,
          an_array_that_is_nearly_all_holes_is_refused, a_small_file_may_have_holes,
          an_array_beyond_all_memory_is_refused_before_it_is_asked_for,
          a_tensor_file_of_holes_costs_little, a_text_of_holes_is_refused,
          text_that_unpacks_to_a_hundred_times_its_size_is_refused,
          of_a_bomb_no_more_is_unpacked_than_was_declared,
          what_no_gzip_data_could_unpack_to_is_refused_before_unpacking,
          an_array_comes_through_a_pipe, what_a_pipe_declares_is_not_believed,
          tensors_come_through_a_pipe, a_pipe_that_was_looked_at_is_read_from_its_begin,
          gzip_data_from_a_pipe_are_looked_at_unpacked,
          an_array_that_was_looked_at_comes_from_standard_input,
          the_memory_at_hand_is_a_number_of_this_system, any_allocation_may_fail)
