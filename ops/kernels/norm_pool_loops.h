/* The loops of norm_pool.c for one type; included once for each. */

KERNEL static void NAME(pool_row)(const nm_norm_pool *m, const real *x, int64_t place, real *y,
                                  real *picked, int32_t *index)
{
    const real *center = m->center, *a = m->a, *b = m->b;
    const int64_t c = m->c, row = m->w * c, end = place + 2 * m->ow;
    const int32_t width = (int32_t)m->w;
    for (; place < end; place += 2, x += 2 * c, y += c, picked += c, index += c) {
        const int32_t first = (int32_t)place;
        NM_SIMD for (int64_t i = 0; i < c; i++)
        {
            real largest = NORMALIZED(x[i]), value = x[i];
            int32_t where = first;
            TAKE(c + i, first + 1);
            TAKE(row + i, first + width);
            TAKE(row + c + i, first + width + 1);
            y[i] = largest;
            picked[i] = value;
            index[i] = where;
        }
    }
}

static void NAME(pool_rows)(void *arg, int64_t begin, int64_t end)
{
    const nm_norm_pool *m = arg;
    const int64_t count = m->ow * m->c;
    for (int64_t row = begin; row < end; row++) {
        const int64_t top = row % m->oh * 2 * m->w;
        const real *x = (const real *)m->x + (row / m->oh * m->h * m->w + top) * m->c;
        real *y = (real *)m->y + row * count;
        NAME(pool_row)(m, x, top, y, (real *)m->picked + row * count, m->found + row * count);
        NAME(nm_activate)(m->activation, y, count);
    }
}

/* dx under a row of windows; returns how many of dy found their place. */
KERNEL static int64_t NAME(spread_normed_row)(const nm_norm_pool *m, const real *x, int64_t place,
                                              const real *dy, const int32_t *index, real *dx)
{
    const real *center = m->center, *inverse = m->inverse, *a = m->a, *b = m->b, *d = m->d;
    const int64_t c = m->c, row = m->w * c, end = place + 2 * m->ow;
    const int32_t width = (int32_t)m->w;
    int64_t found = 0;
    for (; place < end; place += 2, x += 2 * c, dx += 2 * c, dy += c, index += c) {
        const int32_t first = (int32_t)place, below = first + width;
        int32_t here = 0;
        NM_SIMD_SUM(here) for (int64_t i = 0; i < c; i++)
        {
            const int32_t at = index[i];
            const real g = dy[i];
            dx[i] = COMBINED(x[i], at == first ? g : 0);
            dx[c + i] = COMBINED(x[c + i], at == first + 1 ? g : 0);
            dx[row + i] = COMBINED(x[row + i], at == below ? g : 0);
            dx[row + c + i] = COMBINED(x[row + c + i], at == below + 1 ? g : 0);
            here += (at == first) + (at == first + 1) + (at == below) + (at == below + 1);
        }
        found += here;
    }
    return found;
}

/* Places that are in no window, `count` of them side by side. */
KERNEL static void NAME(spread_nothing)(const nm_norm_pool *m, int64_t at, int64_t count)
{
    const real *center = m->center, *inverse = m->inverse, *b = m->b, *a = m->a, *d = m->d;
    const real *x = (const real *)m->x + at * m->c;
    real *dx = (real *)m->dx + at * m->c;
    for (; count > 0; count--, x += m->c, dx += m->c) {
        NM_SIMD for (int64_t i = 0; i < m->c; i++)
        {
            dx[i] = COMBINED(x[i], 0);
        }
    }
}

static void NAME(spread_rows)(void *arg, int64_t begin, int64_t end)
{
    nm_norm_pool *m = arg;
    const int64_t count = m->ow * m->c, rest = m->w - 2 * m->ow;
    int64_t found = 0;
    for (int64_t row = begin; row < end; row++) {
        const int64_t top = row % m->oh * 2 * m->w, at = row / m->oh * m->h * m->w + top;
        found += NAME(spread_normed_row)(m, (const real *)m->x + at * m->c, top,
                                         (const real *)m->dy + row * count, m->index + row * count,
                                         (real *)m->dx + at * m->c);
        NAME(spread_nothing)(m, at + m->w - rest, rest);
        NAME(spread_nothing)(m, at + 2 * m->w - rest, rest);
        if (row % m->oh == m->oh - 1) {
            NAME(spread_nothing)(m, at + 2 * m->w, (m->h - 2 * m->oh) * m->w);
        }
    }
    if (found != (end - begin) * count) {
        atomic_store(&m->outside, true);
    }
}

/* x at the places of the index, as far as they are in the image. */
static void NAME(pick)(const nm_norm_pool *m, int64_t windows, real *picked)
{
    const int64_t size = m->h * m->w, per_image = m->oh * m->ow;
    for (int64_t i = 0; i < windows * m->c; i++) {
        const int64_t image = i / m->c / per_image, place = m->index[i];
        const bool inside = place >= 0 && place < size;
        picked[i] = inside ? ((const real *)m->x)[(image * size + place) * m->c + i % m->c] : 0;
    }
}
