/* Rows of so few numbers that vectors are better filled with numbers of several rows: their
 * exponentials, and sums of them. */
#ifndef NM_OPS_SIDE_BY_SIDE_H
#define NM_OPS_SIDE_BY_SIDE_H

#include <stdint.h>

#define NM_SIDE_ROWS 16 /* computed together, and */
#define NM_SIDE_MOST 63 /* numbers of a row at most */

typedef struct nm_side_by_side {
    float e[NM_SIDE_MOST][NM_SIDE_ROWS]; /* e^(x - top), [number][row] */
    float top[NM_SIDE_ROWS], sum[NM_SIDE_ROWS];
} nm_side_by_side;

/* Of 1 to NM_SIDE_ROWS rows of n numbers, one behind the other; n is 1 to NM_SIDE_MOST. Each row's
 * sum is in the order of its numbers. */
void nm_exp_side_by_side(const float *x, int64_t n, int64_t rows, nm_side_by_side *to);

/* What becomes of row i of a group, of which x are the n numbers. */
typedef void (*nm_side_row_fn)(const float *x, int64_t n, const nm_side_by_side *group, int64_t i,
                               float *y);
/* Of any number of rows, one behind the other as their results are. */
void nm_rows_side_by_side(const float *x, float *y, int64_t rows, int64_t n, nm_side_row_fn row);

#endif
