/* The loops of max_pool2d.c for one type; included once for each. */

/* Most windows are 2 by 2: all four values at once. */
NM_INLINE void NAME(window_of_four)(const real *x, int64_t row, int64_t c, int32_t place,
                                    int32_t below, real *y, int32_t *index)
{
    NM_SIMD for (int64_t i = 0; i < c; i++)
    {
        real largest = x[i];
        int32_t where = place;
        TAKE(x[c + i], place + 1);
        TAKE(x[row + i], below);
        TAKE(x[row + c + i], below + 1);
        y[i] = largest;
        index[i] = where;
    }
}

NM_INLINE void NAME(window)(const real *image, const nm_pool *p, nm_window w, real *y,
                            int32_t *index)
{
    for (int64_t i = w.top; i < w.bottom; i++) {
        for (int64_t j = w.left; j < w.right; j++) {
            const real *x = image + (i * p->w + j) * p->c;
            const int32_t place = (int32_t)(i * p->w + j);
            const bool first = i == w.top && j == w.left;
            NM_SIMD for (int64_t c = 0; c < p->c; c++)
            {
                real largest = first ? x[c] : y[c];
                int32_t where = first ? place : index[c];
                TAKE(x[c], place);
                y[c] = largest;
                index[c] = where;
            }
        }
    }
}

/* A window whose places stand apart. The shape rule has seen to it that one is in the image. */
static void NAME(window_apart)(const real *image, const nm_pool *p, int64_t row, int64_t column,
                               real *y, int32_t *index)
{
    bool first = true;
    for (int64_t k = 0; k < p->kernel[0] * p->kernel[1]; k++) {
        const int64_t i = row * p->stride[0] - p->padding[0] + k / p->kernel[1] * p->dilation[0];
        const int64_t j = column * p->stride[1] - p->padding[1] + k % p->kernel[1] * p->dilation[1];
        if (i < 0 || i >= p->h || j < 0 || j >= p->w) {
            continue;
        }
        const int32_t place = (int32_t)(i * p->w + j);
        const real *x = image + place * p->c;
        for (int64_t c = 0; c < p->c; c++) {
            real largest = first ? x[c] : y[c];
            int32_t where = first ? place : index[c];
            TAKE(x[c], place);
            y[c] = largest;
            index[c] = where;
        }
        first = false;
    }
}

/* One output row: windows side by side, channels innermost. */
KERNEL static void NAME(row)(const real *image, const nm_pool *p, int64_t row, real *y,
                             int32_t *index)
{
    for (int64_t column = 0; p->dilated && column < p->ow; column++) {
        NAME(window_apart)(image, p, row, column, y + column * p->c, index + column * p->c);
    }
    for (int64_t column = 0; !p->dilated && column < p->ow; column++, y += p->c, index += p->c) {
        const nm_window w = nm_pool_window(p, row, column);
        const int64_t place = w.top * p->w + w.left;
        if (w.bottom - w.top == 2 && w.right - w.left == 2) {
            NAME(window_of_four)
            (image + place * p->c, p->w * p->c, p->c, (int32_t)place, (int32_t)(place + p->w), y,
             index);
        } else {
            NAME(window)(image, p, w, y, index);
        }
    }
}

static void NAME(rows)(void *arg, int64_t begin, int64_t end)
{
    const work *t = arg;
    const nm_pool *p = &t->pool;
    for (int64_t row = begin; row < end; row++) {
        const int64_t at = row * p->ow * p->c;
        NAME(row)
        ((const real *)t->x + row / p->oh * p->h * p->w * p->c, p, row % p->oh, (real *)t->y + at,
         t->found + at);
    }
}

/* dx under a window. Returns how many values of dy found their place in it. */
NM_INLINE int32_t NAME(spread_of_four)(const real *dy, const int32_t *index, int64_t row,
                                       int64_t channels, int32_t place, int32_t below, real *dx)
{
    int32_t found = 0;
    NM_SIMD_SUM(found) for (int64_t c = 0; c < channels; c++)
    {
        const int32_t at = index[c];
        const real g = dy[c];
        dx[c] = at == place ? g : 0;
        dx[channels + c] = at == place + 1 ? g : 0;
        dx[row + c] = at == below ? g : 0;
        dx[row + channels + c] = at == below + 1 ? g : 0;
        found += (at == place) + (at == place + 1) + (at == below) + (at == below + 1);
    }
    return found;
}

