/* A batch forward and backward. Where the network runs from graphs (optim/traced.h), a step that
 * comes again is done from a list of calls that was kept of it: shapes, checks, the order of the
 * backward pass and the places of all elements are settled, and nothing is recorded. It gives the
 * same bits as a step on the tape.
 *
 * A list is kept for each shape of samples and targets, for the loss with its options, the
 * precision, what is trainable, and which of the program's tensors require gradients; when one of
 * these is new, the step runs on the tape, and is kept when it comes a second time. Anomaly mode,
 * and what no graph can hold, stay with the tape. */
#ifndef NM_OPTIM_STEPS_H
#define NM_OPTIM_STEPS_H

#include "optim/data/loader.h"
#include "optim/loss.h"
#include "optim/network.h"

typedef struct nm_batch_step {
    const nm_network *network;
    const nm_loss *loss;
    nm_tape *tape; /* is reset */
    nm_random *random;
    nm_precision precision;
    const nm_batch *batch;
    double scale; /* what the loss counts, for the gradients; 1: as it is */
    bool by_tape;
} nm_batch_step;

/* *loss is the batch's; gradients are added to those of the parameters, unless it is not finite:
 * then nothing more is done, and it is no error here. */
nm_status nm_batch_step_run(const nm_batch_step *step, double *loss);

#endif
