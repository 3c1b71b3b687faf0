/* The members of the family that are normalize with some axes or others. A member is its options,
 * what of normalize they stand for, and a row with its texts and samples; everything else is
 * normalize's. */
#include <string.h>

#include "ops/define.h"
#include "ops/norm/normalize.h"
#include "ops/table.h"

/* The ports of all of them: normalize's first inputs, and its outputs, of which only y is a result.
 */
#define STATISTICS(name_, doc_)                                                                    \
    {                                                                                              \
        .name = name_, .doc = doc_, .flags = NM_PORT_HIDDEN                                        \
    }
static const nm_port outputs[OUTPUTS] = {
    [Y] = {.name = "y", .doc = "x's shape"},
    [MEAN] = STATISTICS("mean", "one number a set"),
    [VAR] = STATISTICS("var", "one number a set, biased"),
    [INVERSE] = STATISTICS("inverse", "one number a set: 1 / sqrt(var + eps)"),
};
#define X_PORT(doc_)                                                                               \
    {                                                                                              \
        .name = "x", .doc = doc_                                                                   \
    }
#define PARAMETER(name_, doc_)                                                                     \
    {                                                                                              \
        .name = name_, .doc = doc_, .flags = NM_PORT_OPTIONAL                                      \
    }
/* Stands last. */
#define WEIGHT_PORT                                                                                \
    {                                                                                              \
        .name = "weight",                                                                          \
        .doc = "broadcasts to x's shape: how much a value counts in mean and variance; of 0 (a "   \
               "padded step, a missing value) not at all; absent: 1",                              \
        .flags = NM_PORT_OPTIONAL | NM_PORT_NO_GRAD                                                \
    }
#define SCALE_PORT                                                                                 \
    PARAMETER("scale", "x's shape from the axis on, or one that broadcasts to it; absent: 1")
static const nm_port affine_inputs[] = {X_PORT("values to normalize"), SCALE_PORT,
                                        PARAMETER("shift", "the same; absent: 0"), WEIGHT_PORT};
static const nm_port scaled_inputs[] = {X_PORT("values to normalize"), SCALE_PORT, WEIGHT_PORT};
static const nm_port plain_inputs[] = {X_PORT("values to normalize"), WEIGHT_PORT};
static const nm_port channel_inputs[] = {
    X_PORT("samples on axis 0, channels on `axis`, places on all others"),
    PARAMETER("scale", "[channels]; absent: 1"), PARAMETER("shift", "[channels]; absent: 0"),
    WEIGHT_PORT};

/* ---- With a weight: the inputs as normalize has them ---- */

/* Which input is the weight; 0: the op has none. */
static int weight_of(const nm_op *op)
{
    const int last = op->input_count - 1;
    return op->inputs[last].flags & NM_PORT_NO_GRAD ? last : 0;
}

static nm_status infer_as(nm_infer *infer, const nm_normalize_options *o)
{
    const int weight = weight_of(infer->op);
    if (!weight || infer->inputs <= weight || !infer->in[weight]) {
        return nm_normalize_infer_as(infer, o);
    }
    nm_infer as = *infer;
    as.op = &nm_op_normalize;
    as.inputs = INPUTS;
    for (int i = weight; i < WEIGHT; i++) {
        as.in[i] = NULL;
    }
    as.in[WEIGHT] = infer->in[weight];
    nm_status status = nm_normalize_infer_as(&as, o);
    memcpy(infer->out, as.out, sizeof as.out);
    return status;
}

static nm_status forward_as(const nm_run *run, const nm_normalize_options *o)
{
    const int weight = weight_of(run->op);
    if (!weight || run->inputs <= weight || !run->in[weight]) {
        return nm_normalize_forward_as(run, o);
    }
    nm_tensor *in[INPUTS] = {NULL};
    nm_run as = *run;
    as.op = &nm_op_normalize;
    as.in = in;
    as.inputs = INPUTS;
    for (int i = 0; i < INPUTS; i++) {
        const int from = i < weight ? i : i == WEIGHT ? weight : -1;
        in[i] = from < 0 ? NULL : run->in[from];
        as.x[i] = from < 0 ? NULL : run->x[from];
    }
    return nm_normalize_forward_as(&as, o);
}

