#include "optim/train_defaults.h"

#define USUAL_UPDATES 2000
#define FEWEST_EPOCHS 10
#define MOST_EPOCHS 1000

void nm_train_complete(nm_train_options *o)
{
    static const nm_sgd_options usual = {.rate = 0.05, .momentum = 0.9};
    if (o->optimizer.item) {
        return;
    }
    o->optimizer = (nm_choice){.item = &nm_optimizer_sgd.item, .options = &usual};
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
