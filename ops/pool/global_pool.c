/* One number for each channel of an image of any size. */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/linear.h"
#include "ops/table.h"

/* All axes between the first and the last, which stay with length 1. */
static bool find_axes(nm_compose *c, nm_reduce_options *o)
{
    const nm_shape *x = nm_tensor_shape(c->in[0]);
    *o =
        (nm_reduce_options){NM_END(nm_reduce_options), .axes = {.list = NM_LIST}, .keepdims = true};
    for (int d = 1; d < x->rank - 1; d++) {
        o->axes.at[o->axes.count++] = d;
    }
    if (!o->axes.count) {
        char text[NM_SHAPE_TEXT];
        nm_compose_fail(c, "x %s is no [n, ..., channels]", nm_shape_text(x, text));
    }
    return o->axes.count > 0;
}

static nm_tensor *global_avg_pool_compose(nm_compose *c)
{
    nm_reduce_options o;
    return find_axes(c, &o) ? nm_mean_with(c->tape, c->in[0], &o) : NULL;
}

static nm_tensor *global_max_pool_compose(nm_compose *c)
{
    nm_reduce_options o;
    return find_axes(c, &o) ? nm_max_with(c->tape, c->in[0], &o) : NULL;
}

static const nm_sample global_avg_pool_samples[] = {{.in = {NM_NORMAL(2, 3, 4, 2)}},
                                                    {.in = {NM_NORMAL(2, 5, 3)}}};
static const nm_sample global_max_pool_samples[] = {{.in = {NM_DISTINCT(2, 3, 4, 2)}},
                                                    {.in = {NM_DISTINCT(2, 5, 3)}}};

static const nm_port x_port[] = {{.name = "x", .doc = "[n, h, w, channels], or with other axes"}};
static const nm_port y_port[] = {{.name = "y", .doc = "[n, 1, 1, channels]"}};

NM_COMPOSED_OP(
    global_avg_pool, x_port, y_port, 0, "mean of each channel",
    .also = "global_average_pool adaptive_avg_pool2d",
    .doc = "y = the mean of x over all axes between the first and the last. dx = dy / n.")
NM_COMPOSED_OP(global_max_pool, x_port, y_port, 0, "largest value of each channel",
               .also = "adaptive_max_pool2d",
               .doc = "y = the largest x over all axes between the first and the last. Equal ones\n"
                      "share dy; in max_pool2d with global: true, as in PyTorch, the first has it.")
nm_tensor *nm_global_avg_pool(nm_tape *tape, nm_tensor *x)
{
    return nm_apply1(tape, &nm_op_global_avg_pool, NULL, x);
}

nm_tensor *nm_global_max_pool(nm_tape *tape, nm_tensor *x)
{
    return nm_apply1(tape, &nm_op_global_max_pool, NULL, x);
}
