#include "core/files/gzip.h"

#include <string.h>
#define ZLIB_CONST /* input is const */
#include <zlib.h>

#define PACKED_BYTES ((size_t)1 << 16)
#define ZLIB_PIECE ((size_t)1 << 30)  /* zlib counts in 32 bits */
#define MAX_PADDING ((size_t)1 << 20) /* zeros behind the last member */

struct nm_gzip {
    nm_context *context;
    const char *title;
    nm_gzip_refill *refill;
    void *user;
    z_stream z;
    bool ended; /* no member follows */
    unsigned char packed[PACKED_BYTES];
};

static void *zlib_alloc(void *context, unsigned count, unsigned size)
{
    return nm_alloc_zero(context, count, size);
}

static void zlib_free(void *context, void *memory)
{
    nm_free(context, memory);
}

bool nm_gzip_begins(const unsigned char *data, size_t size)
{
    return size >= 2 && data[0] == 0x1f && data[1] == 0x8b;
}

static nm_status fail(const nm_gzip *g, int result)
{
    if (result == Z_MEM_ERROR) {
        return nm_context_status(g->context); /* zlib_alloc() reported it */
    }
    if (result == Z_DATA_ERROR || result == Z_NEED_DICT) {
        return nm_fail(g->context, NM_ERROR_FORMAT, "%s: damaged gzip data: %s", g->title,
                       g->z.msg ? g->z.msg : "it needs a dictionary");
    }
    return nm_fail(g->context, NM_ERROR_FORMAT, "%s: truncated gzip data", g->title);
}

nm_gzip *nm_gzip_create(nm_context *context, const char *title, nm_gzip_refill *refill, void *user)
{
    nm_gzip *g = nm_alloc_zero(context, 1, sizeof *g);
    if (!g) {
        return NULL;
    }
    g->context = context;
    g->title = title;
    g->refill = refill;
    g->user = user;
    g->z = (z_stream){.zalloc = zlib_alloc, .zfree = zlib_free, .opaque = context};
    int result = inflateInit2(&g->z, 15 + 16); /* the largest window; gzip, not zlib's own frame */
    if (result != Z_OK) {
        fail(g, result);
        nm_free(context, g);
        return NULL;
    }
    return g;
}

void nm_gzip_destroy(nm_gzip *gzip)
{
    if (gzip) {
        inflateEnd(&gzip->z);
        nm_free(gzip->context, gzip);
    }
}

void nm_gzip_move(nm_gzip *gzip, const char *title, void *user)
{
    gzip->title = title;
    gzip->user = user;
}

size_t nm_gzip_waiting(const nm_gzip *gzip)
{
    return gzip->z.avail_in;
}

/* Fills the buffer up behind what waits in it. */
static nm_status refill(nm_gzip *g)
{
    size_t kept = g->z.avail_in, got = 0;
    if (kept) {
        memmove(g->packed, g->z.next_in, kept);
    }
    nm_status status = g->refill(g->user, g->packed + kept, PACKED_BYTES - kept, &got);
    g->z.next_in = g->packed;
    g->z.avail_in = (unsigned)(kept + got);
    return status;
}

/* Zeros may follow the last member: tapes and block devices pad so. */
static nm_status check_padding(nm_gzip *g)
{
    size_t count = 0;
    bool zeros = true;
    while (g->z.avail_in && count <= MAX_PADDING) {
        count += g->z.avail_in;
        for (size_t i = 0; i < g->z.avail_in; i++) {
            zeros &= !g->z.next_in[i];
        }
        g->z.avail_in = 0;
        nm_status status = refill(g);
        if (status != NM_OK) {
            return status;
        }
    }
    if (zeros && !g->z.avail_in) {
        return NM_OK;
    }
    return nm_fail(g->context, NM_ERROR_FORMAT,
                   "%s: %s%zu bytes that are no gzip data follow the gzip data", g->title,
                   g->z.avail_in ? "more than " : "", count);
}

/* Behind a member: another one, or the end. */
static nm_status next_member(nm_gzip *g)
{
    nm_status status = g->z.avail_in < 2 ? refill(g) : NM_OK;
    if (status != NM_OK) {
        return status;
    }
    if (nm_gzip_begins(g->z.next_in, g->z.avail_in)) {
        inflateReset(&g->z);
        return NM_OK;
    }
    g->ended = true;
    return check_padding(g);
}

/* Unpacks into the room that z has been given. */
static nm_status inflate_some(nm_gzip *g)
{
    if (!g->z.avail_in) {
        nm_status status = refill(g);
        if (status != NM_OK || !g->z.avail_in) {
            return status != NM_OK ? status : fail(g, Z_BUF_ERROR);
        }
    }
    int result = inflate(&g->z, Z_NO_FLUSH);
    if (result == Z_STREAM_END) {
        return next_member(g);
    }
    return result == Z_OK || (result == Z_BUF_ERROR && !g->z.avail_in) ? NM_OK : fail(g, result);
}

nm_status nm_gzip_read(nm_gzip *gzip, void *to, size_t size, size_t *got)
{
    *got = 0;
    while (*got < size && !gzip->ended) {
        size_t room = size - *got < ZLIB_PIECE ? size - *got : ZLIB_PIECE;
        gzip->z.next_out = (unsigned char *)to + *got;
        gzip->z.avail_out = (unsigned)room;
        nm_status status = inflate_some(gzip);
        *got += room - gzip->z.avail_out;
        if (status != NM_OK) {
            return status;
        }
    }
    return NM_OK;
}
