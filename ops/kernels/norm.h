/* Passes over the channels of a tensor, for batch norm, weight norm and their gradients.
 *
 * All of them have one form: gather a few sums for every channel, let the op turn these into
 * coefficients of the channel (`finish`), then compute every element with its channel's
 * coefficients (`apply`). The formulas are the op's; here are the loops. Promises:
 *
 * 1. Variances are computed piece by piece from differences to a center: the mean of the piece's
 *    first values, or where that is farther from the mean than the standard deviation, in another
 *    pass, the mean of all of them. Pieces are joined in double by Chan, Golub and LeVeque's
 * formula. No square of a sum is ever subtracted from a sum of squares that it is more than half
 * of. A channel whose values are all equal has exactly that mean, and variance 0.
 * 2. How the work is cut depends on shape and type alone, and partial sums are joined in one order:
 *    the results do not depend on the number of threads.
 * 3. Sums of f32 add at most about a thousand elements in f32 and the rest in double. */
#ifndef NM_OPS_KERNELS_NORM_H
#define NM_OPS_KERNELS_NORM_H

#include "core/op.h"
#include "ops/activation.h"

/* A tensor seen as [outer, channels, inner]: a channel has outer * inner values. */
typedef struct nm_channels {
    int64_t outer, channels, inner;
} nm_channels;

/* The view with the channels on `axis`; -1: all elements are of one channel. */
nm_channels nm_channels_of(const nm_shape *shape, int axis);

/* What is gathered, with xhat = (x - center) * inverse. */
typedef enum nm_gather {
    NM_GATHER_NOTHING,
    NM_GATHER_MOMENTS,  /* sum[0] = the mean of x, sum[1] = the sum of (x - mean)^2 */
    NM_GATHER_PRODUCTS, /* sum[0] = sum of dy, sum[1] = sum of dy * xhat, sum[2] = sum of xhat */
    NM_GATHER_SQUARES,  /* sum[0] = sum of xhat^2 */
    NM_GATHER_PEAK      /* sum[0] = the largest |x|, NaN left out */
} nm_gather;

/* What is computed from it. */
typedef enum nm_apply_kind {
    NM_APPLY_NOTHING,
    NM_APPLY_AFFINE,  /* y = activation(a * (x - center) + b + residual) */
    NM_APPLY_COMBINE, /* y = a * dy + b * xhat + c */
    NM_APPLY_SCALE    /* y = a * dy */
} nm_apply_kind;

/* How the work is cut: into chunks of `length` along outer, times blocks of `width` channels. */
typedef struct nm_channel_cut {
    int64_t length, chunks, width, blocks;
    int64_t fold; /* rows taken side by side as one, so that narrow rows fill vectors */
} nm_channel_cut;

typedef struct nm_channel_pass nm_channel_pass;
struct nm_channel_pass {
    nm_context *context;
    nm_dtype dtype; /* of x, dy, y: f32 or f64 */
    nm_channels view;
    nm_gather gather;
    nm_apply_kind apply;
    const void *x, *dy;
    void *y;
    const void *residual;     /* for NM_APPLY_AFFINE; NULL: 0 */
    nm_activation activation; /* for NM_APPLY_AFFINE */
    /* Take dy where gate_a * (x - center) + gate_b is above 0, the very value that an affine pass
     * with these numbers had, and 0 elsewhere: the gradient of a relu whose result nobody reads. */
    bool gated;
    /* Turns the sums of channels begin..end into coefficients, or stores them. Called once for
     * every channel, on any thread. NULL: nothing to do. */
    void (*finish)(nm_channel_pass *pass, int64_t begin, int64_t end);
    void *arg; /* for finish */
    /* So many neighbouring channels, at most NM_CHANNEL_UNIT, which divide their number, belong
     * together: finish() gets whole units. 0: 1. For channels on the last axis. */
    int64_t unit;
    bool alone; /* on this thread only: it is one of several that share passes */
    /* Another pass over a tensor of this view and type, begun too, whose steps are taken together
     * with this one's, tile by tile, in this order; its sums are there when this one's finish() is
     * called, which is the only one, and which sets its coefficients too. NULL: none. */
    nm_channel_pass *also;
    /* Of a pass in f32, which of the tensors are bf16: for channels on the last axis. */
    bool x_is_bf16, residual_is_bf16, y_is_bf16;

    /* One number a channel each, from nm_channel_pass_begin() on. */
    double *sum[3];
    double *center, *inverse; /* 0 and 1 at first */
    double *a, *b, *c;        /* not set at first */
    double *gate_a, *gate_b;  /* to be set before a gated run */

    nm_channel_cut cut;
    int64_t stride; /* elements from row to row */
    void *memory;   /* of the arrays above and below */
    double *parts;  /* the sums of every chunk: [chunks, 3, channels] */
    void *narrow;   /* the coefficients as the loops want them: of `dtype`, repeated `fold`
                       times */
};

#define NM_CHANNEL_UNIT 64

/* Fill in everything down to `also`; begin; set center and inverse if they are known; run; end. */
nm_status nm_channel_pass_begin(nm_channel_pass *pass);
/* The same in memory of the caller's, of that many bytes, 64-byte aligned; not to be ended. */
size_t nm_channel_pass_bytes(nm_channel_pass *pass);
void nm_channel_pass_begin_in(nm_channel_pass *pass, void *memory);
void nm_channel_pass_run(nm_channel_pass *pass);
void nm_channel_pass_end(nm_channel_pass *pass);

/* Copy channels begin..end between a tensor's elements and an array of one number a channel. A NULL
 * `from` stands for `other` everywhere, a NULL `to` takes nothing. */
void nm_channels_load(nm_dtype dtype, const void *from, double other, int64_t begin, int64_t end,
                      double *to);
void nm_channels_store(nm_dtype dtype, const double *from, int64_t begin, int64_t end, void *to);

#endif
