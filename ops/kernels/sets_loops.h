/* The loops of ops/kernels/sets.c for one type; it includes this once for each, with `real`, KERNEL
 * and NAME(f) defined. There is no include guard.
 *
 * A set is gone over in stretches, along which a parameter either stays or goes along: for layer
 * norm there is one. What is weighted takes the careful loops, in double. */

#define PIECES(at, end, n)                                                                         \
    for (int64_t at = 0, end; end = n - at < PIECE ? n : at + PIECE, at < n; at = end)

/* ---- Moments: promise 1 ---- */

NM_INLINE double NAME(sum_of)(const real *x, int64_t n, real center)
{
    double total = 0;
    PIECES(at, end, n)
    {
        real sum = 0;
        NM_SIMD_SUM(sum) for (int64_t i = at; i < end; i++)
        {
            sum += x[i] - center;
        }
        total += (double)sum;
    }
    return total;
}

NM_INLINE void NAME(add_squares)(const real *x, int64_t n, real center, double *squares,
                                 double *left)
{
    PIECES(at, end, n)
    {
        real square = 0, sum = 0;
        NM_SIMD_SUM(square, sum) for (int64_t i = at; i < end; i++)
        {
            const real d = x[i] - center;
            square += d * d;
            sum += d;
        }
        *squares += (double)square;
        *left += (double)sum;
    }
}

/* The first element that counts, as a center to begin with; `length` if none does. */
static int64_t NAME(first_of)(const nm_sets *s, const real *w)
{
    int64_t i = 0;
    while (w && i < s->length && w[i] == 0) {
        i++;
    }
    return i;
}

/* In double, with weights or without: promises 2 and 4. */
static moments NAME(careful_moments)(const nm_sets *s, const real *x, const real *w)
{
    const int64_t first = NAME(first_of)(s, w);
    double mass = 0, sum = 0, squares = 0, left = 0;
    if (first == s->length) {
        return (moments){0, 0, 0};
    }
    const double origin = (double)x[first];
    for (int64_t i = first; i < s->length; i++) {
        const double weight = w ? (double)w[i] : 1;
        mass += weight;
        sum += weight != 0 ? weight * ((double)x[i] - origin) : 0;
    }
    const double center = s->centered ? origin + sum / mass : 0;
    for (int64_t i = first; i < s->length; i++) {
        const double weight = w ? (double)w[i] : 1, d = (double)x[i] - center;
        squares += weight != 0 ? weight * d * d : 0;
        left += weight != 0 ? weight * d : 0;
    }
    left = s->centered ? left / mass : 0;
    squares -= mass * left * left;
    mass = s->summed ? 1 : mass;
    return (moments){mass, center + left, (squares < 0 ? 0 : squares) / mass};
}

NM_INLINE moments NAME(moments_of)(const nm_sets *s, const real *x, const real *w)
{
    const double n = (double)s->length, mass = s->summed ? 1 : n;
    double squares = 0, left = 0;
    if (w || s->length == 0) {
        return NAME(careful_moments)(s, x, w);
    }
    const real center =
        s->centered ? (real)((double)x[0] + NAME(sum_of)(x, s->length, x[0]) / n) : (real)0;
    NAME(add_squares)(x, s->length, center, &squares, &left);
    left = s->centered ? left / n : 0;
    if (!(squares > 1e-30 && squares < 1e36)) {
        return NAME(careful_moments)(s, x, NULL);
    }
    squares -= n * left * left;
    return (moments){mass, (double)center + left, (squares < 0 ? 0 : squares) / mass};
}

/* ---- Forward ---- */

/* A parameter's elements at a place; `other` where there is none. */
NM_INLINE const real *NAME(elements_at)(const nm_pattern *p, place at, const real *other)
{
    return p->at ? (const real *)p->at + at.index : other;
}

NM_INLINE void NAME(scale_and_shift)(const real *x, real *y, int64_t n, const coefficients *k,
                                     const real *scale, int along, const real *shift, int also)
{
    const real center = (real)k->center, inverse = (real)k->inverse, lost = (real)k->lost;
    NM_SIMD for (int64_t i = 0; i < n; i++)
    {
        y[i] = ((x[i] - center) * inverse + lost) * scale[i * along] + shift[i * also];
    }
}

NM_INLINE void NAME(apply)(const nm_sets *s, int64_t first, const coefficients *k, real *y)
{
    const real *x = (const real *)s->x + first, one = 1, zero = 0;
    for (int64_t at = 0, n; at < s->length; at += n) {
        n = s->length - at;
        const place a = place_of(&s->scale, first + at, &n),
                    b = place_of(&s->shift, first + at, &n);
        const real *scale = NAME(elements_at)(&s->scale, a, &one);
        const real *shift = NAME(elements_at)(&s->shift, b, &zero);
        if (a.step && b.step) {
            NAME(scale_and_shift)(x + at, y + at, n, k, scale, 1, shift, 1);
        } else if (a.step) {
            NAME(scale_and_shift)(x + at, y + at, n, k, scale, 1, shift, 0);
        } else if (b.step) {
            NAME(scale_and_shift)(x + at, y + at, n, k, scale, 0, shift, 1);
        } else {
            NAME(scale_and_shift)(x + at, y + at, n, k, scale, 0, shift, 0);
        }
    }
}

