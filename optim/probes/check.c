/* Whether probes can look at what they are told to, before anything runs. */
#include <stdio.h>
#include <string.h>

#include "optim/probes/internal.h"

const nm_probe_type *nm_probe_type_of(const nm_choice *choice)
{
    return choice ? (const nm_probe_type *)(const void *)choice->item : NULL;
}

typedef struct finding {
    nm_context *context;
    nm_shown shown;
} finding;

static void show(void *user, const char *name, const char *type, nm_tensor *y)
{
    finding *f = user;
    (void)y;
    nm_probe_add_layer(f->context, &f->shown, name, type);
}

static void find_layers(const nm_probes_setup *setup, finding *f)
{
    const nm_network *network = setup->network;
    const nm_layer_onlooker onlooker = {f, show};
    const nm_pass pass = {.training = true, .onlooker = &onlooker};
    nm_shape x = {.rank = setup->set->shape.rank + 1, .dim = {NM_ANY_BATCH}};
    memcpy(x.dim + 1, setup->set->shape.dim, (size_t)setup->set->shape.rank * sizeof *x.dim);
    nm_trial trial;
    if (network->try_on) {
        network->try_on(network->self, &pass, &x, &trial);
    }
}

static nm_probe_subject subject_of(const nm_probe_type *type, const void *options)
{
    return type->subject == NM_PROBE_EITHER ? type->chosen(options) : type->subject;
}

/* Whether a pattern has one of the parameters; `near` is the name next to it. */
static bool finds_parameter(const nm_store *store, const nm_probe_options *one, const char **near)
{
    const char *names[256];
    int count = 0;
    for (int i = 0; i < nm_store_count(store); i++) {
        const nm_entry *entry = nm_store_at(store, i);
        if (entry->role == NM_PARAMETER && nm_probe_wants(one, entry->name)) {
            return true;
        }
        if (entry->role == NM_PARAMETER && count < NM_COUNT_OF(names)) {
            names[count++] = entry->name;
        }
    }
    *near = nm_nearest(one->layers.at[0], names, count);
    return false;
}

static bool finds_layer(const nm_shown *s, const nm_probe_type *type, const nm_probe_options *one,
                        const char **near, const char **unfit)
{
    const char *names[256];
    int count = 0;
    for (int i = 0; i < s->count; i++) {
        const nm_probe_layer *layer = &s->layers[i];
        if (nm_probe_wants(one, layer->name)) {
            if (!type->takes || type->takes(layer->type)) {
                return true;
            }
            *unfit = layer->type;
        }
        if (count < NM_COUNT_OF(names)) {
            names[count++] = layer->name;
        }
    }
    *near = nm_nearest(one->layers.at[0], names, count);
    return false;
}

static void report(const nm_probe_type *type, const nm_probe_options *one, const nm_value *at,
                   const char *near, const char *unfit, nm_diagnostics *d)
{
    const char *name = type->item.name, *pattern = one->layers.at[0];
    if (unfit) {
        nm_diagnose(d, at,
                    "probes: %s: \"%s\" is a %s, of which it measures nothing; see `norma "
                    "help %s`",
                    name, pattern, unfit, name);
    } else {
        nm_diagnose(d, at, "probes: %s: there is no layer \"%s\"%s%s%s; `norma check` lists them",
                    name, pattern, near ? "; did you mean \"" : "", near ? near : "",
                    near ? "\"?" : "");
    }
}

static void check_layers(const nm_probes_setup *setup, const nm_choice *choice, const nm_shown *s,
                         nm_diagnostics *d)
{
    const nm_probe_type *type = nm_probe_type_of(choice);
    const nm_probe_options *o = nm_choice_options(choice);
    const nm_probe_subject subject = subject_of(type, o);
    const nm_value *at = choice->at ? choice->at : setup->at;
    for (int i = 0; o && i < o->layers.count; i++) {
        if (subject != NM_PROBE_PARAMETERS && !setup->network->try_on) {
            continue; /* its forward pass will tell */
        }
        const nm_probe_options one = {.layers = {1, &o->layers.at[i]}};
        const char *near = NULL, *unfit = NULL;
        const bool found = subject == NM_PROBE_PARAMETERS
                               ? finds_parameter(setup->network->store, &one, &near)
                               : finds_layer(s, type, &one, &near, &unfit);
        if (!found) {
            report(type, &one, at, near, unfit, d);
        }
    }
}

void nm_probes_check(nm_context *context, const nm_probes_setup *setup, nm_diagnostics *d)
{
    finding f = {.context = context};
    const int errors = d->count;
    for (int i = 0; i < setup->probes->count; i++) {
        const nm_choice *choice = &setup->probes->at[i];
        const nm_item *item = choice->item;
        if (nm_item_check(context, NM_KIND_PROBE, item) != NM_OK ||
            (item->spec &&
             nm_spec_check(context, item->spec, item->name, nm_choice_options(choice)) != NM_OK)) {
            nm_diagnose_standing(d, choice->at ? choice->at : setup->at);
        }
    }
    const bool wrong = d->count > errors;
    if (!wrong) {
        find_layers(setup, &f);
    }
    for (int i = 0; !wrong && i < setup->probes->count; i++) {
        check_layers(setup, &setup->probes->at[i], &f.shown, d);
    }
    nm_free(context, f.shown.layers);
}
