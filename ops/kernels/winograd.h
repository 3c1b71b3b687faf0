/* The transforms of Winograd's F(4x4, 3x3), on LANES channels at a time. */
#ifndef NM_OPS_KERNELS_WINOGRAD_H
#define NM_OPS_KERNELS_WINOGRAD_H

#include "ops/kernels/wide.h"

#define TAPS 3 /* of a kernel, both ways */
#define OUT 4  /* of a tile, both ways */
#define IN (OUT + TAPS - 1)
#define POSITIONS (IN * IN)

/* ---- One line of a tile ---- */

/* The points of the polynomials behind the matrices are 0, A, -A, B, -B and infinity. The results'
 * errors are half of those with 1 and 2, the largest a quarter, by as many operations. */
#define A 0.70710678118654752f
#define B 1.4142135623730950f
#define A2 0.5f
#define B2 2.f

/* B^T of the 6 at `x`. */
NM_INLINE void transform_input(const vector x[IN], vector to[IN])
{
    vector a = x[4] - B2 * x[2], a_odd = A * (x[3] - B2 * x[1]);
    vector b = x[4] - A2 * x[2], b_odd = B * (x[3] - A2 * x[1]);
    to[0] = A2 * B2 * x[0] - (A2 + B2) * x[2] + x[4];
    to[1] = a + a_odd;
    to[2] = a - a_odd;
    to[3] = b + b_odd;
    to[4] = b - b_odd;
    to[5] = A2 * B2 * x[1] - (A2 + B2) * x[3] + x[5];
}

/* A^T of 6. */
NM_INLINE void transform_sums(const vector m[IN], vector to[OUT])
{
    vector a = m[1] + m[2], a_odd = A * (m[1] - m[2]);
    vector b = m[3] + m[4], b_odd = B * (m[3] - m[4]);
    to[0] = m[0] + a + b;
    to[1] = a_odd + b_odd;
    to[2] = A2 * a + B2 * b;
    to[3] = A2 * a_odd + B2 * b_odd + m[5];
}

/* A of 4. */
NM_INLINE void transform_output_grad(const vector y[OUT], vector to[IN])
{
    vector a = y[0] + A2 * y[2], a_odd = A * (y[1] + A2 * y[3]);
    vector b = y[0] + B2 * y[2], b_odd = B * (y[1] + B2 * y[3]);
    to[0] = y[0];
    to[1] = a + a_odd;
    to[2] = a - a_odd;
    to[3] = b + b_odd;
    to[4] = b - b_odd;
    to[5] = y[3];
}

/* What G divides by. */
#define N0 (A2 * B2)
#define NA (2 * A2 * (A2 - B2))
#define NB (2 * B2 * (B2 - A2))

/* G of 3. */
NM_INLINE void transform_weights(const vector w[TAPS], vector to[IN])
{
    vector a = (1 / NA) * w[0] + (A2 / NA) * w[2], a_odd = (A / NA) * w[1];
    vector b = (1 / NB) * w[0] + (B2 / NB) * w[2], b_odd = (B / NB) * w[1];
    to[0] = (1 / N0) * w[0];
    to[1] = a + a_odd;
    to[2] = a - a_odd;
    to[3] = b + b_odd;
    to[4] = b - b_odd;
    to[5] = w[2];
}

/* G^T of 6. */
NM_INLINE void transform_weight_sums(const vector m[IN], vector to[TAPS])
{
    vector a = (1 / NA) * (m[1] + m[2]), b = (1 / NB) * (m[3] + m[4]);
    to[0] = (1 / N0) * m[0] + a + b;
    to[1] = (A / NA) * (m[1] - m[2]) + (B / NB) * (m[3] - m[4]);
    to[2] = A2 * a + B2 * b + m[5];
}

/* ---- Both ways ---- */

typedef void (*line_fn)(const vector *from, vector *to);

/* Fewer registers than a tile has vectors: then it lies in memory, whatever is unrolled. */
#if LANES == 16
#define UNROLL_LINES NM_UNROLL(6)
#else
#define UNROLL_LINES NM_NO_UNROLL
#endif

/* Down the columns of `tile`, then along the rows: [from, from] becomes [to, to]. */
NM_INLINE void transform(const vector *tile, int from, line_fn line, int to, vector *result)
{
    vector down[POSITIONS], column[IN], moved[IN];
    UNROLL_LINES for (int j = 0; j < from; j++)
    {
        NM_UNROLL(6) for (int i = 0; i < from; i++)
        {
            column[i] = tile[i * from + j];
        }
        line(column, moved);
        NM_UNROLL(6) for (int i = 0; i < to; i++)
        {
            down[i * from + j] = moved[i];
        }
    }
    UNROLL_LINES for (int i = 0; i < to; i++)
    {
        line(down + i * from, result + i * to);
    }
}

#endif
