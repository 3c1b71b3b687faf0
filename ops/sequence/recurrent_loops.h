/* The loops of recurrent_cells.c for one type; included once for each. A sequence's row of gates z
 * is, each part of `n` numbers, (i, f, g, o, c) of lstm and (r, z, h's share of n, n) of gru.
 * Products take the time, so what is but read, added and multiplied is compiled once. */

/* ---- Forward: h and c become the next state, which y gets too ---- */

static void NAME(lstm_forward)(const void *of_x, void *gates, void *state, void *cell, void *out,
                               int64_t n)
{
    real *z = gates, *h = state, *c = cell, *y = out;
    (void)of_x;
    NAME(nm_activate)(NM_ACTIVATION_SIGMOID, z, 2 * n);
    NAME(nm_activate)(NM_ACTIVATION_TANH, z + 2 * n, n);
    NAME(nm_activate)(NM_ACTIVATION_SIGMOID, z + 3 * n, n);
    NM_SIMD for (int64_t j = 0; j < n; j++)
    {
        c[j] = h[j] = z[4 * n + j] = z[n + j] * c[j] + z[j] * z[2 * n + j];
    }
    NAME(nm_activate)(NM_ACTIVATION_TANH, h, n);
    NM_SIMD for (int64_t j = 0; j < n; j++)
    {
        h[j] = y[j] = z[3 * n + j] * h[j];
    }
}

/* x: the input's shares of the gates. */
static void NAME(gru_forward)(const void *of_x, void *gates, void *state, void *cell, void *out,
                              int64_t n)
{
    const real *x = (const real *)of_x + 2 * n;
    real *z = gates, *h = state, *y = out;
    (void)cell;
    NAME(nm_activate)(NM_ACTIVATION_SIGMOID, z, 2 * n);
    NM_SIMD for (int64_t j = 0; j < n; j++)
    {
        z[3 * n + j] = x[j] + z[j] * z[2 * n + j];
    }
    NAME(nm_activate)(NM_ACTIVATION_TANH, z + 3 * n, n);
    NM_SIMD for (int64_t j = 0; j < n; j++)
    {
        const real next = z[3 * n + j];
        h[j] = y[j] = next + z[n + j] * (h[j] - next);
    }
}

/* ---- Backward ---- */

static void NAME(add_gradient)(const void *gradient, void *sum, int64_t n)
{
    const real *dy = gradient;
    real *dh = sum;
    NM_SIMD for (int64_t j = 0; j < n; j++)
    {
        dh[j] += dy[j];
    }
}

/* Of the state after a step: `t` is the tanh of its cell, `before` the cell before. dh is used up,
 * dc goes on to the cell before. */
static void NAME(lstm_slopes)(const real *z, const real *t, const real *before, real *dh, real *dc,
                              real *dz, int64_t n)
{
    NM_SIMD for (int64_t j = 0; j < n; j++)
    {
        const real i = z[j], f = z[n + j], g = z[2 * n + j], o = z[3 * n + j];
        const real d = dc[j] + dh[j] * o * (1 - t[j] * t[j]);
        dz[3 * n + j] = dh[j] * t[j] * o * (1 - o);
        dz[j] = d * g * i * (1 - i);
        dz[n + j] = d * before[j] * f * (1 - f);
        dz[2 * n + j] = d * i * (1 - g * g);
        dc[j] = d * f;
        dh[j] = 0;
    }
}

static void NAME(lstm_backward)(const void *gates, const void *before, void *dh, void *dc, void *dx,
                                void *t, int64_t n)
{
    memcpy(t, (const real *)gates + 4 * n, (size_t)n * sizeof(real));
    NAME(nm_activate)(NM_ACTIVATION_TANH, t, n);
    NAME(lstm_slopes)(gates, t, before, dh, dc, dx, n);
}

/* dx is the gradient of what x makes, dz that of what h makes; dh keeps what goes by them. */
static void NAME(gru_slopes)(const real *z, const real *before, real *dh, real *dx, real *dz,
                             int64_t n)
{
    NM_SIMD for (int64_t j = 0; j < n; j++)
    {
        const real r = z[j], u = z[n + j], next = z[3 * n + j];
        const real d = dh[j] * (1 - u) * (1 - next * next);
        dx[j] = dz[j] = d * z[2 * n + j] * r * (1 - r);
        dx[n + j] = dz[n + j] = dh[j] * (before[j] - next) * u * (1 - u);
        dx[2 * n + j] = d;
        dz[2 * n + j] = d * r;
        dh[j] *= u;
    }
}

static void NAME(gru_backward)(const void *gates, const void *before, void *dh, void *dz, void *dx,
                               void *none, int64_t n)
{
    (void)none;
    NAME(gru_slopes)(gates, before, dh, dx, dz, n);
}

const nm_recurrent_loops NAME(nm_recurrent_loops) = {{NAME(lstm_forward), NAME(gru_forward)},
                                                     {NAME(lstm_backward), NAME(gru_backward)},
                                                     NAME(add_gradient)};
