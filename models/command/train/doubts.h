/* What is right but seldom meant about data and loss, seen as a whole: told, and left as it is. */
#ifndef NM_MODELS_COMMAND_TRAIN_DOUBTS_H
#define NM_MODELS_COMMAND_TRAIN_DOUBTS_H

#include "models/config.h"

/* Of a file whose data are open; of one without, nothing. */
void tell_doubts(const nm_config *config);

#endif
