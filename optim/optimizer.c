#include "optim/optimizer.h"

#include <math.h>
#include <string.h>

#include "core/guard.h"
#include "core/thread.h"

/* One parameter under the optimizer. */
typedef struct member {
    const nm_entry *entry;
    double rate;         /* its group's factor */
    double weight_decay; /* resolved: 0 where none is applied */
    nm_dtype dtype;
    int64_t count; /* elements */
    nm_tensor *state[NM_OPTIMIZER_STATES];
    char *values, *states[NM_OPTIMIZER_STATES]; /* elements: those of a store stay where they are */
    const char *gradient; /* in this step; NULL: there is none, or it is frozen */
    double trust;         /* in this step */
} member;

struct nm_optimizer {
    nm_context *context;
    nm_store *store; /* the caller's */
    const nm_optimizer_type *type;
    void *options; /* a copy */
    nm_optimizer_common common;
    nm_store *state;
    int entries;  /* of the store, when it was made */
    int64_t next; /* least number that the next update may have, where the kind counts them */
    int states;   /* of each member */
    int count;
    member *members;
    nm_update *whole; /* room for all members; NULL: the kind asks for none */
};

/* ---- Creation ---- */

static nm_status copy_options(nm_optimizer *o, const nm_choice *choice)
{
    const nm_item *item = choice->item;
    if (item && nm_item_check(o->context, NM_KIND_OPTIMIZER, item) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    if (!item || !item->spec || (!choice->options && !choice->own.size)) {
        return nm_fail(o->context, NM_ERROR_INPUT,
                       "no optimizer and its options are given; choose one, such as sgd");
    }
    const void *options = nm_choice_options(choice);
    if (nm_spec_check(o->context, item->spec, item->name, options) != NM_OK) {
        return nm_context_status(o->context);
    }
    o->type = (const nm_optimizer_type *)(const void *)item;
    o->options = nm_alloc(o->context, item->spec->size);
    if (!o->options) {
        return NM_ERROR_MEMORY;
    }
    memcpy(o->options, options, item->spec->size);
    memcpy(&o->common, options, sizeof o->common);
    return NM_OK;
}

/* The parameter's, or [copies, elements]. */
static nm_shape state_shape(const nm_optimizer *o, const member *m, int state)
{
    const int64_t copies = o->type->copies ? o->type->copies(o->options, state) : 1;
    return copies == 1 ? *nm_tensor_shape(m->entry->tensor) : NM_SHAPE(copies, m->count);
}

static nm_status add_states(nm_optimizer *o, member *m, int states)
{
    for (int i = 0; i < states; i++) {
        char *name = nm_format(o->context, "%s.%s", o->type->state_names[i], m->entry->name);
        m->state[i] = name ? nm_store_add(o->state, name, NM_BUFFER, NM_STATISTIC, m->dtype,
                                          state_shape(o, m, i))
                           : NULL;
        nm_free(o->context, name);
        if (!m->state[i]) {
            return nm_context_status(o->context);
        }
        m->states[i] = nm_tensor_data(m->state[i]);
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

static nm_status add_member(nm_optimizer *o, const nm_entry *entry, const nm_setting *setting)
{
    nm_dtype dtype = nm_tensor_dtype(entry->tensor);
    if (dtype != NM_F32 && dtype != NM_F64) {
        return nm_fail(o->context, NM_ERROR_INPUT,
                       "%s: parameter \"%s\" is %s; it takes f32 or f64", o->type->item.name,
                       entry->name, nm_dtype_name(dtype));
    }
    bool decays = entry->purpose == NM_WEIGHT || o->common.decay_norm_and_bias;
    member *m = &o->members[o->count++];
    *m = (member){.entry = entry,
                  .trust = 1,
                  .rate = setting->rate,
                  .dtype = dtype,
                  .count = nm_tensor_count(entry->tensor),
                  .values = nm_tensor_data(entry->tensor),
                  .weight_decay = setting->weight_decay != NM_DEFAULT_DECAY ? setting->weight_decay
                                  : decays                                  ? o->common.weight_decay
                                                                            : 0};
    return add_states(o, m, o->states);
}

static nm_status add_members(nm_optimizer *o, const nm_setting *settings)
{
    int entries = nm_store_count(o->store);
    o->state = nm_store_create(o->context);
    nm_store_hold(o->state); /* its user can get at it, and destroy it */
    o->members = nm_alloc_zero(o->context, (size_t)entries, sizeof *o->members);
    o->states = state_count(o);
    o->whole = o->type->whole ? nm_alloc_zero(o->context, (size_t)entries, sizeof *o->whole) : NULL;
    nm_status status = nm_context_status(o->context);
    for (int i = 0; i < entries && status == NM_OK; i++) {
        const nm_entry *entry = nm_store_at(o->store, i);
        status = entry->role == NM_PARAMETER ? add_member(o, entry, &settings[i]) : NM_OK;
    }
    return status;
}

static nm_status build(nm_optimizer *o, const nm_choice *choice, const nm_group *groups, int count)
{
    nm_status status = copy_options(o, choice);
    nm_setting *settings =
        status == NM_OK
            ? nm_alloc_zero(o->context, (size_t)nm_store_count(o->store), sizeof *settings)
            : NULL;
    if (settings && nm_groups_apply(o->store, groups, count, settings) == NM_OK) {
        add_members(o, settings);
    }
    nm_free(o->context, settings);
    return nm_context_status(o->context);
}

nm_optimizer *nm_optimizer_create(nm_store *store, const nm_choice *choice, const nm_group *groups,
                                  int group_count)
{
    NM_GIVEN(store, NULL);
    NM_REQUIRE(nm_store_context(store), choice, NULL);
    nm_context *context = nm_store_context(store);
    nm_optimizer *o = nm_alloc_zero(context, 1, sizeof *o);
    if (!o) {
        return NULL;
    }
    o->context = context;
    o->store = store;
    nm_store_hold(store);
    o->entries = nm_store_count(store);
    if (build(o, choice, groups, groups ? group_count : 0) != NM_OK) {
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
    nm_store *store = o->store;
    nm_store_destroy(o->state);
    nm_store_release(o->state);
    nm_free(o->context, o->members);
    nm_free(o->context, o->whole);
    nm_free(o->context, o->options);
    nm_free(o->context, o);
    nm_store_release(store);
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
        m->gradient = m->entry->trainable ? nm_tensor_grad_data(m->entry->tensor) : NULL;
        elements += m->gradient ? m->count : 0;
    }
    return elements;
}

/* Where the part of a parameter ends that belongs to the first `at` of all elements. */
static int64_t end_of_part(const move *all, int64_t count, int64_t at)
{
    const double part = (double)at / (double)all->elements;
    return at < all->elements ? (int64_t)(part * (double)count) / LINE * LINE : count;
}

/* Elements first..last of a member, into `u`, one of all.common; states that nobody has stay NULL.
 */
static inline void set_stretch(const move *all, const member *m, int64_t first, int64_t last,
                               nm_update *u)
{
    const size_t offset = (size_t)first * (m->dtype == NM_F32 ? sizeof(float) : sizeof(double));
    u->rate = all->common.rate * m->rate;
    u->weight_decay = m->weight_decay;
    u->trust = m->trust;
    u->dtype = m->dtype;
    u->count = last - first;
    u->parameter = m->values + offset;
    u->gradient = m->gradient + offset;
    for (int i = 0; i < all->optimizer->states; i++) {
        u->state[i] = m->states[i] + offset;
    }
}

static void find_trust(nm_optimizer *o, const move *all)
{
    nm_update whole = all->common;
    for (int i = 0; i < o->count; i++) {
        member *m = &o->members[i];
        if (m->gradient) {
            set_stretch(all, m, 0, m->count, &whole);
            const double trust = o->type->trust(&whole);
            m->trust = m->entry->purpose == NM_WEIGHT ? trust : 1;
        }
    }
}

static void update_range(void *arg, int64_t begin, int64_t end)
{
    const move *all = arg;
    const bool whole = begin == 0 && end == all->elements;
    nm_update u = all->common;
    for (int i = 0; i < all->optimizer->count; i++) {
        const member *m = &all->optimizer->members[i];
        const int64_t first = whole ? 0 : end_of_part(all, m->count, begin);
        const int64_t last = whole ? m->count : end_of_part(all, m->count, end);
        if (m->gradient && first < last) {
            set_stretch(all, m, first, last, &u);
            all->optimizer->type->update(&u);
        }
    }
}

static void find_trust_of_all(nm_optimizer *o, const move *all)
{
    int count = 0;
    for (int i = 0; i < o->count; i++) {
        const member *m = &o->members[i];
        if (m->gradient) {
            o->whole[count] = all->common;
            set_stretch(all, m, 0, m->count, &o->whole[count++]);
        }
    }
    const double trust = o->type->whole(o->whole, count);
    for (int i = 0; i < o->count; i++) {
        o->members[i].trust = trust;
    }
}

/* A parameter that came later would never be moved. */
static nm_status check_store(const nm_optimizer *o)
{
    for (int i = o->entries; i < nm_store_count(o->store); i++) {
        const nm_entry *entry = nm_store_at(o->store, i);
        if (entry->role == NM_PARAMETER) {
            return nm_fail(o->context, NM_ERROR_INPUT,
                           "nm_optimizer_step: the parameter \"%s\" was added to the store after "
                           "the optimizer was made; make the optimizer behind all parameters",
                           entry->name);
        }
    }
    return nm_store_check_change(o->store);
}

static nm_status check_step(const nm_optimizer *o, int64_t step, double factor, double scale)
{
    if (step < 0) {
        return nm_fail(o->context, NM_ERROR_INPUT,
                       "nm_optimizer_step: step is %lld; it counts updates from 0",
                       (long long)step);
    }
    if (step < o->next) {
        return nm_fail(o->context, NM_ERROR_INPUT,
                       "nm_optimizer_step: step is %lld, and the last one was %lld; %s computes "
                       "with the number of updates: count it up with each, on over epochs, and "
                       "begin anew with a new optimizer",
                       (long long)step, (long long)o->next - 1, o->type->item.name);
    }
    return isfinite(factor) && isfinite(scale)
               ? NM_OK
               : nm_fail(o->context, NM_ERROR_INPUT,
                         "nm_optimizer_step: the rate's factor is %g and the gradients' scale %g; "
                         "both must be finite",
                         factor, scale);
}

bool nm_optimizer_has_gradients(nm_optimizer *o)
{
    return find_gradients(o) > 0;
}

const nm_store *nm_optimizer_store(const nm_optimizer *o)
{
    return o->store;
}

/* What was left of a gradient by which an update was made is no part of the next one's. */
static nm_status spend_gradients(const nm_optimizer *o, int64_t elements)
{
    if (!elements && o->count) { /* its caller means otherwise */
        return nm_fail(o->context, NM_ERROR_INPUT,
                       "nm_optimizer_step: of the %d parameters that the optimizer has, none that "
                       "is trained has a gradient; a loss that depends on them, and nm_backward(), "
                       "make it",
                       o->count);
    }
    for (int i = 0; i < o->count; i++) {
        const nm_entry *entry = o->members[i].entry;
        if (o->members[i].gradient && !nm_tensor_spend_grad(entry->tensor)) {
            return nm_fail(o->context, NM_ERROR_INPUT,
                           "nm_optimizer_step: in the gradient of \"%s\" is still that of the "
                           "update before; call nm_store_clear_grads() after each update "
                           "(nm_optimizer_minimize() does)",
                           entry->name);
        }
    }
    return NM_OK;
}

/* Backward passes that need the parameters as they were are errors from now on. */
static void touch_moved(const nm_optimizer *o)
{
    for (int i = 0; i < o->count; i++) {
        if (o->members[i].gradient) {
            nm_tensor_touch(o->members[i].entry->tensor);
        }
    }
}

nm_status nm_optimizer_step(nm_optimizer *o, int64_t step, double factor, double scale)
{
    NM_GIVEN(o, NM_ERROR_INPUT);
    move all = {
        .optimizer = o,
        .common = {
            .options = o->options, .step = step, .rate = o->common.rate * factor, .scale = scale}};
    nm_status status = check_step(o, step, factor, scale);
    status = status == NM_OK ? check_store(o) : status;
    all.elements = status == NM_OK ? find_gradients(o) : 0;
    status = status == NM_OK ? spend_gradients(o, all.elements) : status;
    if (status == NM_OK) {
        if (o->whole) {
            find_trust_of_all(o, &all);
        } else if (o->type->trust) {
            find_trust(o, &all);
        }
        nm_parallel(o->context, all.elements, GRAIN, update_range, &all);
        touch_moved(o);
        o->next = o->type->counts ? step + 1 : 0;
    }
    return status;
}

/* What follows of a loss that is not finite are parameters of NaN, and all is lost. */
static nm_status check_loss(nm_optimizer *o, nm_tensor *loss)
{
    if (!loss || nm_tensor_first_not_finite(loss) < 0) {
        return NM_OK;
    }
    return nm_fail(o->context, NM_ERROR_NUMERIC,
                   "nm_optimizer_minimize: the loss is not finite, and no parameter was moved; "
                   "standardize samples and targets, or lower the rate (nm_tape_set_anomaly() "
                   "tells where it began)");
}

nm_status nm_optimizer_minimize(nm_optimizer *o, nm_tape *tape, nm_tensor *loss, int64_t step)
{
    NM_GIVEN(o, NM_ERROR_INPUT);
    NM_REQUIRE(o->context, tape, NM_ERROR_INPUT);
    nm_status status = check_loss(o, loss);
    status = status == NM_OK ? nm_backward(tape, loss, 0) : status;
    status = status == NM_OK ? nm_optimizer_step(o, step, 1, 1) : status;
    nm_store_clear_grads(o->store);
    return status;
}

double nm_optimizer_rate(const nm_optimizer *o)
{
    NM_GIVEN(o, (double)NAN);
    return o->common.rate;
}

const nm_optimizer_type *nm_optimizer_type_of(const nm_optimizer *o)
{
    NM_GIVEN(o, NULL);
    return o->type;
}

nm_store *nm_optimizer_state(const nm_optimizer *o)
{
    NM_GIVEN(o, NULL);
    return o->state;
}

int nm_optimizer_count(const nm_optimizer *o)
{
    NM_GIVEN(o, 0);
    return o->count;
}

nm_member nm_optimizer_at(const nm_optimizer *o, int index)
{
    NM_GIVEN(o && index >= 0 && index < o->count, ((nm_member){0}));
    const member *m = &o->members[index];
    return (nm_member){.entry = m->entry,
                       .rate = o->common.rate * m->rate,
                       .factor = m->rate,
                       .weight_decay = m->weight_decay};
}
