/* The baseline: what a guess without looking at the samples would get. Its outputs are constant: of
 * classes the logarithms of their shares among the training labels, so that the commonest is
 * largest and cross entropy as small as it can be; of values the mean of the training targets. It
 * is evaluated as a network is, by the same loss and metrics on the same samples. */
#include <string.h>

#include "core/guard.h"
#include "optim/train/internal.h"

/* ---- The guess ---- */

static int64_t row_of(const nm_dataset *set, int64_t sample)
{
    return set->rows ? set->rows[sample] : sample;
}

/* A class that no training sample is of counts as half a sample: its logarithm is finite. */
static void guess_classes(const nm_trainer *t, double *guess)
{
    const nm_dataset *set = &t->setup.data->train;
    const nm_ignored ignored = nm_loss_ignored(&t->loss);
    const int32_t *labels = set->targets;
    double total = 0;
    for (int64_t i = 0; i < set->count; i++) {
        const int32_t label = labels[row_of(set, i)];
        if (label >= 0 && label < set->classes && !nm_is_ignored(&ignored, label)) {
            guess[label]++;
            total++;
        }
    }
    for (int64_t c = 0; c < set->classes; c++) {
        guess[c] = log(fmax(guess[c], 0.5) / fmax(total, 1));
    }
}

double nm_trainer_target(const nm_dataset *set, int64_t index)
{
    const float *narrow = set->targets;
    const double *wide = set->targets;
    return set->target_dtype == NM_F64 ? wide[index] : (double)narrow[index];
}

/* The output whose sigmoid is that share; of none or all of the samples, of half a sample. */
static double logit_of(double share, int64_t samples)
{
    const double least = 0.5 / (double)samples;
    const double p = fmin(fmax(share, least), 1 - least);
    return log(p / (1 - p));
}

/* In the units that the network's outputs are in. */
static void guess_values(const nm_trainer *t, double *guess, int64_t width)
{
    const nm_dataset *set = &t->setup.data->train;
    const nm_loader_options *o = &t->setup.data->loader;
    for (int64_t i = 0; i < set->count; i++) {
        for (int64_t k = 0; k < width; k++) {
            guess[k] += nm_trainer_target(set, row_of(set, i) * width + k) / (double)set->count;
        }
    }
    for (int64_t k = 0; k < width; k++) {
        guess[k] -= o->target_mean ? o->target_mean[k] : 0;
        guess[k] /= o->target_deviation ? o->target_deviation[k] : 1;
        guess[k] = t->loss.type->takes_sigmoid ? logit_of(guess[k], set->count) : guess[k];
    }
}

/* Whether targets are of the sort that the loss wants: else the run is going to fail. */
static bool has_targets(const nm_trainer *t)
{
    const nm_dataset *set = &t->setup.data->train;
    const bool labels = set->target_dtype == NM_I32;
    return set->count && set->targets && labels == t->loss.type->wants_labels;
}

nm_status nm_trainer_make_guess(nm_trainer *t)
{
    const nm_dataset *set = &t->setup.data->train;
    const bool labels = t->loss.type->wants_labels;
    t->guess = t->guess.count ? t->guess : t->setup.guess;
    if (t->guess.count || t->setup.only_evaluates || !has_targets(t)) {
        return NM_OK;
    }
    const int64_t width = labels ? set->classes : nm_shape_count(&set->target_shape);
    t->own_guess = nm_alloc_zero(t->context, (size_t)width, sizeof *t->own_guess);
    if (!t->own_guess) {
        return NM_ERROR_MEMORY;
    }
    if (labels) {
        guess_classes(t, t->own_guess);
    } else {
        guess_values(t, t->own_guess, width);
    }
    t->guess = (nm_numbers){.count = width, .at = t->own_guess};
    return NM_OK;
}

/* The shape of a sample's outputs. */
static nm_shape guess_shape(const nm_trainer *t)
{
    return t->loss.type->wants_labels ? NM_SHAPE(t->guess.count)
                                      : t->setup.data->train.target_shape;
}

/* A network whose outputs are the same for each sample. */
typedef struct constant {
    const nm_trainer *trainer;
    const double *outputs;
} constant;

