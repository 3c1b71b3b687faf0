/* Of f32. Products take the time, so the loops are not compiled for several instruction sets: that
 * was 1 to 3 % of a training step. f64, which is for checking gradients, is
 * recurrent_cells_f64.c's, compiled to be small. */
#include "ops/sequence/recurrent_cells.h"

#include <string.h>

#include "ops/kernels/finish.h"
#include "ops/kernels/kernel.h"

#include "ops/kernels/of_float.h"
#include "ops/sequence/recurrent_loops.h"
