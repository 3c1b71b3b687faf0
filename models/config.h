/* A network's file: everything that a run is told by, in one YAML document of five parts.
 *
 *     model: [...]          models/model.h
 *     data: {...}           optim/data/data.h
 *     loss: cross_entropy   optim/loss.h
 *     train: {...}          optim/trainer.h
 *     probes: [...]         optim/probe.h; may be left out
 *
 * Whatever is wrong with it is found before anything is trained, and all of it at once: an unknown
 * option in one part, a number out of range in another, a layer that does not fit, a network with
 * fewer outputs than the data has classes. */
#ifndef NM_MODELS_CONFIG_H
#define NM_MODELS_CONFIG_H

#include "models/model.h"
#include "optim/trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the caller is going to do. Every part that is there is checked; these must be there. */
#define NM_NEED_DATA 1u  /* the data, which is opened. Otherwise it is opened only for the shape */
                         /* of a sample, where the model does not say it */
#define NM_NEED_LOSS 2u  /* the loss */
#define NM_NEED_TRAIN 4u /* the train part; whatever training would refuse is looked for */
#define NM_NEED_WHOLE 8u /* all three, unless the file has nothing but a model */

/* Treat as read-only. What a part that is missing would hold is zero, or its defaults. */
typedef struct nm_config {
    nm_context *context;
    nm_document *document; /* which all options point into */
    nm_model *model;       /* built */
    nm_data_options data_options;
    nm_data data; /* counts 0: not opened */
    nm_choice loss;
    nm_train_options train;
    nm_choices probes;
    nm_group *groups; /* of train */
} nm_config;

/* Reads a file, sets `settings` in it ("train.epochs=3", count of them), checks it, opens the data
 * and builds the model, with train.seed. NM_ERROR_INPUT has a line for every independent mistake;
 * files that cannot be read are NM_ERROR_IO or NM_ERROR_FORMAT. `config` is empty on failure. */
NM_API nm_status nm_config_open(nm_context *context, const char *path, const char *const *settings,
                                int count, unsigned needs, nm_config *config);
/* The same for a run. */
typedef struct nm_config_how {
    const char *const *settings;
    int count;
    unsigned needs;
    const char *from;    /* instead of the path in train.from; NULL: as the file says */
    const char *resumed; /* the checkpoint of a run that goes on, which needs no weights to start
                            from any more; NULL: it begins */
    int folds, fold;     /* cross-validation, as nm_data_options has it; zeros: none */
} nm_config_how;
NM_API nm_status nm_config_open_run(nm_context *context, const char *path, const nm_config_how *how,
                                    nm_config *config);
/* The same for a network that is trained: `saved` (a file, or the folder of a run) gives the
 * parameters and, if it says so, what samples are. No data are opened then; where it does not say
 * it, the training set is, since only that can. The loss is the saved one where the file has none.
 */
NM_API nm_status nm_config_open_trained(nm_context *context, const char *path,
                                        const char *const *settings, int count, const char *saved,
                                        nm_config *config);
/* Closes the data and destroys the model; leaves it empty, an empty one is fine. */
NM_API void nm_config_close(nm_config *config);

/* What the trainer is made with: network, data, loss and options; the caller adds the rest. The
 * config must outlive the trainer. */
NM_API nm_trainer_setup nm_config_setup(const nm_config *config);

#ifdef __cplusplus
}
#endif
#endif
