#include "optim/train_defaults.h"

#define USUAL_RATE 0.02
#define USUAL_NORM 1 /* of clipped gradients: what keeps values from running away */
#define SAMPLES_PER_DECAY 3
#define MOST_DECAY 0.1
#define USUAL_UPDATES 2000
#define FEWEST_EPOCHS 10
#define MOST_EPOCHS 1000

/* A prior on the weights weighs the less the more samples speak, and has little to say where there
 * are fewer weights than samples, which determine them. */
static double decay_for(double samples, double weights)
{
    const double decay = samples > 0 ? SAMPLES_PER_DECAY / samples : MOST_DECAY;
    return (decay < MOST_DECAY ? decay : MOST_DECAY) * (weights < samples ? weights / samples : 1);
}

void nm_train_complete(nm_train_options *o, int64_t samples, int64_t weights, nm_sgd_options *usual)
{
    const bool is_usual = !o->optimizer.item;
    if (o->clip_norm == NM_AUTO) {
        o->clip_norm = is_usual ? USUAL_NORM : 0;
    }
    if (!is_usual) {
        return;
    }
    *usual = (nm_sgd_options){.rate = USUAL_RATE,
                              .momentum = 0.9,
                              .weight_decay = decay_for((double)samples, (double)weights)};
    o->optimizer = (nm_choice){.item = &nm_optimizer_sgd.item, .options = usual};
    if (!o->schedule.at && (!o->schedule.item || o->schedule.item == &nm_schedule_constant.item)) {
        o->schedule = (nm_choice){.item = &nm_schedule_cosine.item};
    }
}

int64_t nm_train_epochs(const nm_train_options *o, int64_t updates_per_epoch)
{
    if (o->epochs > 0) {
        return o->epochs;
    }
    const int64_t epochs = (USUAL_UPDATES + updates_per_epoch - 1) / updates_per_epoch;
    return epochs < FEWEST_EPOCHS ? FEWEST_EPOCHS : epochs > MOST_EPOCHS ? MOST_EPOCHS : epochs;
}
