/* Any op on any small arrays by any options, and its gradients: it either fails with a message, or
 * has all its outputs, and leaves nothing behind. The input's bytes: which op; of each input the
 * type (or that there is none), rank, sizes and what its elements are; then the options' text. */
#include <math.h>

#include "ops/ops.h"

#include "tests/fuzz/fuzz.h"

#define MOST_INPUTS 6
#define TEXT 512

typedef struct bytes {
    const uint8_t *at, *end;
} bytes;

static unsigned next(bytes *b)
{
    return b->at < b->end ? *b->at++ : 0;
}

/* Small numbers of either sign, labels among them, now and then what is not finite. */
static double element(unsigned kind, int64_t i)
{
    static const double odd[] = {NAN, INFINITY, -INFINITY, 1e30, -1e-30, 0};
    const unsigned mixed = (kind + 1) * 2654435761u + (unsigned)i * 40503u;
    switch (kind % 4) {
    case 0: return (double)(mixed >> 7 & 3);
    case 1: return (double)(mixed >> 5 & 15) / 4 - 2;
    case 2: return 1 + (double)(mixed >> 9 & 7) / 8;
    default: return kind > 200 ? odd[mixed >> 4 & 3] : (double)(mixed >> 3 & 31) - 16;
    }
}

/* NULL: left out, or an error. */
static nm_tensor *read_input(bytes *b, nm_context *context)
{
    static const nm_dtype types[] = {NM_F32, NM_F64, NM_I32, NM_I64, NM_U8};
    const unsigned type = next(b) % 8;
    nm_shape shape = {.rank = (int)(next(b) % 6)};
    for (int i = 0; i < shape.rank; i++) {
        shape.dim[i] = next(b) % 7;
    }
    const unsigned kind = next(b);
    if (type > 5) {
        return NULL;
    }
    nm_tensor *x = nm_tensor_create(context, types[type % 5], shape);
    for (int64_t i = 0; x && i < nm_tensor_count(x); i++) {
        const double value = element(kind, i);
        nm_tensor_set(x, i, nm_dtype_is_float(nm_tensor_dtype(x)) ? value : (double)(next(b) % 5));
    }
    if (x && nm_dtype_is_float(nm_tensor_dtype(x))) {
        nm_tensor_set_requires_grad(x, true);
    }
    return x;
}

/* The gradients of the outputs that are floating, with respect to the inputs that are. */
static void differentiate(nm_tape *tape, nm_tensor *const *in, int inputs, nm_tensor *const *out,
                          int outputs)
{
    nm_tensor *of[NM_MAX_OUTPUTS], *with[MOST_INPUTS], *gradient[MOST_INPUTS];
    int some = 0, others = 0;
    for (int i = 0; i < outputs; i++) {
        if (out[i] && nm_dtype_is_float(nm_tensor_dtype(out[i]))) {
            of[some++] = out[i];
        }
    }
    for (int i = 0; i < inputs; i++) {
        if (in[i] && nm_dtype_is_float(nm_tensor_dtype(in[i]))) {
            with[others++] = in[i];
        }
    }
    const nm_status status =
        some && others ? nm_gradients(tape, of, NULL, some, with, others, NM_CREATE_GRAPH, gradient)
                       : NM_ERROR_INPUT;
    for (int i = 0; status == NM_OK && i < others; i++) {
        require(nm_shape_equal(nm_tensor_shape(gradient[i]), nm_tensor_shape(with[i])));
    }
}

static void run(bytes *b, nm_context *context)
{
    const nm_item *item =
        nm_item_at(context, NM_KIND_OP,
                   (int)((next(b) << 8 | next(b)) % (unsigned)nm_item_count(context, NM_KIND_OP)));
    const nm_op *op = nm_find_op(context, item->name);
    const int inputs = (int)(next(b) % (MOST_INPUTS + 1));
    nm_tensor *in[MOST_INPUTS], *out[NM_MAX_OUTPUTS] = {NULL};
    char options[TEXT] = "";
    for (int i = 0; i < inputs; i++) {
        in[i] = read_input(b, context);
    }
    const size_t left = (size_t)(b->end - b->at), length = left < TEXT - 1 ? left : TEXT - 1;
    memcpy(options, b->at, length);
    nm_tape *tape = nm_tape_create(context);
    if (tape && nm_context_status(context) == NM_OK) {
        const nm_status status =
            nm_call(tape, item->name, in, inputs, *options ? options : NULL, out, op->output_count);
        require(status == nm_context_status(context));
        require(status == NM_OK || *nm_context_error(context));
        require(status != NM_OK || out[0]);
        if (status == NM_OK) {
            differentiate(tape, in, inputs, out, op->output_count);
        }
    }
    nm_tape_destroy(tape);
    for (int i = 0; i < inputs; i++) {
        nm_tensor_destroy(in[i]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fuzz_context f = {.most = FUZZ_MEMORY};
    bytes b = {data, data + size};
    run(&b, fuzz_begin(&f));
    fuzz_end(&f);
    return 0;
}
