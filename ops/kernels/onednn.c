/* oneDNN's convolutions work on descriptors made once for a shape and kept. Nothing of ours is
 * allocated in a step like the one before it; oneDNN itself takes a few short-lived blocks from
 * malloc for each call, which its interface gives no way around. */
#include "ops/kernels/onednn.h"

#include <string.h>

#include "ops/linear.h"

/* What this file keeps in a context. */
typedef struct state {
    bool off;
    struct primitive *primitives;
} state;

static const char state_key;

#ifdef NM_HAVE_ONEDNN

#include <dnnl.h>
#ifdef _OPENMP
#include <omp.h>
#endif

typedef enum direction { FORWARD, FORWARD_BIAS, INPUT_GRAD, WEIGHT_GRAD } direction;

/* Slots of an execution: the arrays that the caller has, and the scratchpad. */
enum { SOURCE, WEIGHTS, BIAS, DESTINATION, SCRATCHPAD, SLOTS };

/* A convolution made once for its shape. Weights are reordered to the layout that oneDNN chose, on
 * their way in, or out for their gradient, unless it is ours. */
typedef struct primitive {
    struct primitive *next;
    nm_conv conv;
    direction direction;
    int threads;
    dnnl_primitive_t run, reorder; /* reorder NULL: not needed */
    dnnl_memory_t memory[SLOTS];
    dnnl_memory_t own_weights; /* weights in our layout, where they are reordered */
    size_t weights_bytes, scratchpad_bytes;
} primitive;

/* ---- Life ---- */

static void destroy_primitive(nm_context *context, primitive *p)
{
    for (int i = 0; i < SLOTS; i++) {
        if (p->memory[i]) dnnl_memory_destroy(p->memory[i]);
    }
    if (p->own_weights) dnnl_memory_destroy(p->own_weights);
    if (p->reorder) dnnl_primitive_destroy(p->reorder);
    if (p->run) dnnl_primitive_destroy(p->run);
    nm_free(context, p);
}

typedef struct backend {
    state shared;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
} backend;

static void destroy_backend(nm_context *context, void *memory)
{
    backend *b = memory;
    while (b->shared.primitives) {
        primitive *p = b->shared.primitives;
        b->shared.primitives = p->next;
        destroy_primitive(context, p);
    }
    if (b->stream) dnnl_stream_destroy(b->stream);
    if (b->engine) dnnl_engine_destroy(b->engine);
}

static backend *find_backend(nm_context *context)
{
    return nm_context_attach(context, &state_key, sizeof(backend), destroy_backend);
}

static backend *usable_backend(nm_context *context)
{
    backend *b = find_backend(context);
    if (!b || b->shared.off) {
        return NULL;
    }
    if (!b->stream &&
        (dnnl_engine_create(&b->engine, dnnl_cpu, 0) != dnnl_success ||
         dnnl_stream_create(&b->stream, b->engine, dnnl_stream_default_flags) != dnnl_success)) {
        b->shared.off = true;
        return NULL;
    }
    return b;
}

/* Multiply-adds below which waiting for a second thread costs more than it brings. */
#define WORTH_THREADS (1 << 20)

/* oneDNN asks OpenMP how many threads there are. Returns what it was. */
static int enter_threads(nm_context *context, int64_t multiply_adds)
{
#ifdef _OPENMP
    int before = omp_get_max_threads();
    omp_set_num_threads(multiply_adds < WORTH_THREADS ? 1 : nm_context_threads(context));
    return before;
#else
    (void)context;
    (void)multiply_adds;
    return 1;
#endif
}

static void leave_threads(int before)
{
#ifdef _OPENMP
    omp_set_num_threads(before);
#else
    (void)before;
#endif
}

/* ---- Matrix products ---- */

bool nm_onednn_gemm(nm_context *context, const nm_gemm *g)
{
    if (!usable_backend(context)) {
        return false;
    }
    int before = enter_threads(context, g->m * g->n * g->k);
    dnnl_status_t status =
        dnnl_sgemm(g->transpose_a ? 'T' : 'N', g->transpose_b ? 'T' : 'N', g->m, g->n, g->k, 1,
                   g->a, g->lda, g->b, g->ldb, g->accumulate ? 1 : 0, g->c, g->ldc);
    leave_threads(before);
    return status == dnnl_success;
}

/* ---- Convolutions: describing them ---- */

