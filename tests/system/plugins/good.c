/* A plugin with something of each kind. */
#include <norma.h>

static nm_tensor *cube_compose(nm_compose *c)
{
    return nm_mul(c->tape, c->in[0], nm_square(c->tape, c->in[0]));
}
static const nm_sample cube_samples[] = {{.in = {NM_NORMAL(3, 4)}}};
NM_COMPOSED_OP(cube, nm_port_x, nm_port_y, 0, "third power", .doc = "y = x^3.")

static nm_tensor *cubed_forward(nm_layer *layer, const nm_pass *pass, nm_tensor *x)
{
    (void)layer;
    return nm_apply1(pass->tape, &nm_op_cube, NULL, x);
}
static const nm_layer_type cubed = {
    .item = NM_ITEM(nm_layer_type, "cubed", "third power", .spec = &nm_layer_spec),
    .forward = cubed_forward};

static nm_status ones_fill(const void *options, nm_random *random, nm_tensor *tensor)
{
    (void)options;
    (void)random;
    return nm_tensor_fill(tensor, 1);
}
static const nm_initializer_type ones = {.item = NM_ITEM(nm_initializer_type, "ones", "all 1"),
                                         .fill = ones_fill};

static nm_tensor *quartic_compute(const void *options, nm_tape *tape, nm_tensor *outputs,
                                  nm_tensor *targets)
{
    (void)options;
    nm_tensor *square = nm_square(tape, nm_sub(tape, outputs, targets));
    return nm_mean(tape, nm_square(tape, square));
}
static const nm_loss_type quartic = {.item = NM_ITEM(nm_loss_type, "quartic", "fourth power"),
                                     .compute = quartic_compute};

static double slow_factor(const void *options, const nm_moment *at)
{
    (void)options;
    (void)at;
    return 0.5;
}
static const nm_schedule_type slow = {.item = NM_ITEM(nm_schedule_type, "slow", "half the rate"),
                                      .factor = slow_factor};

static int64_t one_sum(int64_t width)
{
    (void)width;
    return 1;
}
static void nothing_add(const void *options, nm_metric_state *state, const nm_metric_batch *batch)
{
    (void)options;
    (void)batch;
    state->sums[0] = 7;
}
static double seven_value(const void *options, const nm_metric_state *state)
{
    (void)options;
    return state->sums[0];
}
static const nm_metric_type seven = {.item = NM_ITEM(nm_metric_type, "seven", "always 7"),
                                     .sums = one_sum,
                                     .add = nothing_add,
                                     .value = seven_value};

static nm_status init(nm_context *context)
{
    nm_register_op(context, &nm_op_cube);
    nm_register_layer(context, &cubed);
    nm_register(context, NM_KIND_INITIALIZER, &ones.item);
    nm_register(context, NM_KIND_LOSS, &quartic.item);
    nm_register(context, NM_KIND_SCHEDULE, &slow.item);
    return nm_register(context, NM_KIND_METRIC, &seven.item);
}
NM_PLUGIN(init)
