/* Convolutions by oneDNN. */
#include "ops/kernels/onednn_primitive.h"

#ifdef NM_HAVE_ONEDNN

#include <string.h>

#include "core/thread.h"
#include "ops/kernels/bf16.h"

/* ---- Describing them ---- */

/* Our [n, h, w, c] seen as oneDNN's (n, c, h, w). */
static bool describe_image(const nm_onednn *dnnl, nm_layout *layout, dnnl_data_type_t type,
                           int64_t n, int64_t h, int64_t w, int64_t c)
{
    return nm_layout_create(dnnl, layout, type, 4, (int64_t[]){n, c, h, w},
                            (int64_t[]){h * w * c, 1, w * c, c});
}

/* Our [o, kh, kw, c / groups] seen as (o, c, kh, kw), or with groups as (g, o / g, c / g, kh, kw);
 * and the same with the layout left open. */
static bool describe_weights(const nm_onednn *dnnl, nm_layout *own, nm_layout *any,
                             dnnl_data_type_t type, const nm_conv *c)
{
    int64_t in = c->c / c->groups, out = c->o / c->groups, row = c->kw * in, all = c->kh * row;
    int64_t dim[] = {c->groups, out, in, c->kh, c->kw};
    int64_t stride[] = {out * all, all, 1, row, in};
    int skip = c->groups == 1;
    return nm_layout_create(dnnl, own, dnnl_f32, 5 - skip, dim + skip, stride + skip) &&
           nm_layout_create(dnnl, any, type, 5 - skip, dim + skip, NULL);
}

static nm_window window_of(const nm_conv *c)
{
    const int64_t in[2] = {c->h, c->w}, out[2] = {c->oh, c->ow}, kernel[2] = {c->kh, c->kw};
    nm_window w;
    memset(&w, 0, sizeof w);
    for (int i = 0; i < 2; i++) {
        int64_t reach = (kernel[i] - 1) * c->dilation[i] + 1;
        w.stride[i] = c->stride[i];
        w.padding[i] = c->padding[i];
        w.dilation[i] = c->dilation[i] - 1;
        w.padding_after[i] = (out[i] - 1) * c->stride[i] + reach - in[i] - c->padding[i];
    }
    return w;
}

static bool describe_slots(const nm_problem *problem, nm_description *d)
{
    const nm_conv *c = &problem->conv;
    const nm_onednn *dnnl = d->dnnl;
    nm_layout *slots = d->slots;
    return describe_image(dnnl, &slots[SOURCE], nm_slot_type(problem, SOURCE), c->n, c->h, c->w,
                          c->c) &&
           describe_image(dnnl, &slots[DESTINATION], nm_slot_type(problem, DESTINATION), c->n,
                          c->oh, c->ow, c->o) &&
           describe_weights(dnnl, &slots[WEIGHTS], &d->weights, nm_slot_type(problem, WEIGHTS),
                            c) &&
           nm_layout_create(dnnl, &slots[BIAS], dnnl_f32, 1, (int64_t[]){c->o}, (int64_t[]){1});
}

static bool describe_direction(const nm_problem *problem, dnnl_engine_t engine,
                               dnnl_primitive_attr_t attributes, dnnl_primitive_desc_t forward,
                               nm_description *out)
{
    nm_window window = window_of(&problem->conv);
    if (!describe_slots(problem, out)) {
        return false;
    }
    nm_operands on = nm_operands_of(problem, engine, attributes, out);
    return nm_describe_convolution(&on, (nm_direction)problem->direction, &window, forward,
                                   &out->primitive) == dnnl_success;
}

/* oneDNN wants to see the forward pass before a gradient: of the same types. */
static bool describe(const nm_problem *problem, dnnl_engine_t engine,
                     dnnl_primitive_attr_t attributes, nm_description *out)
{
    nm_problem forward = *problem;
    nm_description before;
    memset(&before, 0, sizeof before);
    before.dnnl = out->dnnl;
    forward.direction = FORWARD;
    bool made = (problem->direction == FORWARD ||
                 describe_direction(&forward, engine, attributes, NULL, &before)) &&
                describe_direction(problem, engine, attributes, before.primitive, out);
    nm_description_clear(&before);
    return made;
}

/* ---- Running them: each thread has some of the images ---- */

typedef struct job {
    const nm_conv *conv;
    nm_direction direction;
    bool bf16;
    const void *const *arrays;
    float *dw;   /* NULL: another direction */
    float *sums; /* of each share but the first, [shares - 1, weights]: its gradient of weights */
    int64_t weights;
    int count; /* of shares */
} job;

