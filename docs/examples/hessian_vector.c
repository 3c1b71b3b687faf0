/* A Hessian-vector product without the Hessian: for f(x) = sum of x^3 + (sum of x)^2, whose Hessian
 * is diag(6 x) + 2. The same for whole networks: nm_hvp() takes all of a model's parameters. */
#include <norma.h>
#include <stdio.h>

int main(void)
{
    const double point[] = {1, 2, 3}, direction[] = {1, 0, -1};
    nm_context *context = nm_open(NULL);
    nm_tape *tape = nm_tape_create(context);
    nm_tensor *x = nm_tensor_copy_of(context, NM_F64, NM_SHAPE(3), point);
    nm_tensor *v = nm_tensor_copy_of(context, NM_F64, NM_SHAPE(3), direction);
    nm_tensor_set_requires_grad(x, true);

    nm_tensor *cubes = nm_sum(tape, nm_mul(tape, x, nm_square(tape, x)));
    nm_tensor *f = nm_add(tape, cubes, nm_square(tape, nm_sum(tape, x)));
    nm_tensor *product;
    nm_hvp(tape, f, &x, &v, 1, 0, &product);

    int failed = nm_context_status(context) != NM_OK;
    if (failed) {
        fprintf(stderr, "%s\n", nm_context_error(context));
    }
    for (int i = 0; i < 3 && !failed; i++) {
        printf("(H v)[%d] = %g\n", i, nm_tensor_get(product, i)); /* 6, 0, -18 */
    }
    nm_tape_destroy(tape);
    nm_tensor_destroy(x);
    nm_tensor_destroy(v);
    nm_close(context);
    return failed;
}
