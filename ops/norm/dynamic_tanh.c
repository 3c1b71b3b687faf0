/* Dynamic tanh, which stands where a normalization would and has no statistics. */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/norm.h"
#include "ops/table.h"

enum { X, ALPHA, SCALE, SHIFT, INPUTS };

static nm_tensor *dynamic_tanh_compose(nm_compose *c)
{
    if (nm_tensor_count(c->in[ALPHA]) != 1) {
        char text[NM_SHAPE_TEXT];
        return nm_compose_fail(c, "alpha %s must be a single number",
                               nm_shape_text(nm_tensor_shape(c->in[ALPHA]), text));
    }
    nm_tensor *y = nm_tanh(c->tape, nm_mul(c->tape, c->in[X], c->in[ALPHA]));
    y = c->in[SCALE] ? nm_mul(c->tape, y, c->in[SCALE]) : y;
    return c->in[SHIFT] ? nm_add(c->tape, y, c->in[SHIFT]) : y;
}

static const nm_port inputs[INPUTS] = {
    [X] = {.name = "x", .doc = "any shape"},
    [ALPHA] = {.name = "alpha", .doc = "a single number"},
    [SCALE] = {.name = "scale",
               .doc = "a shape that broadcasts to x's; absent: 1",
               .flags = NM_PORT_OPTIONAL},
    [SHIFT] = {.name = "shift", .doc = "the same; absent: 0", .flags = NM_PORT_OPTIONAL},
};
static const nm_sample dynamic_tanh_samples[] = {
    {.in = {NM_NORMAL(3, 4), NM_SCALAR_NORMAL, NM_NORMAL(4), NM_NORMAL(4)}},
    {.in = {NM_NORMAL(2, 3), NM_UNIFORM(0.5, 1, 1)}},
};

NM_COMPOSED_OP(dynamic_tanh, inputs, nm_port_y, 0, "tanh with a slope, a scale and a shift",
               .doc =
                   "y = scale * tanh(alpha * x) + shift. With t = tanh(alpha x) and d = dy scale:\n"
                   "dx = d alpha (1 - t^2), dalpha = sum of d x (1 - t^2) over all elements.\n"
                   "Zhu and others 2025, arXiv 2503.10622.")

nm_tensor *nm_dynamic_tanh(nm_tape *tape, nm_tensor *x, nm_tensor *alpha, nm_tensor *scale,
                           nm_tensor *shift)
{
    nm_tensor *in[INPUTS] = {x, alpha, scale, shift}, *y = NULL;
    nm_apply(tape, &nm_op_dynamic_tanh, in, INPUTS, NULL, &y);
    return y;
}
