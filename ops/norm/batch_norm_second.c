/* The gradient of batch_norm_grad in training where it is not differentiated again: the formula of
 * ops/norm/batch_norm_grad.c, in whose notation this is, by a few sums and a few numbers a channel.
 * With w = scale inverse / m, or 0 if mean_only, and e = 1, or 0 if mean_only:
 *
 *     T = inverse (sum of u dy - (gs us + e gq uq)/m)
 *
 *     of dy: scale inverse (u - us/m) + (k - e scale inverse uq/m) xhat + l
 *     of x:  A (dy - gs/m) + B (u - us/m) + C xhat
 *     A = inverse (k - w uq),  B = 2 dvar/m - w gq inverse,
 *     C = w (inverse gq uq/m - T) - e A gq/m */
#include "ops/norm/batch_norm_second.h"

#include "ops/kernels/norm.h"

nm_status nm_batch_norm_second_infer(nm_infer *infer)
{
    const nm_batch_norm_options *o = infer->options;
    const int axis = nm_shape_axis(infer->in[NM_SECOND_X], o->axis);
    const nm_shape channels = {1, {infer->in[NM_SECOND_X]->dim[axis]}};
    for (int i = 0; i < NM_SECOND_OUTPUTS; i++) {
        infer->out[i] = i < NM_SECOND_DSCALE ? *infer->in[NM_SECOND_X] : channels;
    }
    return NM_OK;
}

/* ---- One pass over x and dy, one over x and u, one for the product of dy and u, and one that adds
 * u to dx; tile by tile together ---- */

enum { OF_DY, OF_U, PRODUCT, ADD_U, PASSES };

typedef struct second {
    const nm_run *run;
    double m, e;
    nm_channel_pass pass[PASSES];
} second;

static void load(const second *s, int input, double absent, int64_t begin, int64_t end, double *to)
{
    nm_channels_load(s->run->dtype, s->run->x[input], absent, begin, end, to);
}

/* gs and us need nothing; gq and uq do, as in batch_norm_grad: the loops see xhat + left. T goes to
 * where the sum of u dy was. */
static void correct_sums(const second *s, int64_t c)
{
    double *const *first = s->pass[OF_DY].sum, *const *other = s->pass[OF_U].sum;
    double *left = &first[2][c], *T = &s->pass[PRODUCT].sum[1][c];
    *left /= s->m;
    first[1][c] -= *left * first[0][c];
    other[1][c] -= *left * other[0][c];
    *T -= (first[0][c] * other[0][c] + s->e * first[1][c] * other[1][c]) / s->m;
    *T *= s->pass[OF_DY].inverse[c];
}

/* a, b and c hold scale inverse, k and l. */
static void set_ddy(const second *s, int64_t c)
{
    const nm_channel_pass *p = &s->pass[OF_U];
    p->b[c] -= s->e * p->a[c] * p->sum[1][c] / s->m;
    p->c[c] -= p->a[c] * p->sum[0][c] / s->m + p->b[c] * s->pass[OF_DY].sum[2][c];
}

/* a holds k, the other pass's a dvar. */
static void set_dx(const second *s, double scale, int64_t c)
{
    const nm_channel_pass *p = &s->pass[OF_DY], *add = &s->pass[ADD_U];
    const double inverse = p->inverse[c], w = s->e * scale * inverse / s->m;
    const double gs = p->sum[0][c], gq = p->sum[1][c], left = p->sum[2][c];
    const double us = s->pass[OF_U].sum[0][c], uq = s->pass[OF_U].sum[1][c];
    p->a[c] = inverse * (p->a[c] - w * uq);
    add->a[c] = 2 * add->a[c] / s->m - w * gq * inverse;
    p->b[c] =
        w * (inverse * gq * uq / s->m - s->pass[PRODUCT].sum[1][c]) - s->e * p->a[c] * gq / s->m;
    p->c[c] = -p->a[c] * gs / s->m - p->b[c] * left;
    add->b[c] = -add->a[c] * us / s->m;
}

