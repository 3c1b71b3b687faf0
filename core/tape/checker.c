/* Tensors from an op's sample, and what its computation may not do: promises 5 and 6 of check.c. */
#include "core/tape/checker.h"

#include <string.h>

#include "core/internal.h"
#include "core/plugin.h"
#include "core/random.h"

nm_status nm_checker_fail(const nm_checker *c, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    nm_fail_v(c->context, NM_ERROR_NUMERIC, format, list);
    va_end(list);
    return nm_fail_in(c->context, "%s, sample %d", c->op->item.name, c->sample);
}

/* ---- Making the sample's tensors ---- */

bool nm_checker_is_smooth(const nm_checker *c, int i)
{
    const nm_port *port = nm_input_port(c->op, i);
    return c->in[i] && port->type != NM_PORT_INDEX && !(port->flags & NM_PORT_NO_GRAD) &&
           nm_dtype_is_float((nm_dtype)c->in[i]->dtype);
}

static bool is_smooth_output(const nm_port *port)
{
    return port->type != NM_PORT_INDEX && !(port->flags & (NM_PORT_NO_GRAD | NM_PORT_HIDDEN));
}

static double sample_value(const nm_sample_input *s, nm_random *random, int64_t rank_of_value)
{
    double normal = nm_random_normal(random);
    switch (s->fill) {
    case NM_FILL_NORMAL: return normal;
    case NM_FILL_UNIFORM: return s->low + (s->high - s->low) * nm_random_uniform(random);
    case NM_FILL_AWAY: return normal < 0 ? normal - s->low : normal + s->low;
    case NM_FILL_DISTINCT: return 0.1 * (double)rank_of_value + 0.01 * nm_random_uniform(random);
    case NM_FILL_INDEX: return (double)nm_random_below(random, (int64_t)s->high);
    case NM_FILL_ABSENT: break;
    }
    return 0;
}

static nm_tensor *make_input(nm_checker *c, const nm_sample_input *s, nm_random *random)
{
    nm_dtype dtype = s->fill == NM_FILL_INDEX ? NM_I32 : NM_F64;
    nm_tensor *x = nm_tensor_create(c->context, dtype, nm_shape_of_sample(&s->shape));
    int64_t *order = x ? nm_alloc(c->context, (size_t)(x->count + 1) * sizeof *order) : NULL;
    if (!order) {
        nm_tensor_destroy(x);
        return NULL;
    }
    nm_random_permutation(random, order, x->count);
    for (int64_t i = 0; i < x->count; i++) {
        nm_tensor_set(x, i, sample_value(s, random, order[i] - x->count / 2));
    }
    nm_free(c->context, order);
    return x;
}

static nm_tensor *make_random(nm_checker *c, const nm_shape *shape, nm_random *random)
{
    nm_tensor *x = nm_tensor_create(c->context, NM_F64, *shape);
    if (x && nm_random_fill_normal(random, x, 0, 1) == NM_OK) {
        x->requires_grad = true;
    }
    return x;
}

static int count_inputs(const nm_sample *sample)
{
    int inputs = sample->inputs;
    while (!sample->inputs && inputs < NM_SAMPLE_INPUTS && sample->in[inputs].fill) {
        inputs++;
    }
    return inputs;
}

/* Promise 5. */
nm_status nm_checker_compare_inputs(nm_checker *c, const char *by)
{
    for (int i = 0; i < c->inputs; i++) {
        const nm_tensor *x = c->in[i];
        if (x && memcmp(x->data, c->before[i]->data, nm_tensor_bytes(x)) != 0) {
            return nm_checker_fail(c, "its %s changes the input %s; no op may", by,
                                   nm_input_port(c->op, i)->name);
        }
    }
    return c->context->status;
}

#define MARGIN 64 /* bytes behind an output that must stay as they are */

/* A tensor like `y` with bytes of `fill` for elements, and as many as MARGIN behind them. */
static nm_tensor *make_frame(nm_checker *c, const nm_tensor *y, int fill)
{
    nm_tensor *frame =
        nm_tensor_create(c->context, NM_U8, NM_SHAPE((int64_t)nm_tensor_bytes(y) + MARGIN));
    if (frame) {
        memset(frame->data, fill, nm_tensor_bytes(frame));
        frame->count = y->count;
        frame->shape = y->shape;
        frame->dtype = y->dtype;
    }
    return frame;
}

