/* The rest of a file: what its header declared, or all. Memory is asked for when the file is known
 * to hold as much, or as data comes. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/files/input.h"

#define FIRST_CAPACITY ((size_t)1 << 16)
#define PIECE ((size_t)1 << 20)
#define LARGE ((uint64_t)1 << 26) /* bytes from which on memory and holes are looked at */
#define HOLLOW 1000               /* a large file of which less than so much is stored is refused */

/* ---- Looking ahead ---- */

/* Bytes that are stored of a large file, up to `enough`. */
static uint64_t stored_bytes(int fd, uint64_t size, uint64_t enough)
{
#ifdef SEEK_DATA
    uint64_t stored = 0;
    off_t kept = lseek(fd, 0, SEEK_CUR), end = (off_t)size;
    for (off_t at = 0; at < end && stored < enough;) {
        off_t data = lseek(fd, at, SEEK_DATA);
        if (data < 0 && errno != ENXIO) {
            stored = enough; /* the file system does not know */
            break;
        }
        at = data < 0 ? end : lseek(fd, data, SEEK_HOLE);
        at = at < 0 ? end : at;
        stored += data < 0 ? 0 : (uint64_t)(at - data);
    }
    lseek(fd, kept, SEEK_SET);
    return stored;
#else
    (void)fd, (void)size;
    return enough;
#endif
}

/* A large file that is nearly all holes was not copied whole, or is a trap; zeros that are meant
 * can be stored. */
static nm_status check_stored(const nm_input *input)
{
    uint64_t size = input->consumed + input->rest;
    if (input->memory || !input->sized || size < LARGE) {
        return NM_OK;
    }
    uint64_t stored = stored_bytes(input->fd, size, size / HOLLOW);
    if (stored >= size / HOLLOW) {
        return NM_OK;
    }
    return nm_input_fail(
        input, NM_ERROR_FORMAT,
        "of its %ju bytes only %ju are stored, the rest are holes; was it copied whole? "
        "If zeros are meant, a copy by cp --sparse=never is read",
        (uintmax_t)size, (uintmax_t)stored);
}

/* Memory that the system has promised and does not have ends this program, or another one. */
static nm_status check_memory(const nm_input *input, uint64_t more)
{
    size_t at_hand = more < LARGE ? SIZE_MAX : nm_memory_at_hand();
    if (more < at_hand) {
        return NM_OK;
    }
    return nm_input_fail(input, NM_ERROR_MEMORY,
                         "it needs %ju bytes of memory, and %zu are at hand", (uintmax_t)more,
                         at_hand);
}

nm_status nm_input_check(nm_input *input, uint64_t declared, uint64_t *there)
{
    uint64_t left = nm_input_left(input);
    *there = declared > left || nm_input_is_exact(input) ? left : declared;
    if (*there != declared) {
        return NM_OK;
    }
    nm_status status = input->memory ? NM_OK : check_memory(input, declared);
    return status == NM_OK ? check_stored(input) : status;
}

/* Whether more follows what was declared. */
static nm_status look_behind(nm_input *input, uint64_t declared, uint64_t *there)
{
    char beyond;
    size_t got = 0;
    nm_status status = nm_input_read(input, &beyond, 1, &got);
    *there = declared + got;
    return status;
}

nm_status nm_input_fill(nm_input *input, void *to, size_t declared, uint64_t *there)
{
    size_t got = 0;
    nm_status status = nm_input_read(input, to, declared, &got);
    *there = got;
    return status == NM_OK && got == declared ? look_behind(input, declared, there) : status;
}

/* ---- A growing block; one byte more than `capacity` is always there, for the 0 at the end ---- */

typedef struct block {
    char *data;
    size_t size, capacity, limit;
} block;

static nm_status resize(nm_input *input, block *b, size_t capacity)
{
    nm_status status = check_memory(input, capacity - b->size);
    char *data = status == NM_OK ? nm_resize(input->context, b->data, capacity + 1) : NULL;
    if (!data) {
        return nm_context_status(input->context);
    }
    b->data = data;
    b->capacity = capacity;
    return NM_OK;
}