static const void *image_at(const void *images, int64_t image, int64_t size, bool is_bf16)
{
    const int64_t item = is_bf16 ? sizeof(uint16_t) : sizeof(float);
    return (const char *)images + image * size * item;
}

static void describe_share(const job *j, int i, nm_onednn_share *s)
{
    const nm_conv *c = j->conv;
    const int64_t first = i * c->n / j->count;
    memset(s, 0, sizeof *s);
    s->problem.convolution = true;
    s->problem.direction = j->direction;
    s->problem.bias = j->arrays[BIAS] != NULL;
    s->problem.share = i;
    s->problem.bf16 = j->bf16;
    s->problem.conv = *c;
    s->problem.conv.bf16 = 0; /* said above */
    s->problem.conv.n = (i + 1) * c->n / j->count - first;
    s->arrays[SOURCE] = image_at(j->arrays[SOURCE], first, c->h * c->w * c->c, c->x_is_bf16);
    s->arrays[DESTINATION] =
        image_at(j->arrays[DESTINATION], first, c->oh * c->ow * c->o, c->y_is_bf16);
    s->arrays[BIAS] = j->arrays[BIAS];
    s->arrays[WEIGHTS] = j->sums && i > 0 ? j->sums + (i - 1) * j->weights : j->arrays[WEIGHTS];
}

static void add_sums(void *arg, int64_t begin, int64_t end)
{
    const job *j = arg;
    for (int s = 0; s < j->count - 1; s++) {
        const float *more = j->sums + s * j->weights;
        for (int64_t i = begin; i < end; i++) {
            j->dw[i] += more[i];
        }
    }
}

static bool run_shares(nm_context *context, nm_backend *b, job *j)
{
    const size_t room = nm_bytes((j->count - 1) * j->weights, sizeof *j->sums);
    nm_onednn_share *shares = nm_scratch(context, (size_t)j->count * sizeof *shares);
    const bool sums = j->dw && j->count > 1;
    j->sums = shares && sums ? nm_scratch(context, room) : NULL;
    bool done = shares && (j->sums || !sums);
    for (int i = 0; i < j->count && done; i++) {
        describe_share(j, i, &shares[i]);
    }
    done = done && nm_onednn_run(context, b, describe, shares, j->count);
    if (done && sums) {
        nm_parallel(context, j->weights, 16384, add_sums, j);
    }
    nm_scratch_end(j->sums);
    nm_scratch_end(shares);
    return done;
}

/* With fewer images than threads our own, which share rows, are faster; but not for groups. */
static bool run(nm_context *context, const nm_conv *conv, nm_direction direction,
                const void *const arrays[SCRATCHPAD], float *dw)
{
    nm_backend *b = nm_onednn_backend(context);
    if (!b || !conv->n || !conv->h || !conv->w || !conv->c || !conv->o) {
        return false;
    }
    const int64_t taps = conv->kh * conv->kw * conv->c / conv->groups;
    const int threads = nm_onednn_shares(context, conv->n * conv->oh * conv->ow * conv->o * taps);
    if (conv->n < threads && conv->groups == 1 && !conv->x_is_bf16 && !conv->y_is_bf16) {
        return false;
    }
    job j = {.conv = conv,
             .direction = direction,
             .bf16 = conv->bf16 && nm_takes_bf16(context),
             .arrays = arrays,
             .dw = dw,
             .weights = conv->o * taps,
             .count = (int)(conv->n < threads ? conv->n : threads)};
    return (j.bf16 || (!conv->x_is_bf16 && !conv->y_is_bf16)) && run_shares(context, b, &j);
}

bool nm_onednn_conv_forward(nm_context *context, const nm_conv *conv, const void *x, const void *w,
                            const void *bias, void *y)
{
    return run(context, conv, FORWARD, (const void *const[]){x, w, bias, y}, NULL);
}

bool nm_onednn_conv_input_grad(nm_context *context, const nm_conv *conv, const void *dy,
                               const void *w, void *dx)
{
    return run(context, conv, INPUT_GRAD, (const void *const[]){dx, w, NULL, dy}, NULL);
}

bool nm_onednn_conv_weight_grad(nm_context *context, const nm_conv *conv, const void *x,
                                const void *dy, void *dw)
{
    return run(context, conv, WEIGHT_GRAD, (const void *const[]){x, dw, NULL, dy}, dw);
}

#endif
