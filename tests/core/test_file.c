#include "core/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "tests/test.h"

/* ---- Helpers ---- */

static void expect_contents(const char *path, const void *wanted, size_t size)
{
    nm_context *context = test_context(NULL);
    size_t got = 0;
    char *contents = nm_file_read(context, path, SIZE_MAX, &got);
    assert_fine(context);
    ck_assert_uint_eq(got, size);
    ck_assert_mem_eq(contents, wanted, size);
    ck_assert_int_eq(contents[size], 0);
    nm_free(context, contents);
    nm_context_destroy(context);
}

static nm_status replace(nm_context *context, const char *path, const void *data, size_t size)
{
    nm_file *file = nm_file_create(context, path);
    if (!file) {
        return nm_context_status(context);
    }
    nm_file_write(file, data, size / 2);
    nm_file_write(file, (const char *)data + size / 2, size - size / 2);
    return nm_file_commit(file);
}

static int is_entry(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

/* How many entries a folder has. */
static int entries(const char *folder)
{
    struct dirent **list;
    int count = scandir(folder, &list, is_entry, alphasort);
    ck_assert_int_ge(count, 0);
    for (int i = 0; i < count; i++) {
        free(list[i]);
    }
    free(list);
    return count;
}

/* A folder of its own, so that its entries can be counted. */
static const char *own_folder(const char *name)
{
    const char *path = test_path(name);
    ck_assert_int_eq(mkdir(path, 0777), 0);
    return path;
}

static void do_nothing(int number)
{
    (void)number;
}

/* Has system calls interrupted all the time, until stopped. */
static void interrupt_often(bool on)
{
    struct sigaction action = {.sa_handler = do_nothing}; /* without SA_RESTART */
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {{0, on ? 300 : 0}, {0, on ? 300 : 0}};
    setitimer(ITIMER_REAL, &often, NULL);
}

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

static void expect_exit(pid_t child)
{
    int result;
    ck_assert_int_eq(waitpid(child, &result, 0), child);
    ck_assert(WIFEXITED(result) && WEXITSTATUS(result) == 0);
}

/* ---- Reading ---- */

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

/* ---- Replacing ---- */

START_TEST(a_file_is_made_and_replaced_and_nothing_else_is_left)
{
    const char *folder = own_folder("made");
    const char *path = test_path("made/x");
    nm_context *context = test_context(NULL);
    ck_assert_int_eq(replace(context, path, "first", 5), NM_OK);
    expect_contents(path, "first", 5);
    ck_assert_int_eq(replace(context, path, "", 0), NM_OK);
    expect_contents(path, "", 0);
    ck_assert_int_eq(replace(context, path, "second", 6), NM_OK);
    expect_contents(path, "second", 6);
    ck_assert_int_eq(entries(folder), 1);
    nm_context_destroy(context);
}
END_TEST

START_TEST(until_the_commit_the_old_file_is_there)
{
    const char *folder = own_folder("until");
    const char *path = test_path("until/x");
    nm_context *context = test_context(NULL);
    replace(context, path, "old", 3);
    nm_file *file = nm_file_create(context, path);
    ck_assert_int_eq(nm_file_write(file, "newer", 5), NM_OK);
    expect_contents(path, "old", 3);
    nm_file_abandon(file);
    expect_contents(path, "old", 3);
    ck_assert_int_eq(entries(folder), 1);
    nm_file_abandon(NULL);
    nm_context_destroy(context);
}
END_TEST

START_TEST(two_writers_of_one_file_do_not_meet)
{
    const char *folder = own_folder("two");
    const char *path = test_path("two/x");
    nm_context *context = test_context(NULL);
    nm_file *a = nm_file_create(context, path), *b = nm_file_create(context, path);
    nm_file_write(a, "aaa", 3);
    nm_file_write(b, "b", 1);
    ck_assert_int_eq(nm_file_commit(a), NM_OK);
    expect_contents(path, "aaa", 3);
    ck_assert_int_eq(nm_file_commit(b), NM_OK);
    expect_contents(path, "b", 1);
    ck_assert_int_eq(entries(folder), 1);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_name_as_long_as_names_can_be_is_written)
{
    char name[300] = "";
    memset(name, 'n', 255);
    nm_context *context = test_context(NULL);
    char *path = nm_format(context, "%s/%s", test_folder(), name);
    ck_assert_int_eq(replace(context, path, "x", 1), NM_OK);
    expect_contents(path, "x", 1);
    nm_free(context, path);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_file_without_a_folder_in_its_name_is_written_where_the_program_is)
{
    char before[1024];
    ck_assert_ptr_nonnull(getcwd(before, sizeof before));
    ck_assert_int_eq(chdir(test_folder()), 0);
    nm_context *context = test_context(NULL);
    ck_assert_int_eq(replace(context, "bare", "x", 1), NM_OK);
    expect_contents("bare", "x", 1);
    nm_context_destroy(context);
    ck_assert_int_eq(chdir(before), 0);
}
END_TEST

START_TEST(a_link_stays_a_link_and_its_target_is_replaced)
{
    own_folder("links");
    own_folder("links/far");
    const char *target = test_path("links/far/target"), *link = test_path("links/link");
    test_write_file(target, "old", 3);
    ck_assert_int_eq(symlink("hop", link), 0);
    ck_assert_int_eq(symlink("far/target", test_path("links/hop")), 0);
    nm_context *context = test_context(NULL);
    ck_assert_int_eq(replace(context, link, "new", 3), NM_OK);
    expect_contents(target, "new", 3);
    struct stat info;
    ck_assert(lstat(link, &info) == 0 && S_ISLNK(info.st_mode));

    ck_assert_int_eq(unlink(target), 0); /* it leads nowhere now: the target is made */
    ck_assert_int_eq(replace(context, link, "again", 5), NM_OK);
    expect_contents(target, "again", 5);

    ck_assert_int_eq(symlink("loop", test_path("links/loop")), 0);
    ck_assert_int_eq(replace(context, test_path("links/loop"), "x", 1), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "Too many levels of symbolic links");
    nm_context_destroy(context);
}
END_TEST

static mode_t mode_of(const char *path)
{
    struct stat info;
    ck_assert_int_eq(stat(path, &info), 0);
    return info.st_mode & 0777;
}

START_TEST(a_new_file_has_the_usual_mode_and_a_replaced_one_its_own)
{
    nm_context *context = test_context(NULL);
    mode_t mask = umask(027);
    replace(context, test_path("usual"), "x", 1);
    ck_assert_uint_eq(mode_of(test_path("usual")), 0640);
    ck_assert_int_eq(chmod(test_path("usual"), 0600), 0);
    replace(context, test_path("usual"), "y", 1);
    ck_assert_uint_eq(mode_of(test_path("usual")), 0600);
    ck_assert_int_eq(chmod(test_path("usual"), 0666), 0);
    replace(context, test_path("usual"), "z", 1);
    ck_assert_uint_eq(mode_of(test_path("usual")), 0666);
    umask(mask);
    nm_context_destroy(context);
}
END_TEST

/* ---- Where writing fails ---- */

static void refuse_write(const char *path, const char *message)
{
    nm_context *context = test_context(NULL);
    ck_assert_ptr_null(nm_file_create(context, path));
    assert_error(context, NM_ERROR_IO, message);
    nm_context_destroy(context);
}

START_TEST(a_place_where_no_file_can_be_is_an_error)
{
    refuse_write(test_folder(), "it is a folder");
    refuse_write(test_path("no/such/file"), "/no/such/file\": No such file or directory");
    refuse_write("", "cannot write \"\": No such file or directory");
    test_write_file(test_path("plain"), "x", 1);
    refuse_write(test_path("plain/below"), "Not a directory");
    refuse_write("/proc/norma", "cannot write \"/proc/norma\": ");
}
END_TEST

START_TEST(a_folder_or_file_that_may_not_be_written_is_an_error)
{
    own_folder("locked");
    test_write_file(test_path("locked/x"), "old", 3);
    test_write_file(test_path("guarded"), "old", 3);
    chmod(test_path("locked"), 0555);
    chmod(test_path("guarded"), 0444);
    bool root = geteuid() == 0;
    if (root) { /* whom no mode stops */
        ck_assert_int_eq(chmod(test_folder(), 0777), 0);
        ck_assert_int_eq(seteuid(65534), 0);
    }
    refuse_write(test_path("locked/x"), "Permission denied");
    refuse_write(test_path("locked/new"), "Permission denied");
    refuse_write(test_path("guarded"), "Permission denied");
    if (root) {
        ck_assert_int_eq(seteuid(0), 0);
    }
    chmod(test_path("locked"), 0777);
    expect_contents(test_path("locked/x"), "old", 3);
    expect_contents(test_path("guarded"), "old", 3);
    ck_assert_int_eq(entries(test_path("locked")), 1);
}
END_TEST

START_TEST(a_full_disk_is_reported_and_leaves_the_old_file)
{
    const char *folder = own_folder("full");
    const char *path = test_path("full/x");
    nm_context *context = test_context(NULL);
    replace(context, path, "old", 3);
    /* A limit on file sizes: the write that crosses it is short, the next one fails. */
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before;
    getrlimit(RLIMIT_FSIZE, &before);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){10000, before.rlim_max});
    static char data[30000];
    nm_file *file = nm_file_create(context, path);
    ck_assert_int_eq(nm_file_write(file, data, 9000), NM_OK);
    ck_assert_int_eq(nm_file_write(file, data, 9000), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "/full/x\": File too large");
    ck_assert_int_eq(nm_file_write(file, data, 1), NM_ERROR_IO); /* it is remembered */
    nm_context_clear_error(context);
    ck_assert_int_eq(nm_file_commit(file), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "File too large");
    setrlimit(RLIMIT_FSIZE, &before);
    expect_contents(path, "old", 3);
    ck_assert_int_eq(entries(folder), 1);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_target_that_became_a_folder_is_an_error_at_the_commit)
{
    const char *folder = own_folder("became");
    const char *path = test_path("became/x");
    nm_context *context = test_context(NULL);
    nm_file *file = nm_file_create(context, path);
    nm_file_write(file, "x", 1);
    ck_assert_int_eq(mkdir(path, 0777), 0);
    ck_assert_int_eq(nm_file_commit(file), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "it is a folder");
    ck_assert_int_eq(entries(folder), 1);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_device_is_written_to_and_not_replaced)
{
    nm_context *context = test_context(NULL);
    ck_assert_int_eq(replace(context, "/dev/null", "x", 1), NM_OK);
    struct stat info;
    ck_assert(stat("/dev/null", &info) == 0 && S_ISCHR(info.st_mode));
    ck_assert_int_eq(replace(context, "/dev/full", "x", 1), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "cannot write \"/dev/full\": No space left on device");
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_pipe_is_written_to_whole_through_signals_and_short_writes)
{
    const char *path = test_path("out");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    static char data[300000]; /* more than a pipe holds */
    memset(data, 'd', sizeof data);
    pid_t child = fork();
    if (child == 0) {
        usleep(5000); /* the writer waits for someone to open the pipe */
        int fd = open(path, O_RDONLY);
        size_t total = 0;
        static char piece[7000];
        for (ssize_t count; (count = read(fd, piece, sizeof piece)) > 0; total += (size_t)count) {
            usleep(500);
        }
        _exit(total == sizeof data ? 0 : 1);
    }
    nm_context *context = test_context(NULL);
    interrupt_often(true);
    ck_assert_int_eq(replace(context, path, data, sizeof data), NM_OK);
    interrupt_often(false);
    expect_exit(child);
    nm_context_destroy(context);
}
END_TEST

