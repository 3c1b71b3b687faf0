/* Labels out of outputs that ctc trained: the likeliest class of each step, without repetitions and
 * blanks. Graves, Fernandez, Gomez, Schmidhuber 2006, 3.2: best path decoding. */
#include "ops/define.h"
#include "ops/loss.h"
#include "ops/table.h"

enum { X, LENGTHS, INPUTS };

static nm_status ctc_decode_infer(nm_infer *infer)
{
    const nm_shape *x = infer->in[X], *lengths = infer->in[LENGTHS];
    const int64_t blank = ((const nm_ctc_decode_options *)infer->options)->blank;
    char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
    if (x->rank != 3 || (lengths && (lengths->rank != 1 || lengths->dim[0] != x->dim[0]))) {
        return nm_infer_fail(infer, "x %s and input_lengths %s must be [n, steps, classes] and [n]",
                             nm_shape_text(x, a), lengths ? nm_shape_text(lengths, b) : "(none)");
    }
    if (blank >= x->dim[2]) {
        return nm_infer_fail(infer, "blank: %lld is no class of x %s", (long long)blank,
                             nm_shape_text(x, a));
    }
    infer->out[0] = NM_SHAPE(x->dim[0], x->dim[1]);
    return NM_OK;
}

/* Of equal ones the first; NaN is the largest, as in argmax. */
#define LIKELIEST(real)                                                                            \
    static int64_t likeliest_##real(const real *x, int64_t classes)                                \
    {                                                                                              \
        int64_t best = 0;                                                                          \
        for (int64_t k = 1; k < classes; k++) {                                                    \
            best = !(x[k] <= x[best]) && x[best] == x[best] ? k : best;                            \
        }                                                                                          \
        return best;                                                                               \
    }
LIKELIEST(float)
LIKELIEST(double)

static int64_t likeliest(const nm_run *run, int64_t first, int64_t classes)
{
    return run->dtype == NM_F64 ? likeliest_double((const double *)run->x[X] + first, classes)
                                : likeliest_float((const float *)run->x[X] + first, classes);
}

/* One row's labels, `y` [steps]: of `length` steps, from element `first` of x on. */
static void decode(const nm_run *run, int64_t first, int64_t length, int32_t *y)
{
    const nm_ctc_decode_options *o = run->options;
    const nm_shape *x = nm_tensor_shape(run->in[X]);
    int64_t count = 0, before = o->blank;
    for (int64_t t = 0; t < length; t++) {
        const int64_t now = likeliest(run, first + t * x->dim[2], x->dim[2]);
        if (now != before && now != o->blank) {
            y[count++] = (int32_t)now;
        }
        before = now;
    }
    while (count < x->dim[1]) {
        y[count++] = (int32_t)o->padding;
    }
}

static nm_status ctc_decode_forward(const nm_run *run)
{
    const nm_shape *x = nm_tensor_shape(run->in[X]);
    const int64_t steps = x->dim[1];
    for (int64_t row = 0; row < x->dim[0]; row++) {
        const double length =
            run->x[LENGTHS] ? nm_tensor_get(run->in[LENGTHS], row) : (double)steps;
        if (length < 0 || length > (double)steps) {
            return nm_run_fail(run, NM_ERROR_INPUT,
                               "input_lengths at [%lld] is %.0f; there are %lld steps",
                               (long long)row, length, (long long)steps);
        }
        decode(run, row * steps * x->dim[2], (int64_t)length, (int32_t *)run->y[0] + row * steps);
    }
    return NM_OK;
}
#define ctc_decode_vjp NULL

static const nm_sample ctc_decode_samples[] = {
    {.in = {NM_NORMAL(2, 5, 4)}},
    {.options = "{blank: 3, padding: 7}", .in = {NM_NORMAL(2, 5, 4), NM_INDEX(6, 2)}},
};

static const nm_ctc_decode_options defaults = {NM_END(nm_ctc_decode_options),
                                               NM_CTC_DECODE_DEFAULTS};
NM_OPTIONS_INIT(nm_ctc_decode_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_ctc_decode_options, blank), NM_OPTION_INT, .min = 0, .max = 1e9,
     .doc = "the class that stands for no label"},
    {NM_FIELD(nm_ctc_decode_options, padding), NM_OPTION_INT, .min = -1e9, .max = 1e9,
     .also = "mask_index", .doc = "what stands behind a row's labels"},
};
static const nm_spec spec = NM_SPEC(nm_ctc_decode_options, defaults, options);
static const nm_port inputs[INPUTS] = {
    [X] = {.name = "x", .doc = "[n, steps, classes]: scores, or logarithms of probabilities"},
    [LENGTHS] = {.name = "input_lengths",
                 .doc = "[n]: steps that count; none: all",
                 .type = NM_PORT_INDEX,
                 .flags = NM_PORT_OPTIONAL},
};
static const nm_port outputs[] = {
    {.name = "y", .doc = "i32 [n, steps]: labels, and padding behind", .type = NM_PORT_INDEX}};

NM_OP(ctc_decode, inputs, outputs, ctc_decode_infer, NM_OP_NO_VJP, "labels out of what ctc trained",
      .spec = &spec, .also = "ctc_greedy_decoder best_path greedy_decode",
      .doc = "The class that is largest at each step (of several the first; NaN is the largest),\n"
             "each run of one class once, and without blanks: best path decoding, which is not\n"
             "always the likeliest row of labels. No gradient.")

nm_tensor *nm_ctc_decode_with(nm_tape *tape, nm_tensor *x, nm_tensor *input_lengths,
                              const nm_ctc_decode_options *o)
{
    nm_tensor *y, *in[INPUTS] = {x, input_lengths};
    return nm_apply(tape, &nm_op_ctc_decode, in, INPUTS, o, &y) == NM_OK ? y : NULL;
}
