#include <string.h>

#include "ops/kernels/finish.h"
#include "ops/kernels/kernel.h"
#include "ops/sequence/recurrent_cells.h"

#include "ops/kernels/of_double.h"
#include "ops/sequence/recurrent_loops.h"