/* With strides; NULL: the layout is left open. (oneDNN's lists are always DNNL_MAX_NDIMS long.) */
static bool describe(dnnl_memory_desc_t *d, int dims, const int64_t *dim, const int64_t *stride)
{
    dnnl_dims_t dim_list = {0}, stride_list = {0};
    for (int i = 0; i < dims; i++) {
        dim_list[i] = dim[i];
        stride_list[i] = stride ? stride[i] : 0;
    }
    dnnl_status_t status =
        stride ? dnnl_memory_desc_init_by_strides(d, dims, dim_list, dnnl_f32, stride_list)
               : dnnl_memory_desc_init_by_tag(d, dims, dim_list, dnnl_f32, dnnl_format_tag_any);
    return status == dnnl_success;
}

/* Our [n, h, w, c] seen as oneDNN's (n, c, h, w). */
static bool describe_image(dnnl_memory_desc_t *d, int64_t n, int64_t h, int64_t w, int64_t c)
{
    return describe(d, 4, (int64_t[]){n, c, h, w}, (int64_t[]){h * w * c, 1, w * c, c});
}

/* Our [o, kh, kw, c / groups] seen as (o, c, kh, kw), or with groups as (g, o / g, c / g, kh, kw);
 * and the same with the layout left open. */
static bool describe_weights(dnnl_memory_desc_t *own, dnnl_memory_desc_t *any, const nm_conv *c)
{
    int64_t in = c->c / c->groups, out = c->o / c->groups, row = c->kw * in, all = c->kh * row;
    int64_t dim[] = {c->groups, out, in, c->kh, c->kw};
    int64_t stride[] = {out * all, all, 1, row, in};
    int skip = c->groups == 1;
    return describe(own, 5 - skip, dim + skip, stride + skip) &&
           describe(any, 5 - skip, dim + skip, NULL);
}

typedef struct shapes {
    dnnl_memory_desc_t source, own_weights, weights, bias, destination;
    dnnl_dims_t stride, padding, padding_after, dilation;
} shapes;

static bool describe_all(shapes *s, const nm_conv *c)
{
    const int64_t in[2] = {c->h, c->w}, out[2] = {c->oh, c->ow}, kernel[2] = {c->kh, c->kw};
    for (int i = 0; i < 2; i++) {
        int64_t reach = (kernel[i] - 1) * c->dilation[i] + 1;
        s->stride[i] = c->stride[i];
        s->padding[i] = c->padding[i];
        s->dilation[i] = c->dilation[i] - 1;
        s->padding_after[i] = (out[i] - 1) * c->stride[i] + reach - in[i] - c->padding[i];
    }
    return describe_image(&s->source, c->n, c->h, c->w, c->c) &&
           describe_image(&s->destination, c->n, c->oh, c->ow, c->o) &&
           describe_weights(&s->own_weights, &s->weights, c) &&
           describe(&s->bias, 1, (int64_t[]){c->o}, (int64_t[]){1});
}

/* ---- Convolutions: making them ---- */

static dnnl_status_t make_descriptor(backend *b, direction d, const shapes *s,
                                     dnnl_primitive_desc_t *out)
{
    dnnl_convolution_desc_t desc;
    dnnl_primitive_desc_t hint = NULL;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_status_t status = dnnl_dilated_convolution_forward_desc_init(
        &desc, dnnl_forward_training, dnnl_convolution_direct, &s->source, &s->weights,
        d == FORWARD_BIAS ? &s->bias : NULL, &s->destination, s->stride, s->dilation, s->padding,
        s->padding_after);
    if (status == dnnl_success) status = dnnl_primitive_attr_create(&attr);
    if (status == dnnl_success) {
        status = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user);
    }
    if (status == dnnl_success) {
        status = dnnl_primitive_desc_create(d <= FORWARD_BIAS ? out : &hint, &desc, attr, b->engine,
                                            NULL);
    }
    if (status == dnnl_success && d == INPUT_GRAD) {
        status = dnnl_dilated_convolution_backward_data_desc_init(
            &desc, dnnl_convolution_direct, &s->source, &s->weights, &s->destination, s->stride,
            s->dilation, s->padding, s->padding_after);
    }
    if (status == dnnl_success && d == WEIGHT_GRAD) {
        status = dnnl_dilated_convolution_backward_weights_desc_init(
            &desc, dnnl_convolution_direct, &s->source, &s->weights, NULL, &s->destination,
            s->stride, s->dilation, s->padding, s->padding_after);
    }
    if (status == dnnl_success && d > FORWARD_BIAS) {
        status = dnnl_primitive_desc_create(out, &desc, attr, b->engine, hint);
    }
    if (hint) dnnl_primitive_desc_destroy(hint);
    if (attr) dnnl_primitive_attr_destroy(attr);
    return status;
}

static bool make_memory(backend *b, dnnl_memory_t *memory, const dnnl_memory_desc_t *d)
{
    return dnnl_memory_create(memory, d, b->engine, DNNL_MEMORY_NONE) == dnnl_success;
}

