#include <norma.h>
#include <stdio.h>

int main(void)
{
    nm_context *context = nm_context_create(NULL);
    if (!context || nm_register_ops(context) != NM_OK) {
        return 1;
    }
    const float values[] = {1, 2, 3};
    nm_tensor *x = nm_tensor_copy_of(context, NM_F32, NM_SHAPE(3), values);
    nm_tape *tape = nm_tape_create(context);
    nm_tensor_set_requires_grad(x, true);
    nm_status status = nm_backward(tape, nm_sum(tape, nm_mul(tape, x, x)), 0);
    if (status != NM_OK) {
        puts(nm_context_error(context));
        return 1;
    }
    const float *gradient = nm_tensor_f32(nm_tensor_grad(x));
    printf("%g %g %g\n", gradient[0], gradient[1], gradient[2]);
    nm_tape_destroy(tape);
    nm_tensor_destroy(x);
    nm_context_destroy(context);
    return 0;
}
