/* What is kept in bf16, as f32: to compute with it where an op does not take bf16. */
#include "ops/elementwise.h"
#include "ops/kernels/bf16.h"
#include "ops/narrow.h"
#include "ops/table.h"

static nm_status widen_forward(const nm_run *run)
{
    const int64_t count = nm_tensor_count(run->out[0]);
    if (nm_tensor_dtype(run->in[0]) == NM_BF16) {
        nm_bf16_to_f32(run->context, run->x[0], run->y[0], count);
        return NM_OK;
    }
    return nm_elementwise_repeat(run);
}

static nm_tensor *widen_vjp(nm_vjp *v, int input)
{
    (void)input;
    return v->gout[0];
}

static const nm_port inputs[] = {{.name = "x", .doc = "any shape", .flags = NM_PORT_BF16}};
static const nm_sample widen_samples[] = {{.in = {NM_NORMAL(3, 5)}}};

NM_OP(widen, inputs, nm_port_y, nm_infer_same, 0, "bf16 as f32",
      .doc = "y = x, of f32 where x is bf16. The gradient is dy, of f32 as well.")

nm_tensor *nm_wide_of(nm_tape *tape, nm_tensor *x)
{
    return x && nm_tensor_dtype(x) == NM_BF16 ? nm_apply1(tape, &nm_op_widen, NULL, x) : x;
}

nm_tensor *nm_widened(nm_tape *tape, nm_tensor *x)
{
    return nm_tape_is_recording(tape) ? nm_wide_of(tape, x) : x;
}

void nm_narrow_output(nm_infer *infer, bool narrow)
{
    infer->out_dtype[0] = narrow && infer->dtype == NM_F32 ? NM_BF16 : infer->out_dtype[0];
}
