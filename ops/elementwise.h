/* For elementwise ops: from an expression to a forward function, with NumPy broadcasting, threads
 * and both float types; and from there to the whole op, as in ops/sigmoid.c.
 *
 *     NM_UNARY(relu, x > 0 ? x : 0)       defines relu_forward
 *     NM_BINARY(add, a + b)               defines add_forward
 *     NM_SLOPE(relu_grad, a > 0 ? b : 0)  defines relu_grad_forward, for a and b of one shape
 *     NM_TERNARY(fma, a * b + c)          defines fma_forward
 *
 * In the expression, x (or a, b, c) is an element, `real` its type, and `options` the op's options
 * as const void *. A file that calls functions such as exp() includes <tgmath.h>, so that they are
 * float's for float; with <math.h> the same is computed in double, which takes longer. */
#ifndef NM_OPS_ELEMENTWISE_H
#define NM_OPS_ELEMENTWISE_H

#include "core/inline.h"
#include "ops/basic.h"
#include "ops/define.h"
#include "ops/kernels/kernel.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Computes n outputs, fewer than NM_BLOCK or a multiple of it, from as many of each input. */
typedef void (*nm_row_fn)(const void *options, const void *const *x, void *y, int64_t n);

/* Runs a row function over all elements of output 0, broadcasting every input to its shape: what is
 * not in memory as the output is, is first brought into that order, a small tile at a time. So each
 * expression is compiled into one loop that has neither broadcasting nor a rest. */
NM_API nm_status nm_elementwise(const nm_run *run, nm_row_fn f32, nm_row_fn f64);

/* y = x, broadcast to y's shape. */
nm_status nm_elementwise_repeat(const nm_run *run);

/* For one type: the function `name_of` of an element, and the row function `name`. f64, which is
 * for checking gradients, goes one by one: 8 KB less of the library. */
#define NM_IS_F64(type) (sizeof(type) == 8)
#define NM_ROW(name, type, inputs, ...)                                                            \
    NM_INLINE type name##_of(const void *options, type a, type b, type c)                          \
    {                                                                                              \
        typedef type real;                                                                         \
        const real x = a;                                                                          \
        (void)options, (void)x, (void)b, (void)c;                                                  \
        return (real)(__VA_ARGS__);                                                                \
    }                                                                                              \
    NM_KERNEL_##type static void name(const void *options, const void *const *xs, void *ys,        \
                                      int64_t n)                                                   \
    {                                                                                              \
        const type *a = (const type *)xs[0], *b = (const type *)xs[inputs > 1 ? 1 : 0],            \
                   *c = (const type *)xs[inputs > 2 ? 2 : 0];                                      \
        type *y = (type *)ys; /* casts for C++ */                                                  \
        for (; (n < NM_BLOCK || NM_IS_F64(type)) && n > 0; n--) {                                  \
            *y++ = name##_of(options, *a++, *b++, *c++);                                           \
            NM_ONE_BY_ONE;                                                                         \
        }                                                                                          \
        n = NM_IS_F64(type) ? 0 : n & -(int64_t)NM_BLOCK; /* as the compiler should know */        \
        NM_SIMD for (int64_t i = 0; i < n; i++)                                                    \
        {                                                                                          \
            y[i] = name##_of(options, a[i], b[i], c[i]);                                           \
        }                                                                                          \
    }

