#include "optim/data/augment.h"

#include <string.h>

#include "ops/kernels/kernel.h"
#include "ops/kernels/math.h"

static int64_t clamp(int64_t i, int64_t low, int64_t high)
{
    return i < low ? low : i > high ? high : i;
}

/* ---- Moving ---- */

/* Fills pixels with copies of one, or with zeros (NULL). */
static void fill(unsigned char *out, const unsigned char *pixel, int64_t count, size_t size)
{
    for (int64_t i = 0; i < count; i++, out += size) {
        for (size_t k = 0; k < size; k++) {
            out[k] = pixel ? pixel[k] : 0;
        }
    }
}

/* Rows `first` to `last` - 1 of the result, all of which come from rows of `in`: one copy of them
 * all, to the right by so many pixels, and then what the rows' ends did not have to give. */
static void move_rows(const nm_image *image, const unsigned char *in, unsigned char *out,
                      int64_t rows, int64_t right, bool edge)
{
    const size_t size = image->pixel, row = (size_t)image->width * size, all = (size_t)rows * row;
    const int64_t gap = right < 0 ? -right : right, kept = image->width - gap;
    const size_t offset = (size_t)gap * size;
    memcpy(right > 0 ? out + offset : out, right > 0 ? in : in + offset, all - offset);
    for (int64_t y = 0; y < rows && gap; y++, in += row, out += row) {
        const unsigned char *nearest = right > 0 ? in : in + row - size;
        fill(right > 0 ? out : out + (size_t)kept * size, edge ? nearest : NULL, gap, size);
    }
}

/* Moving by more than a side leaves no more than moving by a side does; with `edge`, than moving by
 * one less. */
void nm_image_move(const nm_image *image, const void *in, void *out, int64_t down, int64_t right,
                   bool edge)
{
    const int64_t height = image->height, width = image->width;
    const size_t row = (size_t)width * image->pixel;
    down = clamp(down, edge - height, height - edge);
    right = clamp(right, edge - width, width - edge);
    const int64_t above = down > 0 ? down : 0, below = down < 0 ? -down : 0;
    const int64_t rows = height - above - below;
    const unsigned char *from = (const unsigned char *)in + (size_t)below * row;
    unsigned char *to = out, *first = to + (size_t)above * row;
    unsigned char *end = first + (size_t)rows * row;
    if (rows) {
        move_rows(image, from, first, rows, right, edge);
    }
    for (int64_t y = 0; y < above; y++, to += row) {
        edge ? memcpy(to, first, row) : memset(to, 0, row);
    }
    for (int64_t y = 0; y < below; y++) {
        edge ? memcpy(end + (size_t)y * row, end - row, row)
             : memset(end + (size_t)y * row, 0, row);
    }
}

/* ---- Mirroring ---- */

/* Inlined for each of the usual sizes of a pixel, which makes the copy a move or two. */
NM_INLINE void mirror(const unsigned char *restrict in, unsigned char *restrict out, int64_t width,
                      size_t size)
{
    for (int64_t x = 0; x < width; x++) {
        memcpy(out + (size_t)x * size, in + (size_t)(width - 1 - x) * size, size);
    }
}

NM_KERNEL static void mirror_bytes(const unsigned char *restrict in, unsigned char *restrict out,
                                   int64_t width)
{
    NM_SIMD for (int64_t x = 0; x < width; x++)
    {
        out[x] = in[width - 1 - x];
    }
}

static void mirror_row(const unsigned char *in, unsigned char *out, int64_t width, size_t size)
{
    switch (size) {
    case 1: mirror_bytes(in, out, width); break;
    case 3: mirror(in, out, width, 3); break; /* red, green, blue */
    case 4: mirror(in, out, width, 4); break; /* one float */
    case 12: mirror(in, out, width, 12); break;
    default: mirror(in, out, width, size);
    }
}

void nm_image_mirror(const nm_image *image, const void *in, void *out)
{
    const size_t row = (size_t)image->width * image->pixel;
    for (int64_t y = 0; y < image->height; y++) {
        mirror_row((const unsigned char *)in + (size_t)y * row,
                   (unsigned char *)out + (size_t)y * row, image->width, image->pixel);
    }
}
