/* Tiles of direct.h, for one type and instruction set: `real`, LANES of them in a vector,
 * functions that are WIDE. No include guard: once for each. */
#include "core/inline.h"
#include "ops/kernels/direct.h"

typedef real NAME(tile_vector) __attribute__((vector_size(LANES * sizeof(real))));

/* Unrolled, so that the sums are registers. */
#define EACH_SUM(p, ...)                                                                           \
    NM_UNROLL(8) for (int p = 0; p < places; p++)                                                  \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }

NM_INLINE void NAME(tile)(const nm_strip *s, const char *x_row, const char *w_row, const char *from,
                          char *y, int places, bool each)
{
    NAME(tile_vector) sums[8], tap, under;
    EACH_SUM(p, memcpy(&sums[p], from + p * s->from_place, sizeof tap))
    for (int64_t i = s->rows; i > 0; i--, x_row += s->x_row, w_row += s->w_row) {
        const char *x = x_row, *w = w_row;
        for (int64_t j = s->columns; j > 0; j--, x += s->x_column, w += s->w_column) {
            if (each) {
                memcpy(&tap, w, sizeof tap);
                EACH_SUM(p, memcpy(&under, x + p * s->x_place, sizeof tap); sums[p] += under * tap)
            }
            const char *weights = w;
            for (int64_t d = 0; !each && d < s->depth; d += (int64_t)sizeof(real)) {
                memcpy(&tap, weights, sizeof tap);
                weights += s->w_depth;
                EACH_SUM(p, real number; memcpy(&number, x + p * s->x_place + d, sizeof number);
                         sums[p] += number * tap)
            }
        }
    }
    EACH_SUM(p, memcpy(y + p * s->y_place, &sums[p], sizeof tap))
}

#define TILE(places, kind, each)                                                                   \
    WIDE static void NAME(kind##_##places)(const nm_strip *s, const char *x, const char *w,        \
                                           const char *from, char *y)                              \
    {                                                                                              \
        NAME(tile)(s, x, w, from, y, places, each);                                                \
    }
TILE(1, depthwise, true)
TILE(3, depthwise, true)
#if LANES > 1
TILE(8, depthwise, true)
TILE(1, direct, false)
TILE(4, direct, false)
TILE(8, direct, false)
#endif
#undef TILE
