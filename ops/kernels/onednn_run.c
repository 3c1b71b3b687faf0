/* A primitive at work: on arrays of the caller, converted to bf16 or reordered in scratch memory
 * where oneDNN wants them otherwise. */
#include "ops/kernels/onednn_primitive.h"

#ifdef NM_HAVE_ONEDNN

#include <string.h>

#include "ops/kernels/bf16.h"

/* ---- Weights that do not change ---- */

/* Reordering weights costs more than running a small network on one image. So where calls find the
 * same weights again, what became of them is kept, and beside it what they were: an array is taken
 * for unchanged only if all of it is what it was, whoever may have written to it. Comparing is many
 * times faster than reordering, and stops at the first difference. */
struct nm_weight_copy {
    const void *weights;
    int64_t used;     /* the number of the primitive's call that used it last */
    float sample[16]; /* of that call: whether it is worth looking closer */
    int same;         /* calls in a row with this sample */
    void *original;   /* one block with what follows; NULL: nothing is kept */
    void *reordered;
};

#define COPIES 16  /* of layers of one shape */
#define WORTH_IT 2 /* calls without a change after which it is expected to stay so */

static void forget(nm_context *context, nm_weight_copy *copy)
{
    nm_free(context, copy->original);
    copy->original = copy->reordered = NULL;
    copy->same = 0;
}

void nm_weight_copies_destroy(nm_context *context, nm_primitive *p)
{
    for (int i = 0; i < COPIES && p->copies; i++) {
        forget(context, &p->copies[i]);
    }
    nm_free(context, p->copies);
}

/* The entry of these weights; the one used longest ago makes room. All are made by the first call,
 * so that steady training allocates nothing, whatever buffers the pool hands it. */
static nm_weight_copy *entry_of(nm_context *context, nm_primitive *p, const void *weights)
{
    if (!p->copies) {
        p->copies = nm_alloc_zero(context, COPIES, sizeof *p->copies);
        if (!p->copies) {
            return NULL;
        }
    }
    nm_weight_copy *copy = p->copies;
    for (int i = 0; i < COPIES && copy->weights != weights; i++) {
        if (p->copies[i].weights == weights || p->copies[i].used < copy->used) {
            copy = &p->copies[i];
        }
    }
    if (copy->weights != weights) {
        forget(context, copy);
        copy->weights = weights;
    }
    copy->used = ++p->calls;
    return copy;
}

static void look_at(nm_weight_copy *copy, size_t bytes)
{
    float sample[16];
    size_t count = bytes / sizeof(float);
    for (size_t i = 0; i < 16; i++) {
        sample[i] = ((const float *)copy->weights)[count * i / 16];
    }
    copy->same = memcmp(sample, copy->sample, sizeof sample) ? 0 : copy->same + 1;
    memcpy(copy->sample, sample, sizeof sample);
}

/* Whether `reordered` is there and still right. */
static bool is_current(nm_context *context, nm_weight_copy *copy, size_t bytes)
{
    if (copy->original && memcmp(copy->original, copy->weights, bytes)) {
        forget(context, copy);
    }
    look_at(copy, bytes);
    return copy->original != NULL;
}

static bool keep(nm_context *context, nm_weight_copy *copy, size_t bytes, const void *reordered,
                 size_t reordered_bytes)
{
    size_t begin = (bytes + 127) & ~(size_t)63;
    copy->original = nm_alloc(context, begin + reordered_bytes);
    if (!copy->original) {
        return false;
    }
    uintptr_t after = (uintptr_t)copy->original + bytes;
    copy->reordered = (char *)copy->original + bytes + (64 - after % 64) % 64;
    memcpy(copy->original, copy->weights, bytes);
    memcpy(copy->reordered, reordered, reordered_bytes);
    return true;
}

static bool reorder(nm_backend *b, const nm_primitive *p)
{
    bool back = p->problem.direction == WEIGHT_GRAD;
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, back ? p->memory[WEIGHTS] : p->own_weights},
                              {DNNL_ARG_TO, back ? p->own_weights : p->memory[WEIGHTS]}};
    return b->dnnl.primitive_execute(p->reorder, b->stream, 2, args) == dnnl_success;
}

