/* The rows that a run was split into, for its evaluation. */
#ifndef NM_MODELS_COMMAND_EVAL_SPLIT_H
#define NM_MODELS_COMMAND_EVAL_SPLIT_H

#include "models/command/eval/evaluated.h"

/* The set that is taken where none is named. */
nm_set split_usual_set(const evaluated *evaluated);
/* Whether there is one, by the run or by the file. */
bool split_has_set(const evaluated *evaluated, nm_set set);
/* Makes the data options open the rows of the run, not those that the file names by now. */
nm_status split_take(evaluated *evaluated, nm_set set);
/* Whether what was opened is what the run had: held-out rows that are others are NM_ERROR_INPUT;
 * others that changed are told. */
nm_status split_check(const evaluated *evaluated, nm_set set, const nm_data *data);

#endif
