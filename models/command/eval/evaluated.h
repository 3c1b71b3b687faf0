/* A trained network and the samples that it is measured on, as the commands name both. */
#ifndef NM_MODELS_COMMAND_EVAL_EVALUATED_H
#define NM_MODELS_COMMAND_EVAL_EVALUATED_H

#include "models/command/trained.h"

/* What is evaluated on. */
typedef struct evaluated {
    trained trained;
    nm_data data;          /* where the set is of the network's file */
    nm_dataset own;        /* where it is a file of --data */
    uint8_t *parts;        /* what its rows were for in the run; NULL: not known */
    const nm_dataset *set; /* the one */
    const char *name;      /* of it */
    nm_loader_options loader;
    nm_choices metrics;
    nm_evaluation result, guess;
    const char *baseline; /* what the guess is */
} evaluated;

/* Opens NETWORK with --weights and --set, and of its sets the one called `on` (NULL: the usual
 * one); or --data with --labels. On failure it is to be closed all the same. */
nm_status evaluated_open(nm_context *context, const arguments *arguments, const char *on,
                         evaluated *evaluated);
/* The same where there may be neither: `set` is NULL then. */
nm_status evaluated_open_if_any(nm_context *context, const arguments *arguments, const char *on,
                                evaluated *evaluated);
/* Whether the samples of --data, `file`, are those that the network was trained on, as far as that
 * is known. */
bool evaluated_was_trained_on(const evaluated *evaluated, const char *file);
/* What class scores are divided by before they become probabilities; 1 of values. */
double evaluated_temperature(const evaluated *evaluated);
/* Fills in what is measured; `onlooker` sees each batch's outputs, class scores divided by the
 * temperature. NM_ERROR_NUMERIC if the loss is not finite. */
nm_status evaluated_run(evaluated *evaluated, const nm_onlooker *onlooker);
void evaluated_close(evaluated *evaluated);

/* norma calibrate --statistics. */
int calibrate_statistics(nm_context *context, const arguments *arguments);

#endif
