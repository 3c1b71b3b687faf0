/* Reading whole files, plain and gzip. */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#define ZLIB_CONST /* input is const */
#include <zlib.h>

#define FIRST_CAPACITY ((size_t)1 << 16)
#define ZLIB_PIECE ((size_t)1 << 30) /* zlib counts in 32 bits */
#define DEFLATE_RATIO 1032           /* no deflate data grows more than so many times */

/* ---- Names and messages ---- */

static bool is_standard_input(const char *path)
{
    return strcmp(path, "-") == 0;
}

const char *nm_file_title(const char *path)
{
    return is_standard_input(path) ? "standard input" : path;
}

/* "cannot read PATH: reason". Returns `status`. */
static nm_status fail_to_read(nm_context *context, const char *path, nm_status status,
                              const char *format, ...) NM_PRINTF(4, 5);

static nm_status fail_to_read(nm_context *context, const char *path, nm_status status,
                              const char *format, ...)
{
    char reason[256];
    va_list list;
    va_start(list, format);
    vsnprintf(reason, sizeof reason, format, list);
    va_end(list);
    const char *quote = is_standard_input(path) ? "" : "\"";
    return nm_fail(context, status, "cannot read %s%s%s: %s", quote, nm_file_title(path), quote,
                   reason);
}

static nm_status fail_with_errno(nm_context *context, const char *path, int error)
{
    return fail_to_read(context, path, NM_ERROR_IO, "%s",
                        error == EISDIR ? "it is a folder" : strerror(error));
}

/* ---- A growing block; one byte more than `capacity` is always there, for the 0 at the end ---- */

typedef struct block {
    nm_context *context;
    const char *path;
    char *data;
    size_t size, capacity, limit;
} block;

static bool block_begin(block *b, size_t capacity)
{
    b->capacity = capacity < b->limit ? capacity : b->limit;
    b->data = nm_alloc(b->context, b->capacity + 1);
    return b->data != NULL;
}

/* Makes room in a full block. */
static nm_status block_grow(block *b)
{
    if (b->capacity >= b->limit) {
        return fail_to_read(b->context, b->path, NM_ERROR_FORMAT,
                            "it has more than the %zu bytes allowed", b->limit);
    }
    size_t capacity = b->capacity > b->limit / 2 ? b->limit : 2 * b->capacity;
    capacity = capacity > FIRST_CAPACITY ? capacity : FIRST_CAPACITY;
    capacity = capacity < b->limit ? capacity : b->limit;
    char *data = nm_resize(b->context, b->data, capacity + 1);
    if (!data) {
        return NM_ERROR_MEMORY;
    }
    b->data = data;
    b->capacity = capacity;
    return NM_OK;
}

/* What the caller gets: the data, or NULL with everything freed. */
static char *block_end(block *b, nm_status status, size_t *size)
{
    if (status != NM_OK) {
        nm_free(b->context, b->data);
        return NULL;
    }
    b->data[b->size] = 0;
    *size = b->size;
    return b->data;
}

/* ---- Plain files ---- */

static ssize_t read_some(int fd, void *to, size_t size)
{
    ssize_t count;
    do {
        count = read(fd, to, size);
    } while (count < 0 && errno == EINTR);
    return count;
}

/* Reads to the end. A full block is the end only if nothing more comes. */
static nm_status read_all(int fd, block *b)
{
    for (;;) {
        char beyond;
        bool full = b->size == b->capacity;
        ssize_t count = full ? read_some(fd, &beyond, 1)
                             : read_some(fd, b->data + b->size, b->capacity - b->size);
        if (count <= 0) {
            return count ? fail_with_errno(b->context, b->path, errno) : NM_OK;
        }
        if (full) {
            if (block_grow(b) != NM_OK) {
                return nm_context_status(b->context);
            }
            b->data[b->size] = beyond;
        }
        b->size += (size_t)count;
    }
}

/* Asks how large the file is before any memory is asked for. */
static nm_status measure(int fd, block *b, size_t *capacity)
{
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return fail_with_errno(b->context, b->path, errno);
    }
    if (S_ISDIR(info.st_mode)) {
        return fail_with_errno(b->context, b->path, EISDIR);
    }
    if (!S_ISREG(info.st_mode)) { /* a pipe or device: no size, and perhaps no end */
        b->limit = b->limit < NM_PIPE_LIMIT ? b->limit : NM_PIPE_LIMIT;
        *capacity = FIRST_CAPACITY;
        return NM_OK;
    }
    *capacity = (size_t)info.st_size;
    if ((uintmax_t)info.st_size > b->limit) {
        return fail_to_read(b->context, b->path, NM_ERROR_FORMAT,
                            "it has %jd bytes, more than the %zu bytes allowed",
                            (intmax_t)info.st_size, b->limit);
    }
    return NM_OK;
}

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

