/* What a run's two kinds of JSON lines have in common. */
#ifndef NM_MODELS_COMMAND_TRAIN_REPORT_H
#define NM_MODELS_COMMAND_TRAIN_REPORT_H

#include "models/command/command.h"

/* The fields of an epoch that is over. */
void json_epoch(json_line *line, const nm_train_state *state);
/* "finished", "stopped_early", "stopped" */
const char *name_of_end(nm_train_end end);

#endif
