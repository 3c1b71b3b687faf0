/* Weights as oneDNN wants them, kept while they do not change. */
#include "ops/kernels/onednn_primitive.h"

#ifdef NM_HAVE_ONEDNN

#include <string.h>

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

/* All are made by the first call, so that steady training allocates nothing, whatever buffers the
 * pool hands it. */
nm_weight_copy *nm_weight_copy_of(nm_context *context, nm_primitive *p, const void *weights)
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

bool nm_weight_copy_is_current(nm_weight_copy *copy, size_t bytes)
{
    look_at(copy, bytes);
    return copy->original && memcmp(copy->original, copy->weights, bytes) == 0;
}

void nm_weight_copy_renew(nm_context *context, nm_weight_copy *copy, size_t bytes,
                          const void *reordered, size_t reordered_bytes)
{
    if (copy->original) {
        forget(context, copy);
        return;
    }
    if (copy->same < WORTH_IT) {
        return;
    }
    size_t begin = (bytes + 127) & ~(size_t)63;
    copy->original = nm_alloc(context, begin + reordered_bytes);
    if (!copy->original) {
        return;
    }
    uintptr_t after = (uintptr_t)copy->original + bytes;
    copy->reordered = (char *)copy->original + bytes + (64 - after % 64) % 64;
    memcpy(copy->original, copy->weights, bytes);
    memcpy(copy->reordered, reordered, reordered_bytes);
}

#endif
