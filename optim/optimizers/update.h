/* What the update of an optimizer is written with. */
#ifndef NM_OPTIM_OPTIMIZERS_UPDATE_H
#define NM_OPTIM_OPTIMIZERS_UPDATE_H

#include <math.h>

#include "ops/kernels/kernel.h"
#include "optim/table.h"

#define NM_ROOT_float sqrtf
#define NM_ROOT_double sqrt

/* NM_UPDATE(name, numbers, body), with a name that no other file uses (kernel.h), defines the
 * function name(update, k), where k is a struct of type `numbers`: what is the same for all
 * elements. Once for each type of parameter, body is run for every index i with
 *
 *     w, a, b, c       the parameter and its states, arrays
 *     g                the element of the gradient, scaled
 *     rate, decay      of this parameter
 *     real, root()     its type, and the root in it
 *
 * Every element is computed by the same operations wherever a stretch begins or ends, so the bits
 * do not depend on the number of threads. */
#define NM_UPDATE_FOR(name, real_, numbers, ...)                                                   \
    NM_KERNEL_##real_ static void name##_##real_(                                                  \
        const nm_update *u, const numbers *given, real_ *restrict w,                               \
        const real_ *restrict gradient, real_ *restrict a, real_ *restrict b, real_ *restrict c)   \
    {                                                                                              \
        typedef real_ real;                                                                        \
        real_ (*const root)(real_) = NM_ROOT_##real_;                                              \
        const real rate = (real)u->rate, decay = (real)u->weight_decay, scale = (real)u->scale;    \
        const int64_t count = u->count;                                                            \
        const numbers k = *given;                                                                  \
        (void)w, (void)a, (void)b, (void)c, (void)k, (void)root, (void)rate, (void)decay;          \
        NM_SIMD for (int64_t i = 0; i < count; i++)                                                \
        {                                                                                          \
            const real g = scale * gradient[i];                                                    \
            (void)g;                                                                               \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

#define NM_UPDATE(name, numbers, ...)                                                              \
    NM_UPDATE_FOR(name, float, numbers, __VA_ARGS__)                                               \
    NM_UPDATE_FOR(name, double, numbers, __VA_ARGS__)                                              \
    static void name(const nm_update *u, numbers k)                                                \
    {                                                                                              \
        void *const *s = u->state;                                                                 \
        if (u->dtype == NM_F32) {                                                                  \
            name##_float(u, &k, u->parameter, u->gradient, s[0], s[1], s[2]);                      \
        } else {                                                                                   \
            name##_double(u, &k, u->parameter, u->gradient, s[0], s[1], s[2]);                     \
        }                                                                                          \
    }

#endif
