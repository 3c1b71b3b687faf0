/* Single elements by their index along an axis, and the way back: each is the other's gradient. */
#include <string.h>

#include "ops/basic.h"
#include "ops/define.h"
#include "ops/kernels/copy.h"
#include "ops/shape/index.h"
#include "ops/table.h"

static int64_t axis_option(const void *options)
{
    return ((const nm_gather_options *)options)->axis;
}

/* Whether `index` lies within x but for the axis. */
static nm_status check_index(nm_infer *infer)
{
    const nm_shape x = nm_shape_with_axis(infer->in[0]), index = nm_shape_with_axis(infer->in[1]);
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    int axis;
    if (nm_infer_index_axis(infer, axis_option(infer->options), &axis) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    bool fits = index.rank == x.rank;
    for (int d = 0; fits && d < x.rank; d++) {
        fits = d == axis || index.dim[d] <= x.dim[d];
    }
    return fits ? NM_OK
                : nm_infer_fail(infer,
                                "index %s does not lie within x %s: it has as many axes, and none "
                                "but axis %d is longer",
                                nm_shape_text(infer->in[1], a), nm_shape_text(infer->in[0], b),
                                axis);
}

static nm_status gather_infer(nm_infer *infer)
{
    infer->out[0] = *infer->in[1];
    return check_index(infer);
}

static nm_status scatter_add_infer(nm_infer *infer)
{
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    infer->out[0] = *infer->in[0];
    if (!nm_shape_equal(infer->in[1], infer->in[2])) {
        return nm_infer_fail(infer, "src %s must have the shape of index %s",
                             nm_shape_text(infer->in[2], a), nm_shape_text(infer->in[1], b));
    }
    return check_index(infer);
}

/* A walk over the rows of the index tensor: where each begins in x. */
typedef struct walk {
    nm_shape shape; /* of index */
    int64_t stride[NM_MAX_RANK];
    int64_t at[NM_MAX_RANK];
    int64_t offset; /* in x, the axis left out */
    int axis;
} walk;

static walk begin(const nm_run *run)
{
    const nm_shape x = nm_shape_with_axis(nm_tensor_shape(run->in[0]));
    walk w = {.shape = nm_shape_with_axis(nm_tensor_shape(run->in[1])),
              .axis = nm_shape_axis(&x, axis_option(run->options))};
    nm_contiguous_strides(&x, w.stride);
    return w;
}

/* To the next row. */
static void step(walk *w)
{
    for (int d = w->shape.rank - 2; d >= 0; d--) {
        const int64_t stride = d == w->axis ? 0 : w->stride[d];
        w->offset += stride;
        if (++w->at[d] < w->shape.dim[d]) {
            return;
        }
        w->offset -= stride * w->at[d];
        w->at[d] = 0;
    }
}

#define MOVE(type, target, source, how)                                                            \
    for (int64_t row = 0; row < count; row += length, step(&w)) {                                  \
        for (int64_t j = 0; j < length; j++) {                                                     \
            const int64_t i = row + j, place = w.offset + j * along + indices[i] * stride;         \
            ((type *)target) how((const type *)source);                                            \
        }                                                                                          \
    }
#define TAKEN(x) [i] = (x)[place]
#define ADDED(x) [place] += (x)[i]

static nm_status move(const nm_run *run, bool take)
{
    walk w = begin(run);
    const int last = w.shape.rank - 1;
    const int64_t length = w.shape.dim[last], count = nm_tensor_count(run->in[1]);
    const int64_t stride = w.stride[w.axis], along = last == w.axis ? 0 : w.stride[last];
    int64_t *indices =
        nm_read_indices(run, 1, nm_shape_with_axis(nm_tensor_shape(run->in[0])).dim[w.axis]);
    if (!indices) {
        return nm_context_status(run->context);
    }
    if (take && run->dtype == NM_F64) {
        MOVE(double, run->y[0], run->x[0], TAKEN)
    } else if (take) {
        MOVE(float, run->y[0], run->x[0], TAKEN)
    } else if (run->dtype == NM_F64) {
        MOVE(double, run->y[0], run->x[2], ADDED)
    } else {
        MOVE(float, run->y[0], run->x[2], ADDED)
    }
    nm_scratch_end(indices);
    return NM_OK;
}

static nm_status gather_forward(const nm_run *run)
{
    return move(run, true);
}

static nm_status scatter_add_forward(const nm_run *run)
{
    if (nm_tensor_count(run->in[0])) {
        memcpy(run->y[0], run->x[0], nm_tensor_bytes(run->in[0]));
    }
    return move(run, false);
}

static nm_tensor *gather_vjp(nm_vjp *v, int input)
{
    nm_tensor *x = v->in[input];
    nm_tensor *zeros = nm_full(v->tape, nm_tensor_dtype(x), *nm_tensor_shape(x), 0);
    return nm_apply3(v->tape, &nm_op_scatter_add, v->options, zeros, v->in[1], v->gout[0]);
}

static nm_tensor *scatter_add_vjp(nm_vjp *v, int input)
{
    return input == 0 ? v->gout[0]
                      : nm_apply2(v->tape, &nm_op_gather, v->options, v->gout[0], v->in[1]);
}

static const nm_sample gather_samples[] = {
    {.in = {NM_NORMAL(4, 3), NM_INDEX(4, 5, 3)}},
    {.options = "{axis: -1}", .in = {NM_NORMAL(2, 3, 4), NM_INDEX(4, 2, 2, 3)}},
    {.in = {NM_SCALAR_NORMAL, NM_INDEX(1, 2)}},
};
static const nm_sample scatter_add_samples[] = {
    {.in = {NM_NORMAL(4, 3), NM_INDEX(4, 5, 3), NM_NORMAL(5, 3)}},
    {.options = "{axis: 1}", .in = {NM_NORMAL(3, 4), NM_INDEX(4, 2, 3), NM_NORMAL(2, 3)}},
    {.in = {NM_SCALAR_NORMAL, NM_INDEX(1, 2), NM_NORMAL(2)}},
};

static const nm_gather_options defaults = {NM_END(nm_gather_options), NM_GATHER_DEFAULTS};
NM_OPTIONS_INIT(nm_gather_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_gather_options, axis), NM_OPTION_INT, .also = "dim",
     .doc = "the axis that the indices are of; a negative one counts from the end"}};
