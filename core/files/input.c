#include "core/files/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/files/gzip.h"
#include "core/guard.h"
#include "core/internal.h"

/* Unpacked bytes that zlib has and did not give out, at most. */
#define ZLIB_KEEPS ((uint64_t)1 << 16)

/* ---- Names and messages ---- */

static bool is_standard_input(const char *path)
{
    return strcmp(path, "-") == 0;
}

const char *nm_file_title(const char *path)
{
    NM_GIVEN(path, "a file without a name");
    return is_standard_input(path) ? "standard input" : path;
}

nm_status nm_input_fail(const nm_input *input, nm_status status, const char *format, ...)
{
    char reason[256];
    va_list list;
    va_start(list, format);
    vsnprintf(reason, sizeof reason, format, list);
    va_end(list);
    const char *path = input->path ? input->path : "";
    const char *quote = is_standard_input(path) ? "" : "\"";
    return nm_fail(input->context, status, "cannot read %s%s%s: %s", quote, nm_file_title(path),
                   quote, reason);
}

static nm_status fail_with_errno(const nm_input *input, int error)
{
    return nm_input_fail(input, NM_ERROR_IO, "%s",
                         error == EISDIR ? "it is a folder" : strerror(error));
}

/* ---- The file itself ---- */

static ssize_t read_some(int fd, void *to, size_t size)
{
    ssize_t count;
    do {
        count = read(fd, to, size);
    } while (count < 0 && errno == EINTR);
    return count;
}

static void count_bytes(nm_input *input, size_t count)
{
    input->consumed += count;
    input->rest -= input->rest < count ? input->rest : count;
}

/* Reads from the descriptor to the end or until `size` bytes are there. */
static nm_status read_descriptor(nm_input *input, char *to, size_t size, size_t *got)
{
    while (*got < size) {
        ssize_t count = read_some(input->fd, to + *got, size - *got);
        if (count <= 0) {
            return count ? fail_with_errno(input, errno) : NM_OK;
        }
        *got += (size_t)count;
        count_bytes(input, (size_t)count);
        if (input->consumed > input->limit) {
            return nm_input_fail(input, NM_ERROR_FORMAT, "it has more than the %ju bytes allowed",
                                 (uintmax_t)input->limit);
        }
    }
    return NM_OK;
}

/* Takes bytes from a small store in front. */
static size_t take_front(unsigned char *store, size_t *count, void *to, size_t size)
{
    size_t taken = size < *count ? size : *count;
    memcpy(to, store, taken);
    *count -= taken;
    memmove(store, store + taken, *count);
    return taken;
}

static nm_status read_raw(void *user, void *to, size_t size, size_t *got)
{
    nm_input *input = user;
    *got = take_front(input->front, &input->front_count, to, size);
    if (!input->memory) {
        return read_descriptor(input, to, size, got);
    }
    size_t count = size < input->rest ? size : (size_t)input->rest;
    memcpy(to, input->memory, count);
    input->memory += count;
    count_bytes(input, count);
    *got = count;
    return NM_OK;
}

/* ---- Opening ---- */