/* From our weights to oneDNN's, or back for their gradient. */
static bool make_reorder(backend *b, primitive *p, const dnnl_memory_desc_t *own,
                         const dnnl_memory_desc_t *chosen)
{
    if (dnnl_memory_desc_equal(own, chosen)) {
        return true;
    }
    bool back = p->direction == WEIGHT_GRAD;
    dnnl_primitive_desc_t desc = NULL;
    bool made =
        make_memory(b, &p->own_weights, own) &&
        dnnl_reorder_primitive_desc_create(&desc, back ? chosen : own, b->engine,
                                           back ? own : chosen, b->engine, NULL) == dnnl_success &&
        dnnl_primitive_create(&p->reorder, desc) == dnnl_success;
    if (desc) dnnl_primitive_desc_destroy(desc);
    p->weights_bytes = dnnl_memory_desc_get_size(chosen);
    return made;
}

static bool fill_primitive(backend *b, primitive *p)
{
    shapes s;
    dnnl_primitive_desc_t desc = NULL;
    if (!describe_all(&s, &p->conv) ||
        make_descriptor(b, p->direction, &s, &desc) != dnnl_success) {
        return false;
    }
    const dnnl_memory_desc_t *weights = dnnl_primitive_desc_query_md(
        desc, p->direction == WEIGHT_GRAD ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
    const dnnl_memory_desc_t *scratchpad =
        dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0);
    p->scratchpad_bytes = scratchpad ? dnnl_memory_desc_get_size(scratchpad) : 0;
    bool made = make_memory(b, &p->memory[SOURCE], &s.source) &&
                make_memory(b, &p->memory[WEIGHTS], weights) &&
                make_memory(b, &p->memory[BIAS], &s.bias) &&
                make_memory(b, &p->memory[DESTINATION], &s.destination) &&
                (!p->scratchpad_bytes || make_memory(b, &p->memory[SCRATCHPAD], scratchpad)) &&
                make_reorder(b, p, &s.own_weights, weights) &&
                dnnl_primitive_create(&p->run, desc) == dnnl_success;
    dnnl_primitive_desc_destroy(desc);
    return made;
}

/* How many primitives are kept: more than a deep network has layers and directions, but not one
 * more for every image size that a program ever sees. */
#define KEPT 512

/* Takes the primitive out of the list, if it is there, and otherwise what there are too many of:
 * the list begins with the one used last. */
static primitive *take_primitive(nm_context *context, backend *b, const nm_conv *conv, direction d)
{
    int threads = nm_context_threads(context), count = 0;
    for (primitive **at = &b->shared.primitives; *at; at = &(*at)->next) {
        primitive *p = *at;
        bool same =
            p->direction == d && p->threads == threads && !memcmp(&p->conv, conv, sizeof *conv);
        if (same || ++count == KEPT) {
            *at = p->next;
            if (same) {
                return p;
            }
            destroy_primitive(context, p);
            break;
        }
    }
    return NULL;
}

static primitive *make_primitive(nm_context *context, backend *b, const nm_conv *conv, direction d)
{
    primitive *p = nm_alloc_zero(context, 1, sizeof *p);
    if (!p) {
        return NULL;
    }
    p->conv = *conv;
    p->direction = d;
    p->threads = nm_context_threads(context);
    if (!fill_primitive(b, p)) {
        destroy_primitive(context, p);
        return NULL;
    }
    return p;
}

static primitive *find_primitive(nm_context *context, backend *b, const nm_conv *conv, direction d)
{
    primitive *p = take_primitive(context, b, conv, d);
    if (!p) {
        p = make_primitive(context, b, conv, d);
    }
    if (p) {
        p->next = b->shared.primitives;
        b->shared.primitives = p;
    }
    return p;
}

/* ---- Convolutions: running them ---- */

static bool reorder(backend *b, const primitive *p)
{
    bool back = p->direction == WEIGHT_GRAD;
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, back ? p->memory[WEIGHTS] : p->own_weights},
                              {DNNL_ARG_TO, back ? p->own_weights : p->memory[WEIGHTS]}};
    return dnnl_primitive_execute(p->reorder, b->stream, 2, args) == dnnl_success;
}

