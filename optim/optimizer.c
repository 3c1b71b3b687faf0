#include "optim/optimizer.h"

#include <fnmatch.h>
#include <string.h>

#include "core/thread.h"

/* One parameter under the optimizer. */
typedef struct member {
    const nm_entry *entry;
    double rate;         /* its group's factor */
    double weight_decay; /* resolved: 0 where none is applied */
    nm_tensor *state[NM_OPTIMIZER_STATES];
    const char *gradient; /* in this step; NULL: there is none, or it is frozen */
} member;

struct nm_optimizer {
    nm_context *context;
    nm_store *store; /* the caller's */
    const nm_optimizer_type *type;
    void *options; /* a copy */
    nm_optimizer_common common;
    nm_store *state;
    int count;
    member *members;
};

/* ---- Groups ---- */

static const nm_group group_defaults = {NM_GROUP_DEFAULTS};
static const nm_option group_rows[] = {
    {NM_FIELD(nm_group, match), NM_OPTION_STRING, .flags = NM_REQUIRED,
     .doc = "names of parameters, as a shell pattern such as \"conv*.weight\""},
    {NM_FIELD(nm_group, rate), NM_OPTION_FLOAT, .max = NM_NO_LIMIT,
     .doc = "factor on the learning rate"},
    {NM_FIELD(nm_group, weight_decay), NM_OPTION_FLOAT, .max = NM_NO_LIMIT,
     .doc = "instead of the optimizer's, also for biases; -1: the optimizer's"},
    {NM_FIELD(nm_group, frozen), NM_OPTION_BOOL, .doc = "do not train them"},
};
const nm_spec nm_group_spec = {.name = "nm_group",
                               .size = sizeof(nm_group),
                               .defaults = &group_defaults,
                               .options = group_rows,
                               .count = NM_COUNT_OF(group_rows)};

nm_group *nm_groups_read(const nm_value *list, nm_diagnostics *d, int *count)
{
    *count = 0;
    if (!list || nm_value_is_null(list)) {
        return NULL;
    }
    if (list->kind != NM_VALUE_LIST) {
        nm_diagnose(d, list, "groups: expected a list such as [{match: \"*.bias\", rate: 2}]");
        return NULL;
    }
    int errors = d->count;
    nm_group *groups = nm_alloc_zero(d->context, (size_t)list->count, sizeof *groups);
    for (int i = 0; groups && i < list->count; i++) {
        /* Without a document: a group has no choices, whose options would live there. */
        nm_spec_read(&nm_group_spec, list->items[i], "group", NULL, d, &groups[i]);
    }
    if (d->count > errors) {
        nm_free(d->context, groups);
        return NULL;
    }
    *count = groups ? list->count : 0;
    return groups;
}

#define MOST_NAMES 64 /* considered for a suggestion */

static nm_status no_match(const nm_optimizer *o, const char *pattern)
{
    const char *names[MOST_NAMES] = {""};
    int count = o->count < MOST_NAMES ? o->count : MOST_NAMES;
    for (int i = 0; i < count; i++) {
        names[i] = o->members[i].entry->name;
    }
    const char *near = nm_nearest(pattern, names, count);
    return nm_fail(o->context, NM_ERROR_INPUT, "group \"%s\" matches no parameter; %s \"%s\"%s",
                   pattern, near ? "did you mean" : "they have names such as",
                   near ? near : names[0], near ? "?" : "");
}

static nm_status apply_group(nm_optimizer *o, const nm_group *group)
{
    int matches = 0;
    nm_status status = nm_spec_check(o->context, &nm_group_spec, "group", group);
    for (int i = 0; i < o->count && status == NM_OK; i++) {
        member *m = &o->members[i];
        if (fnmatch(group->match, m->entry->name, 0) == 0) {
            m->rate = group->rate;
            m->weight_decay = group->weight_decay >= 0 ? group->weight_decay : m->weight_decay;
            matches++;
        }
    }
    if (status == NM_OK && !matches) {
        return no_match(o, group->match);
    }
    return status;
}

