/* Residual: y = body(x) + shortcut(x), the shortcut being x itself if none is given. He, Zhang,
 * Ren, Sun 2015, arXiv 1512.03385. */
#include <stdio.h>

#include "models/table.h"
#include "ops/basic.h"

typedef struct residual_options {
    NM_LAYER_FIELDS;
    bool recompute;
    const nm_value *body, *shortcut;
} residual_options;

typedef struct residual_state {
    nm_layers body, shortcut;
} residual_state;

static void residual_read(nm_layer *layer, nm_diagnostics *d)
{
    const residual_options *o = layer->options;
    residual_state *s = layer->state;
    if (o->body) {
        nm_layer_read_children(layer, o->body, "body", d, &s->body);
    }
    if (o->shortcut && !nm_value_is_null(o->shortcut)) {
        nm_layer_read_children(layer, o->shortcut, "shortcut", d, &s->shortcut);
    }
}

/* Shapes that broadcast would add up too, to something else than was meant. */
/* The step by which a convolution with kernel 1 makes `out` pixels of `in`; 0: none does. */
static int64_t stride_for(int64_t in, int64_t out)
{
    const int64_t stride = out > 0 ? (in + out - 1) / out : 0;
    return stride && (in - 1) / stride + 1 == out ? stride : 0;
}

/* A shortcut that makes of the input what the body does, as the end of a sentence. */
static void add_remedy(const nm_shape *body, const nm_shape *input, bool given, char *text,
                       size_t size)
{
    const bool images = body->rank == 4 && input->rank == 4;
    const int64_t stride = images ? stride_for(input->dim[1], body->dim[1]) : 0;
    const bool even = images && stride && stride == stride_for(input->dim[2], body->dim[2]);
    if (given) {
        snprintf(text, size, "they must be the same");
    } else if (body->rank == 2 && input->rank == 2) {
        snprintf(text, size, "add shortcut: [dense: {units: %lld}]", (long long)body->dim[1]);
    } else if (even && stride == 1) {
        snprintf(text, size, "add shortcut: [conv2d: {channels: %lld, kernel: 1}]",
                 (long long)body->dim[3]);
    } else if (even) {
        snprintf(text, size, "add shortcut: [conv2d: {channels: %lld, kernel: 1, stride: %lld}]",
                 (long long)body->dim[3], (long long)stride);
    } else if (images) {
        snprintf(text, size,
                 "pad the body's convolutions (padding: 1 for a kernel of 3), or give "
                 "it a shortcut that makes the same");
    } else {
        snprintf(text, size, "give it a shortcut that makes the same");
    }
}

static nm_status check_shapes(nm_layer *layer, const nm_tensor *body, const nm_tensor *shortcut)
{
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT], remedy[160];
    const residual_state *s = layer->state;
    if (nm_shape_equal(nm_tensor_shape(body), nm_tensor_shape(shortcut))) {
        return NM_OK;
    }
    add_remedy(nm_tensor_shape(body), nm_tensor_shape(shortcut), s->shortcut.count > 0, remedy,
               sizeof remedy);
    return nm_layer_fail(layer, "the body makes %s, the shortcut %s%s; %s",
                         nm_shape_text(nm_tensor_shape(body), a),
                         s->shortcut.count ? "" : "(the input) ",
                         nm_shape_text(nm_tensor_shape(shortcut), b), remedy);
}

static nm_tensor *residual_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    const residual_state *s = layer->state;
    const bool again = ((const residual_options *)layer->options)->recompute;
    nm_tensor *(*const run)(const nm_layers *, const nm_pass *, nm_tensor *) =
        again ? nm_layers_run_again : nm_layers_run;
    nm_tensor *body = run(&s->body, pass, x);
    nm_tensor *shortcut = body ? run(&s->shortcut, pass, x) : NULL;
    if (!shortcut || check_shapes(layer, body, shortcut) != NM_OK) {
        return NULL;
    }
    nm_tensor *y = nm_add(pass->tape, body, shortcut);
    nm_pass_discard(pass, body, x);
    nm_pass_discard(pass, shortcut, x);
    return y;
}

static const residual_options defaults = {.body = NULL};
static const nm_option rows[] = {
    NM_LAYER_ROWS(residual_options),
    {NM_FIELD(residual_options, body), NM_OPTION_VALUE, .flags = NM_REQUIRED,
     .names = nm_layer_list, .doc = "the layers"},
    {NM_FIELD(residual_options, shortcut), NM_OPTION_VALUE, .names = nm_layer_list,
     .doc = "layers beside them; none: the input itself"},
    NM_RECOMPUTE_ROW(residual_options, "body and shortcut"),
};
static const nm_spec spec = NM_LAYER_SPEC(residual_options, defaults, rows, NULL);

const nm_layer_type nm_layer_residual = {
    .item = NM_ITEM(nm_layer_type, "residual", "adds its input to what its layers make of it",
                    .also = "skip res_block", .spec = &spec,
                    .doc = "y = body(x) + shortcut(x); without a shortcut, y = body(x) + x. Both "
                           "must have one shape.\nHe, Zhang, Ren, Sun 2015, arXiv 1512.03385."),
    .state_size = sizeof(residual_state),
    .read = residual_read,
    .forward = residual_forward,
};
