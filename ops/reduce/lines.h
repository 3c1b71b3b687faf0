/* For ops that work on lines: all elements along one axis, for every index of the others. */
#ifndef NM_OPS_LINES_H
#define NM_OPS_LINES_H

#include "core/op.h"

/* Computes `lines` contiguous lines of `n` elements, one behind the other, from those of up to two
 * inputs. */
typedef void (*nm_lines_fn)(const void *const *x, void *y, int64_t lines, int64_t n);

/* Runs it on all lines of output 0 along `axis` (-1: it is one number, a line of one); the inputs
 * have the output's shape. Lines that are not contiguous are moved there and back. */
nm_status nm_along_lines(const nm_run *run, int axis, nm_lines_fn f32, nm_lines_fn f64);

/* x summed along an axis, which stays with length 1; -1: it is one number. */
nm_tensor *nm_sum_of_lines(nm_tape *tape, nm_tensor *x, int axis);

#endif
