/* Evaluations, and what they count as. */
#include "core/guard.h"
#include "optim/train/internal.h"

static nm_evaluator evaluator_of(const nm_trainer *t, const nm_network *network)
{
    return (nm_evaluator){
        .network = network, .loss = &t->loss, .metrics = &t->metrics, .tape = t->tape};
}

nm_status nm_trainer_measure(nm_trainer *t, const nm_network *network, nm_loader *loader,
                             nm_evaluation *result)
{
    const nm_evaluator evaluator = evaluator_of(t, network);
    return nm_evaluate(&evaluator, loader, result);
}

nm_status nm_trainer_evaluate(nm_trainer *t, const nm_dataset *set, nm_evaluation *result)
{
    NM_REQUIRE(t ? t->context : NULL, result, NM_ERROR_INPUT);
    *result = NM_NO_EVALUATION;
    NM_GIVEN(t, NM_ERROR_INPUT);
    NM_REQUIRE(t->context, set, NM_ERROR_INPUT);
    if (!set->count) {
        return nm_fail(t->context, NM_ERROR_INPUT, "evaluation: there are no samples");
    }
    nm_evaluator evaluator = evaluator_of(t, t->setup.network);
    evaluator.onlooker = t->setup.onlooker.on_outputs ? &t->setup.onlooker : NULL;
    nm_loader *loader = nm_loader_create(t->context, set, &t->setup.data->loader, false, 0);
    nm_status status =
        loader ? nm_evaluate(&evaluator, loader, result) : nm_context_status(t->context);
    nm_loader_destroy(loader);
    return status;
}

bool nm_trainer_judges_by_metric(const nm_trainer *t, const nm_evaluation *e)
{
    return t->metrics.count && t->setup.options.best_by == NM_BEST_BY_METRIC &&
           !isnan(e->metric); /* r2 of a single sample has no value */
}

double nm_trainer_value(const nm_trainer *t, const nm_evaluation *e, bool *higher)
{
    const bool by_metric = nm_trainer_judges_by_metric(t, e);
    *higher = by_metric && nm_metric_type_of(&t->metrics.at[0])->higher_is_better;
    /* A loss that is not finite is nothing good, whatever a metric makes of it. */
    return !isfinite(e->loss) ? (double)NAN : by_metric ? e->metric : e->loss;
}
