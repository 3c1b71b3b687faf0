/* Images are copied with their padding; weights are transposed to [kh, kw * c, o]. Then a tile of
 * 8 outputs side by side, LANES channels each, or of 4 with 2 LANES channels, stays in registers
 * while the taps pass: each tap is a number of x times a vector of weights. */
#include "ops/kernels/conv_narrow.h"

#include <string.h>

#include "core/thread.h"
#include "ops/kernels/kernel.h"

/* Where functions have variants for instruction sets, this one is for AVX-512 alone, whose
 * registers a tile fills. Elsewhere it is what the compiler makes of it. */
#if defined(NM_KERNEL_VARIANTS)
#define WIDE __attribute__((target("avx512f")))
#else
#define WIDE
#endif
#define INLINE static inline __attribute__((always_inline))

#define CHANNELS 4 /* at most */
#define LANES 16
#define SUMS 8 /* of LANES channels, in a tile */

typedef float vector __attribute__((vector_size(LANES * sizeof(float))));
typedef int32_t bits __attribute__((vector_size(LANES * sizeof(int32_t))));

typedef struct job {
    const nm_conv *conv;
    const float *x, *bias;
    bool relu;
    float *padded, *weights, *y;
    int64_t height, width; /* of a padded image */
} job;

bool nm_conv_narrow_is_fast(void)
{
#if defined(NM_KERNEL_VARIANTS)
    return __builtin_cpu_supports("avx512f");
#else
    return false;
#endif
}

static bool can_run(void)
{
#if defined(NM_KERNEL_VARIANTS)
    return nm_conv_narrow_is_fast();
#else
    return true;
#endif
}

bool nm_conv_is_narrow(nm_dtype dtype, const nm_conv *c)
{
    return dtype == NM_F32 && c->groups == 1 && c->c >= 1 && c->c <= CHANNELS && c->o >= LANES &&
           c->o % LANES == 0 && c->dilation[0] == 1 && c->dilation[1] == 1 && c->n > 0 &&
           c->h > 0 && c->w > 0 && c->ow >= SUMS && c->padding[0] < c->kh &&
           c->padding[1] < c->kw && can_run();
}

/* Rows begin..end of all padded images. */
static void pad(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    const nm_conv *c = j->conv;
    size_t bytes = (size_t)(j->width * c->c) * sizeof(float);
    size_t own = (size_t)(c->w * c->c) * sizeof(float);
    for (int64_t row = begin; row < end; row++) {
        int64_t image = row / j->height, line = row % j->height - c->padding[0];
        float *to = j->padded + row * j->width * c->c;
        memset(to, 0, bytes);
        if (line >= 0 && line < c->h) {
            memcpy(to + c->padding[1] * c->c, j->x + (image * c->h + line) * c->w * c->c, own);
        }
    }
}

static void transpose(const nm_conv *c, const float *w, float *to)
{
    int64_t taps = c->kh * c->kw * c->c;
    for (int64_t o = 0; o < c->o; o++) {
        for (int64_t tap = 0; tap < taps; tap++) {
            to[tap * c->o + o] = w[o * taps + tap];
        }
    }
}

/* For all pixels and vectors of a tile. Unrolled, so that the sums are registers. */
#define EACH(p, v, ...)                                                                            \
    _Pragma("GCC unroll 8") for (int p = 0; p < pixels; p++)                                       \
    {                                                                                              \
        _Pragma("GCC unroll 2") for (int v = 0; v < vectors; v++)                                  \
        {                                                                                          \
            vector *sum = &sums[p * vectors + v];                                                  \
            __VA_ARGS__;                                                                           \
        }                                                                                          \
    }

/* `pixels` outputs, `vectors` * LANES channels of each: SUMS sums. x: under the first output's
 * first tap. */
INLINE void tile(const job *j, const float *x, int64_t channel, float *y, int pixels, int vectors)
{
    const nm_conv *c = j->conv;
    const int64_t step = c->stride[1] * c->c, row = c->kw * c->c;
    const float *w = j->weights + channel;
    vector sums[SUMS] = {{0}}, w0, w1;
    if (j->bias) {
        EACH(p, v, memcpy(sum, j->bias + channel + v * LANES, sizeof *sum));
    }
    for (int64_t i = 0; i < c->kh; i++, x += j->width * c->c) {
        for (int64_t tap = 0; tap < row; tap++, w += c->o) {
            memcpy(&w0, w, sizeof w0);
            memcpy(&w1, w + (vectors - 1) * LANES, sizeof w1);
            EACH(p, v, *sum += x[p * step + tap] * (v ? w1 : w0));
        }
    }
    if (j->relu) { /* NaN stays NaN */
        EACH(p, v, *sum = (vector)((bits)*sum & ~(bits)(*sum < 0)));
    }
    EACH(p, v, memcpy(y + p * c->o + v * LANES, sum, sizeof *sum));
}

/* One row of outputs for a block of channels. The last tile goes over some of the one before it. */
INLINE void compute_row(const job *j, const float *x, int64_t channel, float *y, int pixels,
                        int vectors)
{
    const nm_conv *c = j->conv;
    const int64_t step = c->stride[1] * c->c;
    for (int64_t first = 0; first < c->ow; first += pixels) {
        int64_t at = first + pixels <= c->ow ? first : c->ow - pixels;
        tile(j, x + at * step, channel, y + at * c->o, pixels, vectors);
    }
}

/* Output rows begin..end, counted over all images. */
WIDE static void compute(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    const nm_conv *c = j->conv;
    for (int64_t r = begin; r < end; r++) {
        int64_t line = r / c->oh * j->height + r % c->oh * c->stride[0];
        const float *x = j->padded + line * j->width * c->c;
        float *y = j->y + r * c->ow * c->o;
        int64_t channel = 0;
        for (; channel + 2 * LANES <= c->o; channel += 2 * LANES) {
            compute_row(j, x, channel, y + channel, SUMS / 2, 2);
        }
        if (channel < c->o) {
            compute_row(j, x, channel, y + channel, SUMS, 1);
        }
    }
}

/* Multiply-adds below which a second thread does not pay. */
#define WORTH_THREADS 131072

nm_status nm_conv_narrow_forward(nm_context *context, const nm_conv *c, const float *x,
                                 const float *w, const float *bias, bool with_relu, float *y)
{
    job j = {.conv = c, .x = x, .bias = bias, .relu = with_relu, .y = y};
    j.height = c->h + 2 * c->padding[0];
    j.width = c->w + 2 * c->padding[1];
    int64_t taps = c->kh * c->kw * c->c;
    int64_t weights = (taps * c->o + LANES - 1) / LANES * LANES;
    int64_t pixels = c->n * j.height * j.width * c->c;
    j.weights = nm_scratch(context, (size_t)(weights + pixels) * sizeof(float));
    if (!j.weights) {
        return NM_ERROR_MEMORY;
    }
    j.padded = j.weights + weights;
    transpose(c, w, j.weights);
    nm_parallel(context, c->n * j.height, 16384 / (j.width * c->c + 1) + 1, pad, &j);
    nm_parallel(context, c->n * c->oh, WORTH_THREADS / (c->ow * c->o * taps + 1) + 1, compute, &j);
    nm_scratch_end(j.weights);
    return NM_OK;
}
