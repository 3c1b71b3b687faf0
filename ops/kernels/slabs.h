/* Normalization of sets that lie in slabs [rows, columns, depth], one behind the other: a set is
 * one column of a slab, all of its rows and depth. Instance and group norm of images with the
 * channels last are so. It does what ops/kernels/sets.h does, by batch norm's passes over channels
 * (ops/kernels/norm.h), whose promises hold: each slab is a tensor [rows, columns * depth]. */
#ifndef NM_OPS_KERNELS_SLABS_H
#define NM_OPS_KERNELS_SLABS_H

#include "ops/kernels/sets.h"

/* `length` of the sets is rows * depth, and `x` lies as it is. */
typedef struct nm_slabs {
    nm_sets sets;
    int64_t slabs, rows, columns, depth;
} nm_slabs;

/* Whether it can be done: no weights, short depth, scale and shift the same in all rows. */
bool nm_slabs_suit(const nm_slabs *slabs);

/* As nm_sets_forward() and nm_sets_gradient_run(). */
nm_status nm_slabs_forward(const nm_slabs *slabs, const void *given_mean, const void *given_var,
                           void *y, void *mean, void *var, void *inverse);
nm_status nm_slabs_gradient_run(const nm_slabs *slabs, const nm_sets_gradient *gradient);

#endif
