/* What one sequence does in one step of lstm or gru, beside products. */
#ifndef NM_OPS_SEQUENCE_RECURRENT_CELLS_H
#define NM_OPS_SEQUENCE_RECURRENT_CELLS_H

#include <stdint.h>

/* For one type; of lstm, then of gru: of one sequence of `n` hidden numbers. */
typedef struct nm_recurrent_loops {
    void (*forward[2])(const void *x, void *gates, void *h, void *c, void *y, int64_t n);
    /* The last three: of lstm dc, dz and n numbers of scratch, of gru dz, dx and nothing. */
    void (*backward[2])(const void *gates, const void *before, void *dh, void *a, void *b, void *d,
                        int64_t n);
    void (*add)(const void *dy, void *dh, int64_t n);
} nm_recurrent_loops;

extern const nm_recurrent_loops nm_recurrent_loops_f32, nm_recurrent_loops_f64;

#endif
