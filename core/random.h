/* Random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy
 * as 1, 2, 3"). Number i of a stream is a function of (seed, stream, i) alone, so results depend on
 * neither threads nor order, and a stream's whole state is two integers. */
#ifndef NM_CORE_RANDOM_H
#define NM_CORE_RANDOM_H

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Ten rounds of Philox4x32 on a counter and a key; the published test vectors hold. */
NM_API void nm_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

typedef struct nm_random {
    uint64_t seed;     /* key */
    uint64_t stream;   /* independent streams of one seed: upper half of the counter */
    uint64_t position; /* numbers drawn so far: lower half */
} nm_random;

NM_API nm_random nm_random_create(uint64_t seed, uint64_t stream);
NM_API uint64_t nm_random_next(nm_random *random);                /* 64 uniform bits */
NM_API double nm_random_uniform(nm_random *random);               /* [0, 1), 53 bits */
NM_API double nm_random_normal(nm_random *random);                /* N(0, 1), Box-Muller */
NM_API int64_t nm_random_below(nm_random *random, int64_t bound); /* 0..bound-1, unbiased */
/* A random order of 0..count-1 (Fisher-Yates). */
NM_API void nm_random_permutation(nm_random *random, int64_t *order, int64_t count);

/* Fill a floating tensor (f32 or f64). Every element uses a position of its own. */
NM_API nm_status nm_random_fill_uniform(nm_random *random, nm_tensor *tensor, double low,
                                        double high);
NM_API nm_status nm_random_fill_normal(nm_random *random, nm_tensor *tensor, double mean,
                                       double deviation);

#ifdef __cplusplus
}
#endif
#endif
