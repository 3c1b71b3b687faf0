/* The steps of lstm and gru, behind the product of their inputs with w_ih. */
#ifndef NM_OPS_SEQUENCE_RECURRENT_H
#define NM_OPS_SEQUENCE_RECURRENT_H

#include "core/op.h"

enum { NM_LSTM_GATES = 4, NM_GRU_GATES = 3 };

typedef struct nm_steps_options {
    size_t struct_size;
    int64_t gates;
    bool reverse;
} nm_steps_options;

/* Inputs of recurrent_steps: x w_ih^T and biases, [n, steps, gates hidden]; w_hh; b_hh, which of
 * lstm may stand in x; the first state and the lengths as lstm and gru have them. */
enum {
    NM_STEPS_X,
    NM_STEPS_W,
    NM_STEPS_B,
    NM_STEPS_H0,
    NM_STEPS_C0,
    NM_STEPS_LENGTHS,
    NM_STEPS_INPUTS
};

/* Outputs: those of lstm, c of gru without elements; and what the gradient needs. */
enum { NM_STEPS_Y, NM_STEPS_H, NM_STEPS_C, NM_STEPS_SAVED, NM_STEPS_OUTPUTS };

/* All steps in one piece, and the gradient in another. */
extern const nm_op nm_op_recurrent_steps;

/* The same as a formula of ops, for gradients of gradients. */
nm_tensor *nm_recurrent_formula(nm_compose *compose);

#endif
