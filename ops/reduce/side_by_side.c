#include "ops/reduce/side_by_side.h"

#include "ops/kernels/kernel.h"
#include "ops/kernels/math.h"
#include "ops/kernels/simd.h"

/* Fewer rows are filled up with the last. */
static void load(const float *x, int64_t n, int64_t rows, nm_side_by_side *to)
{
    for (int64_t i = 0; i < NM_SIDE_ROWS; i++) {
        const float *row = x + (i < rows ? i : rows - 1) * n;
        for (int64_t k = 0; k < n; k++) {
            to->e[k][i] = row[k];
        }
        to->top[i] = row[0];
        to->sum[i] = 0;
    }
}

NM_KERNEL_float static void compute(int64_t n, nm_side_by_side *to)
{
    for (int64_t k = 0; k < n; k++) {
        NM_SIMD for (int i = 0; i < NM_SIDE_ROWS; i++)
        {
            to->top[i] = to->e[k][i] > to->top[i] ? to->e[k][i] : to->top[i];
        }
    }
    for (int64_t k = 0; k < n; k++) {
        NM_SIMD for (int i = 0; i < NM_SIDE_ROWS; i++)
        {
            to->e[k][i] = NM_EXP(to->e[k][i] - to->top[i]);
            to->sum[i] += to->e[k][i];
        }
    }
}

void nm_exp_side_by_side(const float *x, int64_t n, int64_t rows, nm_side_by_side *to)
{
    load(x, n, rows, to);
    compute(n, to);
}

void nm_rows_side_by_side(const float *x, float *y, int64_t rows, int64_t n, nm_side_row_fn row)
{
    nm_side_by_side group;
    for (int64_t left = rows; left > 0; left -= NM_SIDE_ROWS) {
        const int64_t count = left < NM_SIDE_ROWS ? left : NM_SIDE_ROWS;
        nm_exp_side_by_side(x, n, count, &group);
        for (int64_t i = 0; i < count; i++, x += n, y += n) {
            row(x, n, &group, i, y);
        }
    }
}
