/* The samples of an evaluation that a network is most sure of, and wrong about. */
#ifndef NM_MODELS_COMMAND_REPORT_MISTAKES_H
#define NM_MODELS_COMMAND_REPORT_MISTAKES_H

#include "norma.h"

#define MOST_MISTAKES 24

typedef struct mistake {
    int64_t sample; /* in the set's order */
    int64_t actual, predicted;
    double probability; /* of what was predicted */
} mistake;

typedef struct mistakes {
    nm_ignored ignored;
    int64_t seen; /* samples so far */
    int64_t wrong;
    int count;
    mistake worst[MOST_MISTAKES]; /* the surest first */
} mistakes;

/* An nm_onlooker's; outputs are class scores. Of targets that are no classes nothing is kept. */
nm_status mistakes_on_outputs(mistakes *m, nm_tensor *outputs, const nm_batch *batch);

#endif
