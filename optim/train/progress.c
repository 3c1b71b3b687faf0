/* Whether the numbers of a checkpoint can be those of a run on this data: what is read is not
 * believed, and what would not be read is not written. The marks (marks.c) say before
 * that data, batches and accumulation are the same. */
#include <inttypes.h>

#include "optim/train/internal.h"

#define MOST_STEPS 1000000000000000 /* as many as options can ask for */

static nm_status fail(const nm_trainer *t, const char *format, ...) NM_PRINTF(2, 3);

static nm_status fail(const nm_trainer *t, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    nm_fail_v(t->context, NM_ERROR_FORMAT, format, list);
    va_end(list);
    return NM_ERROR_FORMAT;
}

/* Position, updates and samples are three ways to say the same. */
static nm_status check_position(const nm_trainer *t, const nm_progress *p)
{
    if (p->batch > t->batches || p->epoch > MOST_STEPS) {
        return fail(t,
                    "the checkpoint's position is batch %" PRId64 " of epoch %" PRId64
                    ", but an epoch has %" PRId64 " batches, and no run more than %lld epochs",
                    p->batch, p->epoch, t->batches, (long long)MOST_STEPS);
    }
    const int64_t accumulate = t->setup.options.accumulate;
    int64_t steps, here = p->batch / accumulate + (p->batch % accumulate != 0);
    if (__builtin_mul_overflow(p->epoch, t->steps_per_epoch, &steps) || p->step != steps + here ||
        p->step > MOST_STEPS) {
        return fail(t,
                    "the checkpoint's updates are %" PRId64 ", which is not what batch %" PRId64
                    " of epoch %" PRId64 " is reached by, at %" PRId64 " updates an epoch",
                    p->step, p->batch, p->epoch, t->steps_per_epoch);
    }
    int64_t least, most;
    if (__builtin_mul_overflow(p->epoch, t->batches, &least) ||
        __builtin_mul_overflow(p->epoch + (p->batch > 0), t->setup.data->train.count, &most) ||
        p->samples < least + p->batch || p->samples > most) {
        return fail(t,
                    "the checkpoint's samples are %" PRId64 ", which batch %" PRId64
                    " of epoch %" PRId64 " cannot have",
                    p->samples, p->batch, p->epoch);
    }
    return NM_OK;
}

/* The best epoch is one that is over or running, and the only one with a result; without a
 * validation set results may be missing. Every evaluation that bettered nothing came after an
 * update. */
static nm_status check_best(const nm_trainer *t, const nm_progress *p)
{
    bool fits = p->best_epoch < 0 ? isnan(p->best) : !t->validation || !isnan(p->best);
    if (!fits || p->best_epoch > p->epoch || isinf(p->best) || p->bad_epoch > p->epoch) {
        return fail(t,
                    "the checkpoint's best epoch is %" PRId64 " with a result of %g, and the first "
                    "bad one %" PRId64 ", but it is in epoch %" PRId64,
                    p->best_epoch, p->best, p->bad_epoch, p->epoch);
    }
    if (p->waited > p->step || isinf(p->reference)) {
        return fail(t,
                    "the checkpoint says that %" PRId64 " evaluations brought nothing better than "
                    "%g, but only %" PRId64 " updates were made",
                    p->waited, p->reference, p->step);
    }
    if (p->averaged > p->step) {
        return fail(t,
                    "the checkpoint's averages are of %" PRId64 " updates, but only %" PRId64
                    " were made",
                    p->averaged, p->step);
    }
    const nm_watch *w = &p->watch;
    if (w->waited > p->step || w->drops > p->step || isinf(w->best)) {
        return fail(t,
                    "the checkpoint says that the schedule saw %" PRId64
                    " evaluations that were no better than %g, and dropped the rate %" PRId64
                    " times, but only %" PRId64 " updates were made",
                    w->waited, w->best, w->drops, p->step);
    }
    return NM_OK;
}

static nm_status check_losses(const nm_trainer *t, const nm_progress *p)
{
    if (!isfinite(p->loss_sum) || !(p->loss_weight >= 0 && isfinite(p->loss_weight)) ||
        isinf(p->train_loss) || isinf(p->first_loss)) {
        return fail(t,
                    "the checkpoint's losses are %g of weight %g, %g of the last epoch and %g of "
                    "the first",
                    p->loss_sum, p->loss_weight, p->train_loss, p->first_loss);
    }
    const nm_data *data = t->setup.data;
    if (p->validation.samples > data->validation.count || p->test.samples > data->test.count) {
        return fail(t,
                    "the checkpoint was evaluated on %" PRId64 " and %" PRId64
                    " samples for validation and test, and there are %" PRId64 " and %" PRId64,
                    p->validation.samples, p->test.samples, data->validation.count,
                    data->test.count);
    }
    return NM_OK;
}

nm_status nm_progress_check(const nm_trainer *t, const nm_progress *progress)
{
    nm_status status = check_position(t, progress);
    status = status == NM_OK ? check_best(t, progress) : status;
    return status == NM_OK ? check_losses(t, progress) : status;
}
