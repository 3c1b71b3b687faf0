/* One of two values for each element, and limits. */
#include <math.h>

#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/table.h"

/* ---- where ---- */

NM_TERNARY(choose, a != 0 ? b : c)

#define CONVERT(from, to)                                                                          \
    NM_SIMD for (int64_t i = 0; i < count; i++)                                                    \
    {                                                                                              \
        ((to *)y)[i] = ((const from *)x)[i] != 0 ? 1 : 0;                                          \
    }

/* The condition as f32: 1 where it is not 0. Of the types that masks have, at once. */
static void convert_f32(const nm_tensor *condition, const void *x, void *y)
{
    const int64_t count = nm_tensor_count(condition);
    if (nm_tensor_dtype(condition) == NM_I32) {
        CONVERT(int32_t, float)
    } else if (nm_tensor_dtype(condition) == NM_U8) {
        CONVERT(uint8_t, float)
    } else {
        for (int64_t i = 0; i < count; i++) {
            ((float *)y)[i] = nm_tensor_get(condition, i) != 0;
        }
    }
}

static void convert_f64(const nm_tensor *condition, double *y)
{
    for (int64_t i = 0; i < nm_tensor_count(condition); i++) {
        y[i] = nm_tensor_get(condition, i) != 0;
    }
}

static nm_status where_forward(const nm_run *run)
{
    if (nm_tensor_dtype(run->in[0]) == run->dtype) {
        return choose_forward(run);
    }
    nm_run converted = *run;
    void *condition = nm_scratch(
        run->context, nm_bytes(nm_tensor_count(run->in[0]), nm_dtype_size(run->dtype)) + 1);
    if (!condition) {
        return NM_ERROR_MEMORY;
    }
    if (run->dtype == NM_F64) {
        convert_f64(run->in[0], condition);
    } else {
        convert_f32(run->in[0], run->x[0], condition);
    }
    converted.x[0] = condition;
    nm_status status = choose_forward(&converted);
    nm_scratch_end(condition);
    return status;
}

static nm_tensor *where_vjp(nm_vjp *v, int input)
{
    nm_tensor *dy = v->gout[0], *zero = nm_scalar(v->tape, nm_tensor_dtype(dy), 0);
    return input == 1 ? nm_where(v->tape, v->in[0], dy, zero)
                      : nm_where(v->tape, v->in[0], zero, dy);
}

/* ---- maximum, minimum ---- */

NM_BINARY(maximum, a != a || a > b ? a : b)
NM_BINARY(minimum, a != a || a < b ? a : b)
NM_TERNARY(maximum_grad, a < b ? 0 : a == b ? c / 2 : c)

/* The share of dy that goes to what is at least as large as the other. */
static nm_tensor *share(nm_tape *tape, nm_tensor *large, nm_tensor *small, nm_tensor *dy)
{
    return nm_apply3(tape, &nm_op_maximum_grad, NULL, large, small, dy);
}

static nm_tensor *maximum_vjp(nm_vjp *v, int input)
{
    return share(v->tape, v->in[input], v->in[1 - input], v->gout[0]);
}

static nm_tensor *minimum_vjp(nm_vjp *v, int input)
{
    return share(v->tape, v->in[1 - input], v->in[input], v->gout[0]);
}

static nm_tensor *maximum_grad_vjp(nm_vjp *v, int input)
{
    (void)input; /* dy, the only one that has a gradient */
    return share(v->tape, v->in[0], v->in[1], v->gout[0]);
}

/* ---- clamp ---- */

/* Without a limit infinite numbers stay what they are, in f64 too. */
#define LIMIT(x) ((real)(fabs(x) < NM_NO_LIMIT ? (x) : copysign((double)INFINITY, x)))
#define LEAST LIMIT(((const nm_clamp_options *)options)->min)
#define MOST LIMIT(((const nm_clamp_options *)options)->max)

NM_UNARY(clamp, (x < LEAST ? LEAST : x) > MOST ? MOST : (x < LEAST ? LEAST : x))
NM_SLOPE(clamp_grad, ((a >= LEAST) & (a <= MOST)) ? b : 0) /* a = x, b = dy */
#define clamp_bend nm_no_bend

/* ---- The ops ---- */

