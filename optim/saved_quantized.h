/* Weights of 8 bits in files: a tensor i8 of the weight's name and shape, and "NAME_scale" f32
 * [outputs], above 0, which the rows of its numbers are multiplied by. Nothing outside optim and
 * models includes this. */
#ifndef NM_OPTIM_SAVED_QUANTIZED_H
#define NM_OPTIM_SAVED_QUANTIZED_H

#include "core/store.h"

/* Adds the store's tensors to a file being written, weights with 8 bits. What was made for that is
 * in `*made`, to be destroyed after writing; NULL on failure. */
nm_status nm_quantized_write(const nm_store *store, nm_tensor_writer *writer, nm_store **made);
/* Puts weights of f32 in the place of those of 8 bits, and takes their scales away. `prefix`: of
 * the network's tensors; NULL: none. NM_ERROR_FORMAT where a scale is missing or wrong. */
nm_status nm_quantized_widen(nm_context *context, nm_tensor_file *file, const char *prefix);
/* Rounds the weights of a store to 8 bits, as they will be in a file, in place. */
nm_status nm_quantized_round(nm_store *store);

#endif
