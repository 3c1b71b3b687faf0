/* What tests of batch norm share: its channels, one by one. */
#ifndef NM_TESTS_OPS_CHANNELS_TEST_H
#define NM_TESTS_OPS_CHANNELS_TEST_H

#include "tests/ops/ops_test.h"

/* A tensor seen as [outer, channels, inner]. */
typedef struct view {
    int64_t outer, channels, inner;
} view;

static inline double at(nm_tensor *x, const view *v, int64_t o, int64_t c, int64_t i)
{
    return nm_tensor_get(x, (o * v->channels + c) * v->inner + i);
}

/* Mean and biased variance of a channel, two passes in double. */
static inline void moments(nm_tensor *x, const view *v, int64_t c, double *mean, double *var)
{
    const double m = (double)(v->outer * v->inner);
    *mean = *var = 0;
    for (int64_t o = 0; o < v->outer; o++) {
        for (int64_t i = 0; i < v->inner; i++) {
            *mean += at(x, v, o, c, i) / m;
        }
    }
    for (int64_t o = 0; o < v->outer; o++) {
        for (int64_t i = 0; i < v->inner; i++) {
            const double d = at(x, v, o, c, i) - *mean;
            *var += d * d / m;
        }
    }
}

#endif
