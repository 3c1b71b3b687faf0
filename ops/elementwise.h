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

/* What the macros below define: NAME_forward from an expression of so many inputs. The row function
 * for f32 is compiled for several instruction sets; `fewest` is NM_BLOCK, or 0 where it is never
 * asked for fewer elements than that. f64, which is for checking gradients, goes one by one. */
#define NM_ELEMENTWISE(name, run_by, fewest, inputs_, ...)                                         \
    NM_INLINE float name##_of_f32(const void *options, float a, float b, float c)                  \
    {                                                                                              \
        typedef float real;                                                                        \
        const real x = a;                                                                          \
        (void)options, (void)x, (void)b, (void)c;                                                  \
        return (real)(__VA_ARGS__);                                                                \
    }                                                                                              \
    NM_INLINE double name##_of_f64(const void *options, double a, double b, double c)              \
    {                                                                                              \
        typedef double real;                                                                       \
        const real x = a;                                                                          \
        (void)options, (void)x, (void)b, (void)c;                                                  \
        return (real)(__VA_ARGS__);                                                                \
    }                                                                                              \
    NM_KERNEL static void name##_row_f32(const void *options, const void *const *xs, void *ys,     \
                                         int64_t n)                                                \
    {                                                                                              \
        const float *a = (const float *)xs[0], *b = (const float *)xs[inputs_ > 1 ? 1 : 0],        \
                    *c = (const float *)xs[inputs_ > 2 ? 2 : 0];                                   \
        float *y = (float *)ys; /* casts for C++ */                                                \
        for (; n < fewest && n > 0; n--) {                                                         \
            *y++ = name##_of_f32(options, *a++, *b++, *c++);                                       \
            NM_ONE_BY_ONE;                                                                         \
        }                                                                                          \
        n &= -(int64_t)NM_BLOCK; /* as the compiler should know */                                 \
        NM_SIMD for (int64_t i = 0; i < n; i++)                                                    \
        {                                                                                          \
            y[i] = name##_of_f32(options, a[i], b[i], c[i]);                                       \
        }                                                                                          \
    }                                                                                              \
    static void name##_row_f64(const void *options, const void *const *xs, void *ys, int64_t n)    \
    {                                                                                              \
        const double *a = (const double *)xs[0], *b = (const double *)xs[inputs_ > 1 ? 1 : 0],     \
                     *c = (const double *)xs[inputs_ > 2 ? 2 : 0];                                 \
        double *y = (double *)ys;                                                                  \
        for (int64_t i = 0; i < n; i++) {                                                          \
            y[i] = name##_of_f64(options, a[i], b[i], c[i]);                                       \
            NM_ONE_BY_ONE;                                                                         \
        }                                                                                          \
    }                                                                                              \
    static nm_status name##_forward(const nm_run *run)                                             \
    {                                                                                              \
        return run_by(run, name##_row_f32, name##_row_f64);                                        \
    }

#define NM_UNARY(name, ...) NM_ELEMENTWISE(name, nm_elementwise, NM_BLOCK, 1, __VA_ARGS__)
#define NM_BINARY(name, ...) NM_ELEMENTWISE(name, nm_elementwise, NM_BLOCK, 2, __VA_ARGS__)
#define NM_TERNARY(name, ...) NM_ELEMENTWISE(name, nm_elementwise, NM_BLOCK, 3, __VA_ARGS__)
#define NM_SLOPE(name, ...) NM_ELEMENTWISE(name, nm_elementwise, NM_BLOCK, 2, __VA_ARGS__)

/* ---- The library's own: for expressions of some 20 operations and more, such as those of
 * ops/kernels/math.h. Fewer than NM_BLOCK elements of f32 are computed as so many, in copies, which
 * halves the code. ---- */

nm_status nm_elementwise_in_blocks(const nm_run *run, nm_row_fn f32, nm_row_fn f64);

#define NM_LONG_UNARY(name, ...) NM_ELEMENTWISE(name, nm_elementwise_in_blocks, 0, 1, __VA_ARGS__)
#define NM_LONG_BINARY(name, ...) NM_ELEMENTWISE(name, nm_elementwise_in_blocks, 0, 2, __VA_ARGS__)
#define NM_LONG_SLOPE(name, ...) NM_ELEMENTWISE(name, nm_elementwise_in_blocks, 0, 2, __VA_ARGS__)

/* ---- Descriptors. Each ends in what else NM_ITEM takes: .doc = "...", .spec = &spec. ---- */

#define NM_OPS_ELEMENTWISE (NM_OP_ELEMENTWISE | NM_OP_IN_PLACE)

/* An op of one input; without options, nm_NAME(tape, x) comes with it. */
#define NM_UNARY_OP(name_, summary_, ...)                                                          \
    NM_OP(name_, nm_port_x, nm_port_y, nm_infer_same, NM_OPS_ELEMENTWISE, summary_, __VA_ARGS__)
#define NM_UNARY_OP_WITH_CALL(name_, summary_, ...)                                                \
    NM_OP(name_, nm_port_x, nm_port_y, nm_infer_same, NM_OPS_ELEMENTWISE, summary_, __VA_ARGS__)   \
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
                   : nm_mul(v->tape, nm_mul(v->tape, v->gout[0], v->in[1]), (name_##_bend)(v));    \
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