NM_INLINE int32_t NAME(spread_window)(const real *dy, const int32_t *index, const nm_pool *p,
                                      int64_t top, int64_t left, real *image)
{
    int32_t found = 0;
    for (int64_t i = top; i < top + p->kernel[0]; i++) {
        for (int64_t j = left; j < left + p->kernel[1]; j++) {
            const int32_t place = (int32_t)(i * p->w + j);
            real *dx = image + place * p->c;
            NM_SIMD_SUM(found) for (int64_t c = 0; c < p->c; c++)
            {
                dx[c] = index[c] == place ? dy[c] : 0;
                found += index[c] == place;
            }
        }
    }
    return found;
}

/* Under one row of windows that do not overlap. */
KERNEL static int64_t NAME(spread_row)(const real *dy, const int32_t *index, const nm_pool *p,
                                       int64_t row, real *image)
{
    const int64_t top = row * p->kernel[0], bottom = top + p->kernel[0],
                  used = p->ow * p->kernel[1];
    int64_t found = 0;
    for (int64_t left = 0; left < used; left += p->kernel[1], dy += p->c, index += p->c) {
        const int64_t place = top * p->w + left;
        found += p->kernel[0] == 2 && p->kernel[1] == 2
                     ? NAME(spread_of_four)(dy, index, p->w * p->c, p->c, (int32_t)place,
                                            (int32_t)(place + p->w), image + place * p->c)
                     : NAME(spread_window)(dy, index, p, top, left, image);
    }
    for (int64_t i = top; used < p->w && i < bottom; i++) {
        memset(image + (i * p->w + used) * p->c, 0, (size_t)((p->w - used) * p->c) * sizeof(real));
    }
    return found;
}

static void NAME(spread)(void *arg, int64_t begin, int64_t end)
{
    work *t = arg;
    const nm_pool *p = &t->pool;
    const int64_t size = p->w * p->c, used = p->oh * p->kernel[0], count = p->ow * p->c;
    int64_t found = 0;
    for (int64_t row = begin; row < end; row++) {
        real *image = (real *)t->y + row / p->oh * p->h * size;
        found += NAME(spread_row)((const real *)t->x + row * count, t->index + row * count, p,
                                  row % p->oh, image);
        if (row % p->oh == 0) {
            memset(image + used * size, 0, (size_t)((p->h - used) * size) * sizeof(real));
        }
    }
    if (found != (end - begin) * count) {
        atomic_store(&t->elsewhere, true);
    }
}

/* dx of one image after the other: windows may overlap. */
static void NAME(scatter)(void *arg, int64_t begin, int64_t end)
{
    work *t = arg;
    const nm_pool *p = &t->pool;
    int64_t size = p->h * p->w * p->c, count = p->oh * p->ow * p->c;
    bool inside = check_range(t, begin * count, end * count);
    for (int64_t n = begin; inside && n < end; n++) {
        real *dx = (real *)t->y + n * size;
        const real *dy = (const real *)t->x + n * count;
        const int32_t *index = t->index + n * count;
        memset(dx, 0, (size_t)size * sizeof(real));
        for (int64_t i = 0; i < count; i += p->c) {
            for (int64_t c = 0; c < p->c; c++) {
                dx[index[i + c] * p->c + c] += dy[i + c];
            }
        }
    }
}

static void NAME(gather)(void *arg, int64_t begin, int64_t end)
{
    work *t = arg;
    const nm_pool *p = &t->pool;
    int64_t size = p->h * p->w * p->c, count = p->oh * p->ow * p->c;
    bool inside = check_range(t, begin * count, end * count);
    for (int64_t n = begin; inside && n < end; n++) {
        const real *x = (const real *)t->x + n * size;
        real *y = (real *)t->y + n * count;
        const int32_t *index = t->index + n * count;
        for (int64_t i = 0; i < count; i += p->c) {
            for (int64_t c = 0; c < p->c; c++) {
                y[i + c] = x[index[i + c] * p->c + c];
            }
        }
    }
}
