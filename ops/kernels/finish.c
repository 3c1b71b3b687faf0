#include "ops/kernels/finish.h"

#include "core/thread.h"
#include "ops/kernels/kernel.h"
#include "ops/kernels/math.h"

/* Threads cut rows where they like: the last elements must be rounded as they would be elsewhere.
 */
#define EACH(i, n, ...)                                                                            \
    const int64_t whole = (n) & -(int64_t)NM_BLOCK;                                                \
    NM_SIMD for (int64_t i = 0; i < whole; i++)                                                    \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }                                                                                              \
    for (int64_t i = whole; i < (n); i++) {                                                        \
        __VA_ARGS__;                                                                               \
        NM_ONE_BY_ONE;                                                                             \
    }

#define FINISH_FUNCTIONS(KERNEL, type, suffix)                                                     \
    KERNEL static void add_##suffix(type *y, const type *bias, int64_t n)                          \
    {                                                                                              \
        NM_SIMD for (int64_t i = 0; i < n; i++)                                                    \
        {                                                                                          \
            y[i] += bias[i];                                                                       \
        }                                                                                          \
    }                                                                                              \
    KERNEL static void relu_##suffix(type *y, int64_t n)                                           \
    {                                                                                              \
        NM_SIMD for (int64_t i = 0; i < n; i++)                                                    \
        {                                                                                          \
            y[i] = y[i] < 0 ? 0 : y[i]; /* NaN stays NaN */                                        \
        }                                                                                          \
    }                                                                                              \
    KERNEL static void sigmoid_##suffix(type *y, int64_t n){                                       \
        EACH(i, n, y[i] = NM_SIGMOID(y[i]))} KERNEL static void tanh_##suffix(type *y, int64_t n)  \
    {                                                                                              \
        EACH(i, n, y[i] = NM_TANH(y[i]))                                                           \
    }                                                                                              \
    void nm_activate_##suffix(nm_activation activation, type *y, int64_t n)                        \
    {                                                                                              \
        switch (activation) {                                                                      \
        case NM_ACTIVATION_RELU: relu_##suffix(y, n); break;                                       \
        case NM_ACTIVATION_SIGMOID: sigmoid_##suffix(y, n); break;                                 \
        case NM_ACTIVATION_TANH: tanh_##suffix(y, n); break;                                       \
        case NM_ACTIVATION_NONE: break;                                                            \
        }                                                                                          \
    }                                                                                              \
    static void finish_row_##suffix(const nm_finish *f, type *y, int64_t n)                        \
    {                                                                                              \
        if (f->bias) {                                                                             \
            add_##suffix(y, f->bias, n);                                                           \
        }                                                                                          \
        nm_activate_##suffix(f->activation, y, n);                                                 \
    }                                                                                              \
    static void finish_rows_##suffix(void *arg, int64_t begin, int64_t end)                        \
    {                                                                                              \
        const nm_finish *f = arg;                                                                  \
        type *y = f->y;                                                                            \
        if (!f->bias && f->stride == f->columns) { /* all rows are one */                          \
            finish_row_##suffix(f, y + begin * f->stride, (end - begin) * f->columns);             \
            return;                                                                                \
        }                                                                                          \
        for (int64_t i = begin; i < end; i++) {                                                    \
            finish_row_##suffix(f, y + i * f->stride, f->columns);                                 \
        }                                                                                          \
    }

#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* the C library's functions of doubles */
#endif

FINISH_FUNCTIONS(NM_KERNEL, float, f32)
FINISH_FUNCTIONS(, double, f64) /* for checking, not for speed */

/* Elements below which a second thread does not pay. */
#define WORTH_THREADS 32768

void nm_finish_rows(const nm_finish *f)
{
    nm_finish job = *f;
    (f->dtype == NM_F64 ? finish_rows_f64 : finish_rows_f32)(&job, 0, f->rows);
}

void nm_finish_run(nm_context *context, const nm_finish *f)
{
    if (!f->bias && f->activation == NM_ACTIVATION_NONE) {
        return;
    }
    if (f->rows * f->columns < WORTH_THREADS) {
        nm_finish_rows(f);
        return;
    }
    nm_finish job = *f;
    nm_parallel(context, f->rows, WORTH_THREADS / (f->columns + 1) + 1,
                f->dtype == NM_F64 ? finish_rows_f64 : finish_rows_f32, &job);
}
