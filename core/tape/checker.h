/* A gradient check at work on one sample of an op. */
#ifndef NM_CORE_TAPE_CHECKER_H
#define NM_CORE_TAPE_CHECKER_H

#include "core/op.h"

typedef struct nm_checker {
    nm_context *context;
    nm_tape *tape;
    const nm_op *op;
    const void *options;
    int sample;
    int inputs;
    nm_tensor *in[NM_SAMPLE_INPUTS];
    nm_tensor *before[NM_SAMPLE_INPUTS]; /* copies of them */
    nm_tensor *weight[NM_MAX_OUTPUTS];   /* u; NULL for outputs that are not differentiated */
    nm_tensor *again[NM_SAMPLE_INPUTS];  /* v; NULL for inputs that are not */
    nm_check_result *result;
} nm_checker;

/* The message, and behind it the op and the sample. */
nm_status nm_checker_fail(const nm_checker *c, const char *format, ...) NM_PRINTF(2, 3);
/* Whether input i is one to differentiate in. */
bool nm_checker_is_smooth(const nm_checker *c, int i);
/* Inputs, random weights, and promises 5 and 6 of the computation. */
nm_status nm_checker_make_tensors(nm_checker *c, const nm_sample *sample);
void nm_checker_destroy_tensors(nm_checker *c);
/* Promise 5 of what `by` names: inputs are what they were. */
nm_status nm_checker_compare_inputs(nm_checker *c, const char *by);

#endif