char *nm_file_read(nm_context *context, const char *path, size_t limit, size_t *size)
{
    /* Above this a capacity and its extra byte could overflow; no memory holds so much. */
    block b = {context, path, .limit = limit < SIZE_MAX / 2 ? limit : SIZE_MAX / 2};
    int fd = open_to_read(path);
    if (fd < 0) {
        fail_with_errno(context, path, errno);
        return NULL;
    }
    size_t capacity = 0;
    nm_status status = measure(fd, &b, &capacity);
    if (status == NM_OK) {
        status = block_begin(&b, capacity) ? read_all(fd, &b) : NM_ERROR_MEMORY;
    }
    if (!is_standard_input(path)) {
        close(fd);
    }
    return block_end(&b, status, size);
}

/* ---- Gzip ---- */

static void *zlib_alloc(void *context, unsigned count, unsigned size)
{
    return nm_alloc_zero(context, count, size);
}

static void zlib_free(void *context, void *memory)
{
    nm_free(context, memory);
}

static bool is_gzip(const unsigned char *data, size_t size)
{
    return size >= 2 && data[0] == 0x1f && data[1] == 0x8b;
}

/* The size in the last four bytes is right for a single member below 4 GiB: a good guess, and no
 * more than a guess. */
static size_t guess_size(const unsigned char *data, size_t size)
{
    const unsigned char *end = data + size;
    size_t guess =
        size < 18 ? 0
                  : end[-4] | (size_t)end[-3] << 8 | (size_t)end[-2] << 16 | (size_t)end[-1] << 24;
    return guess / DEFLATE_RATIO <= size ? guess : FIRST_CAPACITY;
}

static nm_status fail_to_inflate(const block *b, const z_stream *z, int result)
{
    if (result == Z_MEM_ERROR) {
        return nm_context_status(b->context); /* zlib_alloc() reported it */
    }
    if (result == Z_DATA_ERROR || result == Z_NEED_DICT) {
        return nm_fail(b->context, NM_ERROR_FORMAT, "%s: damaged gzip data: %s",
                       nm_file_title(b->path), z->msg ? z->msg : "it needs a dictionary");
    }
    return nm_fail(b->context, NM_ERROR_FORMAT, "%s: truncated gzip data", nm_file_title(b->path));
}

/* Decompresses one member and leaves *data behind it. */
static nm_status inflate_member(z_stream *z, const unsigned char **data, size_t *size, block *b)
{
    int result = inflateReset(z);
    while (result == Z_OK) {
        /* zlib could not tell the end of a full block from lack of room: it gets the byte that is
         * kept for the 0, and what needs that byte is too large. */
        size_t room = b->capacity + 1 - b->size;
        z->next_in = *data;
        z->avail_in = (unsigned)(*size < ZLIB_PIECE ? *size : ZLIB_PIECE);
        z->next_out = (unsigned char *)b->data + b->size;
        z->avail_out = (unsigned)(room < ZLIB_PIECE ? room : ZLIB_PIECE);
        result = inflate(z, Z_NO_FLUSH);
        *size -= (size_t)(z->next_in - *data);
        *data = z->next_in;
        b->size = (size_t)((char *)z->next_out - b->data);
        if (b->size > b->capacity && block_grow(b) != NM_OK) {
            return nm_context_status(b->context);
        }
    }
    return result == Z_STREAM_END ? NM_OK : fail_to_inflate(b, z, result);
}

/* Zeros may follow the last member: tapes and block devices pad so. */
static bool only_zeros(const unsigned char *data, size_t size)
{
    while (size && !*data) {
        data++;
        size--;
    }
    return !size;
}

static nm_status inflate_all(z_stream *z, const unsigned char *data, size_t size, block *b)
{
    nm_status status = inflate_member(z, &data, &size, b);
    while (status == NM_OK && is_gzip(data, size)) {
        status = inflate_member(z, &data, &size, b);
    }
    if (status == NM_OK && !only_zeros(data, size)) {
        status = nm_fail(b->context, NM_ERROR_FORMAT,
                         "%s: %zu bytes that are no gzip data follow the gzip data",
                         nm_file_title(b->path), size);
    }
    return status;
}

static char *decompress(nm_context *context, const char *path, const unsigned char *data,
                        size_t size, size_t limit, size_t *out_size)
{
    block b = {context, path, .limit = limit < SIZE_MAX / 2 ? limit : SIZE_MAX / 2};
    z_stream z = {.zalloc = zlib_alloc, .zfree = zlib_free, .opaque = context};
    if (!block_begin(&b, guess_size(data, size))) {
        return NULL;
    }
    int result = inflateInit2(&z, 15 + 16); /* the largest window; gzip, not zlib's own frame */
    nm_status status =
        result == Z_OK ? inflate_all(&z, data, size, &b) : fail_to_inflate(&b, &z, result);
    inflateEnd(&z);
    return block_end(&b, status, out_size);
}

char *nm_file_read_gz(nm_context *context, const char *path, size_t limit, size_t *size)
{
    size_t raw_size;
    char *raw = nm_file_read(context, path, limit, &raw_size);
    if (!raw || !is_gzip((unsigned char *)raw, raw_size)) {
        *size = raw ? raw_size : 0;
        return raw;
    }
    char *contents = decompress(context, path, (unsigned char *)raw, raw_size, limit, size);
    nm_free(context, raw);
    return contents;
}