/* The last group that matches decides, so a later one can take an earlier one's freezing back. */
static nm_status apply_groups(nm_optimizer *o, const nm_group *groups, int count)
{
    nm_status status = NM_OK;
    for (int i = 0; i < count && status == NM_OK; i++) {
        status = apply_group(o, &groups[i]);
    }
    for (int i = 0; i < o->count && status == NM_OK; i++) {
        const char *name = o->members[i].entry->name;
        bool frozen = false;
        for (int k = 0; k < count; k++) {
            frozen = fnmatch(groups[k].match, name, 0) == 0 ? groups[k].frozen : frozen;
        }
        if (frozen) {
            status = nm_store_set_trainable(o->store, name, false);
        }
    }
    return status;
}

/* ---- Creation ---- */

static nm_status copy_options(nm_optimizer *o, const nm_choice *choice)
{
    const nm_item *item = choice->item;
    if (!item || !item->spec || !choice->options) {
        return nm_fail(o->context, NM_ERROR_INPUT,
                       "no optimizer and its options are given; choose one, such as sgd");
    }
    if (nm_spec_check(o->context, item->spec, item->name, choice->options) != NM_OK) {
        return nm_context_status(o->context);
    }
    o->type = (const nm_optimizer_type *)(const void *)item;
    o->options = nm_alloc(o->context, item->spec->size);
    if (!o->options) {
        return NM_ERROR_MEMORY;
    }
    memcpy(o->options, choice->options, item->spec->size);
    memcpy(&o->common, choice->options, sizeof o->common);
    return NM_OK;
}

static nm_status add_states(nm_optimizer *o, member *m, int states)
{
    for (int i = 0; i < states; i++) {
        char *name = nm_format(o->context, "%s.%s", o->type->state_names[i], m->entry->name);
        nm_tensor *tensor = m->entry->tensor;
        m->state[i] = name ? nm_store_add(o->state, name, NM_BUFFER, NM_STATISTIC,
                                          nm_tensor_dtype(tensor), *nm_tensor_shape(tensor))
                           : NULL;
        nm_free(o->context, name);
        if (!m->state[i]) {
            return nm_context_status(o->context);
        }
    }
    return NM_OK;
}

static int state_count(const nm_optimizer *o)
{
    int all = 0;
    while (o->type->state_names && o->type->state_names[all]) {
        all++;
    }
    int states = o->type->states ? o->type->states(o->options) : all;
    return states < all ? states : all;
}

static nm_status add_member(nm_optimizer *o, const nm_entry *entry)
{
    nm_dtype dtype = nm_tensor_dtype(entry->tensor);
    if (dtype != NM_F32 && dtype != NM_F64) {
        return nm_fail(o->context, NM_ERROR_INPUT,
                       "%s: parameter \"%s\" is %s; it takes f32 or f64", o->type->item.name,
                       entry->name, nm_dtype_name(dtype));
    }
    bool decays = entry->purpose == NM_WEIGHT || o->common.decay_norm_and_bias;
    member *m = &o->members[o->count++];
    *m = (member){.entry = entry, .rate = 1, .weight_decay = decays ? o->common.weight_decay : 0};
    return add_states(o, m, state_count(o));
}

static nm_status add_members(nm_optimizer *o)
{
    int entries = nm_store_count(o->store);
    o->state = nm_store_create(o->context);
    o->members = nm_alloc_zero(o->context, (size_t)entries, sizeof *o->members);
    nm_status status = nm_context_status(o->context);
    for (int i = 0; i < entries && status == NM_OK; i++) {
        const nm_entry *entry = nm_store_at(o->store, i);
        status = entry->role == NM_PARAMETER ? add_member(o, entry) : NM_OK;
    }
    return status;
}

