/* Matrix products of the last two axes; the axes before them broadcast. A vector is a matrix of one
 * row on the left, of one column on the right; the result has no axis for it. */
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/kernels/gemm.h"
#include "ops/linear.h"
#include "ops/linear/precision.h"
#include "ops/table.h"

const char *const nm_precision_names[] = {"f32", "bf16", NULL};

/* [..., rows, columns] of one operand, as the product sees it. */
typedef struct operand {
    nm_shape batch; /* the axes before the last two */
    int64_t rows, columns;
    bool transposed;
} operand;

static operand make_operand(const nm_shape *shape, bool transposed, bool left)
{
    if (shape->rank == 1) {
        const int64_t length = shape->dim[0];
        return (operand){.rows = left ? 1 : length, .columns = left ? length : 1};
    }
    operand o = {.batch = *shape, .transposed = transposed};
    o.batch.rank -= 2;
    o.rows = shape->dim[shape->rank - (transposed ? 1 : 2)];
    o.columns = shape->dim[shape->rank - (transposed ? 2 : 1)];
    return o;
}

static nm_status mismatch(nm_infer *infer, const char *what)
{
    const nm_matmul_options *o = infer->options;
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    return nm_infer_fail(infer, "%s: a %s%s times b %s%s", what, nm_shape_text(infer->in[0], a),
                         o->transpose_a ? " transposed" : "", nm_shape_text(infer->in[1], b),
                         o->transpose_b ? " transposed" : "");
}

static nm_status matmul_infer(nm_infer *infer)
{
    const nm_matmul_options *o = infer->options;
    const int left = infer->in[0]->rank, right = infer->in[1]->rank;
    if (left < 1 || right < 1) {
        return mismatch(infer, "both need at least one axis");
    }
    if ((left == 1 && o->transpose_a) || (right == 1 && o->transpose_b)) {
        return mismatch(infer, "a vector has nothing to transpose");
    }
    operand a = make_operand(infer->in[0], o->transpose_a, true);
    operand b = make_operand(infer->in[1], o->transpose_b, false);
    if (a.columns != b.rows) {
        return mismatch(infer, "inner sizes differ");
    }
    nm_shape *out = &infer->out[0];
    if (!nm_shape_broadcast(&a.batch, &b.batch, out)) {
        return mismatch(infer, "the axes before the last two do not broadcast");
    }
    if (left > 1) {
        out->dim[out->rank++] = a.rows;
    }
    if (right > 1) {
        out->dim[out->rank++] = b.columns;
    }
    return NM_OK;
}

static int64_t matmul_multiply_adds(const nm_infer *infer)
{
    const nm_matmul_options *o = infer->options;
    return nm_count_multiply_adds(&infer->out[0],
                                  make_operand(infer->in[0], o->transpose_a, true).columns);
}

/* The element at which a broadcast operand's matrix for number `index` of the `batch` begins. */
static int64_t matrix_offset(const operand *o, const nm_shape *batch, int64_t index)
{
    int64_t offset = 0, stride = o->rows * o->columns;
    for (int d = batch->rank - 1, k = o->batch.rank - 1; d >= 0; d--, k--) {
        int64_t place = index % batch->dim[d], dim = k >= 0 ? o->batch.dim[k] : 1;
        index /= batch->dim[d];
        offset += dim == 1 ? 0 : place * stride;
        stride *= dim;
    }
    return offset;
}

/* Of two matrices: what a batch of one would be, with less to find out. */
static nm_status multiply_matrices(const nm_run *run, const nm_shape *a, const nm_shape *b)
{
    const nm_matmul_options *o = run->options;
    const nm_gemm g = {.dtype = run->dtype,
                       .transpose_a = o->transpose_a,
                       .transpose_b = o->transpose_b,
                       .m = a->dim[o->transpose_a ? 1 : 0],
                       .n = b->dim[o->transpose_b ? 0 : 1],
                       .k = a->dim[o->transpose_a ? 0 : 1],
                       .lda = a->dim[1],
                       .ldb = b->dim[1],
                       .ldc = b->dim[o->transpose_b ? 0 : 1],
                       .a = run->x[0],
                       .b = run->x[1],
                       .c = run->y[0],
                       .bf16 = o->precision == NM_PRECISION_BF16};
    return nm_gemm_run(run->context, &g);
}

static nm_status matmul_forward(const nm_run *run)
{
    const nm_matmul_options *o = run->options;
    const nm_shape *left = nm_tensor_shape(run->in[0]), *right = nm_tensor_shape(run->in[1]);
    if (left->rank == 2 && right->rank == 2) {
        return multiply_matrices(run, left, right);
    }
    operand a = make_operand(left, o->transpose_a, true);
    operand b = make_operand(right, o->transpose_b, false);
    nm_shape batch = *nm_tensor_shape(run->out[0]);
    batch.rank -= (left->rank > 1) + (right->rank > 1);
    nm_gemm g = {.dtype = run->dtype,
                 .transpose_a = a.transposed,
                 .transpose_b = b.transposed,
                 .m = a.rows,
                 .n = b.columns,
                 .k = a.columns,
                 .lda = a.transposed ? a.rows : a.columns,
                 .ldb = b.transposed ? b.rows : b.columns,
                 .ldc = b.columns,
                 .bf16 = o->precision == NM_PRECISION_BF16};
    int64_t size = a.rows * b.columns, batches = size ? nm_tensor_count(run->out[0]) / size : 0;
    if (nm_shape_count(&b.batch) == 1 && !a.transposed) {
        g.m *= batches; /* one matrix b for all: one product */
        batches = batches ? 1 : 0;
    }
    int64_t item = (int64_t)nm_dtype_size(run->dtype);
    nm_status status = NM_OK;
    for (int64_t i = 0; i < batches && status == NM_OK; i++) {
        g.a = (const char *)run->x[0] + matrix_offset(&a, &batch, i) * item;
        g.b = (const char *)run->x[1] + matrix_offset(&b, &batch, i) * item;
        g.c = (char *)run->y[0] + i * size * item;
        status = nm_gemm_run(run->context, &g);
    }
    return status;
}

