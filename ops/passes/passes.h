/* Passes over the graph of a forward pass that know what ops do: which of them one op computes at
 * once, and which are only other weights. Rules are rows of tables in fuse.c and fold.c. */
#ifndef NM_OPS_PASSES_PASSES_H
#define NM_OPS_PASSES_PASSES_H

#include "core/graph/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Puts one op in place of several where it computes the same with fewer passes over memory: batch
 * norm with an activation, an addition or 2 by 2 max pooling behind it; dense and conv2d with an
 * activation. Results are the same but for rounding, gradients of any order too. Nothing is done
 * where something else reads what lies between. Of NULL nothing. */
NM_API nm_status nm_graph_fuse(nm_graph *graph);

/* For training with bf16, after nm_graph_fuse(): what convolutions in bf16 and batch norms make,
 * and none but such read, is kept in bf16, where the processor has units for it. */
nm_status nm_graph_narrow(nm_graph *graph);

/* For inference, with the program's own tensors as they will be when nm_graph_settle() computes
 * what depends on them alone: batch norm by running statistics goes into the weights of the dense
 * or conv2d before it, whose activation goes along. */
nm_status nm_graph_fold(nm_graph *graph);

/* For inference, after nm_graph_fold() and nm_graph_fuse(): dense layers whose weights are the
 * program's own compute with 8 bits (ops/kernels/gemm_i8.h), where nm_takes_i8() says so.
 * nm_graph_settle() then packs the weights. */
nm_status nm_graph_quantize(nm_graph *graph);
/* Whether weights of that shape, a row for each output, are kept with 8 bits: those with rows of
 * NM_I8_LEAST numbers or more. */
#define NM_I8_LEAST 8
bool nm_takes_i8(const nm_shape *w);

/* For inference, after nm_graph_fold() and nm_graph_fuse(): dense layers whose weights are the
 * program's own take them packed, where that is faster. nm_graph_settle() then packs them. */
nm_status nm_graph_pack(nm_graph *graph);

#ifdef __cplusplus
}
#endif
#endif
