#include "core/files/order.h"

#include <string.h>

static void reverse(unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size / 2; i++) {
        unsigned char byte = bytes[i];
        bytes[i] = bytes[size - 1 - i];
        bytes[size - 1 - i] = byte;
    }
}

void nm_order_turn(void *elements, size_t bytes, size_t size)
{
    for (size_t at = 0; !NM_LITTLE_ENDIAN && at < bytes; at += size) {
        reverse((unsigned char *)elements + at, size);
    }
}

nm_status nm_order_write(nm_file *file, const void *elements, size_t bytes, size_t size)
{
    if (NM_LITTLE_ENDIAN) {
        return nm_file_write(file, elements, bytes);
    }
    char piece[4096]; /* a multiple of every element's size */
    nm_status status = NM_OK;
    for (size_t at = 0; status == NM_OK && at < bytes; at += sizeof piece) {
        size_t rest = bytes - at, part = rest < sizeof piece ? rest : sizeof piece;
        memcpy(piece, (const char *)elements + at, part);
        nm_order_turn(piece, part, size);
        status = nm_file_write(file, piece, part);
    }
    return status;
}
