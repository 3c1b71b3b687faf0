/* Going on with a run: only as what it was. */
#ifndef NM_MODELS_COMMAND_TRAIN_RESUME_H
#define NM_MODELS_COMMAND_TRAIN_RESUME_H

#include "models/command/train/train.h"

/* Holds the configuration against the one in the run's folder. What would make another run of it
 * (network, data, loss, seed) is refused, with what differs. */
nm_status check_same_run(const run *r);
/* The rest that changed is told on standard error, with what that does to the learning rate. After
 * the checkpoint was taken, and before network.yaml is written over. */
nm_status tell_changes(const run *r);

#endif