static const int argument_names[][SLOTS] = {
    [FORWARD] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, 0, DNNL_ARG_DST, DNNL_ARG_SCRATCHPAD},
    [FORWARD_BIAS] = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, DNNL_ARG_BIAS, DNNL_ARG_DST,
                      DNNL_ARG_SCRATCHPAD},
    [INPUT_GRAD] = {DNNL_ARG_DIFF_SRC, DNNL_ARG_WEIGHTS, 0, DNNL_ARG_DIFF_DST, DNNL_ARG_SCRATCHPAD},
    [WEIGHT_GRAD] = {DNNL_ARG_SRC, DNNL_ARG_DIFF_WEIGHTS, 0, DNNL_ARG_DIFF_DST,
                     DNNL_ARG_SCRATCHPAD},
};

static bool execute(backend *b, const primitive *p, const void *const data[SLOTS])
{
    dnnl_exec_arg_t args[SLOTS];
    int count = 0;
    for (int i = 0; i < SLOTS; i++) {
        if (argument_names[p->direction][i] && p->memory[i]) {
            /* oneDNN's handles are mutable; what is an input stays as it is. */
            dnnl_memory_set_data_handle(p->memory[i], (void *)(uintptr_t)data[i]);
            args[count++] = (dnnl_exec_arg_t){argument_names[p->direction][i], p->memory[i]};
        }
    }
    if (p->reorder && p->direction != WEIGHT_GRAD && !reorder(b, p)) {
        return false;
    }
    return dnnl_primitive_execute(p->run, b->stream, count, args) == dnnl_success &&
           (!p->reorder || p->direction != WEIGHT_GRAD || reorder(b, p));
}

static bool run(nm_context *context, const nm_conv *conv, direction d, const void *source,
                const void *weights, const void *bias, const void *destination)
{
    backend *b = usable_backend(context);
    if (!b || !conv->n || !conv->h || !conv->w || !conv->c || !conv->o) {
        return false;
    }
    int64_t taps = conv->kh * conv->kw * conv->c / conv->groups;
    int before = enter_threads(context, conv->n * conv->oh * conv->ow * conv->o * taps);
    primitive *p = find_primitive(context, b, conv, d);
    char *scratch = p ? nm_scratch(context, p->scratchpad_bytes + p->weights_bytes + 64) : NULL;
    bool done = false;
    if (scratch) {
        char *reordered = scratch + ((p->scratchpad_bytes + 63) & ~(size_t)63);
        if (p->reorder) {
            dnnl_memory_set_data_handle(p->own_weights, (void *)(uintptr_t)weights);
        }
        const void *const data[SLOTS] = {source, p->reorder ? reordered : weights, bias,
                                         destination, scratch};
        done = execute(b, p, data);
    }
    nm_scratch_end(scratch);
    leave_threads(before);
    return done;
}

bool nm_onednn_conv_forward(nm_context *context, const nm_conv *conv, const void *x, const void *w,
                            const void *bias, void *y)
{
    return run(context, conv, bias ? FORWARD_BIAS : FORWARD, x, w, bias, y);
}

bool nm_onednn_conv_input_grad(nm_context *context, const nm_conv *conv, const void *dy,
                               const void *w, void *dx)
{
    return run(context, conv, INPUT_GRAD, dx, w, NULL, dy);
}

bool nm_onednn_conv_weight_grad(nm_context *context, const nm_conv *conv, const void *x,
                                const void *dy, void *dw)
{
    return run(context, conv, WEIGHT_GRAD, x, dw, NULL, dy);
}

static state *find_state(nm_context *context)
{
    backend *b = find_backend(context);
    return b ? &b->shared : NULL;
}

bool nm_has_onednn(void)
{
    return true;
}

#else /* without oneDNN */

static state *find_state(nm_context *context)
{
    return nm_context_attach(context, &state_key, sizeof(state), NULL);
}

bool nm_onednn_gemm(nm_context *context, const nm_gemm *g)
{
    (void)context;
    (void)g;
    return false;
}

bool nm_onednn_conv_forward(nm_context *context, const nm_conv *conv, const void *x, const void *w,
                            const void *bias, void *y)
{
    (void)context, (void)conv, (void)x, (void)w, (void)bias, (void)y;
    return false;
}

bool nm_onednn_conv_input_grad(nm_context *context, const nm_conv *conv, const void *dy,
                               const void *w, void *dx)
{
    (void)context, (void)conv, (void)dy, (void)w, (void)dx;
    return false;
}

bool nm_onednn_conv_weight_grad(nm_context *context, const nm_conv *conv, const void *x,
                                const void *dy, void *dw)
{
    (void)context, (void)conv, (void)x, (void)dy, (void)dw;
    return false;
}

bool nm_has_onednn(void)
{
    return false;
}

#endif

bool nm_context_set_onednn(nm_context *context, bool on)
{
    state *s = find_state(context);
    bool before = s && !s->off;
    if (s) {
        s->off = !on;
    }
    return before;
}