static nm_status compare_frames(nm_checker *c, const nm_tensor *a, const nm_tensor *b, int output)
{
    const unsigned char *x = a->data, *y = b->data;
    const size_t bytes = nm_tensor_bytes(a), size = nm_dtype_size((nm_dtype)a->dtype);
    char text[NM_SHAPE_TEXT];
    nm_shape_text(&a->shape, text);
    for (size_t i = bytes; i < bytes + MARGIN; i++) {
        if (x[i] != 0xa5 || y[i] != 0x5a) {
            return nm_checker_fail(
                c,
                "output %s: it writes behind the last element of %s, the shape that "
                "its shape rule says",
                c->op->outputs[output].name, text);
        }
    }
    for (size_t i = 0; i < bytes; i++) {
        if (x[i] == 0xa5 && y[i] == 0x5a) {
            return nm_checker_fail(
                c,
                "output %s: element %zu of %s, the shape that its shape rule says, is "
                "not written",
                c->op->outputs[output].name, i / size, text);
        }
    }
    return NM_OK;
}

static void turn_signs(const nm_checker *c)
{
    for (int i = 0; i < c->inputs; i++) {
        double *x = c->in[i] && c->in[i]->dtype == NM_F64 ? c->in[i]->data : NULL;
        double *y = x ? c->before[i]->data : NULL;
        for (int64_t k = 0; x && k < c->in[i]->count; k++) {
            x[k] = -x[k];
            y[k] = -y[k];
        }
    }
}

/* Promise 5 where the sample happens not to go: with every sign turned, whatever comes of it. */
static void check_turned(nm_checker *c, nm_tensor *const *out)
{
    turn_signs(c);
    nm_run_op(c->context, c->op, c->options, NM_F64, c->in, c->inputs, out);
    nm_context_clear_error(c->context);
    nm_checker_compare_inputs(c, "computation");
    turn_signs(c);
}

/* Promise 6: twice, upon different bytes. */
static nm_status check_extent(nm_checker *c, nm_tensor *const *like)
{
    nm_tensor *frames[2][NM_MAX_OUTPUTS] = {{NULL}};
    const int outputs = c->op->forward ? c->op->output_count : 0;
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < outputs; i++) {
            frames[k][i] = make_frame(c, like[i], k ? 0x5a : 0xa5);
        }
        if (outputs && c->context->status == NM_OK) {
            nm_run_op(c->context, c->op, c->options, NM_F64, c->in, c->inputs, frames[k]);
        }
    }
    for (int i = 0; i < outputs && c->context->status == NM_OK; i++) {
        compare_frames(c, frames[0][i], frames[1][i], i);
    }
    if (outputs && c->context->status == NM_OK) {
        check_turned(c, frames[0]);
    }
    for (int i = 0; i < 2 * outputs; i++) {
        nm_tensor_destroy(frames[i % 2][i / 2]);
    }
    return c->context->status;
}

nm_status nm_checker_make_tensors(nm_checker *c, const nm_sample *sample)
{
    nm_random random = nm_random_create(20150211, (uint64_t)c->sample);
    c->inputs = count_inputs(sample);
    for (int i = 0; i < c->inputs; i++) {
        if (sample->in[i].fill == NM_FILL_ABSENT) {
            continue;
        }
        c->in[i] = make_input(c, &sample->in[i], &random);
        if (!c->in[i]) {
            return c->context->status;
        }
        c->before[i] = nm_tensor_copy_of(c->context, (nm_dtype)c->in[i]->dtype, c->in[i]->shape,
                                         c->in[i]->data);
        if (!c->before[i]) {
            return c->context->status;
        }
        c->in[i]->requires_grad = nm_checker_is_smooth(c, i);
        if (c->in[i]->requires_grad) {
            const nm_shape shape = nm_shape_of_sample(&sample->in[i].shape);
            c->again[i] = make_random(c, &shape, &random);
        }
    }
    nm_tensor *out[NM_MAX_OUTPUTS];
    nm_status status = nm_apply(c->tape, c->op, c->in, c->inputs, c->options, out);
    for (int i = 0; i < c->op->output_count && status == NM_OK; i++) {
        if (out[i] && is_smooth_output(&c->op->outputs[i])) {
            c->weight[i] = make_random(c, &out[i]->shape, &random);
        }
    }
    if (status == NM_OK) status = check_extent(c, out);
    nm_tape_reset(c->tape);
    return c->context->status == NM_OK ? nm_checker_compare_inputs(c, "computation")
                                       : c->context->status;
}

void nm_checker_destroy_tensors(nm_checker *c)
{
    for (int i = 0; i < NM_SAMPLE_INPUTS; i++) {
        nm_tensor_destroy(c->in[i]);
        nm_tensor_destroy(c->before[i]);
        nm_tensor_destroy(c->again[i]);
    }
    for (int i = 0; i < NM_MAX_OUTPUTS; i++) {
        nm_tensor_destroy(c->weight[i]);
    }
}