#define NM_ELEMENTWISE(name, inputs, ...)                                                          \
    NM_ROW(name##_row_f32, float, inputs, __VA_ARGS__)                                             \
    NM_ROW(name##_row_f64, double, inputs, __VA_ARGS__)                                            \
    static nm_status name##_forward(const nm_run *run)                                             \
    {                                                                                              \
        return nm_elementwise(run, name##_row_f32, name##_row_f64);                                \
    }

#define NM_UNARY(name, ...) NM_ELEMENTWISE(name, 1, __VA_ARGS__)
#define NM_BINARY(name, ...) NM_ELEMENTWISE(name, 2, __VA_ARGS__)
#define NM_TERNARY(name, ...) NM_ELEMENTWISE(name, 3, __VA_ARGS__)
#define NM_SLOPE(name, ...) NM_ELEMENTWISE(name, 2, __VA_ARGS__)

/* ---- Descriptors. Each ends in what else NM_ITEM takes: .doc = "...", .spec = &spec. ---- */

#define NM_OPS_ELEMENTWISE (NM_OP_ELEMENTWISE | NM_OP_IN_PLACE)

/* An op of one input; without options, nm_NAME(tape, x) comes with it. */
#define NM_UNARY_OP(name_, summary_, ...)                                                          \
    NM_OP(name_, nm_port_x, nm_port_y, nm_infer_same, NM_OPS_ELEMENTWISE, summary_, __VA_ARGS__)
#define NM_UNARY_OP_WITH_CALL(name_, summary_, ...)                                                \
    NM_UNARY_OP(name_, summary_, __VA_ARGS__)                                                      \
    nm_tensor *nm_##name_(nm_tape *tape, nm_tensor *x);                                            \
    nm_tensor *nm_##name_(nm_tape *tape, nm_tensor *x)                                             \
    {                                                                                              \
        return nm_apply1(tape, &nm_op_##name_, NULL, x);                                           \
    }

/* nm_NAME_with(tape, x, options), for one with options. */
#define NM_UNARY_CALL_WITH(name_, options_type_)                                                   \
    nm_tensor *nm_##name_##_with(nm_tape *tape, nm_tensor *x, const options_type_ *o)              \
    {                                                                                              \
        return nm_apply1(tape, &nm_op_##name_, o, x);                                              \
    }

/* nm_NAME(tape, x) and nm_NAME(tape, a, b), for ops that are defined otherwise. */
#define NM_CALL_OF_1(name_)                                                                        \
    nm_tensor *nm_##name_(nm_tape *tape, nm_tensor *x)                                             \
    {                                                                                              \
        return nm_apply1(tape, &nm_op_##name_, NULL, x);                                           \
    }
#define NM_CALL_OF_2(name_)                                                                        \
    nm_tensor *nm_##name_(nm_tape *tape, nm_tensor *a, nm_tensor *b)                               \
    {                                                                                              \
        return nm_apply2(tape, &nm_op_##name_, NULL, a, b);                                        \
    }

/* An op of two inputs that broadcast, and nm_NAME(tape, a, b). */
#define NM_BINARY_OP_WITH_CALL(name_, summary_, ...)                                               \
    NM_OP(name_, nm_port_ab, nm_port_y, nm_infer_broadcast, NM_OPS_ELEMENTWISE, summary_,          \
          __VA_ARGS__)                                                                             \
    nm_tensor *nm_##name_(nm_tape *tape, nm_tensor *a, nm_tensor *b);                              \
    nm_tensor *nm_##name_(nm_tape *tape, nm_tensor *a, nm_tensor *b)                               \
    {                                                                                              \
        return nm_apply2(tape, &nm_op_##name_, NULL, a, b);                                        \
    }

/* ---- A function whose gradient is one op: NAME_grad(s, dy) = slope(s) dy, where s is NAME's input
 * (SAVED is in) or output (SAVED is out). Both ops have the same options. Defines NAME_vjp,
 * NAME_grad_vjp and the op NAME_grad, from NAME_grad_forward, NAME_grad_samples, and
 *
 *     static nm_tensor *NAME_bend(nm_vjp *v)
 *
 * which returns d(slope)/ds, made of ops, at s = v->in[0]. ---- */

#define NM_SLOPE_OP(name_, SAVED, ports_, ...)                                                     \
    extern const nm_op nm_op_##name_##_grad;                                                       \
    static nm_tensor *name_##_vjp(nm_vjp *v, int input)                                            \
    {                                                                                              \
        (void)input;                                                                               \
        return nm_vjp_apply_last(v, &nm_op_##name_##_grad, v->options, v->SAVED[0]);               \
    }                                                                                              \
    static nm_tensor *name_##_grad_vjp(nm_vjp *v, int input)                                       \
    {                                                                                              \
        return input == 1                                                                          \
                   ? nm_apply2(v->tape, v->op, v->options, v->in[0], v->gout[0])                   \
                   : nm_mul(v->tape, nm_mul(v->tape, v->gout[0], v->in[1]), name_##_bend(v));      \
    }                                                                                              \
    NM_OP(name_##_grad, ports_, nm_port_y, nm_infer_same, NM_OPS_ELEMENTWISE,                      \
          "gradient of " #name_, __VA_ARGS__)

extern NM_API const nm_port nm_port_y_dy[2]; /* y, dy: for slopes of the output */
extern NM_API const nm_port nm_port_x_dy[2]; /* x, dy: for slopes of the input */

/* The bend of a function of straight pieces: 0. */
NM_API nm_tensor *nm_no_bend(nm_vjp *v);

#ifdef __cplusplus
}
#endif
#endif