/* Replaces a file for ever, with 'a's and 'b's in turn. */
static void rewrite_forever(const char *path)
{
    static char data[100000];
    nm_context *context = test_context(NULL);
    for (char c = 'a';; c = c == 'a' ? 'b' : 'a') {
        memset(data, c, sizeof data);
        replace(context, path, data, sizeof data);
    }
}

START_TEST(a_process_killed_at_any_moment_leaves_a_whole_file)
{
    enum { SIZE = 100000 };
    const char *path = test_path("killed");
    nm_context *context = test_context(NULL);
    static char data[SIZE];
    memset(data, 'a', SIZE);
    replace(context, path, data, SIZE);
    for (int i = 0; i < 30; i++) {
        pid_t child = fork();
        if (child == 0) {
            rewrite_forever(path);
        }
        usleep((useconds_t)(1000 + 731 * i));
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        size_t size = 0;
        char *contents = nm_file_read(context, path, SIZE_MAX, &size);
        assert_fine(context);
        ck_assert_uint_eq(size, SIZE);
        memset(data, contents[0], SIZE);
        ck_assert_mem_eq(contents, data, SIZE);
        nm_free(context, contents);
    }
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_process_killed_before_the_commit_leaves_the_old_file)
{
    const char *path = test_path("before");
    nm_context *context = test_context(NULL);
    replace(context, path, "old", 3);
    pid_t child = fork();
    if (child == 0) {
        nm_file *file = nm_file_create(context, path);
        nm_file_write(file, "newer", 5);
        raise(SIGKILL);
    }
    int result;
    waitpid(child, &result, 0);
    ck_assert(WIFSIGNALED(result) && WTERMSIG(result) == SIGKILL);
    expect_contents(path, "old", 3);
    nm_context_destroy(context);
}
END_TEST