static nm_tensor *constant_forward(void *self, const nm_pass *pass, nm_tensor *x)
{
    const constant *c = self;
    const nm_shape sample = guess_shape(c->trainer);
    const int64_t width = nm_shape_count(&sample);
    nm_shape shape = {.rank = sample.rank + 1, .dim = {nm_tensor_shape(x)->dim[0]}};
    memcpy(shape.dim + 1, sample.dim, (size_t)sample.rank * sizeof *sample.dim);
    nm_tensor *y = nm_tape_tensor(pass->tape, NM_F32, shape);
    for (int64_t i = 0; y && i < nm_tensor_count(y); i++) {
        nm_tensor_f32(y)[i] = (float)c->outputs[i % width];
    }
    return y;
}

/* ---- Its evaluation ---- */

/* A loss or metric of others may want outputs of another shape: then there is no baseline. */
static nm_status evaluate(nm_trainer *t, const double *outputs, nm_loader *loader,
                          nm_evaluation *result)
{
    constant guess = {t, outputs};
    const nm_network network = {
        .self = &guess, .store = t->setup.network->store, .forward = constant_forward};
    nm_status status = nm_trainer_measure(t, &network, loader, result);
    if (status != NM_OK && status != NM_ERROR_MEMORY) {
        nm_context_clear_error(t->context);
        *result = NM_NO_EVALUATION;
    }
    return nm_context_status(t->context);
}

nm_status nm_trainer_guess(nm_trainer *t, nm_loader *loader, nm_evaluation *result)
{
    *result = NM_NO_EVALUATION;
    nm_status status = nm_trainer_make_guess(t);
    const nm_shape shape = guess_shape(t);
    if (status != NM_OK || !t->guess.count || nm_shape_count(&shape) != t->guess.count) {
        return status;
    }
    return evaluate(t, t->guess.at, loader, result);
}

nm_status nm_trainer_evaluate_baseline(nm_trainer *t, const nm_dataset *set, nm_evaluation *result)
{
    NM_REQUIRE(t ? t->context : NULL, result, NM_ERROR_INPUT);
    *result = NM_NO_EVALUATION;
    NM_GIVEN(t, NM_ERROR_INPUT);
    NM_REQUIRE(t->context, set, NM_ERROR_INPUT);
    nm_loader *loader = set->count && set->targets
                            ? nm_loader_create(t->context, set, &t->setup.data->loader, false, 0)
                            : NULL;
    nm_status status = loader ? nm_trainer_guess(t, loader, result) : nm_context_status(t->context);
    nm_loader_destroy(loader);
    return status;
}

/* ---- As the classes were trained on ---- */

/* How much a training sample of the class counts in the loss. */
static double weight_of(const nm_trainer *t, int32_t label)
{
    return nm_loss_weight(&t->loss, &(nm_batch){.count = 1, .targets = &label});
}

bool nm_trainer_weighs_classes(const nm_trainer *t)
{
    const nm_dataset *set = &t->setup.data->train;
    bool weighs = t->setup.data->loader.balance;
    for (int64_t c = 0; t->loss.type->wants_labels && c < set->classes && !weighs; c++) {
        const double weight = weight_of(t, (int32_t)c);
        weighs = weight != 1 && weight != 0;
    }
    return t->loss.type->wants_labels && weighs;
}

/* From logarithms of shares to those of weighted ones. Where classes are drawn equally, to nothing
 * but that: a loss that is the same whatever samples it is measured on. */
static void weigh(const nm_trainer *t, double *guess)
{
    for (int64_t c = 0; c < t->guess.count; c++) {
        const double weight = weight_of(t, (int32_t)c);
        guess[c] = t->setup.data->loader.balance ? 0 : t->guess.at[c] + log(fmax(weight, 1e-30));
    }
}

nm_status nm_trainer_guess_weighted(nm_trainer *t, const nm_dataset *set, nm_evaluation *result)
{
    *result = NM_NO_EVALUATION;
    nm_status status = nm_trainer_make_guess(t);
    if (status != NM_OK || !t->guess.count) {
        return status;
    }
    double *guess = nm_alloc_zero(t->context, (size_t)t->guess.count, sizeof *guess);
    nm_loader *loader =
        guess ? nm_loader_create(t->context, set, &t->setup.data->loader, false, 0) : NULL;
    if (loader) {
        weigh(t, guess);
        evaluate(t, guess, loader, result);
    }
    nm_loader_destroy(loader);
    nm_free(t->context, guess);
    return nm_context_status(t->context);
}