KERNEL static void NAME(forward_sets)(void *arg, int64_t begin, int64_t end)
{
    const forward *f = arg;
    const nm_sets *s = f->sets;
    const bool given = f->given_mean || f->given_var;
    for (int64_t i = begin; i < end; i++) {
        const int64_t first = i * s->length;
        const real *w = s->weight ? (const real *)s->weight + first : NULL;
        const moments m =
            given ? (moments){1, NUMBER(f->given_mean, i, 0), NUMBER(f->given_var, i, 1)}
                  : NAME(moments_of)(s, (const real *)s->x + first, w);
        const double inverse = inverse_of(s, &m);
        const real center = (real)m.mean;
        ((real *)f->mean)[i] = center;
        ((real *)f->var)[i] = (real)m.var;
        ((real *)f->inverse)[i] = (real)inverse;
        const coefficients k = {(double)center, inverse, (m.mean - (double)center) * -inverse};
        if (f->y) {
            NAME(apply)(s, first, &k, (real *)f->y + first);
        }
    }
}

/* ---- Backward: sums over a set, and dx ---- */

NM_INLINE void NAME(add_products)(const real *x, const real *dy, int64_t n, const coefficients *k,
                                  const real *scale, int along, double totals[3])
{
    const real center = (real)k->center, inverse = (real)k->inverse;
    PIECES(at, end, n)
    {
        real sum = 0, product = 0, all = 0;
        NM_SIMD_SUM(sum, product, all) for (int64_t i = at; i < end; i++)
        {
            const real d = dy[i] * scale[i * along], xs = (x[i] - center) * inverse;
            sum += d;
            product += d * xs;
            all += xs;
        }
        totals[0] += (double)sum;
        totals[1] += (double)product;
        totals[2] += (double)all;
    }
}

/* The same with weights, returning their sum: promise 4. */
static double NAME(add_careful_products)(const real *x, const real *dy, const real *w, int64_t n,
                                         const coefficients *k, const real *scale, int along,
                                         double totals[3])
{
    double mass = 0;
    for (int64_t i = 0; i < n; i++) {
        const double d = (double)dy[i] * (double)scale[i * along];
        const double xs = ((double)x[i] - k->center) * k->inverse;
        mass += (double)w[i];
        totals[0] += d;
        totals[1] += d != 0 ? d * xs : 0;
        totals[2] += w[i] != 0 ? (double)w[i] * xs : 0;
    }
    return mass;
}

NM_INLINE void NAME(combine)(const real *x, const real *dy, const real *w, real *dx, int64_t n,
                             const coefficients *k, const real *scale, int along,
                             const combination *with)
{
    const real center = (real)k->center, inverse = (real)k->inverse;
    const real a = (real)with->a, b = (real)with->b, c = (real)with->c;
    NM_SIMD for (int64_t i = 0; i < n; i++)
    {
        const real rest = b * ((x[i] - center) * inverse) + c;
        dx[i] = a * (dy[i] * scale[i * along]) + (!w ? rest : w[i] == 0 ? 0 : w[i] * rest);
    }
}

/* Adds a set's products to `totals`; returns its mass. */
NM_INLINE double NAME(products_of)(const backward *b, int64_t first, const coefficients *k,
                                   double totals[3])
{
    const nm_sets *s = b->sets;
    const real *x = (const real *)s->x + first, *dy = (const real *)b->g->dy + first, one = 1;
    double mass = s->weight ? 0 : (double)s->length;
    for (int64_t at = 0, n; at < s->length; at += n) {
        n = s->length - at;
        const place a = place_of(&s->scale, first + at, &n);
        const real *scale = NAME(elements_at)(&s->scale, a, &one);
        if (s->weight) {
            const real *w = (const real *)s->weight + first + at;
            mass += NAME(add_careful_products)(x + at, dy + at, w, n, k, scale, a.step, totals);
        } else if (a.step) {
            NAME(add_products)(x + at, dy + at, n, k, scale, 1, totals);
        } else {
            NAME(add_products)(x + at, dy + at, n, k, scale, 0, totals);
        }
    }
    return s->summed && mass > 0 ? 1 : mass;
}

