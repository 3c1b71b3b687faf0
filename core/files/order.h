/* The order of an element's bytes: least significant first in files, the processor's own in memory.
 * Where the two are one, nothing here costs anything. Nothing outside core includes this. */
#ifndef NM_CORE_FILES_ORDER_H
#define NM_CORE_FILES_ORDER_H

#include "core/file.h"

#define NM_LITTLE_ENDIAN (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

/* Turns the elements, of `size` bytes each, from the file's order to memory's or back, in place.
 * They may stand at any address. */
void nm_order_turn(void *elements, size_t bytes, size_t size);

/* Writes a tensor's elements, of `size` bytes each, in the file's order. */
nm_status nm_order_write(nm_file *file, const void *elements, size_t bytes, size_t size);

#endif