/* Makes room in a full block. */
static nm_status grow(nm_input *input, block *b)
{
    if (b->capacity >= b->limit) {
        return nm_input_fail(input, NM_ERROR_FORMAT, "it has more than the %zu bytes allowed",
                             b->limit);
    }
    size_t capacity = b->capacity > b->limit / 2 ? b->limit : 2 * b->capacity;
    capacity = capacity > FIRST_CAPACITY ? capacity : FIRST_CAPACITY;
    return resize(input, b, capacity < b->limit ? capacity : b->limit);
}

/* Reads a piece; *end: nothing more follows. What crosses the capacity by its one byte makes it
 * grow.
 */
static nm_status read_piece(nm_input *input, block *b, bool *end)
{
    size_t room = b->capacity + 1 - b->size, got = 0;
    room = room < PIECE ? room : PIECE;
    nm_status status = nm_input_read(input, b->data + b->size, room, &got);
    b->size += got;
    *end = got < room;
    return status == NM_OK && b->size > b->capacity ? grow(input, b) : status;
}

static nm_status check_ratio(const nm_input *input, const block *b)
{
    if (!input->gzip || b->size < NM_UNPACK_FREE ||
        b->size - NM_UNPACK_FREE < input->consumed * NM_UNPACK_RATIO) {
        return NM_OK;
    }
    return nm_input_fail(
        input, NM_ERROR_FORMAT,
        "it unpacks to more than %d times its size (from %ju bytes to %zu and more); if "
        "that is meant, unpack it with gunzip",
        NM_UNPACK_RATIO, (uintmax_t)input->consumed, b->size);
}

/* Reads to the end, or until there is more than `limit`. */
static nm_status read_to_end(nm_input *input, block *b, size_t capacity)
{
    nm_status status = resize(input, b, capacity < b->limit ? capacity : b->limit);
    for (bool end = false; status == NM_OK && !end;) {
        status = read_piece(input, b, &end);
        status = status == NM_OK ? check_ratio(input, b) : status;
    }
    return status;
}

char *nm_input_read_all(nm_input *input, size_t limit, size_t *size)
{
    /* Above this a capacity and its extra byte could overflow; no memory holds so much. */
    block b = {.limit = limit < SIZE_MAX / 2 ? limit : SIZE_MAX / 2};
    bool exact = nm_input_is_exact(input);
    nm_status status = check_stored(input);
    if (status == NM_OK) {
        status = read_to_end(input, &b, exact ? (size_t)nm_input_left(input) : FIRST_CAPACITY);
    }
    if (status != NM_OK) {
        nm_free(input->context, b.data);
        return NULL;
    }
    b.data[b.size] = 0;
    *size = b.size;
    return b.data;
}

/* Reads what was declared piece by piece, since it is not known whether so much comes. */
static nm_status take_pieces(nm_input *input, block *b, uint64_t *there)
{
    nm_status status = resize(input, b, b->limit < FIRST_CAPACITY ? b->limit : FIRST_CAPACITY);
    for (bool end = false; status == NM_OK && !end && b->size < b->limit;) {
        size_t room = b->capacity - b->size, got = 0;
        status = nm_input_read(input, b->data + b->size, room, &got);
        b->size += got;
        end = got < room;
        if (status == NM_OK && b->size == b->capacity && b->size < b->limit) {
            status = grow(input, b);
        }
    }
    *there = b->size;
    return status == NM_OK && b->size == b->limit ? look_behind(input, b->limit, there) : status;
}

nm_status nm_input_take(nm_input *input, uint64_t declared, uint64_t *there, void **data)
{
    *data = NULL;
    nm_status status = nm_input_check(input, declared, there);
    if (status != NM_OK || *there != declared) {
        return status;
    }
    block b = {.limit = (size_t)declared};
    if (nm_input_is_exact(input)) {
        status = resize(input, &b, b.limit);
        status = status == NM_OK ? nm_input_fill(input, b.data, b.limit, there) : status;
    } else {
        status = take_pieces(input, &b, there);
    }
    if (status != NM_OK || *there != declared) {
        nm_free(input->context, b.data);
        return status;
    }
    *data = b.data;
    return NM_OK;
}
