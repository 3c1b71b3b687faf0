/* Unpacking gzip data as it is read. Nothing outside core includes this. */
#ifndef NM_CORE_FILES_GZIP_H
#define NM_CORE_FILES_GZIP_H

#include "core/context.h"

/* No deflate data grows more than so many times. */
#define NM_DEFLATE_RATIO 1032

typedef struct nm_gzip nm_gzip;

/* Gives up to `size` bytes of packed data; fewer only at their end. */
typedef nm_status nm_gzip_refill(void *user, void *to, size_t size, size_t *got);

/* Whether data begin as gzip data do. */
bool nm_gzip_begins(const unsigned char *data, size_t size);

/* `title` stands for the file in messages, and stays the caller's. NULL on failure. */
nm_gzip *nm_gzip_create(nm_context *context, const char *title, nm_gzip_refill *refill, void *user);
void nm_gzip_destroy(nm_gzip *gzip); /* NULL is fine */

/* Says where both are now. */
void nm_gzip_move(nm_gzip *gzip, const char *title, void *user);

/* Reads the next `size` unpacked bytes, or fewer at the end, where the checksums are right. */
nm_status nm_gzip_read(nm_gzip *gzip, void *to, size_t size, size_t *got);
/* Packed bytes that were asked for and are not used yet. */
size_t nm_gzip_waiting(const nm_gzip *gzip);

#endif
