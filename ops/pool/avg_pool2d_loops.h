/* The loops of avg_pool2d.c for one type; included once for each. */

KERNEL static void NAME(mean)(const real *image, const nm_pool *p, nm_window w, real *y)
{
    memset(y, 0, (size_t)p->c * sizeof(real));
    for (int64_t i = w.top; i < w.bottom; i++) {
        for (int64_t j = w.left; j < w.right; j++) {
            const real *x = image + (i * p->w + j) * p->c;
            NM_SIMD for (int64_t c = 0; c < p->c; c++)
            {
                y[c] += x[c];
            }
        }
    }
    const real places = (real)w.places;
    NM_SIMD for (int64_t c = 0; c < p->c; c++)
    {
        y[c] /= places;
    }
}

KERNEL static void NAME(spread)(real *image, const nm_pool *p, nm_window w, const real *dy)
{
    const real places = (real)w.places;
    for (int64_t i = w.top; i < w.bottom; i++) {
        for (int64_t j = w.left; j < w.right; j++) {
            real *dx = image + (i * p->w + j) * p->c;
            NM_SIMD for (int64_t c = 0; c < p->c; c++)
            {
                dx[c] += dy[c] / places;
            }
        }
    }
}

static void NAME(forward)(void *arg, int64_t begin, int64_t end)
{
    const work *t = arg;
    const nm_pool *p = &t->pool;
    for (int64_t row = begin; row < end; row++) {
        const real *image = (const real *)t->x + row / p->oh * p->h * p->w * p->c;
        for (int64_t column = 0; column < p->ow; column++) {
            NAME(mean)
            (image, p, nm_pool_window(p, row % p->oh, column),
             (real *)t->y + (row * p->ow + column) * p->c);
        }
    }
}

/* dx of one image after the other: windows may overlap. */
static void NAME(backward)(void *arg, int64_t begin, int64_t end)
{
    const work *t = arg;
    const nm_pool *p = &t->pool;
    int64_t size = p->h * p->w * p->c;
    for (int64_t n = begin; n < end; n++) {
        real *image = (real *)t->y + n * size;
        memset(image, 0, (size_t)size * sizeof(real));
        for (int64_t i = 0; i < p->oh * p->ow; i++) {
            NAME(spread)
            (image, p, nm_pool_window(p, i / p->ow, i % p->ow),
             (const real *)t->x + (n * p->oh * p->ow + i) * p->c);
        }
    }
}
