#include "optim/augment.h"

#include <string.h>

static int64_t clamp(int64_t i, int64_t low, int64_t high)
{
    return i < low ? low : i > high ? high : i;
}

/* Fills pixels with copies of one, or with zeros (NULL). */
static void fill(unsigned char *out, const unsigned char *pixel, int64_t count, size_t size)
{
    if (!pixel) {
        memset(out, 0, (size_t)count * size);
        return;
    }
    for (int64_t i = 0; i < count; i++) {
        memcpy(out + (size_t)i * size, pixel, size);
    }
}

static void move_row(const nm_image *image, const unsigned char *in, unsigned char *out,
                     int64_t right, bool edge)
{
    size_t size = image->pixel;
    int64_t gap = clamp(right, -image->width, image->width); /* pixels from outside */
    int64_t kept = image->width - (gap < 0 ? -gap : gap);
    if (gap >= 0) {
        fill(out, edge ? in : NULL, gap, size);
        memcpy(out + (size_t)gap * size, in, (size_t)kept * size);
    } else {
        const unsigned char *last = in + (size_t)(image->width - 1) * size;
        memcpy(out, in + (size_t)-gap * size, (size_t)kept * size);
        fill(out + (size_t)kept * size, edge ? last : NULL, -gap, size);
    }
}

void nm_image_move(const nm_image *image, const void *in, void *out, int64_t down, int64_t right,
                   bool edge)
{
    size_t row = (size_t)image->width * image->pixel;
    for (int64_t y = 0; y < image->height; y++) {
        int64_t from = clamp(y - down, 0, image->height - 1);
        unsigned char *to = (unsigned char *)out + (size_t)y * row;
        if (from == y - down || edge) {
            move_row(image, (const unsigned char *)in + (size_t)from * row, to, right, edge);
        } else {
            memset(to, 0, row);
        }
    }
}

static void swap_pixels(unsigned char *a, unsigned char *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char kept = a[i];
        a[i] = b[i];
        b[i] = kept;
    }
}

void nm_image_mirror(const nm_image *image, void *pixels)
{
    unsigned char *row = pixels;
    for (int64_t y = 0; y < image->height; y++) {
        unsigned char *left = row, *right = row + (size_t)(image->width - 1) * image->pixel;
        for (; left < right; left += image->pixel, right -= image->pixel) {
            swap_pixels(left, right, image->pixel);
        }
        row += (size_t)image->width * image->pixel;
    }
}
