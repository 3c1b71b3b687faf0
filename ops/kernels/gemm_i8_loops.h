/* What products with weights of 8 bits do for one instruction set; included once for each, after
 * NAME, TARGET, `unit` (what a rounded number of x is kept in), NEEDS, SHARE (multiply-adds worth a
 * thread), FINISH, TILES and three functions:
 *
 *     nm_i8_range NAME(find_range)(const float *x, int64_t k): by range_of()
 *
 *     void NAME(round)(const float *x, int64_t k, float factor, int32_t zero, unit *to): each
 *     number of x times the factor, to the nearest, ties to even, and zero more, at most MOST. What
 *     it writes behind them, up to a multiple of UNITS, meets weights of 0
 *
 *     void NAME(tile)(const unit *x, int64_t stride, int64_t depths, const int8_t *w, int rows, int
 *     blocks, int32_t *sums): sums [rows, blocks * 16] of rows of x, `stride` units apart, and of w
 *     [blocks, depths, 16, 4]. TILES is a list of TILE(rows, blocks), larger ones first, that ends
 *     with TILE(1, 1). */

/* ---- Rounding a row of x: promise 1 ---- */

TARGET static nm_i8_row NAME(round_row)(const float *x, int64_t k, void *to)
{
    const nm_i8_range range = NAME(find_range)(x, k);
    if (!(range.length >= FLAT && range.length <= FLT_MAX)) { /* all 0, or promise 3 */
        memset(to, 0, (size_t)stride_of(k) * sizeof(unit));
        return (nm_i8_row){.scale = range.length < FLAT ? 0 : NAN};
    }
    const float factor = MOST / range.length;
    const int32_t zero = (int32_t)rintf(-range.least * factor);
    NAME(round)(x, k, factor, zero, to);
    return (nm_i8_row){.scale = range.length / MOST, .zero = zero};
}

/* ---- The tiles ---- */

#define TILE(rows, blocks)                                                                         \
    TARGET static void NAME(tile_##rows##_##blocks)(const void *x, int64_t stride, int64_t depths, \
                                                    const int8_t *w, int32_t *sums)                \
    {                                                                                              \
        NAME(tile)(x, stride, depths, w, rows, blocks, sums);                                      \
    }
TILES
#undef TILE
#define TILE(rows, blocks) {rows, blocks, NAME(tile_##rows##_##blocks)},

static const nm_i8_loops NAME(loops) = {
    .needs = NEEDS,
    .item = sizeof(unit),
    .share = SHARE,
    .round_row = NAME(round_row),
    .finish = FINISH,
    .tiles = {TILES},
};

#undef TILE
#undef TILES
#undef NAME
#undef TARGET
#undef NEEDS
#undef SHARE
#undef FINISH
#undef unit
