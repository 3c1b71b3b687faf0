/* Moving and mirroring images, whatever their elements are. */
#ifndef NM_OPTIM_DATA_AUGMENT_H
#define NM_OPTIM_DATA_AUGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An image is rows of pixels, a pixel its channels. */
typedef struct nm_image {
    int64_t height, width;
    size_t pixel; /* bytes */
} nm_image;

/* out[y][x] = in[y - down][x - right]. What comes from outside is zero bytes or, with `edge`, the
 * nearest pixel. The images must not overlap. */
void nm_image_move(const nm_image *image, const void *in, void *out, int64_t down, int64_t right,
                   bool edge);
/* Swaps left and right. The images must not overlap. */
void nm_image_mirror(const nm_image *image, const void *in, void *out);

#endif
