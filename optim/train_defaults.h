/* What training does where a file or a program does not say it: chosen so that a network of a few
 * layers trains well on any table (docs/guide.md says on which it was measured). Nothing outside
 * optim includes this. */
#ifndef NM_OPTIM_TRAIN_DEFAULTS_H
#define NM_OPTIM_TRAIN_DEFAULTS_H

#include "optim/trainer.h"

/* Without an optimizer: SGD at a rate of 0.02 with momentum 0.9 and a weight decay of 3 / n for n
 * samples, at most 0.1, and where they are more than the p parameters (`weights`), times p / n; and
 * where they are not given either, a cosine schedule and gradients clipped to a norm of 1. With
 * one, all is as it says. What is chosen stays in *usual, which must outlive the options. */
NM_COMMAND_API void nm_train_complete(nm_train_options *options, int64_t samples, int64_t weights,
                                      nm_sgd_options *usual);

/* Epochs, where `epochs` is 0: as many as make 2000 updates, from 10 to 1000. */
NM_COMMAND_API int64_t nm_train_epochs(const nm_train_options *options, int64_t updates_per_epoch);

#endif
