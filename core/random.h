/* Random numbers: Philox4x32-10 (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy
 * as 1, 2, 3"). Number i of a stream is a function of (seed, stream, i) alone, so results depend on
 * neither threads nor order, and a stream's whole state is three integers. */
#ifndef NM_CORE_RANDOM_H
#define NM_CORE_RANDOM_H

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Ten rounds of Philox4x32 on a counter and a key; the published test vectors hold. */
NM_API void nm_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Two sequences run side by side, both indexed by `position`: 64 uniform bits and a normal number.
 * They come from different counters, so drawing now from one and now from the other is fine. */
typedef struct nm_random {
    uint64_t seed;     /* key */
    uint64_t stream;   /* independent streams of one seed: upper half of the counter */
    uint64_t position; /* numbers drawn so far: lower half. Set it to go back or to leap ahead */
} nm_random;

/* At position 0. */
NM_API nm_random nm_random_create(uint64_t seed, uint64_t stream);
NM_API uint64_t nm_random_next(nm_random *random);  /* 64 uniform bits; one position */
NM_API double nm_random_uniform(nm_random *random); /* [0, 1), 53 bits; one position */
NM_API double nm_random_normal(nm_random *random);  /* N(0, 1), Box-Muller; one position */
/* 0..bound-1, exactly unbiased, 0 if `bound` is below 1. Takes one position, rarely more: bits that
 * would bias the result are thrown away. */
NM_API int64_t nm_random_below(nm_random *random, int64_t bound);
/* Writes a random order of 0..count-1 (Fisher-Yates); every order is equally likely. */
NM_API void nm_random_permutation(nm_random *random, int64_t *order, int64_t count);

/* Fill a floating tensor (f32 or f64). Element i takes the number at position + i, that which the
 * call above would draw there, so a tensor filled in two halves is the same; then the position
 * moves on by the number of elements. An f32 gets the f64's number, rounded.
 *
 * Uniform: low + (high - low) * u, never `high` itself unless low = high; for f32 the limits are
 * rounded first. Normal: mean + deviation * z. Limits that are not finite, low > high and a
 * negative deviation are NM_ERROR_INPUT; nothing is drawn then. */
NM_API nm_status nm_random_fill_uniform(nm_random *random, nm_tensor *tensor, double low,
                                        double high);
NM_API nm_status nm_random_fill_normal(nm_random *random, nm_tensor *tensor, double mean,
                                       double deviation);

#ifdef __cplusplus
}
#endif
#endif