static nm_tensor *vjp_as(nm_vjp *v, const nm_normalize_options *o, int input)
{
    const int weight = weight_of(v->op);
    if (!weight || v->inputs <= weight || !v->in[weight]) {
        return nm_normalize_vjp_as(v, o, input);
    }
    nm_tensor *in[INPUTS] = {[WEIGHT] = v->in[weight]}, *gin[INPUTS] = {NULL};
    bool need[INPUTS] = {false};
    nm_vjp as = *v;
    for (int i = 0; i < weight; i++) {
        in[i] = v->in[i];
        need[i] = v->need[i];
    }
    as.op = &nm_op_normalize;
    as.inputs = INPUTS;
    as.in = in;
    as.gin = gin;
    as.need = need;
    nm_normalize_vjp_as(&as, o, input);
    memcpy(v->gin, gin, (size_t)weight * sizeof *gin);
    return gin[input];
}

/* The op NAME, from NAME_of(its options, x's shape), NAME_defaults, NAME_rows and NAME_samples. */
#define MEMBER(name_, type_, inputs_, summary_, doc_)                                              \
    static nm_status name_##_infer(nm_infer *infer)                                                \
    {                                                                                              \
        nm_normalize_options o;                                                                    \
        nm_status status = name_##_of(infer, infer->options, infer->in[X], &o);                    \
        return status == NM_OK ? infer_as(infer, &o) : status;                                     \
    }                                                                                              \
    static nm_status name_##_forward(const nm_run *run)                                            \
    {                                                                                              \
        nm_normalize_options o;                                                                    \
        name_##_of(NULL, run->options, nm_tensor_shape(run->in[X]), &o);                           \
        return forward_as(run, &o);                                                                \
    }                                                                                              \
    static nm_tensor *name_##_vjp(nm_vjp *v, int input)                                            \
    {                                                                                              \
        nm_normalize_options o;                                                                    \
        name_##_of(NULL, v->options, nm_tensor_shape(v->in[X]), &o);                               \
        return vjp_as(v, &o, input);                                                               \
    }                                                                                              \
    const nm_op nm_op_##name_ = {                                                                  \
        .item = NM_ITEM(nm_op, #name_, summary_, .spec = &name_##_spec, .doc = doc_),              \
        .inputs = inputs_,                                                                         \
        .outputs = outputs,                                                                        \
        .input_count = NM_COUNT_OF(inputs_),                                                       \
        .output_count = OUTPUTS,                                                                   \
        .infer = name_##_infer,                                                                    \
        .forward = name_##_forward,                                                                \
        .vjp = name_##_vjp,                                                                        \
        .samples = name_##_samples,                                                                \
        .sample_count = NM_COUNT_OF(name_##_samples),                                              \
    };

/* nm_NAME_with() of x and two parameters. */
static nm_tensor *apply(nm_tape *tape, const nm_op *op, nm_tensor *x, nm_tensor *scale,
                        nm_tensor *shift, const void *options)
{
    nm_tensor *in[] = {x, scale, shift, NULL}, *out[OUTPUTS];
    nm_apply(tape, op, in, op->input_count, options, out);
    return out[Y];
}

#define EPS_ROW(type)                                                                              \
    {                                                                                              \
        NM_FIELD(type, eps), NM_OPTION_FLOAT, .doc = "added to the variance, inside the root",     \
                                              .min = 0, .max = NM_NO_LIMIT                         \
    }

/* ---- Layer norm and RMS norm: all axes from one on ---- */

static nm_status from_axis_on(const nm_infer *infer, const nm_layer_norm_options *o,
                              const nm_shape *x, nm_normalize_options *as)
{
    int axis = nm_shape_axis(x, o->axis);
    if (infer && nm_infer_axis(infer, X, o->axis, &axis) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    *as = nm_normalize_defaults;
    as->axes.count = x->rank - axis;
    for (int i = 0; i < as->axes.count; i++) {
        as->axes.at[i] = axis + i;
    }
    as->eps = o->eps;
    return NM_OK;
}

/* scale and shift lie along the axes normalized: what is broadcast along others has another name.
 */
static nm_status check_affine(const nm_infer *infer, const nm_normalize_options *as)
{
    char text[NM_SHAPE_TEXT], x_text[NM_SHAPE_TEXT];
    for (int i = SCALE; infer && i < infer->inputs; i++) {
        if (infer->in[i] && i != weight_of(infer->op) && infer->in[i]->rank > as->axes.count) {
            return nm_infer_fail(infer,
                                 "%s %s has more axes than the %d that are normalized of x %s",
                                 infer->op->inputs[i].name, nm_shape_text(infer->in[i], text),
                                 as->axes.count, nm_shape_text(infer->in[X], x_text));
        }
    }
    return NM_OK;
}

static nm_status layer_norm_of(const nm_infer *infer, const nm_layer_norm_options *o,
                               const nm_shape *x, nm_normalize_options *as)
{
    nm_status status = from_axis_on(infer, o, x, as);
    return status == NM_OK ? check_affine(infer, as) : status;
}

static nm_status rms_norm_of(const nm_infer *infer, const nm_layer_norm_options *o,
                             const nm_shape *x, nm_normalize_options *as)
{
    nm_status status = layer_norm_of(infer, o, x, as);
    as->subtract_mean = false;
    return status;
}

static const nm_layer_norm_options layer_norm_defaults = {NM_LAYER_NORM_DEFAULTS,
                                                          NM_END(nm_layer_norm_options)};
NM_OPTIONS_INIT(nm_layer_norm_options, layer_norm_defaults)
static const nm_option layer_norm_rows[] = {
    {NM_FIELD(nm_layer_norm_options, axis), NM_OPTION_INT,
     .doc = "the first of the axes normalized, which goes to the last; negative counts from the "
            "end"},
    EPS_ROW(nm_layer_norm_options),
};
static const nm_spec layer_norm_spec =
    NM_SPEC(nm_layer_norm_options, layer_norm_defaults, layer_norm_rows);
#define rms_norm_spec layer_norm_spec

#define WEIGHTS(...) NM_UNIFORM(0.2, 1.5, __VA_ARGS__)
static const nm_sample layer_norm_samples[] = {
    {.in = {NM_NORMAL(3, 5), NM_NORMAL(5), NM_NORMAL(5)}},
    {.options = "{axis: 1, eps: 0.1}",
     .in = {NM_NORMAL(2, 3, 2), NM_NORMAL(3, 2), NM_NORMAL(3, 1)}},
    {.options = "{axis: 0}", .in = {NM_NORMAL(4)}},
    {.options = "{axis: -2}", .in = {NM_NORMAL(2, 2, 2, 2), NM_ABSENT, NM_NORMAL(2)}, .inputs = 3},
    {.in = {NM_NORMAL(2, 5), NM_NORMAL(5), NM_NORMAL(5), WEIGHTS(2, 5)}},
};
static const nm_sample rms_norm_samples[] = {
    {.in = {NM_NORMAL(3, 5), NM_NORMAL(5)}},
    {.options = "{axis: 1, eps: 0.1}", .in = {NM_NORMAL(2, 3, 2), NM_NORMAL(3, 2)}},
    {.options = "{axis: 0}", .in = {NM_NORMAL(4)}},
    {.in = {NM_NORMAL(2, 4), NM_NORMAL(4), WEIGHTS(2, 4)}},
};

MEMBER(layer_norm, nm_layer_norm_options, affine_inputs, "normalizes each sample over its features",
       "y = scale * (x - mean) / sqrt(var + eps) + shift, with mean and biased variance over\n"
       "the axes from `axis` on, for each index of those before it. One value a set is an error.\n"
       "dx = inverse * (d - mean of d - xhat * mean of d * xhat) with d = dy * scale: scale\n"
       "varies inside the set. Ba, Kiros, Hinton 2016, arXiv 1607.06450.")
MEMBER(rms_norm, nm_layer_norm_options, scaled_inputs,
       "divides each sample by the root mean square of its features",
       "y = scale * x / sqrt(mean of x^2 + eps) over the axes from `axis` on: layer norm without\n"
       "a mean. dx = inverse * (d - xhat * mean of d * xhat) with d = dy * scale.\n"
       "Zhang, Sennrich 2019, arXiv 1910.07467, whose code has eps outside the root.")

nm_tensor *nm_layer_norm_with(nm_tape *tape, nm_tensor *x, nm_tensor *scale, nm_tensor *shift,
                              const nm_layer_norm_options *o)
{
    return apply(tape, &nm_op_layer_norm, x, scale, shift, o);
}

nm_tensor *nm_rms_norm_with(nm_tape *tape, nm_tensor *x, nm_tensor *scale,
                            const nm_layer_norm_options *o)
{
    return apply(tape, &nm_op_rms_norm, x, scale, NULL, o);
}

/* ---- Instance norm and group norm: all places of a sample ---- */

/* The axes between the samples' and the channels'; with `channels`, those too. */
static nm_status over_places(const nm_infer *infer, int64_t channels_axis, double eps,
                             bool channels, const nm_shape *x, nm_normalize_options *as)
{
    int axis = nm_shape_axis(x, channels_axis);
    char text[NM_SHAPE_TEXT];
    if (infer && nm_infer_axis(infer, X, channels_axis, &axis) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    if (infer && (axis == 0 || x->rank < (channels ? 2 : 3))) {
        return nm_infer_fail(infer,
                             "x %s must have samples on axis 0%s and channels on another: axis is "
                             "%lld",
                             nm_shape_text(x, text), channels ? "" : ", places on one or more",
                             (long long)channels_axis);
    }
    *as = nm_normalize_defaults;
    as->axes.count = 0;
    for (int d = 1; d < x->rank; d++) {
        if (d != axis || channels) {
            as->axes.at[as->axes.count++] = d;
        }
    }
    as->affine_axes = nm_one_axis(axis);
    as->axis = axis;
    as->eps = eps;
    return NM_OK;
}

static nm_status instance_norm_of(const nm_infer *infer, const nm_instance_norm_options *o,
                                  const nm_shape *x, nm_normalize_options *as)
{
    return over_places(infer, o->axis, o->eps, false, x, as);
}

static nm_status group_norm_of(const nm_infer *infer, const nm_group_norm_options *o,
                               const nm_shape *x, nm_normalize_options *as)
{
    nm_status status = over_places(infer, o->axis, o->eps, true, x, as);
    as->groups = o->groups;
    return status;
}

static const nm_instance_norm_options instance_norm_defaults = {NM_INSTANCE_NORM_DEFAULTS,
                                                                NM_END(nm_instance_norm_options)};
NM_OPTIONS_INIT(nm_instance_norm_options, instance_norm_defaults)
static const nm_option instance_norm_rows[] = {
    {NM_FIELD(nm_instance_norm_options, axis), NM_OPTION_INT,
     .doc = "the axis of the channels; negative counts from the end"},
    EPS_ROW(nm_instance_norm_options),
};
static const nm_spec instance_norm_spec =
    NM_SPEC(nm_instance_norm_options, instance_norm_defaults, instance_norm_rows);

static const nm_group_norm_options group_norm_defaults = {NM_GROUP_NORM_DEFAULTS,
                                                          NM_END(nm_group_norm_options)};
NM_OPTIONS_INIT(nm_group_norm_options, group_norm_defaults)
static const nm_option group_norm_rows[] = {
    {NM_FIELD(nm_group_norm_options, groups), NM_OPTION_INT, .min = 1, .max = NM_NO_LIMIT,
     .doc = "parts that the channels fall into, as many neighbours in each"},
    {NM_FIELD(nm_group_norm_options, axis), NM_OPTION_INT,
     .doc = "the axis of the channels; negative counts from the end"},
    EPS_ROW(nm_group_norm_options),
};
static const nm_spec group_norm_spec =
    NM_SPEC(nm_group_norm_options, group_norm_defaults, group_norm_rows);

static const nm_sample instance_norm_samples[] = {
    {.in = {NM_NORMAL(2, 3, 2), NM_NORMAL(2), NM_NORMAL(2)}},
    {.in = {NM_NORMAL(2, 2, 2, 3)}},
    {.options = "{axis: 1, eps: 0.1}", .in = {NM_NORMAL(2, 2, 4), NM_NORMAL(2), NM_NORMAL(2)}},
    {.in = {NM_NORMAL(2, 3, 2), NM_NORMAL(2), NM_NORMAL(2), WEIGHTS(2, 3, 1)}},
};
static const nm_sample group_norm_samples[] = {
    {.options = "{groups: 2}", .in = {NM_NORMAL(2, 2, 2, 4), NM_NORMAL(4), NM_NORMAL(4)}},
    {.options = "{groups: 3, axis: 1, eps: 0.1}",
     .in = {NM_NORMAL(2, 6, 2), NM_NORMAL(6), NM_NORMAL(6)}},
    {.options = "{groups: 1}", .in = {NM_NORMAL(3, 4), NM_NORMAL(4)}},
    {.options = "{groups: 2}",
     .in = {NM_NORMAL(2, 3, 4), NM_NORMAL(4), NM_NORMAL(4), WEIGHTS(2, 3, 1)}},
};

MEMBER(instance_norm, nm_instance_norm_options, channel_inputs,
       "normalizes each channel of each sample over its places",
       "y = scale * (x - mean) / sqrt(var + eps) + shift, with mean and biased variance over\n"
       "all axes but those of samples and channels. One place is an error: the result would be\n"
       "the shift. dx as layer_norm's, over these sets.\n"
       "Ulyanov, Vedaldi, Lempitsky 2016, arXiv 1607.08022.")
MEMBER(group_norm, nm_group_norm_options, channel_inputs,
       "normalizes groups of channels of each sample over its places",
       "y = scale * (x - mean) / sqrt(var + eps) + shift, with mean and biased variance over\n"
       "all places and the channels of a group, for each sample and group. The groups must\n"
       "divide the channels. One group is layer norm over whole samples, as many as channels\n"
       "are instance norm. dx as layer_norm's, over these sets.\n"
       "Wu, He 2018, arXiv 1803.08494.")

nm_tensor *nm_instance_norm_with(nm_tape *tape, nm_tensor *x, nm_tensor *scale, nm_tensor *shift,
                                 const nm_instance_norm_options *o)
{
    return apply(tape, &nm_op_instance_norm, x, scale, shift, o);
}

nm_tensor *nm_group_norm_with(nm_tape *tape, nm_tensor *x, nm_tensor *scale, nm_tensor *shift,
                              const nm_group_norm_options *o)
{
    return apply(tape, &nm_op_group_norm, x, scale, shift, o);
}

/* ---- To the length 1 ---- */

static nm_status l2_normalize_of(const nm_infer *infer, const nm_l2_normalize_options *o,
                                 const nm_shape *x, nm_normalize_options *as)
{
    (void)infer, (void)x;
    *as = nm_normalize_defaults;
    as->axes = o->axes;
    as->eps = o->eps;
    as->subtract_mean = false;
    as->sum = true;
    return NM_OK;
}

static const nm_l2_normalize_options l2_normalize_defaults = {NM_L2_NORMALIZE_DEFAULTS,
                                                              NM_END(nm_l2_normalize_options)};
NM_OPTIONS_INIT(nm_l2_normalize_options, l2_normalize_defaults)
static const nm_option l2_normalize_rows[] = {
    {NM_FIELD(nm_l2_normalize_options, axes), NM_OPTION_INTS,
     .doc = "the axes that a length is along; negative ones count from the end; none given: all"},
    {NM_FIELD(nm_l2_normalize_options, eps), NM_OPTION_FLOAT,
     .doc = "added to the sum of squares, inside the root", .min = 0, .max = NM_NO_LIMIT},
};
static const nm_spec l2_normalize_spec =
    NM_SPEC(nm_l2_normalize_options, l2_normalize_defaults, l2_normalize_rows);

static const nm_sample l2_normalize_samples[] = {
    {.in = {NM_NORMAL(3, 4)}},
    {.options = "{axes: [0, 2], eps: 0.1}", .in = {NM_NORMAL(2, 3, 2)}},
    {.options = "{axes: [1]}", .in = {NM_NORMAL(2, 3), WEIGHTS(2, 3)}},
};

MEMBER(l2_normalize, nm_l2_normalize_options, plain_inputs, "divides by the Euclidean length",
       "y = x / sqrt(sum of x^2 + eps) along the axes. dx = inverse * (dy - y * sum of dy * y).\n"
       "PyTorch's normalize divides by the larger of length and eps instead: the same but for\n"
       "lengths near the root of eps. Zeros give zeros, with a gradient of dy / sqrt(eps); with\n"
       "eps = 0 they have a gradient of 0.")

nm_tensor *nm_l2_normalize_with(nm_tape *tape, nm_tensor *x, const nm_l2_normalize_options *o)
{
    return apply(tape, &nm_op_l2_normalize, x, NULL, NULL, o);
}

/* ---- Filter response norm: RMS over the places, without the threshold unit behind it ---- */

static nm_status filter_response_norm_of(const nm_infer *infer,
                                         const nm_filter_response_norm_options *o,
                                         const nm_shape *x, nm_normalize_options *as)
{
    nm_status status = over_places(infer, o->axis, o->eps, false, x, as);
    as->subtract_mean = false;
    return status;
}

static const nm_filter_response_norm_options filter_response_norm_defaults = {
    NM_FILTER_RESPONSE_NORM_DEFAULTS, NM_END(nm_filter_response_norm_options)};
NM_OPTIONS_INIT(nm_filter_response_norm_options, filter_response_norm_defaults)
static const nm_option filter_response_norm_rows[] = {
    {NM_FIELD(nm_filter_response_norm_options, axis), NM_OPTION_INT,
     .doc = "the axis of the channels; negative counts from the end"},
    EPS_ROW(nm_filter_response_norm_options),
};
static const nm_spec filter_response_norm_spec = NM_SPEC(
    nm_filter_response_norm_options, filter_response_norm_defaults, filter_response_norm_rows);

static const nm_sample filter_response_norm_samples[] = {
    {.in = {NM_NORMAL(2, 3, 2), NM_NORMAL(2), NM_NORMAL(2)}},
    {.options = "{axis: 1, eps: 0.1}", .in = {NM_NORMAL(2, 2, 2, 2), NM_NORMAL(2)}},
    {.in = {NM_NORMAL(2, 3, 2), NM_NORMAL(2), NM_NORMAL(2), WEIGHTS(2, 3, 1)}},
};

MEMBER(filter_response_norm, nm_filter_response_norm_options, channel_inputs,
       "divides each channel of each sample by its root mean square",
       "y = scale * x / sqrt(mean of x^2 + eps) + shift over all axes but those of samples and\n"
       "channels: instance norm without a mean, so that one place is allowed. Behind it stands\n"
       "maximum(y, threshold), with a threshold for each channel that is learned (the layer has\n"
       "both). dx = inverse * (d - xhat * mean of d * xhat) with d = dy * scale.\n"
       "Singh, Krishnan 2019, arXiv 1911.09737.")

nm_tensor *nm_filter_response_norm_with(nm_tape *tape, nm_tensor *x, nm_tensor *scale,
                                        nm_tensor *shift, const nm_filter_response_norm_options *o)
{
    return apply(tape, &nm_op_filter_response_norm, x, scale, shift, o);
}

/* ---- Weight standardization: rows of a weight ---- */

static nm_status weight_standardization_of(const nm_infer *infer,
                                           const nm_weight_standardization_options *o,
                                           const nm_shape *w, nm_normalize_options *as)
{
    char text[NM_SHAPE_TEXT];
    if (infer && w->rank < 2) {
        return nm_infer_fail(infer, "w %s must have the outputs on axis 0 and inputs on others",
                             nm_shape_text(w, text));
    }
    *as = nm_normalize_defaults;
    as->axes.count = w->rank - 1;
    for (int d = 1; d < w->rank; d++) {
        as->axes.at[d - 1] = d;
    }
    as->affine_axes = nm_one_axis(0);
    as->eps = o->eps;
    return NM_OK;
}

static const nm_weight_standardization_options weight_standardization_defaults = {
    NM_WEIGHT_STANDARDIZATION_DEFAULTS, NM_END(nm_weight_standardization_options)};
NM_OPTIONS_INIT(nm_weight_standardization_options, weight_standardization_defaults)
static const nm_option weight_standardization_rows[] = {
    EPS_ROW(nm_weight_standardization_options),
};
static const nm_spec weight_standardization_spec =
    NM_SPEC(nm_weight_standardization_options, weight_standardization_defaults,
            weight_standardization_rows);

static const nm_port weight_inputs[] = {
    [X] = {.name = "w", .doc = "a weight, [out, ...]"},
    [SCALE] = {.name = "gain", .doc = "[out]; absent: 1", .flags = NM_PORT_OPTIONAL},
};
static const nm_sample weight_standardization_samples[] = {
    {.in = {NM_NORMAL(3, 5), NM_NORMAL(3)}},
    {.options = "{eps: 0.1}", .in = {NM_NORMAL(2, 2, 3, 2)}},
};

MEMBER(weight_standardization, nm_weight_standardization_options, weight_inputs,
       "normalizes each output's row of a weight",
       "y = gain * (w - mean) / sqrt(var + eps), with mean and biased variance of each row: all\n"
       "inputs of one output. dw = inverse * gain * (dy - mean of dy - xhat * mean of dy * xhat).\n"
       "Qiao and others 2019, arXiv 1903.10520, whose PyTorch code divides by n - 1 and has eps\n"
       "outside the root, and whose TensorFlow code does as this.")

nm_tensor *nm_weight_standardization_with(nm_tape *tape, nm_tensor *w, nm_tensor *gain,
                                          const nm_weight_standardization_options *o)
{
    return apply(tape, &nm_op_weight_standardization, w, gain, NULL, o);
}