static const nm_sample where_samples[] = {
    {.in = {NM_INDEX(2, 3, 4), NM_NORMAL(3, 4), NM_NORMAL(3, 4)}},
    {.in = {NM_INDEX(2, 3, 1), NM_NORMAL(4), NM_NORMAL(2, 1, 1)}},
};
static const nm_sample maximum_samples[] = {
    {.in = {NM_NORMAL(3, 4), NM_NORMAL(3, 4)}},
    {.in = {NM_NORMAL(3, 1), NM_NORMAL(2, 1, 5)}},
};
#define minimum_samples maximum_samples
static const nm_sample maximum_grad_samples[] = {
    {.in = {NM_NORMAL(3, 4), NM_NORMAL(3, 4), NM_NORMAL(3, 4)}}};
static const nm_sample clamp_samples[] = {
    {.options = "{min: -0.05, max: 0.05}", .in = {NM_AWAY(0.1, 3, 5)}},
    {.options = "{min: 0.05}", .in = {NM_AWAY(0.1, 4)}},
    {.in = {NM_NORMAL(4)}},
};
static const nm_sample clamp_grad_samples[] = {
    {.options = "{max: 0.05}", .in = {NM_AWAY(0.1, 3, 5), NM_NORMAL(3, 5)}}};

static const nm_clamp_options defaults = {NM_END(nm_clamp_options), NM_CLAMP_DEFAULTS};
NM_OPTIONS_INIT(nm_clamp_options, defaults)
static const nm_named_value no_least[] = {{"none", -NM_NO_LIMIT}, {NULL, 0}};
static const nm_named_value no_most[] = {{"none", NM_NO_LIMIT}, {NULL, 0}};
static const nm_option options[] = {
    {NM_FIELD(nm_clamp_options, min), NM_OPTION_FLOAT, .named = no_least,
     .doc = "the least value of a result"},
    {NM_FIELD(nm_clamp_options, max), NM_OPTION_FLOAT, .named = no_most,
     .doc = "the largest value of a result; where it is below min, all of them"},
};
static const nm_spec spec = NM_SPEC(nm_clamp_options, defaults, options);

static const nm_port where_ports[] = {
    {.name = "condition",
     .doc = "any type; true where it is not 0",
     .type = NM_PORT_ANY,
     .flags = NM_PORT_NO_GRAD},
    {.name = "a", .doc = "where it is true; a shape that broadcasts with the condition's"},
    {.name = "b", .doc = "where it is not; likewise"},
};
static const nm_port maximum_grad_ports[] = {
    {.name = "a", .doc = "any shape", .flags = NM_PORT_NO_GRAD},
    {.name = "b", .doc = "a shape that broadcasts with a's", .flags = NM_PORT_NO_GRAD},
    {.name = "dy", .doc = "the gradient of the larger of both"},
};

NM_OP(where, where_ports, nm_port_y, nm_infer_broadcast, 0, "one of two, by a condition",
      .doc = "y = a where the condition is not 0, else b, elementwise.\n"
             "da = dy there, else 0; db the other way round.")
NM_BINARY_OP_WITH_CALL(maximum, "the larger of two",
                       .doc = "y = the larger of a and b, elementwise; NaN if one is.\n"
                              "da = dy where a > b, dy / 2 where a = b, else 0; db likewise.")
NM_BINARY_OP_WITH_CALL(minimum, "the smaller of two",
                       .doc = "y = the smaller of a and b, elementwise; NaN if one is.\n"
                              "da = dy where a < b, dy / 2 where a = b, else 0; db likewise.")
NM_OP(maximum_grad, maximum_grad_ports, nm_port_y, nm_infer_broadcast, 0, "gradient of maximum",
      .doc = "y = dy where a > b, dy / 2 where a = b, else 0; dy with NaN.")
NM_SLOPE_OP(clamp, in, nm_port_x_dy, .spec = &spec, .doc = "dx = dy where min <= x <= max, else 0.")
NM_UNARY_OP(clamp, "values within limits", .spec = &spec, .also = "clip hardtanh",
            .doc = "y = x, or min where it is below, or max where it is above; NaN stays.\n"
                   "dx = dy where min <= x <= max, else 0.")
NM_UNARY_CALL_WITH(clamp, nm_clamp_options)

nm_tensor *nm_where(nm_tape *tape, nm_tensor *condition, nm_tensor *a, nm_tensor *b)
{
    return nm_apply3(tape, &nm_op_where, NULL, condition, a, b);
}
