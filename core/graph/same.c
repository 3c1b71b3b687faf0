/* Whether two graphs do the same: of one pass, traced twice. */
#include <string.h>

#include "core/graph/internal.h"
#include "core/graph/parts.h"

static bool same_options(const nm_spec *spec, const void *a, const void *b)
{
    bool same = true;
    for (int i = 0; spec && same && i < spec->count; i++) {
        same = nm_option_same(&spec->options[i], a, b);
    }
    return same;
}

static bool same_effect(const nm_graph_step *a, const nm_graph_step *b)
{
    return a->effect == b->effect &&
           (!a->effect || !a->effect->size || memcmp(a->options, b->options, a->effect->size) == 0);
}

static bool same_step(const nm_graph_step *a, const nm_graph_step *b)
{
    return a->kind == b->kind && a->op == b->op && a->part == b->part && a->self == b->self &&
           a->segment == b->segment && memcmp(&a->number, &b->number, sizeof a->number) == 0 &&
           a->inputs == b->inputs && a->outputs == b->outputs &&
           memcmp(a->in, b->in, (size_t)(a->inputs + a->outputs) * sizeof(int)) == 0 &&
           same_effect(a, b) &&
           (a->kind != NM_STEP_OP || same_options(a->op->item.spec, a->options, b->options));
}

static bool same_value(const nm_graph_value *a, const nm_graph_value *b)
{
    return a->dtype == b->dtype && a->tensor == b->tensor && nm_shape_equal(&a->shape, &b->shape);
}

bool nm_graph_same(const nm_graph *a, const nm_graph *b)
{
    bool same = a->value_count == b->value_count && a->step_count == b->step_count &&
                a->input_count == b->input_count && a->output_count == b->output_count;
    for (int v = 0; same && v < a->value_count; v++) {
        same = same_value(&a->values[v], &b->values[v]);
    }
    for (int s = 0; same && s < a->step_count; s++) {
        same = same_step(a->steps[s], b->steps[s]);
    }
    return same && memcmp(a->outputs, b->outputs, (size_t)a->output_count * sizeof(int)) == 0;
}