/* oneDNN's handles are mutable; what is an input stays as it is. */
static void point(const nm_backend *b, dnnl_memory_t memory, const void *data)
{
    b->dnnl.memory_set_data_handle(memory, (void *)(uintptr_t)data);
}

/* Whether the same array may come again: in the product for a gradient of weights, of a transposed
 * matrix, the other factor is a gradient, new in every step, if often with the same zeros. */
static bool may_come_again(const nm_problem *problem)
{
    return problem->convolution || !problem->product.transpose_a;
}

/* Brings weights into oneDNN's layout, in `scratch` unless they are known. */
static bool prepare_weights(nm_context *context, nm_backend *b, nm_primitive *p,
                            const void *weights, void *scratch)
{
    if (!may_come_again(&p->problem)) {
        return reorder(b, p);
    }
    nm_layout_view own;
    nm_weight_copy *copy = entry_of(context, p, weights);
    if (!copy || b->dnnl.memory_get_memory_desc(p->own_weights, &own) != dnnl_success) {
        return false;
    }
    size_t bytes = b->dnnl.memory_desc_get_size(own);
    if (is_current(context, copy, bytes)) {
        point(b, p->memory[WEIGHTS], copy->reordered);
        return true;
    }
    return reorder(b, p) &&
           (copy->same < WORTH_IT || keep(context, copy, bytes, scratch, p->bytes[WEIGHTS]));
}

/* ---- Running ---- */

static const int names[][SLOTS] = {
    [FORWARD] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST, DNNL_ARG_SCRATCHPAD},
    [INPUT_GRAD] = {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, 0, DNNL_ARG_DIFF_DST, DNNL_ARG_SCRATCHPAD},
    [WEIGHT_GRAD] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, 0, DNNL_ARG_DIFF_DST,
                     DNNL_ARG_SCRATCHPAD},
};

/* Every slot's array: the caller's, or its place in scratch memory. */
static void place(nm_context *context, const nm_backend *b, const nm_primitive *p,
                  const void *const arrays[SCRATCHPAD], char *scratch, const void *data[SLOTS])
{
    for (int i = 0; i < SLOTS; i++) {
        data[i] = p->bytes[i] || i == SCRATCHPAD ? scratch : arrays[i];
        if (p->count[i]) {
            nm_bf16_from_f32(context, arrays[i], (uint16_t *)(void *)scratch, p->count[i]);
        }
        scratch += (p->bytes[i] + 63) & ~(size_t)63;
        if (p->memory[i]) {
            point(b, p->memory[i], data[i]);
        }
    }
}

static bool execute(nm_context *context, nm_backend *b, nm_primitive *p,
                    const void *const arrays[SCRATCHPAD], char *scratch)
{
    const void *data[SLOTS];
    dnnl_exec_arg_t args[SLOTS];
    int count = 0;
    bool back = p->problem.direction == WEIGHT_GRAD;
    place(context, b, p, arrays, scratch, data);
    if (p->reorder) {
        point(b, p->own_weights, arrays[WEIGHTS]);
    }
    if (p->reorder && !back &&
        !prepare_weights(context, b, p, arrays[WEIGHTS], (void *)(uintptr_t)data[WEIGHTS])) {
        return false;
    }
    for (int i = 0; i < SLOTS; i++) {
        if (p->memory[i]) {
            args[count++] = (dnnl_exec_arg_t){names[p->problem.direction][i], p->memory[i]};
        }
    }
    return b->dnnl.primitive_execute(p->run, b->stream, count, args) == dnnl_success &&
           (!p->reorder || !back || reorder(b, p));
}

bool nm_primitive_execute(nm_context *context, nm_backend *b, nm_primitive *p,
                          const void *const arrays[SCRATCHPAD])
{
    size_t bytes = 64;
    for (int i = 0; i < SLOTS; i++) {
        bytes += (p->bytes[i] + 63) & ~(size_t)63;
    }
    char *scratch = nm_scratch(context, bytes);
    bool done = scratch && execute(context, b, p, arrays, scratch);
    nm_scratch_end(scratch);
    return done;
}

#endif
