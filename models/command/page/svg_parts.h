/* What the files that write SVG share. */
#ifndef NM_MODELS_COMMAND_PAGE_SVG_PARTS_H
#define NM_MODELS_COMMAND_PAGE_SVG_PARTS_H

#include <stdio.h>

#include "models/command/page/scale.h"

/* A figure on its way. Lengths are units of the picture, which is SVG_WIDTH of them wide. */
typedef struct drawing {
    FILE *to;
    const figure *f;
    int number;        /* of the figure, in ids */
    double shift;      /* of the whole, downwards */
    scale x, y, value; /* `value`: of a heat map */
    ticks across, up;
    bool turned; /* the names below the axis */
    double left, top, width, height;
} drawing;

#define SVG_WIDTH 520.0
/* Seven colours and dashes. */
#define SVG_STYLES 7

/* Where a value stands; NaN: nowhere. */
double svg_x(const drawing *d, double value);
double svg_y(const drawing *d, double value);

/* All series, or the heat map. */
void svg_marks(const drawing *d);
/* The path of a point of that style, around the pen. */
const char *svg_shape(int style);
/* Around the marks of a series: those beyond the styles there are begin again with the first, as
 * heavy dots instead of lines, and as outlines of points. */
const char *svg_round_begin(int series);
const char *svg_round_end(int series);
/* How strong the colour of a heat map's value is, 0 to 15; -1: it is left out. */
int svg_strength(const drawing *d, double value);

#endif
