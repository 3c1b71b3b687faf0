#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define PIECE 65536 /* how much memory grows by where a size is not known beforehand */

/* ---- Reading ---- */

static nm_status io_fail(nm_context *context, const char *action, const char *path)
{
    return nm_fail(context, NM_ERROR_IO, "cannot %s \"%s\": %s", action, path, strerror(errno));
}

static nm_status too_large(nm_context *context, const char *path, size_t limit)
{
    return nm_fail(context, NM_ERROR_FORMAT, "%s: larger than the %zu bytes that are read at most",
                   path, limit);
}

/* A growing block of bytes. */
typedef struct block {
    nm_context *context;
    char *data;
    size_t size, capacity;
} block;

/* Room for `more` bytes and a 0 behind them. */
static nm_status reserve(block *b, size_t more)
{
    if (b->capacity - b->size > more) {
        return NM_OK;
    }
    size_t capacity = b->capacity + b->capacity / 2;
    capacity = capacity > b->size + more ? capacity : b->size + more;
    char *data = nm_resize(b->context, b->data, capacity + 1);
    if (!data) {
        return NM_ERROR_MEMORY;
    }
    b->data = data;
    b->capacity = capacity + 1;
    return NM_OK;
}

/* Reads to the end of the file; pipes too, whose size nothing tells. */
static nm_status read_all(block *b, int descriptor, const char *path, size_t limit)
{
    for (;;) {
        if (b->size > limit) {
            return too_large(b->context, path, limit);
        }
        if (reserve(b, PIECE) != NM_OK) {
            return NM_ERROR_MEMORY;
        }
        ssize_t got = read(descriptor, b->data + b->size, b->capacity - b->size - 1);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return io_fail(b->context, "read", path);
        }
        if (got == 0) {
            return NM_OK;
        }
        b->size += (size_t)got;
    }
}

static nm_status read_descriptor(block *b, int descriptor, const char *path, size_t limit)
{
    struct stat info;
    if (fstat(descriptor, &info) != 0) {
        return io_fail(b->context, "read", path);
    }
    if (S_ISDIR(info.st_mode)) {
        errno = EISDIR;
        return io_fail(b->context, "read", path);
    }
    if (S_ISREG(info.st_mode) && (uintmax_t)info.st_size > limit) {
        return too_large(b->context, path, limit);
    }
    if (S_ISREG(info.st_mode) && reserve(b, (size_t)info.st_size + PIECE) != NM_OK) {
        return NM_ERROR_MEMORY;
    }
    return read_all(b, descriptor, path, limit);
}

/* Hands the block's memory to the caller, or frees it. */
static char *finish(block *b, nm_status status, size_t *size)
{
    if (status != NM_OK) {
        nm_free(b->context, b->data);
        return NULL;
    }
    b->data[b->size] = 0;
    if (size) {
        *size = b->size;
    }
    return b->data;
}

char *nm_file_read(nm_context *context, const char *path, size_t limit, size_t *size)
{
    block b = {.context = context};
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        io_fail(context, "read", path);
        return NULL;
    }
    nm_status status = read_descriptor(&b, descriptor, path, limit);
    close(descriptor);
    return finish(&b, status, size);
}

/* ---- gzip ---- */

static voidpf gz_alloc(voidpf context, uInt count, uInt size)
{
    return nm_alloc_zero(context, count, size);
}

static void gz_free(voidpf context, voidpf memory)
{
    nm_free(context, memory);
}

/* Inflates every member of `from` into `to`. */
static nm_status inflate_members(z_stream *stream, const block *from, block *to, const char *path,
                                 size_t limit)
{
    nm_context *context = to->context;
    size_t at = 0;
    int code = Z_OK;
    while (code != Z_STREAM_END || at < from->size) {
        if (code == Z_STREAM_END && inflateReset(stream) != Z_OK) {
            return nm_fail(context, NM_ERROR_FORMAT, "%s: damaged gzip data", path);
        }
        if (to->size > limit) {
            return too_large(context, path, limit);
        }
        if (reserve(to, PIECE) != NM_OK) {
            return NM_ERROR_MEMORY;
        }
        size_t left = from->size - at, room = to->capacity - to->size - 1;
        stream->next_in = (Bytef *)from->data + at;
        stream->avail_in = (uInt)(left < 1u << 30 ? left : 1u << 30);
        stream->next_out = (Bytef *)to->data + to->size;
        stream->avail_out = (uInt)(room < 1u << 30 ? room : 1u << 30);
        uInt in = stream->avail_in, out = stream->avail_out;
        code = inflate(stream, Z_NO_FLUSH);
        at += in - stream->avail_in;
        to->size += out - stream->avail_out;
        if (code == Z_MEM_ERROR) {
            return nm_fail(context, NM_ERROR_MEMORY, "out of memory (decompressing %s)", path);
        }
        if (code == Z_BUF_ERROR || (code == Z_OK && at == from->size && stream->avail_out)) {
            return nm_fail(context, NM_ERROR_FORMAT, "%s: truncated gzip data", path);
        }
        if (code != Z_OK && code != Z_STREAM_END) {
            return nm_fail(context, NM_ERROR_FORMAT, "%s: damaged gzip data: %s", path,
                           stream->msg ? stream->msg : "unknown error");
        }
    }
    return NM_OK;
}

