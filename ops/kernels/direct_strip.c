#include <string.h>

#include "ops/kernels/direct.h"

#define LANES 1
#define WIDE
#include "ops/kernels/of_float.h"
#include "ops/kernels/direct_loops.h"
#include "ops/kernels/of_double.h"
#include "ops/kernels/direct_loops.h"

#define PLAIN(type)                                                                                \
    {                                                                                              \
        .lanes = LANES, .places = {3, 1, 1}, .depthwise = {                                        \
            depthwise_3_##type,                                                                    \
            depthwise_1_##type,                                                                    \
            depthwise_1_##type                                                                     \
        }                                                                                          \
    }
const nm_tiles nm_tiles_f32 = PLAIN(f32), nm_tiles_f64 = PLAIN(f64);

/* The tile for what is left: the largest it fills; or, where the same may be computed again, one
 * that goes over some of the places before. */
static int choose_tile(const int size[3], int64_t left, int64_t places, bool again)
{
    int i = 0;
    while (size[i] > left && !(again && places >= size[i] && left > size[i + 1])) {
        i++;
    }
    return i;
}

void nm_strip_run(const nm_strip *s, const nm_tiles *tiles, int64_t first, int64_t last)
{
    const nm_tile_fn *run = s->depth ? tiles->direct : tiles->depthwise;
    const int *size = s->depth ? tiles->direct_places : tiles->places;
    const int64_t end = s->channels - tiles->lanes, y_end = s->room - tiles->lanes;
    for (int64_t channel = first; channel < last; channel += tiles->lanes) {
        const int64_t at = (channel < end ? channel : end) * s->item;
        const int64_t to = (channel < y_end ? channel : y_end) * s->item;
        const char *x = s->x + (s->depth ? 0 : at), *w = s->w + at, *from = s->from + to;
        char *y = s->y + to;
        for (int64_t left = s->places; left > 0;) {
            const int i = choose_tile(size, left, s->places, s->from != s->y);
            const int64_t place = s->places - (left > size[i] ? left : size[i]);
            run[i](s, x + place * s->x_place, w, from + place * s->from_place,
                   y + place * s->y_place);
            left -= size[i];
        }
    }
}
