/* Making primitives and finding them again. Nothing of ours is allocated in a step like the one
 * before it; oneDNN itself takes a few short-lived blocks from malloc for each call, which its
 * interface gives no way around. */
#include "ops/kernels/onednn_primitive.h"

#ifdef NM_HAVE_ONEDNN

#include <string.h>

dnnl_data_type_t nm_slot_type(const nm_problem *problem, int slot)
{
    const int results[] = {[FORWARD] = DESTINATION, [INPUT_GRAD] = SOURCE, [WEIGHT_GRAD] = WEIGHTS};
    bool narrow = problem->bf16 && slot != BIAS && slot != results[problem->direction];
    return narrow || nm_slot_is_bf16(problem, slot) ? dnnl_bf16 : dnnl_f32;
}

bool nm_slot_is_bf16(const nm_problem *problem, int slot)
{
    return problem->convolution && ((slot == SOURCE && problem->conv.x_is_bf16) ||
                                    (slot == DESTINATION && problem->conv.y_is_bf16));
}

void nm_description_clear(nm_description *d)
{
    for (int i = 0; i < SCRATCHPAD; i++) {
        nm_layout_destroy(d->dnnl, &d->slots[i]);
    }
    nm_layout_destroy(d->dnnl, &d->weights);
    if (d->primitive) d->dnnl->primitive_desc_destroy(d->primitive);
}

nm_operands nm_operands_of(const nm_problem *problem, dnnl_engine_t engine,
                           dnnl_primitive_attr_t attributes, const nm_description *d)
{
    return (nm_operands){.dnnl = d->dnnl,
                         .engine = engine,
                         .attributes = attributes,
                         .source = nm_layout_look(&d->slots[SOURCE]),
                         .weights = nm_layout_look(&d->weights),
                         .bias = problem->bias ? nm_layout_look(&d->slots[BIAS]) : NULL,
                         .destination = nm_layout_look(&d->slots[DESTINATION])};
}

/* ---- Making one ---- */

static bool make_memory(nm_backend *b, dnnl_memory_t *memory, nm_layout_view layout)
{
    return b->dnnl.memory_create(memory, layout, b->engine, DNNL_MEMORY_NONE) == dnnl_success;
}

/* From our weights to what oneDNN chose, or back for their gradient. */
static bool make_reorder(nm_backend *b, nm_primitive *p, nm_layout_view own, nm_layout_view chosen)
{
    if (b->dnnl.memory_desc_equal(own, chosen)) {
        return true;
    }
    bool back = p->problem.direction == WEIGHT_GRAD;
    dnnl_primitive_desc_t desc = NULL;
    bool made = make_memory(b, &p->own_weights, own) &&
                b->dnnl.reorder_primitive_desc_create(&desc, back ? chosen : own, b->engine,
                                                      back ? own : chosen, b->engine,
                                                      NULL) == dnnl_success &&
                b->dnnl.primitive_create(&p->reorder, desc) == dnnl_success;
    if (desc) b->dnnl.primitive_desc_destroy(desc);
    p->bytes[WEIGHTS] = b->dnnl.memory_desc_get_size(chosen);
    return made;
}

static bool make_slots(nm_backend *b, nm_primitive *p, nm_description *d)
{
    bool weight_grad = p->problem.direction == WEIGHT_GRAD;
    nm_layout_view weights = b->dnnl.primitive_desc_query_md(
        d->primitive, weight_grad ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
    nm_layout_view scratchpad =
        b->dnnl.primitive_desc_query_md(d->primitive, dnnl_query_scratchpad_md, 0);
    for (int slot = SOURCE; slot < SCRATCHPAD; slot++) {
        nm_layout_view md = slot == WEIGHTS ? weights : nm_layout_look(&d->slots[slot]);
        if ((slot != BIAS || p->problem.bias) && !make_memory(b, &p->memory[slot], md)) {
            return false;
        }
        if (slot != WEIGHTS && nm_slot_type(&p->problem, slot) == dnnl_bf16 &&
            !nm_slot_is_bf16(&p->problem, slot)) {
            p->bytes[slot] = b->dnnl.memory_desc_get_size(md);
            p->count[slot] = (int64_t)(p->bytes[slot] / sizeof(uint16_t));
        }
    }
    p->bytes[SCRATCHPAD] = scratchpad ? b->dnnl.memory_desc_get_size(scratchpad) : 0;
    return (!p->bytes[SCRATCHPAD] || make_memory(b, &p->memory[SCRATCHPAD], scratchpad)) &&
           make_reorder(b, p, nm_layout_look(&d->slots[WEIGHTS]), weights);
}

static bool fill(nm_backend *b, nm_primitive *p, nm_describe_fn describe)
{
    nm_description d;
    dnnl_primitive_attr_t attributes;
    memset(&d, 0, sizeof d);
    d.dnnl = &b->dnnl;
    if (b->dnnl.primitive_attr_create(&attributes) != dnnl_success) {
        return false;
    }
    bool made =
        b->dnnl.primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user) ==
            dnnl_success &&
        describe(&p->problem, b->engine, attributes, &d) && make_slots(b, p, &d) &&
        b->dnnl.stream_create(&p->stream, b->engine, dnnl_stream_default_flags) == dnnl_success &&
        b->dnnl.primitive_create(&p->run, d.primitive) == dnnl_success;
    nm_description_clear(&d);
    b->dnnl.primitive_attr_destroy(attributes);
    return made;
}

