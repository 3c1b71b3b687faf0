/* Convolutions where the images stand, without copies of patches. Strips of sums, which are written
 * for vectors of channels:
 *
 *     y[place] = from[place] + sum over rows and columns of x[place, row, column] w[row, column]
 *
 * Forward and for the gradient of x the places lie side by side in an image, and the sum goes over
 * the taps that lie inside.
 *
 * Depthwise, with as many groups as channels, x is a vector; where a channel has several outputs,
 * of a copy with as many. For the gradient of the weights the places are taps, and w is dy.
 * Otherwise x is a number for each channel of the group, over which the sum goes too. */
#ifndef NM_OPS_KERNELS_DIRECT_H
#define NM_OPS_KERNELS_DIRECT_H

#include "ops/kernels/conv.h"

/* Steps are in bytes. All of x, w, from and y have channels side by side: x and w `channels`, from
 * and y as many or, with more `room`, the next multiple of the lanes. The last vector goes over
 * channels of the one before it; where there is room it stands by itself in y. */
typedef struct nm_strip {
    const char *x, *w, *from;
    char *y;
    int64_t places, rows, columns;
    int64_t x_place, y_place, from_place;
    int64_t x_row, x_column, w_row, w_column;
    int64_t channels, room, item; /* item: bytes of a number */
    int64_t depth, w_depth;       /* bytes of channels that are summed, one by one; 0: none are */
} nm_strip;

/* Some places of a strip, `lanes` channels of each, from where the others point. */
typedef void (*nm_tile_fn)(const nm_strip *strip, const char *x, const char *w, const char *from,
                           char *y);
typedef struct nm_tiles {
    int64_t lanes;
    int places[3], direct_places[3]; /* from the most to 1 */
    nm_tile_fn depthwise[3], direct[3];
} nm_tiles;

/* All of its places, and of its channels the vectors from first to last. */
void nm_strip_run(const nm_strip *strip, const nm_tiles *tiles, int64_t first, int64_t last);

/* Of numbers one by one, for any processor. */
extern const nm_tiles nm_tiles_f32, nm_tiles_f64;

bool nm_conv_is_depthwise(const nm_conv *conv);

/* As in conv.h, but all of one type, f32 or f64, which the tiles are of. A group has as many
 * outputs (the gradient of x: channels) as they have lanes, at least; of depthwise ones all groups
 * together have so many outputs. The gradient of the weights is of depthwise ones alone. The same
 * bits for any number of threads. */
nm_status nm_direct_forward(nm_context *context, const nm_tiles *tiles, nm_dtype dtype,
                            const nm_conv *conv, const void *x, const void *w, const void *bias,
                            nm_activation activation, void *y);
nm_status nm_direct_input_grad(nm_context *context, const nm_tiles *tiles, nm_dtype dtype,
                               const nm_conv *conv, const void *dy, const void *w, void *dx);
nm_status nm_direct_weight_grad(nm_context *context, const nm_tiles *tiles, nm_dtype dtype,
                                const nm_conv *conv, const void *x, const void *dy, void *dw);

#endif