/* ---- Folders ---- */

static bool is_folder(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

START_TEST(folders_are_made_with_those_above_them)
{
    nm_context *context = test_context(NULL);
    ck_assert_int_eq(nm_folder_create(context, test_path("a/b//c/")), NM_OK);
    ck_assert(is_folder(test_path("a/b/c")));
    ck_assert_int_eq(nm_folder_create(context, test_path("a/b/c")), NM_OK); /* it is there */
    ck_assert_int_eq(nm_folder_create(context, test_path("a/b/../d")), NM_OK);
    ck_assert(is_folder(test_path("a/d")));
    ck_assert_int_eq(nm_folder_create(context, "/"), NM_OK);
    ck_assert_int_eq(nm_folder_create(context, "."), NM_OK);
    assert_fine(context);
    nm_context_destroy(context);
}
END_TEST

START_TEST(a_folder_that_cannot_be_made_is_an_error)
{
    nm_context *context = test_context(NULL);
    test_write_file(test_path("f"), "x", 1);
    ck_assert_int_eq(nm_folder_create(context, test_path("f")), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "/f\" is a file");
    ck_assert_int_eq(nm_folder_create(context, test_path("f/below")), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "/f\" is a file");
    ck_assert_int_eq(nm_folder_create(context, ""), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "cannot make the folder \"\": No such file");
    ck_assert_int_eq(nm_folder_create(context, "/proc/norma"), NM_ERROR_IO);
    assert_error(context, NM_ERROR_IO, "cannot make the folder \"/proc/norma\": ");
    nm_context_destroy(context);
}
END_TEST

/* ---- Memory ---- */

static nm_status read_and_replace(test_memory *memory)
{
    nm_context *context = test_context(memory);
    if (!context) {
        return NM_ERROR_MEMORY;
    }
    size_t size;
    replace(context, test_path("memory/link"), "new", 3);
    nm_folder_create(context, test_path("memory/deep/er"));
    nm_free(context, nm_file_read(context, "/proc/self/status", 100000, &size));
    nm_free(context, nm_file_read_gz(context, test_path("memory.gz"), 1000000, &size));
    nm_status status = nm_context_status(context);
    test_context_end(context, memory);
    /* Whether it came to pass or not: nothing else is in the folder. */
    ck_assert(entries(test_path("memory")) <= 3);
    return status;
}

START_TEST(any_allocation_may_fail)
{
    static char zeros[300000];
    static unsigned char packed[4096];
    size_t length = gzip(zeros, sizeof zeros, packed, sizeof packed);
    length += gzip(zeros, 1, packed + length, sizeof packed - length); /* a bad guess: it grows */
    test_write_file(test_path("memory.gz"), packed, length);
    own_folder("memory");
    test_write_file(test_path("memory/target"), "old", 3);
    ck_assert_int_eq(symlink("target", test_path("memory/link")), 0);
    test_every_allocation(read_and_replace);
    expect_contents(test_path("memory/target"), "new", 3);
}
END_TEST

TEST_MAIN(
    "core/file", a_file_is_read_whole_with_a_zero_behind_it,
    a_missing_file_and_a_folder_are_named_in_the_error,
    a_file_above_the_limit_is_refused_before_memory_is_asked_for,
    a_file_without_a_size_is_read_to_its_end,
    a_pipe_is_read_to_its_end_through_signals_and_short_reads,
    a_device_without_end_is_read_up_to_the_limit, standard_input_is_read_as_a_dash_and_stays_open,
    gzip_data_is_decompressed_and_other_data_left_alone,
    members_and_padding_behind_the_first_gzip_member_are_read, gzip_data_cut_anywhere_is_an_error,
    damaged_gzip_data_is_an_error, no_damaged_byte_of_gzip_data_crashes_or_changes_the_contents,
    the_limit_holds_for_what_is_decompressed, a_claim_of_a_large_size_makes_no_memory,
    a_bomb_of_many_members_meets_the_limit, a_file_is_made_and_replaced_and_nothing_else_is_left,
    until_the_commit_the_old_file_is_there, two_writers_of_one_file_do_not_meet,
    a_name_as_long_as_names_can_be_is_written,
    a_file_without_a_folder_in_its_name_is_written_where_the_program_is,
    a_link_stays_a_link_and_its_target_is_replaced,
    a_new_file_has_the_usual_mode_and_a_replaced_one_its_own,
    a_place_where_no_file_can_be_is_an_error, a_folder_or_file_that_may_not_be_written_is_an_error,
    a_full_disk_is_reported_and_leaves_the_old_file,
    a_target_that_became_a_folder_is_an_error_at_the_commit,
    a_device_is_written_to_and_not_replaced,
    a_pipe_is_written_to_whole_through_signals_and_short_writes,
    a_process_killed_at_any_moment_leaves_a_whole_file,
    a_process_killed_before_the_commit_leaves_the_old_file, folders_are_made_with_those_above_them,
    a_folder_that_cannot_be_made_is_an_error, any_allocation_may_fail)
