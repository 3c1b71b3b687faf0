/* What products with weights of 8 bits do for one instruction set; included once for each, after
 * NAME, TARGET, `unit` (what a rounded number of x is kept in), NEEDS, SHARE (multiply-adds worth a
 * thread), TILES and NAME(tile)(), which sums the rows and blocks of weights of a tile:
 *
 *     void NAME(tile)(const unit *x, int64_t depths, const int8_t *w, int rows, int blocks,
 *                     int32_t *sums)
 *
 * from x [rows, depths * 4] and w [blocks, depths, 16, 4] to sums [rows, blocks * 16]. TILES is a
 * list of TILE(rows, blocks), larger ones first, that ends with TILE(1, 1). */

/* ---- Rounding a row of x: promise 1 ---- */

/* By keys, whole numbers in the order of floats: what is not finite lies at their ends. */
TARGET static nm_i8_range NAME(find_range)(const float *x, int64_t k)
{
    int32_t least = 0, most = 0; /* of 0 */
    NM_PRAGMA(omp simd reduction(min : least) reduction(max : most))
    for (int64_t p = 0; p < k; p++) {
        const int32_t key = key_of(x[p]);
        least = key < least ? key : least;
        most = key > most ? key : most;
    }
    return range_of(least, most);
}

/* To q [nm_i8_depths(k) * 4]. */
TARGET static nm_i8_row NAME(round_row)(const float *x, int64_t k, void *q)
{
    unit *to = q;
    const nm_i8_range range = NAME(find_range)(x, k);
    const int64_t end = nm_i8_depths(k) * NM_I8_DEPTH;
    if (!(range.length >= FLAT && range.length <= FLT_MAX)) { /* all 0, or promise 3 */
        memset(to, 0, (size_t)end * sizeof *to);
        return (nm_i8_row){.scale = range.length < FLAT ? 0 : NAN};
    }
    const float factor = MOST / range.length;
    const int32_t zero = (int32_t)rintf(-range.least * factor);
    NM_SIMD for (int64_t p = 0; p < k; p++)
    {
        const int32_t number = (int32_t)rintf(x[p] * factor) + zero; /* not below 0 */
        to[p] = (unit)(number < MOST ? number : MOST);
    }
    memset(to + k, 0, (size_t)(end - k) * sizeof *to);
    return (nm_i8_row){.scale = range.length / MOST, .zero = zero};
}

/* ---- Numbers again: promise 2 ---- */

/* Outputs first..first+count-1 of a row from the sums of its tile. */
TARGET static void NAME(finish)(const nm_gemm_i8 *g, const nm_i8_row *row, const int32_t *sums,
                                int64_t first, int64_t count, float *y)
{
    const int32_t *of_weights = g->sums + first;
    const float *scale = g->scale + first, *bias = g->bias + first;
    const float floor = g->activation == NM_ACTIVATION_RELU ? 0 : -INFINITY;
    const nm_i8_row r = *row;
    NM_SIMD for (int64_t j = 0; j < count; j++)
    {
        const int32_t sum = sums[j] - r.zero * of_weights[j];
        const float value = __builtin_fmaf((float)sum, r.scale * scale[j], bias[j]);
        y[j] = value < floor ? floor : value; /* NaN stays */
    }
}

/* ---- The tiles ---- */

#define TILE(rows, blocks)                                                                         \
    TARGET static void NAME(tile_##rows##_##blocks)(const void *x, int64_t depths,                 \
                                                    const int8_t *w, int32_t *sums)                \
    {                                                                                              \
        NAME(tile)(x, depths, w, rows, blocks, sums);                                              \
    }
TILES
#undef TILE
#define TILE(rows, blocks) {rows, blocks, NAME(tile_##rows##_##blocks)},

static const nm_i8_loops NAME(loops) = {
    .needs = NEEDS,
    .item = sizeof(unit),
    .share = SHARE,
    .round_row = NAME(round_row),
    .finish = NAME(finish),
    .tiles = {TILES},
};

#undef TILE
#undef TILES
#undef NAME
#undef TARGET
#undef NEEDS
#undef SHARE
#undef unit
