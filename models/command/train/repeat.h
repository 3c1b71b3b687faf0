/* Several runs for one command: the folds of a cross-validation (--folds), or seeds (--seeds). Each
 * is a run like any other, in a folder within the command's (fold-1, seed-7), from which it goes on
 * and is evaluated. What they come to is told at the end, and stands in the log of the whole.
 *
 * 1. Each network is measured on rows that had no part in making it: its fold, or the test set;
 *    seeds without a test set on the validation set, which is told.
 * 2. Folds are split by the rules of `data.validation` and `data.split_seed`, and a share that is
 *    given there is taken of what a fold leaves. The file's test set is left alone. */
#ifndef NM_MODELS_COMMAND_TRAIN_REPEAT_H
#define NM_MODELS_COMMAND_TRAIN_REPEAT_H

#include "models/command/train/train.h"

/* All of them; returns the exit code. */
int run_several(run *whole);

#endif