NM_INLINE void NAME(combine_set)(const backward *b, int64_t first, const coefficients *k,
                                 const combination *with)
{
    const nm_sets *s = b->sets;
    const real *x = (const real *)s->x + first, *dy = (const real *)b->g->dy + first, one = 1;
    real *dx = (real *)b->g->dx + first;
    for (int64_t at = 0, n; at < s->length; at += n) {
        n = s->length - at;
        const place a = place_of(&s->scale, first + at, &n);
        const real *scale = NAME(elements_at)(&s->scale, a, &one);
        if (s->weight) {
            const real *w = (const real *)s->weight + first + at;
            NAME(combine)(x + at, dy + at, w, dx + at, n, k, scale, a.step, with);
        } else if (a.step) {
            NAME(combine)(x + at, dy + at, NULL, dx + at, n, k, scale, 1, with);
        } else {
            NAME(combine)(x + at, dy + at, NULL, dx + at, n, k, scale, 0, with);
        }
    }
}

/* ---- Backward: the parameters' sums ---- */

NM_INLINE void NAME(add_each)(const real *x, const real *dy, int64_t n, const coefficients *k,
                              double *scale, double *shift)
{
    const real center = (real)k->center, inverse = (real)k->inverse, left = (real)k->lost;
    NM_SIMD for (int64_t i = 0; i < n; i++)
    {
        const real d = dy[i];
        scale[i] += d != 0 ? (double)(d * ((x[i] - center) * inverse - left)) : 0;
        shift[i] += (double)d;
    }
}

/* Those where only one goes along: a scale without a shift, say. */
NM_INLINE void NAME(add_to_scale)(const real *x, const real *dy, int64_t n, const coefficients *k,
                                  double *to, int along)
{
    const real center = (real)k->center, inverse = (real)k->inverse, left = (real)k->lost, one = 1;
    double totals[3] = {0};
    if (!along) {
        NAME(add_products)(x, dy, n, k, &one, 0, totals);
        *to += totals[1] - k->lost * totals[0];
        return;
    }
    NM_SIMD for (int64_t i = 0; i < n; i++)
    {
        const real d = dy[i];
        to[i] += d != 0 ? (double)(d * ((x[i] - center) * inverse - left)) : 0;
    }
}

NM_INLINE void NAME(add_to_shift)(const real *dy, int64_t n, double *to, int along)
{
    if (!along) {
        *to += NAME(sum_of)(dy, n, 0);
        return;
    }
    NM_SIMD for (int64_t i = 0; i < n; i++)
    {
        to[i] += (double)dy[i];
    }
}

NM_INLINE void NAME(add_parameters)(const backward *b, int64_t chunk, int64_t first,
                                    const coefficients *k)
{
    const nm_sets *s = b->sets;
    const real *x = (const real *)s->x + first, *dy = (const real *)b->g->dy + first;
    double *scales = b->scale.at + (b->scale.apart ? 0 : chunk * b->scale.pattern.count);
    double *shifts = b->shift.at + (b->shift.apart ? 0 : chunk * b->shift.pattern.count);
    for (int64_t at = 0, n; at < s->length; at += n) {
        n = s->length - at;
        const place p = place_of(&b->scale.pattern, first + at, &n);
        const place q = place_of(&b->shift.pattern, first + at, &n);
        if (p.step && q.step) {
            NAME(add_each)(x + at, dy + at, n, k, scales + p.index, shifts + q.index);
        } else {
            NAME(add_to_scale)(x + at, dy + at, n, k, scales + p.index, p.step);
            NAME(add_to_shift)(dy + at, n, shifts + q.index, q.step);
        }
    }
}

/* Without parameters, the sums of a set are at hand. */
NM_INLINE void NAME(backward_set)(const backward *b, int64_t chunk, int64_t i)
{
    const nm_sets_gradient *g = b->g;
    const int64_t first = i * b->sets->length;
    coefficients k = {NUMBER(g->mean, i, 0), NUMBER(g->inverse, i, 1), 0};
    double totals[3] = {0};
    const double mass = NAME(products_of)(b, first, &k, totals);
    const combination with =
        combine_of(b, mass, k.inverse, NUMBER(g->dmean, i, 0), NUMBER(g->dvar, i, 0), totals);
    NAME(combine_set)(b, first, &k, &with);
    if (!b->sets->scale.at && !b->sets->shift.at) {
        b->scale.at[i] = totals[1];
        b->shift.at[i] = totals[0];
        return;
    }
    k.lost = with.left;
    NAME(add_parameters)(b, chunk, first, &k);
}

KERNEL static void NAME(backward_chunks)(void *arg, int64_t begin, int64_t end)
{
    const backward *b = arg;
    const int64_t sets = b->sets->sets;
    for (int64_t chunk = begin; chunk < end; chunk++) {
        const int64_t last = (chunk + 1) * sets / b->chunks;
        for (int64_t i = chunk * sets / b->chunks; i < last; i++) {
            NAME(backward_set)(b, chunk, i);
        }
    }
}

#undef PIECES