static const nm_spec spec = NM_SPEC(nm_gather_options, defaults, options);

#define INDEX_PORT(doc_)                                                                           \
    {                                                                                              \
        .name = "index", .doc = doc_, .type = NM_PORT_INDEX                                        \
    }
static const nm_port gather_ports[] = {
    {.name = "x", .doc = "any shape"},
    INDEX_PORT("of x's rank, no longer than it but along the axis; from 0 on, or from -1 down"),
};
static const nm_port scatter_ports[] = {
    {.name = "x", .doc = "any shape"},
    INDEX_PORT("as in gather"),
    {.name = "src", .doc = "the shape of index"},
};
static const nm_port y_port[] = {{.name = "y", .doc = "the shape of index"}};
static const nm_port x_shape_port[] = {{.name = "y", .doc = "x's shape"}};

NM_OP(gather, gather_ports, y_port, gather_infer, 0, "elements by their index along an axis",
      .spec = &spec, .also = "gather_elements take_along_axis",
      .doc =
          "y[i, j, ...] = x[index[i, j, ...], j, ...] for axis 0, and likewise for others: as in\n"
          "PyTorch, where a single number counts as [1]; ONNX's GatherElements. ONNX's Gather is\n"
          "index_select.\n"
          "dx = zeros, to which dy is added where it was taken from.")
NM_OP(scatter_add, scatter_ports, x_shape_port, scatter_add_infer, 0,
      "elements added at an index along an axis", .spec = &spec, .also = "scatter_elements",
      .doc =
          "y = x, and y[index[i, j, ...], j, ...] += src[i, j, ...] for axis 0, and likewise for\n"
          "others, one after the other. dx = dy; of src: gather of dy.")

nm_tensor *nm_gather_with(nm_tape *tape, nm_tensor *x, nm_tensor *index, const nm_gather_options *o)
{
    return nm_apply2(tape, &nm_op_gather, o, x, index);
}

nm_tensor *nm_scatter_add_with(nm_tape *tape, nm_tensor *x, nm_tensor *index, nm_tensor *src,
                               const nm_gather_options *o)
{
    return nm_apply3(tape, &nm_op_scatter_add, o, x, index, src);
}
