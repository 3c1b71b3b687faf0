#include "optim/schedule.h"

#include <math.h>

#include "core/guard.h"

static const nm_warmup warmup_defaults = {0};
static const nm_option warmup_rows[] = {
    {NM_FIELD(nm_warmup, steps), NM_OPTION_INT, .max = 1e15, .doc = "updates that it takes"},
    {NM_FIELD(nm_warmup, epochs), NM_OPTION_FLOAT, .max = 1e9, .doc = "epochs that it takes"},
    {NM_FIELD(nm_warmup, start), NM_OPTION_FLOAT, .max = 1,
     .doc =
         "factor on the learning rate of the first update, from which it rises by equal steps to "
         "1 in the first update behind the warm-up; 0: 1 / (updates + 1)"},
};
static void check_warmup(const void *options, const nm_value *at, nm_diagnostics *d);
const nm_spec nm_warmup_spec = {.name = "nm_warmup",
                                .size = sizeof(nm_warmup),
                                .defaults = &warmup_defaults,
                                .options = warmup_rows,
                                .count = NM_COUNT_OF(warmup_rows),
                                .check = check_warmup};

/* A start without a length would change nothing: that cannot be what is meant. */
static void check_warmup(const void *options, const nm_value *at, nm_diagnostics *d)
{
    const nm_warmup *warmup = options;
    if (warmup->start > 0 && !warmup->steps && !(warmup->epochs > 0)) {
        nm_diagnose(d, at, "warmup: \"start\" without a length; add \"steps\" or \"epochs\"");
    }
}

static nm_status set_warmup(nm_schedule *s, nm_context *context, const nm_warmup *warmup)
{
    nm_status status = nm_spec_check(context, &nm_warmup_spec, "warmup", warmup);
    double steps =
        (double)warmup->steps + ceil(nm_snap(warmup->epochs * (double)s->steps_per_epoch));
    if (status == NM_OK && steps > 0 && s->type->warms_up) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "warmup: the schedule \"%s\" rises by itself; remove the warm-up, or choose "
                       "another schedule",
                       s->type->item.name);
    }
    if (status == NM_OK && steps >= (double)s->steps && steps > 0) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "warmup: its %.0f updates leave nothing of the %lld of the whole run", steps,
                       (long long)s->steps);
    }
    s->warmup_steps = status == NM_OK ? (int64_t)steps : 0;
    s->warmup_start = warmup->start > 0 ? warmup->start : 1 / (steps + 1);
    return status;
}

nm_status nm_schedule_begin(nm_schedule *schedule, nm_context *context, const nm_choice *choice,
                            const nm_warmup *warmup, int64_t steps, int64_t steps_per_epoch)
{
    NM_REQUIRE(context, schedule, NM_ERROR_INPUT);
    const nm_item *item = choice && choice->item ? choice->item : &nm_schedule_constant.item;
    const void *options = choice && choice->item ? nm_choice_options(choice)
                          : item->spec           ? item->spec->defaults
                                                 : NULL;
    *schedule = (nm_schedule){.type = &nm_schedule_constant};
    if (nm_item_check(context, NM_KIND_SCHEDULE, item) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    *schedule = (nm_schedule){.type = (const nm_schedule_type *)(const void *)item,
                              .options = options,
                              .steps = steps > 0 ? steps : 1,
                              .steps_per_epoch = steps_per_epoch > 0 ? steps_per_epoch : 1,
                              .watch = NM_NO_WATCH};
    nm_status status = item->spec ? nm_spec_check(context, item->spec, item->name, options) : NM_OK;
    return status == NM_OK && warmup ? set_warmup(schedule, context, warmup) : status;
}

double nm_schedule_factor(const nm_schedule *s, int64_t step)
{
    NM_GIVEN(s && s->type, (double)NAN);
    if (step < s->warmup_steps) {
        double done = (double)step / (double)s->warmup_steps;
        return s->warmup_start + (1 - s->warmup_start) * done;
    }
    nm_moment at = {.step = step - s->warmup_steps,
                    .steps = s->steps - s->warmup_steps,
                    .epoch = (double)step / (double)s->steps_per_epoch,
                    .watch = s->watch};
    return s->type->factor(s->options, &at);
}

void nm_schedule_watch(nm_schedule *s, double value, bool higher_is_better)
{
    if (s && s->type && s->type->watch) {
        s->type->watch(s->options, &s->watch, value, higher_is_better);
    }
}
