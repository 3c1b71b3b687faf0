/* What tests of convolutions share: the sums that define them. */
#ifndef NM_TESTS_OPS_CONV_REFERENCE_H
#define NM_TESTS_OPS_CONV_REFERENCE_H

#include "ops/kernels/conv.h"
#include "tests/ops/linear_test.h"

typedef struct reference {
    nm_conv c;
    nm_tensor *x, *w, *b, *y; /* f64; y is both the result and the gradient that goes back */
    nm_tensor *dx, *dw, *db;
} reference;

/* 3 x 3 of one step, whose images stay as large. */
static inline nm_conv same_conv(int64_t n, int64_t h, int64_t w, int64_t c, int64_t o)
{
    return (nm_conv){.n = n,
                     .h = h,
                     .w = w,
                     .c = c,
                     .o = o,
                     .oh = h,
                     .ow = w,
                     .kh = 3,
                     .kw = 3,
                     .groups = 1,
                     .stride = {1, 1},
                     .padding = {1, 1},
                     .dilation = {1, 1}};
}

typedef void (*term_fn)(reference *r, int64_t x, int64_t w, int64_t y);

/* Calls back for every product x[..] w[..] that y[..] sums. */
static inline void for_each_term(reference *r, term_fn term)
{
    const nm_conv *c = &r->c;
    int64_t in = c->c / c->groups, out = c->o / c->groups, taps = c->kh * c->kw * in;
    for (int64_t y = 0; y < c->n * c->oh * c->ow * c->o; y++) {
        int64_t o = y % c->o, column = y / c->o % c->ow, row = y / c->o / c->ow % c->oh;
        int64_t image = y / c->o / c->ow / c->oh;
        for (int64_t tap = 0; tap < taps; tap++) {
            int64_t i = tap / in / c->kw, j = tap / in % c->kw;
            int64_t h = row * c->stride[0] + i * c->dilation[0] - c->padding[0];
            int64_t w = column * c->stride[1] + j * c->dilation[1] - c->padding[1];
            if (h >= 0 && h < c->h && w >= 0 && w < c->w) {
                int64_t place = (image * c->h + h) * c->w + w;
                term(r, place * c->c + o / out * in + tap % in, o * taps + tap, y);
            }
        }
    }
}

static inline void add(nm_tensor *to, int64_t at, double value)
{
    nm_tensor_f64(to)[at] += value;
}

static inline void add_to_y(reference *r, int64_t x, int64_t w, int64_t y)
{
    add(r->y, y, nm_tensor_get(r->x, x) * nm_tensor_get(r->w, w));
}

static inline void add_to_gradients(reference *r, int64_t x, int64_t w, int64_t y)
{
    add(r->dx, x, nm_tensor_get(r->y, y) * nm_tensor_get(r->w, w));
    add(r->dw, w, nm_tensor_get(r->y, y) * nm_tensor_get(r->x, x));
}

/* How far one axis of a random convolution goes; the kernel fits. */

static inline nm_tensor *zeros_like(fixture *f, nm_tensor *x)
{
    return nm_full(f->tape, NM_F64, *nm_tensor_shape(x), 0);
}

static inline reference make_reference(fixture *f, nm_conv c)
{
    reference r = {.c = c};
    r.x = random_tensor(f, NM_F64, NM_SHAPE(c.n, c.h, c.w, c.c));
    r.w = random_tensor(f, NM_F64, NM_SHAPE(c.o, c.kh, c.kw, c.c / c.groups));
    r.b = random_tensor(f, NM_F64, NM_SHAPE(c.o));
    r.y = nm_full(f->tape, NM_F64, NM_SHAPE(c.n, c.oh, c.ow, c.o), 0);
    for (int64_t i = 0; i < nm_tensor_count(r.y); i++) {
        nm_tensor_set(r.y, i, nm_tensor_get(r.b, i % c.o));
    }
    r.dx = zeros_like(f, r.x);
    r.dw = zeros_like(f, r.w);
    r.db = zeros_like(f, r.b);
    for_each_term(&r, add_to_y);
    for (int64_t i = 0; i < nm_tensor_count(r.y); i++) {
        add(r.db, i % c.o, nm_tensor_get(r.y, i));
    }
    for_each_term(&r, add_to_gradients);
    return r;
}

static inline void assert_like(const nm_conv *c, const char *what, nm_tensor *x, nm_tensor *wanted)
{
    double tolerance = 1e-12, largest = 0;
    if (nm_tensor_dtype(x) == NM_F32) {
        tolerance = 2e-5;
    }
    ck_assert(nm_shape_equal(nm_tensor_shape(x), nm_tensor_shape(wanted)));
    for (int64_t i = 0; i < nm_tensor_count(x); i++) {
        largest = fmax(largest, fabs(nm_tensor_get(wanted, i)));
    }
    for (int64_t i = 0; i < nm_tensor_count(x); i++) {
        double a = nm_tensor_get(x, i), b = nm_tensor_get(wanted, i);
        ck_assert_msg(near_to(a, b, 0, tolerance * largest),
                      "%s[%lld] is %g, not %g; n %lld, %lldx%lldx%lld to %lld by %lldx%lld, stride "
                      "%lld %lld, padding %lld %lld, dilation %lld %lld, groups %lld",
                      what, (long long)i, a, b, (long long)c->n, (long long)c->h, (long long)c->w,
                      (long long)c->c, (long long)c->o, (long long)c->kh, (long long)c->kw,
                      (long long)c->stride[0], (long long)c->stride[1], (long long)c->padding[0],
                      (long long)c->padding[1], (long long)c->dilation[0],
                      (long long)c->dilation[1], (long long)c->groups);
    }
}

/* All directions by the op and its gradients: of x and w, and of w together with b. */
static inline void check_conv(fixture *f, nm_conv c, nm_dtype dtype)
{
    reference r = make_reference(f, c);
    nm_tensor *x = copy_as(f, r.x, dtype), *w = copy_as(f, r.w, dtype), *b = copy_as(f, r.b, dtype);
    nm_tensor_set_requires_grad(x, true);
    nm_tensor_set_requires_grad(w, true);
    nm_tensor_set_requires_grad(b, true);
    nm_tensor *y = nm_conv2d(f->tape, x, w, b, .stride = NM_INTS(c.stride[0], c.stride[1]),
                             .padding = NM_INTS(c.padding[0], c.padding[1]),
                             .dilation = NM_INTS(c.dilation[0], c.dilation[1]), .groups = c.groups);
    assert_fine(f->context);
    assert_like(&c, "y", y, r.y);
    nm_tensor *dy = copy_as(f, r.y, dtype), *grads[2];
    nm_gradients(f->tape, &y, &dy, 1, (nm_tensor *[]){x, w}, 2, NM_KEEP_GRAPH, grads);
    assert_fine(f->context);
    assert_like(&c, "dx", grads[0], r.dx);
    assert_like(&c, "dw", grads[1], r.dw);
    nm_gradients(f->tape, &y, &dy, 1, (nm_tensor *[]){w, b}, 2, 0, grads);
    assert_fine(f->context);
    assert_like(&c, "dw beside db", grads[0], r.dw);
    assert_like(&c, "db", grads[1], r.db);
    nm_tape_reset(f->tape);
}

#endif