/* Results of one number a channel. The sums of u are no longer needed. */
static void store_channels(const second *s, int64_t begin, int64_t end)
{
    void *const *y = s->run->y;
    const nm_dtype dtype = s->run->dtype;
    double *us = s->pass[OF_U].sum[0], *uq = s->pass[OF_U].sum[1];
    const double *inverse = s->pass[OF_U].inverse;
    for (int64_t c = begin; c < end; c++) {
        us[c] /= s->m;
        uq[c] = inverse[c] > 0 ? 2 * uq[c] / (s->m * inverse[c]) : 0;
    }
    nm_channels_store(dtype, s->pass[PRODUCT].sum[1], begin, end, y[NM_SECOND_DSCALE]);
    nm_channels_store(dtype, us, begin, end, y[NM_SECOND_DDMEAN]);
    nm_channels_store(dtype, uq, begin, end, y[NM_SECOND_DDVAR]);
}

static void finish_second(nm_channel_pass *p, int64_t begin, int64_t end)
{
    const second *s = p->arg;
    const nm_channel_pass *of_u = &s->pass[OF_U];
    load(s, NM_SECOND_SCALE, 1, begin, end, of_u->a);
    load(s, NM_SECOND_K, 0, begin, end, of_u->b);
    load(s, NM_SECOND_L, 0, begin, end, of_u->c);
    load(s, NM_SECOND_K, 0, begin, end, p->a);
    load(s, NM_SECOND_DVAR, 0, begin, end, s->pass[ADD_U].a);
    for (int64_t c = begin; c < end; c++) {
        const double scale = of_u->a[c];
        of_u->a[c] *= p->inverse[c];
        correct_sums(s, c);
        set_ddy(s, c);
        set_dx(s, scale, c);
    }
    store_channels(s, begin, end);
}

/* ---- Setting them up ---- */

static void describe(second *s)
{
    const void *const *x = s->run->x;
    void *dx = s->run->y[NM_SECOND_DX];
    nm_channel_pass *p = s->pass;
    const nm_shape *shape = nm_tensor_shape(s->run->in[NM_SECOND_X]);
    const nm_batch_norm_options *o = s->run->options;
    const nm_channel_pass all = {.context = s->run->context,
                                 .dtype = s->run->dtype,
                                 .view = nm_channels_of(shape, nm_shape_axis(shape, o->axis))};
    for (int i = 0; i < PASSES; i++) {
        p[i] = all;
        p[i].x = x[i == PRODUCT ? NM_SECOND_DY : i == ADD_U ? NM_SECOND_U : NM_SECOND_X];
        p[i].dy = x[i == OF_DY ? NM_SECOND_DY : NM_SECOND_U];
        p[i].gather = i == ADD_U ? NM_GATHER_NOTHING : NM_GATHER_PRODUCTS;
        p[i].apply = i == PRODUCT ? NM_APPLY_NOTHING
                     : i == ADD_U ? NM_APPLY_AFFINE
                                  : NM_APPLY_COMBINE;
        p[i].y = i == OF_U ? s->run->y[NM_SECOND_DDY] : dx;
        p[i].residual = i == ADD_U ? dx : NULL;
        p[i].also = i + 1 < PASSES ? &p[i + 1] : NULL;
    }
    p->finish = finish_second;
    p->arg = s;
    s->m = (double)(p->view.outer * p->view.inner);
    s->e = o->mean_only ? 0 : 1;
}

nm_status nm_batch_norm_second_forward(const nm_run *run)
{
    second s = {.run = run};
    nm_status status = NM_OK;
    int begun = 0;
    for (describe(&s); begun < PASSES && status == NM_OK; begun++) {
        status = nm_channel_pass_begin(&s.pass[begun]);
    }
    for (int i = OF_DY; status == NM_OK && i <= OF_U; i++) {
        load(&s, NM_SECOND_MEAN, 0, 0, s.pass[i].view.channels, s.pass[i].center);
        load(&s, NM_SECOND_INVERSE, 1, 0, s.pass[i].view.channels, s.pass[i].inverse);
    }
    if (status == NM_OK) {
        nm_channel_pass_run(s.pass);
    }
    for (int i = 0; i < begun; i++) {
        nm_channel_pass_end(&s.pass[i]);
    }
    return status;
}
