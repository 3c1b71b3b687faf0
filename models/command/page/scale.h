/* From values to places on an axis, and which of them are marked. */
#ifndef NM_MODELS_COMMAND_PAGE_SCALE_H
#define NM_MODELS_COMMAND_PAGE_SCALE_H

#include "models/command/page/figure.h"

/* The ends are finite and apart, whatever the data are. */
typedef struct scale {
    bool logarithmic, whole;
    double low, high; /* of a logarithmic one their logarithms to base 10 */
} scale;

#define MOST_TICKS 33 /* one more than are ever asked for */
typedef struct ticks {
    int count;
    double at[MOST_TICKS]; /* values */
    char text[MOST_TICKS][FIGURE_NUMBER];
} ticks;

/* Of both axes of a figure, over all that can be drawn of it. */
void scales_of(const figure *f, scale *x, scale *y);
/* Of a heat map's values. */
scale scale_of_grid(const figure_grid *grid);
/* Over values from `low` to `high` (low > high: there are none), unless the axis says itself. */
scale scale_over(const figure_axis *axis, double low, double high);

/* 0 at the low end, 1 at the high one, beyond for what lies beyond; NaN for what has no place. */
double scale_place(const scale *s, double value);
/* The other way round. */
double scale_value(const scale *s, double place);

/* At most `most` round values between the ends, rising; texts differ. With names: of those places;
 * with marks: of those that are no closer than that. */
ticks ticks_of(const scale *s, const figure_axis *axis, int most);

#endif
