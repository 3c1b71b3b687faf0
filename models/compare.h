/* What two configurations differ in, option by option. What was left to its default is the same as
 * the default written out, `relu` as {relu: {}}, and 1e-1 as 0.1. */
#ifndef NM_MODELS_COMPARE_H
#define NM_MODELS_COMPARE_H

#include "core/option.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Texts are valid until the function that gets them returns. */
typedef struct nm_difference {
    const char *path;         /* as in --set: "train.optimizer.sgd.rate", "model.2" */
    const char *before, *now; /* as in a file, cut; "none": not there */
    bool is_path;             /* a file of that name, whatever is in it */
} nm_difference;

typedef void (*nm_difference_fn)(void *user, const nm_difference *difference);

/* Tells every difference between two network files, settings applied; of lists of layers of another
 * length, the first. NM_ERROR_INPUT if one of the files cannot be understood. */
NM_API nm_status nm_config_compare(nm_context *context, nm_document *before, nm_document *now,
                                   nm_difference_fn tell, void *user);

#ifdef __cplusplus
}
#endif
#endif
