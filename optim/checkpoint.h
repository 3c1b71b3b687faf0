/* The files of a run. All are safetensors, written atomically (core/file.h).
 *
 * checkpoint.safetensors: everything that a run needs to go on.
 *
 *     model.<name>                the network's parameters and buffers
 *     optimizer.<state>.<name>    the optimizer's state, such as momentum
 *     metadata                    "format": "norma checkpoint", "version", the position (epoch,
 *                                 batch, step), sums of the running epoch, latest and best results,
 *                                 and what the run is told by: seed, data, batch, optimizer. No
 * times: the same run writes the same bytes
 *
 * Random state needs no place of its own: every random number is a function of the seed and the
 * position, and so is the learning rate.
 *
 * best.safetensors: the best network, under its plain names; metadata "format": "norma network". */
#ifndef NM_OPTIM_CHECKPOINT_H
#define NM_OPTIM_CHECKPOINT_H

#include "core/store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Reads a network's parameters and buffers from either file, or from any safetensors file with the
 * plain names. Changes nothing unless all fit. Messages begin with the path. */
NM_API nm_status nm_parameters_read(nm_store *store, const char *path);
/* Writes them under their plain names. */
NM_API nm_status nm_parameters_write(const nm_store *store, const char *path);

#ifdef __cplusplus
}
#endif
#endif
