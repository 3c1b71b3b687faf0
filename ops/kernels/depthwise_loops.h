/* Tiles of depthwise.h, for one type and instruction set: `real`, LANES of them in a vector,
 * functions that are WIDE. No include guard: once for each. */
#include "core/inline.h"
#include "ops/kernels/depthwise.h"

typedef real NAME(tile_vector) __attribute__((vector_size(LANES * sizeof(real))));

/* Unrolled, so that the sums are registers. */
#define EACH_SUM(p, ...)                                                                           \
    _Pragma("GCC unroll 8") for (int p = 0; p < places; p++)                                       \
    {                                                                                              \
        __VA_ARGS__;                                                                               \
    }

NM_INLINE void NAME(tile)(const nm_strip *s, const char *x_row, const char *w_row, const char *from,
                          char *y, int places)
{
    NAME(tile_vector) sums[8], tap, under;
    EACH_SUM(p, memcpy(&sums[p], from + p * s->from_place, sizeof tap))
    for (int64_t i = s->rows; i > 0; i--, x_row += s->x_row, w_row += s->w_row) {
        const char *x = x_row, *w = w_row;
        for (int64_t j = s->columns; j > 0; j--, x += s->x_column, w += s->w_column) {
            memcpy(&tap, w, sizeof tap);
            EACH_SUM(p, memcpy(&under, x + p * s->x_place, sizeof tap); sums[p] += under * tap)
        }
    }
    EACH_SUM(p, memcpy(y + p * s->y_place, &sums[p], sizeof tap))
}

#define TILE(places)                                                                               \
    WIDE static void NAME(tile_##places)(const nm_strip *s, const char *x, const char *w,          \
                                         const char *from, char *y)                                \
    {                                                                                              \
        NAME(tile)(s, x, w, from, y, places);                                                      \
    }
TILE(1)
TILE(3)
#if LANES > 1
TILE(8)
#endif
#undef TILE
