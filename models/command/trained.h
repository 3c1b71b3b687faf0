/* A trained network, however the command line names it: the folder of a run, a saved file, or a
 * network's YAML with --weights or its newest run. */
#ifndef NM_MODELS_COMMAND_TRAINED_H
#define NM_MODELS_COMMAND_TRAINED_H

#include "models/command/command.h"
#include "models/command/train/folder.h"

typedef struct trained {
    nm_context *context;
    nm_config config; /* of the YAML; a run's folder has one. Empty: there is none */
    bool has_config;
    nm_model *model; /* with its parameters and schema */
    nm_model *own;   /* the same, where it is not the config's */
    nm_choice loss;  /* of the YAML, else the saved one; item NULL: none */
    char weights[RUN_PATH];
} trained;

/* Whether a path is that of a saved network: a folder, or a .safetensors file. */
bool is_trained_path(const char *path);
/* Opens what the first positional argument, --weights and --set say. Data are not opened. On
 * failure `trained` is to be closed all the same. */
nm_status trained_open(nm_context *context, const arguments *arguments, trained *trained);
void trained_close(trained *trained);

#endif