static nm_status decompress(const block *from, block *to, const char *path, size_t limit)
{
    z_stream stream = {.zalloc = gz_alloc, .zfree = gz_free, .opaque = to->context};
    int code = inflateInit2(&stream, 15 + 16);
    if (code != Z_OK) {
        return nm_fail(to->context, NM_ERROR_MEMORY, "out of memory (decompressing %s)", path);
    }
    nm_status status = inflate_members(&stream, from, to, path, limit);
    inflateEnd(&stream);
    return status;
}

char *nm_file_read_gz(nm_context *context, const char *path, size_t limit, size_t *size)
{
    block from = {.context = context}, to = {.context = context};
    from.data = nm_file_read(context, path, limit, &from.size);
    if (!from.data) {
        return NULL;
    }
    const unsigned char *magic = (const unsigned char *)from.data;
    if (from.size < 2 || magic[0] != 0x1f || magic[1] != 0x8b) {
        *size = from.size;
        return from.data;
    }
    nm_status status = decompress(&from, &to, path, limit);
    nm_free(context, from.data);
    return finish(&to, status, size);
}

/* ---- Replacing a file ---- */

struct nm_file {
    nm_context *context;
    int descriptor;
    int error;       /* errno of the first failed write */
    char *path;      /* of the file that is replaced */
    char *temporary; /* beside it */
};

static void destroy(nm_file *file)
{
    nm_context *context = file->context;
    nm_free(context, file->path);
    nm_free(context, file->temporary);
    nm_free(context, file);
}

/* What `path` leads to: a symbolic link's target is replaced, the link stays. */
static char *resolve(nm_context *context, const char *path)
{
    char *real = realpath(path, NULL);
    char *copy = nm_copy_string(context, real ? real : path);
    free(real);
    return copy;
}

nm_file *nm_file_create(nm_context *context, const char *path)
{
    nm_file *file = nm_alloc_zero(context, 1, sizeof *file);
    if (!file) {
        return NULL;
    }
    file->context = context;
    file->path = resolve(context, path);
    file->temporary =
        file->path ? nm_format(context, "%s.%ld.tmp", file->path, (long)getpid()) : NULL;
    if (!file->temporary) {
        destroy(file);
        return NULL;
    }
    unlink(file->temporary); /* left by a process of our number that was killed */
    file->descriptor = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file->descriptor < 0) {
        io_fail(context, "write", path);
        destroy(file);
        return NULL;
    }
    return file;
}

nm_status nm_file_write(nm_file *file, const void *data, size_t size)
{
    const char *from = data;
    while (size && !file->error) {
        ssize_t written = write(file->descriptor, from, size < 1u << 30 ? size : 1u << 30);
        if (written < 0 && errno != EINTR) {
            file->error = errno;
        } else if (written > 0) {
            from += written;
            size -= (size_t)written;
        }
    }
    if (file->error) {
        errno = file->error;
        return io_fail(file->context, "write", file->path);
    }
    return NM_OK;
}

void nm_file_abandon(nm_file *file)
{
    if (file) {
        close(file->descriptor);
        unlink(file->temporary);
        destroy(file);
    }
}

/* So that the new name survives a crash of the machine too. Best effort: some file systems refuse. */
static void sync_folder(const char *path)
{
    char folder[4096];
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    if (length >= sizeof folder) {
        return;
    }
    snprintf(folder, sizeof folder, "%.*s", (int)length, path);
    int descriptor = open(!slash ? "." : length ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor >= 0) {
        fsync(descriptor);
        close(descriptor);
    }
}

nm_status nm_file_commit(nm_file *file)
{
    nm_context *context = file->context;
    nm_status status = nm_file_write(file, NULL, 0);
    if (status == NM_OK && fsync(file->descriptor) != 0 && errno != EINVAL && errno != EROFS) {
        status = io_fail(context, "write", file->path);
    }
    if (close(file->descriptor) != 0 && status == NM_OK) {
        status = io_fail(context, "write", file->path);
    }
    if (status == NM_OK && rename(file->temporary, file->path) != 0) {
        status = io_fail(context, "replace", file->path);
    }
    if (status == NM_OK) {
        sync_folder(file->path);
    } else {
        unlink(file->temporary);
    }
    destroy(file);
    return status;
}

/* ---- Folders ---- */

nm_status nm_folder_create(nm_context *context, const char *path)
{
    char *part = nm_copy_string(context, path);
    if (!part) {
        return NM_ERROR_MEMORY;
    }
    nm_status status = NM_OK;
    for (char *end = part + 1; status == NM_OK && end[-1]; end++) {
        if (*end != '/' && *end != 0) {
            continue;
        }
        char kept = *end;
        *end = 0;
        struct stat info;
        if (mkdir(part, 0777) != 0 && !(errno == EEXIST && stat(part, &info) == 0 &&
                                        S_ISDIR(info.st_mode))) {
            errno = errno == EEXIST ? ENOTDIR : errno;
            status = io_fail(context, "create the folder", part);
        }
        *end = kept;
    }
    nm_free(context, part);
    return status;
}
