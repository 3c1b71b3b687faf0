#include "optim/optim.h"

#include "core/guard.h"
#include "optim/table.h"

static const nm_kind_rule rules[NM_KIND_COUNT] = {
    [NM_KIND_DATASET] = {sizeof(nm_dataset_type), {NM_KIND_NEED(nm_dataset_type, open)}},
    [NM_KIND_METRIC] = {sizeof(nm_metric_type),
                        {NM_KIND_NEED(nm_metric_type, sums), NM_KIND_NEED(nm_metric_type, add),
                         NM_KIND_NEED(nm_metric_type, value)}},
    [NM_KIND_OPTIMIZER] = {sizeof(nm_optimizer_type), {NM_KIND_NEED(nm_optimizer_type, update)}},
    [NM_KIND_SCHEDULE] = {sizeof(nm_schedule_type), {NM_KIND_NEED(nm_schedule_type, factor)}},
    [NM_KIND_LOSS] = {sizeof(nm_loss_type), {NM_KIND_NEED(nm_loss_type, compute)}},
    [NM_KIND_PROBE] = {sizeof(nm_probe_type), {NM_KIND_NEED(nm_probe_type, values)}},
};

static nm_status register_kind(nm_context *context, nm_kind kind)
{
#define NM_ROW(kind_, name) {kind_, &name.item},
    static const struct {
        nm_kind kind;
        const nm_item *item;
    } table[] = {NM_OPTIM_TABLE(NM_ROW)};
#undef NM_ROW
    nm_kind_define(context, kind, &rules[kind]);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (table[i].kind == kind && nm_register(context, kind, table[i].item) != NM_OK) {
            return nm_context_status(context);
        }
    }
    return NM_OK;
}

nm_status nm_register_datasets(nm_context *context)
{
    NM_GIVEN(context, NM_ERROR_INPUT);
    return register_kind(context, NM_KIND_DATASET);
}

nm_status nm_register_metrics(nm_context *context)
{
    NM_GIVEN(context, NM_ERROR_INPUT);
    return register_kind(context, NM_KIND_METRIC);
}

nm_status nm_register_optimizers(nm_context *context)
{
    NM_GIVEN(context, NM_ERROR_INPUT);
    return register_kind(context, NM_KIND_OPTIMIZER);
}

nm_status nm_register_schedules(nm_context *context)
{
    NM_GIVEN(context, NM_ERROR_INPUT);
    return register_kind(context, NM_KIND_SCHEDULE);
}

nm_status nm_register_losses(nm_context *context)
{
    NM_GIVEN(context, NM_ERROR_INPUT);
    return register_kind(context, NM_KIND_LOSS);
}

nm_status nm_register_probes(nm_context *context)
{
    NM_GIVEN(context, NM_ERROR_INPUT);
    return register_kind(context, NM_KIND_PROBE);
}

nm_status nm_register_optim(nm_context *context)
{
    NM_GIVEN(context, NM_ERROR_INPUT);
    nm_register_datasets(context);
    nm_register_metrics(context);
    nm_register_optimizers(context);
    nm_register_schedules(context);
    nm_register_losses(context);
    nm_register_probes(context);
    return nm_context_status(context);
}
