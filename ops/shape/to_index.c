/* Indices out of floating numbers, as data sets give them. */
#include "ops/define.h"
#include "ops/shape.h"
#include "ops/table.h"

static nm_status to_index_infer(nm_infer *infer)
{
    infer->out[0] = *infer->in[0];
    return NM_OK;
}

static nm_status to_index_forward(const nm_run *run)
{
    const nm_tensor *x = run->in[0];
    int32_t *y = run->y[0];
    for (int64_t i = 0; i < nm_tensor_count(x); i++) {
        const double value = run->dtype == NM_F64 ? ((const double *)run->x[0])[i]
                                                  : (double)((const float *)run->x[0])[i];
        const bool fits = value >= INT32_MIN && value <= INT32_MAX;
        if (!fits || value != (double)(int32_t)value) {
            char place[NM_SHAPE_TEXT];
            return nm_run_fail(
                run, NM_ERROR_INPUT,
                "x at %s is %g, and no index; samples that are indices are not to be "
                "standardized (data: {normalize: none})",
                nm_shape_place_text(nm_tensor_shape(x), i, place), value);
        }
        y[i] = (int32_t)value;
    }
    return NM_OK;
}
#define to_index_vjp NULL

static const nm_sample to_index_samples[] = {{.in = {NM_UNIFORM(0, 0, 2, 3)}}};
static const nm_port inputs[] = {{.name = "x", .doc = "any shape: whole numbers"}};
static const nm_port outputs[] = {{.name = "y", .doc = "i32, x's shape", .type = NM_PORT_INDEX}};

NM_OP(to_index, inputs, outputs, to_index_infer, NM_OP_NO_VJP, "indices out of floating numbers",
      .also = "cast long int",
      .doc = "y = x as integers; a number that is none is an error. No gradient.")

nm_tensor *nm_to_index(nm_tape *tape, nm_tensor *x)
{
    return nm_apply1(tape, &nm_op_to_index, NULL, x);
}
