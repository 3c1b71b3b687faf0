/* Running probes around an update. */
#include <string.h>

#include "optim/probes/internal.h"

static nm_status make_room(nm_probes *p)
{
    nm_store *store = p->setup.network->store;
    nm_probe_view *v = &p->view;
    p->entries = nm_store_count(store);
    p->copies = nm_alloc_zero(v->context, (size_t)p->entries + 1, sizeof *p->copies);
    v->gradients = nm_alloc_zero(v->context, (size_t)p->entries + 1, sizeof(nm_tensor *));
    for (int i = 0; p->copies && i < p->entries; i++) {
        p->copies[i] = nm_alloc(v->context, nm_tensor_bytes(nm_store_at(store, i)->tensor) + 1);
    }
    v->earlier = p->copies;
    v->tape = nm_tape_create(v->context);
    return nm_context_status(v->context);
}

nm_probes *nm_probes_create(nm_context *context, const nm_probes_setup *setup)
{
    nm_probes *p = nm_alloc_zero(context, 1, sizeof *p);
    if (!p) {
        return NULL;
    }
    p->setup = *setup;
    p->options = *setup->loader;
    p->options.prefetch = false;
    p->view = (nm_probe_view){
        .context = context, .network = setup->network, .loss = setup->loss, .owner = p};
    if (make_room(p) != NM_OK) {
        nm_probes_destroy(p);
        return NULL;
    }
    return p;
}

void nm_probes_destroy(nm_probes *p)
{
    if (!p) {
        return;
    }
    nm_context *context = p->view.context;
    for (int i = 0; p->copies && i < p->entries; i++) {
        nm_free(context, p->copies[i]);
    }
    nm_free(context, p->copies);
    nm_free(context, p->view.gradients);
    nm_free(context, p->shown.layers);
    nm_loader_destroy(p->loader);
    nm_tape_destroy(p->view.tape);
    nm_free(context, p);
}

static bool is_due(const nm_probes *p, int i)
{
    return nm_probe_is_due(&p->setup.probes->at[i], p->view.step);
}

static bool is_any_due(const nm_probes *p, bool last)
{
    bool any = last;
    for (int i = 0; i < p->setup.probes->count; i++) {
        any |= is_due(p, i);
    }
    return any;
}

static nm_status look(nm_probes *p, bool last)
{
    nm_status status = nm_context_status(p->view.context);
    for (int i = 0; i < p->setup.probes->count && status == NM_OK; i++) {
        const nm_choice *choice = &p->setup.probes->at[i];
        p->type = nm_probe_type_of(choice);
        if (p->type->before && (last || is_due(p, i))) {
            status = p->type->before(&p->view, nm_choice_options(choice));
            p->drawing = false;
            p->rounds = 0;
        }
    }
    nm_tape_reset(p->view.tape);
    return status;
}

nm_status nm_probes_before(nm_probes *p, const nm_probes_now *now)
{
    nm_probe_view *v = &p->view;
    v->batch = now->batch;
    v->step = now->step;
    v->rate = now->rate;
    p->random = now->random;
    p->seen = NULL;
    if (!is_any_due(p, now->last)) {
        return NM_OK;
    }
    nm_status status = nm_probes_copy(p);
    return status == NM_OK ? look(p, now->last) : status;
}

nm_status nm_probes_after(nm_probes *p)
{
    nm_status status = nm_context_status(p->view.context);
    for (int i = 0; i < p->setup.probes->count && status == NM_OK; i++) {
        const nm_choice *choice = &p->setup.probes->at[i];
        p->type = nm_probe_type_of(choice);
        if (p->type->after && is_due(p, i)) {
            status = p->type->after(&p->view, nm_choice_options(choice));
        }
    }
    return status;
}
