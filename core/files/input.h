/* A file as its readers see it: bytes from the front on, whether it is a file, standard input, gzip
 * data or memory. For readers in the library; not installed.
 *
 * A header is read first, and what it declares is held against what can follow before memory is
 * asked for. So a file costs what its header says, and never more than it really has. */
#ifndef NM_CORE_FILES_INPUT_H
#define NM_CORE_FILES_INPUT_H

#include "core/context.h"

#define NM_MOST_LOOK 16

typedef struct nm_input {
    nm_context *context;
    const char *path;            /* NULL: memory */
    const unsigned char *memory; /* what is left of it */
    int fd;
    bool sized;    /* `rest` is known: memory, or a regular file */
    uint64_t rest; /* bytes that follow in the file itself */
    uint64_t consumed, limit;
    unsigned char front[2]; /* bytes of the file that were looked at and are not used yet */
    size_t front_count;
    struct nm_gzip *gzip;             /* NULL: as it is */
    unsigned char back[NM_MOST_LOOK]; /* bytes that are given out again */
    size_t back_count;
} nm_input;

/* Opens the file at `path` ("-": standard input), of at most `limit` bytes (what is no regular
 * file: of at most NM_PIPE_LIMIT too). `unpack`: what begins as gzip data does is unpacked on the
 * way. The path stays the caller's, and there. On failure, "cannot read PATH: No such file ...",
 * nothing is left to be closed. */
nm_status nm_input_open(nm_input *input, nm_context *context, const char *path, size_t limit,
                        bool unpack);
/* The same over `size` bytes of memory, which stay the caller's. */
void nm_input_open_memory(nm_input *input, nm_context *context, const void *data, size_t size);
void nm_input_close(nm_input *input); /* a second time is fine */

/* The first bytes, at most NM_MOST_LOOK, unpacked: for who must know what a file is before it is
 * read. What can be read only once (standard input, a pipe) stays open, and the next one who opens
 * that path gets them again. */
nm_status nm_input_look(nm_context *context, const char *path, void *bytes, size_t size,
                        size_t *got);

/* Reads the next `size` bytes, or fewer at the end; *got: how many. */
nm_status nm_input_read(nm_input *input, void *to, size_t size, size_t *got);

/* "cannot read PATH: reason". Returns `status`. */
nm_status nm_input_fail(const nm_input *input, nm_status status, const char *format, ...)
    NM_PRINTF(3, 4);

/* How many bytes follow: exactly, or at most. */
bool nm_input_is_exact(const nm_input *input);
uint64_t nm_input_left(const nm_input *input);
/* How many bytes of the file itself have been read. */
uint64_t nm_input_consumed(const nm_input *input);

/* ---- The rest of a file, whose size its header declared ----
 * *there says how many bytes follow, as far as is known: `declared` if it may be so, fewer or more
 * (at least so many) if not, which the caller reports. A status is an error of another kind, and
 * reported. */

/* Before anything is read or memory asked for. Fails if so much does not fit into the memory at
 * hand, or if of a large file next to nothing is stored (its rest are holes). */
nm_status nm_input_check(nm_input *input, uint64_t declared, uint64_t *there);
/* Reads the bytes to `to`, and looks whether more follow. */
nm_status nm_input_fill(nm_input *input, void *to, size_t declared, uint64_t *there);
/* Both, to new memory, which grows as data comes where it is not known how much will; NULL unless
 * *there is `declared`. Free with nm_free(). */
nm_status nm_input_take(nm_input *input, uint64_t declared, uint64_t *there, void **data);

/* Everything, of at most `limit` bytes, with a 0 behind; new memory. What unpacks to more than
 * NM_UNPACK_FREE bytes may have no more than NM_UNPACK_RATIO times the packed size. */
#define NM_UNPACK_FREE ((size_t)1 << 26)
#define NM_UNPACK_RATIO 100
char *nm_input_read_all(nm_input *input, size_t limit, size_t *size);

/* Bytes that programs can still ask for without others being ended or swapped out; SIZE_MAX: not
 * known. */
size_t nm_memory_at_hand(void);

#endif
