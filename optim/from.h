/* Starting from saved weights: a network takes over what fits, and learns on. */
#ifndef NM_OPTIM_FROM_H
#define NM_OPTIM_FROM_H

#include "core/store.h"
#include "optim/data/schema.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is done to samples (mean, deviation, scale), and the classes' order and names. */
typedef enum nm_preparation {
    NM_PREPARATION_NEW,  /* as the new data has them, by the file's part `data` */
    NM_PREPARATION_TAKEN /* as they were saved; the new samples must fit them */
} nm_preparation;

/* The option `from` of the part `train`. */
typedef struct nm_from {
    const char *path;  /* a saved file, or the folder of a run; NULL: start anew */
    nm_strings except; /* shell patterns of names that are not taken: "dense2.*" */
    int preparation;   /* nm_preparation */
} nm_from;

extern NM_API const nm_spec nm_from_spec;

/* How many of a network's tensors were taken, and of those that were not, why. */
typedef struct nm_taken {
    char *names; /* of those taken: "dense1.weight, dense1.bias"; free with nm_free() */
    int taken;
    int except;              /* left out by a pattern */
    int missing;             /* not in the file */
    int unfit;               /* of another shape or kind of number there */
    bool prepared_otherwise; /* samples now, than those that the weights were trained on */
} nm_taken;

/* Takes every tensor that the file has under the same name and in the same shape (a float of
 * another size is converted). Each that does not fit, on either side, is logged as a warning, with
 * both shapes; so is that classes of the same number have other names in `schema`, that of the
 * samples to be trained on (NULL: not known). NM_ERROR_INPUT if nothing fits or a pattern matches
 * nothing, NM_ERROR_FORMAT if a value is one that no network could have; then nothing is changed,
 * and `taken` is empty. */
NM_API nm_status nm_from_take(const nm_from *from, nm_store *store, const nm_schema *schema,
                              nm_taken *taken);
/* Whether that would succeed, without a change or a word. */
NM_API nm_status nm_from_check(const nm_from *from, nm_store *store);

#ifdef __cplusplus
}
#endif
#endif