static void destroy(nm_context *context, const nm_backend *b, nm_primitive *p)
{
    for (int i = 0; i < SLOTS; i++) {
        if (p->memory[i]) b->dnnl.memory_destroy(p->memory[i]);
    }
    if (p->own_weights) b->dnnl.memory_destroy(p->own_weights);
    if (p->reorder) b->dnnl.primitive_destroy(p->reorder);
    if (p->run) b->dnnl.primitive_destroy(p->run);
    if (p->stream) b->dnnl.stream_destroy(p->stream);
    nm_weight_copies_destroy(context, p);
    nm_free(context, p);
}

/* What oneDNN does not take is remembered as a primitive that does not run. */
static nm_primitive *make(nm_context *context, nm_backend *b, const nm_problem *problem,
                          nm_describe_fn describe)
{
    nm_primitive *p = nm_alloc_zero(context, 1, sizeof *p);
    if (p) {
        p->problem = *problem;
        fill(b, p, describe);
    }
    return p;
}

/* ---- Finding it ---- */

/* How many primitives a bucket keeps for each thread: all together more than a deep network has
 * layers and directions, but not one more for every image size that a program ever sees. */
#define KEPT 8

static nm_primitive **bucket_of(nm_backend *b, const nm_problem *problem)
{
    uint64_t words[sizeof *problem / sizeof(uint64_t)], hash = UINT64_C(0xcbf29ce484222325);
    memcpy(words, problem, sizeof words);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        hash = (hash ^ words[i]) * UINT64_C(0x100000001b3);
    }
    return &b->buckets[(hash ^ hash >> 32) % NM_PRIMITIVE_BUCKETS];
}

/* Takes the primitive out of its bucket, if it is there, and otherwise what there are too many of:
 * a bucket begins with the one used last. */
static nm_primitive *take(nm_context *context, nm_backend *b, nm_primitive **bucket,
                          const nm_problem *problem)
{
    nm_primitive **idle = NULL; /* the last that may go */
    int64_t count = 0;
    b->shares = problem->share < b->shares ? b->shares : problem->share + 1;
    for (nm_primitive **at = bucket; *at; at = &(*at)->next) {
        nm_primitive *p = *at;
        if (!memcmp(&p->problem, problem, sizeof *problem)) {
            *at = p->next;
            return p;
        }
        idle = p->busy ? idle : at;
        count++;
    }
    if (count >= KEPT * b->shares && idle) {
        nm_primitive *p = *idle;
        *idle = p->next;
        destroy(context, b, p);
    }
    return NULL;
}

nm_primitive *nm_primitive_of(nm_context *context, nm_backend *b, const nm_problem *problem,
                              nm_describe_fn describe)
{
    nm_primitive **bucket = bucket_of(b, problem);
    nm_primitive *p = take(context, b, bucket, problem);
    if (!p) {
        p = make(context, b, problem, describe);
    }
    if (p) {
        p->next = *bucket;
        *bucket = p;
    }
    return p;
}

void nm_primitives_destroy(nm_context *context, nm_backend *b)
{
    for (int i = 0; i < NM_PRIMITIVE_BUCKETS; i++) {
        while (b->buckets[i]) {
            nm_primitive *p = b->buckets[i];
            b->buckets[i] = p->next;
            destroy(context, b, p);
        }
    }
}

#endif