/* With A = op(a), B = op(b): dA = dC B^T, dB = A^T dC; of a transposed operand, the transpose. */
static nm_tensor *gradient(const nm_vjp *v, nm_tensor *a, nm_tensor *b, nm_tensor *dc, int input)
{
    const nm_matmul_options *o = v->options;
    bool ta = o->transpose_a, tb = o->transpose_b;
    int p = o->precision;
    if (input == 0) {
        return ta ? nm_matmul(v->tape, b, dc, .transpose_a = tb, .transpose_b = true,
                              .precision = p)
                  : nm_matmul(v->tape, dc, b, .transpose_b = !tb, .precision = p);
    }
    return tb ? nm_matmul(v->tape, dc, a, .transpose_a = true, .transpose_b = ta, .precision = p)
              : nm_matmul(v->tape, a, dc, .transpose_a = !ta, .precision = p);
}

static nm_tensor *with_axis(nm_tape *tape, nm_tensor *x, int axis)
{
    return nm_unsqueeze(tape, x, .axes = NM_INTS(axis));
}

/* Of vectors, as the matrices that they are: a row has an axis in front, over which the engine
 * sums, a column one behind. */
static nm_tensor *matmul_vjp(nm_vjp *v, int input)
{
    nm_tensor *a = v->in[0], *b = v->in[1], *dc = v->gout[0];
    const bool row = nm_tensor_shape(a)->rank == 1, column = nm_tensor_shape(b)->rank == 1;
    a = row ? with_axis(v->tape, a, 0) : a;
    b = column ? with_axis(v->tape, b, 1) : b;
    dc = column ? with_axis(v->tape, dc, -1) : dc;
    dc = row ? with_axis(v->tape, dc, -2) : dc;
    nm_tensor *g = gradient(v, a, b, dc, input);
    return column && input ? nm_squeeze(v->tape, g, .axes = NM_INTS(-1)) : g;
}

static const nm_sample matmul_samples[] = {
    {.in = {NM_NORMAL(3, 4), NM_NORMAL(4, 2)}},
    {.options = "{transpose_a: true}", .in = {NM_NORMAL(4, 3), NM_NORMAL(4, 2)}},
    {.options = "{transpose_b: true}", .in = {NM_NORMAL(2, 3, 4), NM_NORMAL(2, 2, 4)}},
    {.options = "{transpose_a: true, transpose_b: true}",
     .in = {NM_NORMAL(2, 4, 3), NM_NORMAL(2, 4)}},
    {.in = {NM_NORMAL(2, 1, 2, 3), NM_NORMAL(3, 3, 2)}},
    {.in = {NM_NORMAL(3), NM_NORMAL(3)}},
    {.in = {NM_NORMAL(3), NM_NORMAL(2, 3, 2)}},
    {.options = "{transpose_a: true}", .in = {NM_NORMAL(2, 3, 2), NM_NORMAL(3)}},
};

static const nm_matmul_options defaults = {NM_END(nm_matmul_options), NM_MATMUL_DEFAULTS};
NM_OPTIONS_INIT(nm_matmul_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_matmul_options, transpose_a), NM_OPTION_BOOL, .doc = "a is [..., k, m]"},
    {NM_FIELD(nm_matmul_options, transpose_b), NM_OPTION_BOOL, .doc = "b is [..., n, k]"},
    {NM_FIELD(nm_matmul_options, precision), NM_OPTION_ENUM, .names = nm_precision_names,
     .doc = NM_PRECISION_DOC},
};
static const nm_spec spec = NM_SPEC(nm_matmul_options, defaults, options);

static const nm_port in_ports[] = {{.name = "a", .doc = "[..., m, k], or a vector [k]"},
                                   {.name = "b", .doc = "[..., k, n], or a vector [k]"}};
static const nm_port out_ports[] = {{.name = "y", .doc = "[..., m, n]"}};

const nm_op nm_op_matmul = {
    .item = NM_ITEM(
        nm_op, "matmul", "matrix product", .spec = &spec,
        .doc = "y = a b over the last two axes; the axes before them broadcast. A vector a is\n"
               "one row, a vector b one column, and y has no axis for it: of two, y is []\n"
               "da = dy b^T, db = a^T dy."),
    .inputs = in_ports,
    .outputs = out_ports,
    .input_count = 2,
    .output_count = 1,
    .infer = matmul_infer,
    .forward = matmul_forward,
    .vjp = matmul_vjp,
    .multiply_adds = matmul_multiply_adds,
    .samples = matmul_samples,
    .sample_count = NM_COUNT_OF(matmul_samples),
};

nm_tensor *nm_matmul_with(nm_tape *tape, nm_tensor *a, nm_tensor *b, const nm_matmul_options *o)
{
    return nm_apply2(tape, &nm_op_matmul, o, a, b);
}
