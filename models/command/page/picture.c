/* PNG (RFC 2083): a signature, then chunks: header, rows packed by zlib (each with filter 0), end.
 */

#include "models/command/page/picture.h"

#include <stdint.h>
#include <string.h>
#include <zlib.h>

/* ---- Base64 (RFC 4648) ---- */

static void put_base64(FILE *to, const unsigned char *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        const size_t left = size - i;
        const unsigned three = (unsigned)bytes[i] << 16 |
                               (left > 1 ? (unsigned)bytes[i + 1] << 8 : 0) |
                               (left > 2 ? bytes[i + 2] : 0u);
        fputc(digits[three >> 18], to);
        fputc(digits[three >> 12 & 63], to);
        fputc(left > 1 ? digits[three >> 6 & 63] : '=', to);
        fputc(left > 2 ? digits[three & 63] : '=', to);
    }
}

/* ---- Chunks ---- */

static void put_big(unsigned char to[4], uint64_t value)
{
    for (int i = 0; i < 4; i++) {
        to[i] = (unsigned char)(value >> (24 - 8 * i));
    }
}

static void put_chunk(FILE *to, const char *kind, const unsigned char *data, size_t size)
{
    unsigned char number[4];
    uLong sum = crc32(crc32(0, NULL, 0), (const Bytef *)kind, 4);
    sum = size ? crc32(sum, data, (uInt)size) : sum;
    put_big(number, size);
    fwrite(number, 1, 4, to);
    fwrite(kind, 1, 4, to);
    fwrite(data, 1, size, to);
    put_big(number, sum);
    fwrite(number, 1, 4, to);
}

static void put_header(FILE *to, const page_picture *p)
{
    unsigned char header[13] = {0};
    put_big(header, (uint64_t)p->columns);
    put_big(header + 4, (uint64_t)p->rows);
    header[8] = 8;
    header[9] = p->channels == 1 ? 0 : p->channels == 3 ? 2 : 6;
    put_chunk(to, "IHDR", header, sizeof header);
}

static void put_rows(FILE *to, nm_context *context, const page_picture *p)
{
    const size_t row = (size_t)(p->columns * p->channels), size = (row + 1) * (size_t)p->rows;
    uLongf packed = compressBound((uLong)size);
    unsigned char *rows = nm_alloc_zero(context, size + 1, 1), *bytes = nm_alloc(context, packed);
    for (int64_t i = 0; rows && i < p->rows; i++) {
        memcpy(rows + (size_t)i * (row + 1) + 1, p->pixels + (size_t)i * row, row);
    }
    if (rows && bytes && compress2(bytes, &packed, rows, (uLong)size, 9) == Z_OK) {
        put_chunk(to, "IDAT", bytes, packed);
    } else {
        nm_fail(context, NM_ERROR_MEMORY, "out of memory (while writing a picture)");
    }
    nm_free(context, rows);
    nm_free(context, bytes);
}

void put_png(FILE *to, nm_context *context, const page_picture *p)
{
    text_stream part;
    if (text_begin(&part, context)) {
        fwrite("\x89PNG\r\n\x1a\n", 1, 8, part.to);
        put_header(part.to, p);
        put_rows(part.to, context, p);
        put_chunk(part.to, "IEND", (const unsigned char *)"", 0);
    }
    if (text_end(&part)) {
        fputs("data:image/png;base64,", to);
        put_base64(to, (const unsigned char *)part.text, part.size);
    }
    text_free(&part);
}