static int open_to_read(const char *path)
{
    if (is_standard_input(path)) {
        return STDIN_FILENO;
    }
    int fd;
    do { /* opening a pipe waits for its writer, and a signal may interrupt that */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* Asks how large the file is before any memory is asked for. */
static nm_status measure(nm_input *input)
{
    struct stat info;
    if (fstat(input->fd, &info) != 0) {
        return fail_with_errno(input, errno);
    }
    if (S_ISDIR(info.st_mode)) {
        return fail_with_errno(input, EISDIR);
    }
    if (!S_ISREG(info.st_mode)) { /* a pipe or device: no size, and perhaps no end */
        input->limit = input->limit < NM_PIPE_LIMIT ? input->limit : NM_PIPE_LIMIT;
        return NM_OK;
    }
    off_t at = is_standard_input(input->path) ? lseek(input->fd, 0, SEEK_CUR) : 0;
    input->sized = info.st_size > 0; /* files in /proc say that they have 0 bytes */
    input->rest = at > 0 && at < info.st_size ? (uint64_t)(info.st_size - at)
                  : at > 0                    ? 0
                                              : (uint64_t)info.st_size;
    if (input->rest > input->limit) {
        return nm_input_fail(input, NM_ERROR_FORMAT,
                             "it has %ju bytes, more than the %ju bytes allowed",
                             (uintmax_t)input->rest, (uintmax_t)input->limit);
    }
    return NM_OK;
}

/* Looks whether the file begins as gzip data do. */
static nm_status look_at_front(nm_input *input)
{
    size_t got = 0;
    nm_status status = read_descriptor(input, (char *)input->front, sizeof input->front, &got);
    input->front_count = got;
    if (status != NM_OK || !nm_gzip_begins(input->front, got)) {
        return status;
    }
    input->gzip = nm_gzip_create(input->context, nm_file_title(input->path), read_raw, input);
    return input->gzip ? NM_OK : nm_context_status(input->context);
}

static nm_status open_anew(nm_input *input, nm_context *context, const char *path, size_t limit,
                           bool unpack)
{
    *input = (nm_input){.context = context, .path = path, .limit = limit, .fd = open_to_read(path)};
    nm_status status = input->fd < 0 ? fail_with_errno(input, errno) : measure(input);
    if (status == NM_OK && unpack) {
        status = look_at_front(input);
    }
    if (status != NM_OK) {
        nm_input_close(input);
    }
    return status;
}

/* ---- Looking first ---- */

/* What was looked at and can be read only once, until it is opened again. */
typedef struct kept_input {
    nm_input input;
    char *path; /* NULL: none */
} kept_input;

static const char kept_key; /* its address is what counts */

static void move(nm_input *to, const nm_input *from, const char *path)
{
    *to = *from;
    to->path = path;
    if (to->gzip) {
        nm_gzip_move(to->gzip, nm_file_title(path), to);
    }
}

static void drop_kept(nm_context *context, void *state)
{
    kept_input *kept = state;
    if (kept->path) {
        nm_input_close(&kept->input);
        nm_free(context, kept->path);
        kept->path = NULL;
    }
}

static nm_status keep(nm_input *input)
{
    nm_context *context = input->context;
    kept_input *kept = nm_context_attach(context, &kept_key, sizeof *kept, drop_kept);
    char *path = kept ? nm_copy_string(context, input->path) : NULL;
    if (!path) {
        nm_input_close(input);
        return NM_ERROR_MEMORY;
    }
    drop_kept(context, kept);
    kept->path = path;
    move(&kept->input, input, path);
    return NM_OK;
}

nm_status nm_input_look(nm_context *context, const char *path, void *bytes, size_t size,
                        size_t *got)
{
    nm_input input;
    nm_status status = nm_input_open(&input, context, path, SIZE_MAX, true);
    if (status != NM_OK) {
        return status;
    }
    status = nm_input_read(&input, bytes, size < NM_MOST_LOOK ? size : NM_MOST_LOOK, got);
    if (status != NM_OK || (input.sized && !is_standard_input(path))) {
        nm_input_close(&input);
        return status;
    }
    memcpy(input.back, bytes, *got);
    input.back_count = *got;
    return keep(&input);
}

nm_status nm_input_open(nm_input *input, nm_context *context, const char *path, size_t limit,
                        bool unpack)
{
    kept_input *kept = nm_context_attached(context, &kept_key);
    if (!kept || !kept->path || strcmp(kept->path, path) != 0) {
        return open_anew(input, context, path, limit, unpack);
    }
    move(input, &kept->input, path);
    input->limit = limit < input->limit ? limit : input->limit;
    nm_free(context, kept->path);
    kept->path = NULL;
    return NM_OK;
}

void nm_input_open_memory(nm_input *input, nm_context *context, const void *data, size_t size)
{
    *input = (nm_input){.context = context, .fd = -1, .sized = true, .rest = size, .limit = size};
    input->memory = data ? data : (const void *)"";
}

void nm_input_close(nm_input *input)
{
    nm_gzip_destroy(input->gzip);
    input->gzip = NULL;
    if (input->fd >= 0 && !is_standard_input(input->path)) {
        close(input->fd);
    }
    input->fd = -1;
}

/* ---- Reading ---- */

nm_status nm_input_read(nm_input *input, void *to, size_t size, size_t *got)
{
    size_t again = take_front(input->back, &input->back_count, to, size);
    void *rest = (char *)to + again;
    nm_status status = input->gzip ? nm_gzip_read(input->gzip, rest, size - again, got)
                                   : read_raw(input, rest, size - again, got);
    *got += again;
    return status;
}

bool nm_input_is_exact(const nm_input *input)
{
    return input->sized && !input->gzip;
}

uint64_t nm_input_consumed(const nm_input *input)
{
    return input->consumed;
}

uint64_t nm_input_left(const nm_input *input)
{
    uint64_t raw = input->sized                     ? input->rest
                   : input->limit > input->consumed ? input->limit - input->consumed
                                                    : 0;
    raw += input->front_count;
    if (!input->gzip) {
        return raw + input->back_count;
    }
    /* What zlib has taken in and not given out yet is less than a window and a few bytes. */
    uint64_t packed = raw + nm_gzip_waiting(input->gzip) + 64;
    return packed > UINT64_MAX / NM_DEFLATE_RATIO - ZLIB_KEEPS
               ? UINT64_MAX
               : packed * NM_DEFLATE_RATIO + ZLIB_KEEPS;
}