nm_optimizer *nm_optimizer_create(nm_store *store, const nm_choice *choice, const nm_group *groups,
                                  int group_count)
{
    nm_context *context = nm_store_context(store);
    nm_optimizer *o = nm_alloc_zero(context, 1, sizeof *o);
    if (!o) {
        return NULL;
    }
    o->context = context;
    o->store = store;
    if (copy_options(o, choice) != NM_OK || add_members(o) != NM_OK ||
        apply_groups(o, groups, groups ? group_count : 0) != NM_OK) {
        nm_optimizer_destroy(o);
        return NULL;
    }
    return o;
}

void nm_optimizer_destroy(nm_optimizer *o)
{
    if (!o) {
        return;
    }
    nm_store_destroy(o->state);
    nm_free(o->context, o->members);
    nm_free(o->context, o->options);
    nm_free(o->context, o);
}

/* ---- A step ----
 * One pass, and one wait for the threads, however many parameters there are. Of each parameter
 * every thread updates the part that it has likely in its cache: products give the first thread the
 * first rows too. */

#define GRAIN 32768 /* elements below which a second thread does not pay */
#define LINE 16     /* parts begin at multiples, so that threads share no cache line */

typedef struct move {
    const nm_optimizer *optimizer;
    nm_update common;
    int64_t elements;
} move;

/* Finds the gradients; returns how many elements they have. */
static int64_t find_gradients(nm_optimizer *o)
{
    int64_t elements = 0;
    for (int i = 0; i < o->count; i++) {
        member *m = &o->members[i];
        nm_tensor *gradient = m->entry->trainable ? nm_tensor_grad(m->entry->tensor) : NULL;
        m->gradient = gradient ? nm_tensor_data(gradient) : NULL;
        elements += gradient ? nm_tensor_count(gradient) : 0;
    }
    return elements;
}

/* Where the part of a parameter ends that belongs to the first `at` of all elements. */
static int64_t end_of_part(const move *all, int64_t count, int64_t at)
{
    const double part = (double)at / (double)all->elements;
    return at < all->elements ? (int64_t)(part * (double)count) / LINE * LINE : count;
}

/* Elements first..last of a member. */
static void update_stretch(const move *all, const member *m, int64_t first, int64_t last)
{
    nm_update u = all->common;
    u.rate *= m->rate;
    u.weight_decay = m->weight_decay;
    u.dtype = nm_tensor_dtype(m->entry->tensor);
    u.count = last - first;
    const size_t offset = (size_t)first * nm_dtype_size(u.dtype);
    u.parameter = (char *)nm_tensor_data(m->entry->tensor) + offset;
    u.gradient = m->gradient + offset;
    for (int i = 0; i < NM_OPTIMIZER_STATES; i++) {
        u.state[i] = m->state[i] ? (char *)nm_tensor_data(m->state[i]) + offset : NULL;
    }
    all->optimizer->type->update(&u);
}

static void update_range(void *arg, int64_t begin, int64_t end)
{
    const move *all = arg;
    for (int i = 0; i < all->optimizer->count; i++) {
        const member *m = &all->optimizer->members[i];
        const int64_t count = nm_tensor_count(m->entry->tensor);
        const int64_t first = end_of_part(all, count, begin), last = end_of_part(all, count, end);
        if (m->gradient && first < last) {
            update_stretch(all, m, first, last);
        }
    }
}

nm_status nm_optimizer_step(nm_optimizer *o, int64_t step, double factor, double scale)
{
    move all = {
        .optimizer = o,
        .common = {
            .options = o->options, .step = step, .rate = o->common.rate * factor, .scale = scale}};
    nm_status status = nm_context_status(o->context);
    if (status == NM_OK) {
        all.elements = find_gradients(o);
        nm_parallel(o->context, all.elements, GRAIN, update_range, &all);
    }
    return status;
}

double nm_optimizer_rate(const nm_optimizer *o)
{
    return o->common.rate;
}

const nm_optimizer_type *nm_optimizer_type_of(const nm_optimizer *o)
{
    return o->type;
}

nm_store *nm_optimizer_state(const nm_optimizer *o)
{
    return o->state;
}
