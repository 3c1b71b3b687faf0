/* Data, layers and loss, seen as a whole. */
#ifndef NM_MODELS_COMMAND_TRAIN_DOUBTS_H
#define NM_MODELS_COMMAND_TRAIN_DOUBTS_H

#include "models/config.h"

/* Tells what is right but seldom meant, and refuses samples that the first layer cannot take. Of a
 * file whose data are open; of one without, nothing. */
nm_status check_doubts(const nm_config *config);

#endif
