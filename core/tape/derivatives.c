#include "core/derivatives.h"

#include <stdint.h>

#include "core/guard.h"
#include "core/internal.h"

static void clear(nm_tensor **results, int count)
{
    for (int i = 0; results && i < count; i++) {
        results[i] = NULL;
    }
}

/* Those of the gradients that have a weight, and the weights, side by side; returns how many. */
static int choose_weighted(nm_tensor **gradients, nm_tensor *const *weights, int count,
                           nm_tensor **chosen)
{
    int n = 0;
    for (int i = 0; i < count; i++) {
        if (weights[i]) {
            gradients[n] = gradients[i];
            chosen[n++] = weights[i];
        }
    }
    return n;
}

/* That each direction is one of its input. What else may be wrong, nm_gradients() says. */
static nm_status check_directions(nm_context *context, nm_tensor *const *inputs,
                                  nm_tensor *const *directions, int count)
{
    for (int i = 0; i < count; i++) {
        const nm_tensor *x = inputs[i], *v = directions[i];
        if (x && v && (!nm_same_shape(x, v) || nm_wide(x->dtype) != v->dtype)) {
            char a[NM_SHAPE_TEXT], b[NM_SHAPE_TEXT];
            return nm_fail(context, NM_ERROR_INPUT, "direction %d is %s %s, but input %d %s %s", i,
                           nm_dtype_name((nm_dtype)v->dtype), nm_shape_text(&v->shape, a), i,
                           nm_dtype_name((nm_dtype)x->dtype), nm_shape_text(&x->shape, b));
        }
    }
    return NM_OK;
}

/* The gradients in `variables` of sum over i of <J^T `seeds` in inputs[i], weights[i]>. `room` is
 * for twice as many tensors as there are inputs. */
static nm_status differentiate_twice(nm_tape *tape, nm_tensor *const *outputs,
                                     nm_tensor *const *seeds, int output_count,
                                     nm_tensor *const *inputs, nm_tensor *const *weights,
                                     int input_count, nm_tensor *const *variables,
                                     int variable_count, unsigned flags, nm_tensor **room,
                                     nm_tensor **results)
{
    nm_status status = check_directions(tape->context, inputs, weights, input_count);
    if (status == NM_OK) {
        status = nm_gradients(tape, outputs, seeds, output_count, inputs, input_count,
                              NM_CREATE_GRAPH, room);
    }
    if (status != NM_OK) {
        return status;
    }
    const int n = choose_weighted(room, weights, input_count, room + input_count);
    return nm_gradients(tape, room, room + input_count, n, variables, variable_count, flags,
                        results);
}

static nm_tensor **make_room(nm_context *context, int count)
{
    return nm_alloc_zero(context, (size_t)count + 1, sizeof(nm_tensor *));
}

/* ---- J v ---- */

/* Zeros of the outputs' shapes, to differentiate in. (Any would do: it is linear in them.) */
static nm_status make_seeds(nm_tape *tape, nm_tensor *const *outputs, int count, nm_tensor **seeds)
{
    for (int k = 0; k < count; k++) {
        const nm_tensor *y = outputs[k];
        if (!y) {
            return nm_fail(tape->context, NM_ERROR_INPUT, "output %d is NULL", k);
        }
        seeds[k] = nm_full(tape, nm_wide(y->dtype), y->shape, 0);
        if (!seeds[k] || nm_tensor_set_requires_grad(seeds[k], true) != NM_OK) {
            return tape->context->status;
        }
    }
    return NM_OK;
}

nm_status nm_jvp(nm_tape *tape, nm_tensor *const *outputs, int output_count,
                 nm_tensor *const *inputs, nm_tensor *const *tangents, int input_count,
                 unsigned flags, nm_tensor **results)
{
    clear(results, output_count);
    NM_GIVEN(tape, NM_ERROR_INPUT);
    nm_context *context = tape->context;
    NM_UNLESS_FAILED(context);
    NM_REQUIRE(context, output_count >= 0 && input_count >= 0, NM_ERROR_INPUT);
    NM_REQUIRE(context, outputs || !output_count, NM_ERROR_INPUT);
    NM_REQUIRE(context, results || !output_count, NM_ERROR_INPUT);
    NM_REQUIRE(context, (inputs && tangents) || !input_count, NM_ERROR_INPUT);
    nm_tensor **room = make_room(context, output_count + 2 * input_count);
    nm_status status = room ? make_seeds(tape, outputs, output_count, room) : NM_ERROR_MEMORY;
    if (status == NM_OK) {
        status =
            differentiate_twice(tape, outputs, room, output_count, inputs, tangents, input_count,
                                room, output_count, flags, room + output_count, results);
    }
    nm_free(context, room);
    return status == NM_OK ? NM_OK : nm_fail_in(context, "nm_jvp");
}

/* ---- H v ---- */

nm_status nm_hvp(nm_tape *tape, nm_tensor *loss, nm_tensor *const *inputs,
                 nm_tensor *const *vectors, int input_count, unsigned flags, nm_tensor **products)
{
    clear(products, input_count);
    NM_GIVEN(tape, NM_ERROR_INPUT);
    nm_context *context = tape->context;
    NM_UNLESS_FAILED(context);
    NM_REQUIRE(context, loss, NM_ERROR_INPUT);
    NM_REQUIRE(context, input_count >= 0, NM_ERROR_INPUT);
    NM_REQUIRE(context, (inputs && vectors && products) || !input_count, NM_ERROR_INPUT);
    if (loss->count != 1) {
        char text[NM_SHAPE_TEXT];
        return nm_fail(context, NM_ERROR_INPUT, "nm_hvp: the loss must be one number, not %s",
                       nm_shape_text(&loss->shape, text));
    }
    nm_tensor **room = make_room(context, 2 * input_count);
    nm_status status = room
                           ? differentiate_twice(tape, &loss, NULL, 1, inputs, vectors, input_count,
                                                 inputs, input_count, flags, room, products)
                           : NM_ERROR_MEMORY;
    nm_free(context, room);
    return status == NM_OK ? NM_OK : nm_fail_in(context, "nm_hvp");
}
