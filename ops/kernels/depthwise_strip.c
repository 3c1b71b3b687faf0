#include <string.h>

#include "ops/kernels/depthwise.h"

#define LANES 1
#define WIDE
#include "ops/kernels/of_float.h"
#include "ops/kernels/depthwise_loops.h"
#include "ops/kernels/of_double.h"
#include "ops/kernels/depthwise_loops.h"

const nm_tiles nm_tiles_f32 = {1, {3, 1, 1}, {tile_3_f32, tile_1_f32, tile_1_f32}};
const nm_tiles nm_tiles_f64 = {1, {3, 1, 1}, {tile_3_f64, tile_1_f64, tile_1_f64}};

void nm_strip_run(const nm_strip *s, const nm_tiles *tiles, int64_t first, int64_t last)
{
    const int64_t end = s->channels - tiles->lanes, y_end = s->room - tiles->lanes;
    for (int64_t channel = first; channel < last; channel += tiles->lanes) {
        const int64_t at = (channel < end ? channel : end) * s->item;
        const int64_t to = (channel < y_end ? channel : y_end) * s->item;
        const char *x = s->x + at, *from = s->from + to;
        char *y = s->y + to;
        for (int64_t left = s->places, done; left > 0; left -= done) {
            const int i = left >= tiles->places[0] ? 0 : left >= tiles->places[1] ? 1 : 2;
            done = tiles->places[i];
            tiles->run[i](s, x, s->w + at, from, y);
            x += done * s->x_place, from += done * s->from_place, y += done * s->y_place;
        }
    }
}
