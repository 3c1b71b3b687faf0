#include "ops/reduce/axes.h"

#include <stdio.h>

int nm_axis_of(const nm_shape *shape, int64_t axis)
{
    const bool number = shape->rank == 0 && (axis == 0 || axis == -1);
    return number ? 0 : nm_shape_axis(shape, axis);
}

const char *nm_axes_gone(const nm_ints *axes, const nm_shape *shape, unsigned *gone,
                         char text[NM_AXES_TEXT])
{
    char shape_text[NM_SHAPE_TEXT];
    *gone = axes->count ? 0 : ~0u;
    for (int i = 0; i < axes->count; i++) {
        const int axis = nm_axis_of(shape, axes->at[i]);
        if (axis < 0) {
            snprintf(text, NM_AXES_TEXT, "x %s has no axis %lld", nm_shape_text(shape, shape_text),
                     (long long)axes->at[i]);
            return text;
        }
        if (*gone >> axis & 1) {
            snprintf(text, NM_AXES_TEXT, "axis %lld is given twice", (long long)axes->at[i]);
            return text;
        }
        *gone |= 1u << axis;
    }
    return NULL;
}

nm_shape nm_axes_kept(const nm_shape *shape, unsigned gone)
{
    nm_shape kept = *shape;
    for (int d = 0; d < shape->rank; d++) {
        kept.dim[d] = gone >> d & 1 ? 1 : shape->dim[d];
    }
    return kept;
}

nm_shape nm_axes_left(const nm_shape *shape, unsigned gone)
{
    nm_shape left = {.rank = 0};
    for (int d = 0; d < shape->rank; d++) {
        if (!(gone >> d & 1)) {
            left.dim[left.rank++] = shape->dim[d];
        }
    }
    return left;
}

double nm_axes_count(const nm_shape *shape, unsigned gone)
{
    double count = 1;
    for (int d = 0; d < shape->rank; d++) {
        count *= gone >> d & 1 ? (double)shape->dim[d] : 1;
    }
    return count;
}
