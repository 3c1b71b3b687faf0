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

#include "ops/define.h"
#include "ops/kernels/kernel.h"

/* Computes n outputs. step[k] is 1 for an input that goes along and 0 for one that stays. */
typedef void (*nm_row_fn)(const void *options, const void *const *x, const int *step, void *y,
                          int64_t n);

/* Runs a row function over all elements of output 0, broadcasting every input to its shape. */
NM_API nm_status nm_elementwise(const nm_run *run, nm_row_fn f32, nm_row_fn f64);

#define NM_UNARY_ROW(name, type, ...)                                                              \
    NM_KERNEL_##type static void name(const void *options, const void *const *xs, const int *step, \
                                      void *ys, int64_t n)                                         \
    {                                                                                              \
        typedef type real;                                                                         \
        const real *x0 = xs[0];                                                                    \
        real *y = ys;                                                                              \
        (void)options;                                                                             \
        (void)step;                                                                                \
        NM_SIMD for (int64_t i = 0; i < n; i++)                                                    \
        {                                                                                          \
            const real x = x0[i];                                                                  \
            y[i] = (real)(__VA_ARGS__);                                                            \
        }                                                                                          \
    }

/* One loop for each way the inputs can go along, so that each vectorizes. */
#define NM_BINARY_LOOP(index_a, index_b, ...)                                                      \
    NM_SIMD for (int64_t i = 0; i < n; i++)                                                        \
    {                                                                                              \
        const real a = a0[index_a], b = b0[index_b];                                               \
        y[i] = (real)(__VA_ARGS__);                                                                \
    }

#define NM_BINARY_HEAD(name, type)                                                                 \
    NM_KERNEL_##type static void name(const void *options, const void *const *xs, const int *step, \
                                      void *ys, int64_t n)

#define NM_BINARY_POINTERS(type)                                                                   \
    typedef type real;                                                                             \
    const real *a0 = xs[0], *b0 = xs[1];                                                           \
    real *y = ys;                                                                                  \
    (void)options;

/* That both stay does not happen: the output's row is as long as the longer of theirs. */
#define NM_BINARY_ROW(name, type, ...)                                                             \
    NM_BINARY_HEAD(name, type)                                                                     \
    {                                                                                              \
        NM_BINARY_POINTERS(type)                                                                   \
        if (step[0] && step[1]) {                                                                  \
            NM_BINARY_LOOP(i, i, __VA_ARGS__)                                                      \
        } else if (step[0]) {                                                                      \
            NM_BINARY_LOOP(i, 0, __VA_ARGS__)                                                      \
        } else {                                                                                   \
            NM_BINARY_LOOP(0, i, __VA_ARGS__)                                                      \
        }                                                                                          \
    }

#define NM_SLOPE_ROW(name, type, ...)                                                              \
    NM_BINARY_HEAD(name, type)                                                                     \
    {                                                                                              \
        NM_BINARY_POINTERS(type)                                                                   \
        (void)step;                                                                                \
        NM_BINARY_LOOP(i, i, __VA_ARGS__)                                                          \
    }

#define NM_TERNARY_ROW(name, type, ...)                                                            \
    NM_KERNEL_##type static void name(const void *options, const void *const *xs, const int *step, \
                                      void *ys, int64_t n)                                         \
    {                                                                                              \
        typedef type real;                                                                         \
        const real *a0 = xs[0], *b0 = xs[1], *c0 = xs[2];                                          \
        const int64_t s = step[0], t = step[1], u = step[2];                                       \
        real *y = ys;                                                                              \
        (void)options;                                                                             \
        if (s && t && u) {                                                                         \
            NM_SIMD for (int64_t i = 0; i < n; i++)                                                \
            {                                                                                      \
                const real a = a0[i], b = b0[i], c = c0[i];                                        \
                y[i] = (real)(__VA_ARGS__);                                                        \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        NM_SIMD for (int64_t i = 0; i < n; i++)                                                    \
        {                                                                                          \
            const real a = a0[s * i], b = b0[t * i], c = c0[u * i];                                \
            y[i] = (real)(__VA_ARGS__);                                                            \
        }                                                                                          \
    }

#define NM_ELEMENTWISE_FORWARD(name)                                                               \
    static nm_status name##_forward(const nm_run *run)                                             \
    {                                                                                              \
        return nm_elementwise(run, name##_row_f32, name##_row_f64);                                \
    }

#define NM_UNARY(name, ...)                                                                        \
    NM_UNARY_ROW(name##_row_f32, float, __VA_ARGS__)                                               \
    NM_UNARY_ROW(name##_row_f64, double, __VA_ARGS__)                                              \
    NM_ELEMENTWISE_FORWARD(name)

#define NM_BINARY(name, ...)                                                                       \
    NM_BINARY_ROW(name##_row_f32, float, __VA_ARGS__)                                              \
    NM_BINARY_ROW(name##_row_f64, double, __VA_ARGS__)                                             \
    NM_ELEMENTWISE_FORWARD(name)

#define NM_SLOPE(name, ...)                                                                        \
    NM_SLOPE_ROW(name##_row_f32, float, __VA_ARGS__)                                               \
    NM_SLOPE_ROW(name##_row_f64, double, __VA_ARGS__)                                              \
    NM_ELEMENTWISE_FORWARD(name)

#define NM_TERNARY(name, ...)                                                                      \
    NM_TERNARY_ROW(name##_row_f32, float, __VA_ARGS__)                                             \
    NM_TERNARY_ROW(name##_row_f64, double, __VA_ARGS__)                                            \
    NM_ELEMENTWISE_FORWARD(name)

/* ---- Descriptors. Each ends in what else NM_ITEM takes: .doc = "...", .spec = &spec. ---- */

#define NM_OPS_ELEMENTWISE (NM_OP_ELEMENTWISE | NM_OP_IN_PLACE)

/* An op of one input; without options, nm_NAME(tape, x) comes with it. */
#define NM_UNARY_OP(name_, summary_, ...)                                                          \
    NM_OP(name_, nm_port_x, nm_port_y, nm_infer_same, NM_OPS_ELEMENTWISE, summary_, __VA_ARGS__)
#define NM_UNARY_OP_WITH_CALL(name_, summary_, ...)                                                \
    NM_UNARY_OP(name_, summary_, __VA_ARGS__)                                                      \
    nm_tensor *nm_##name_(nm_tape *tape, nm_tensor *x)                                             \
    {                                                                                              \
        return nm_apply1(tape, &nm_op_##name_, NULL, x);                                           \
    }

/* An op of two inputs that broadcast, and nm_NAME(tape, a, b). */
#define NM_BINARY_OP_WITH_CALL(name_, summary_, ...)                                               \
    NM_OP(name_, nm_port_ab, nm_port_y, nm_infer_broadcast, NM_OPS_ELEMENTWISE, summary_,          \
          __VA_ARGS__)                                                                             \
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

extern const nm_port nm_port_y_dy[2]; /* y, dy: for slopes of the output */
extern const nm_port nm_port_x_dy[2]; /* x, dy: for slopes of the input */

/* The bend of a function of straight pieces: 0. */
nm_tensor *nm_no_bend(nm_vjp *v);

#endif
