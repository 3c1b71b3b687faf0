/* Which axes a reduction takes away. */
#ifndef NM_OPS_REDUCE_AXES_H
#define NM_OPS_REDUCE_AXES_H

#include "core/op.h"

#define NM_AXES_TEXT (NM_SHAPE_TEXT + 80)

/* Sets bit d of `gone` for each axis d of the list; all of them for an empty one. A tensor of rank
 * 0 has the axes 0 and -1, as in PyTorch, and loses nothing by them. Returns what is wrong with the
 * list, written into `text`, or NULL. */
const char *nm_axes_gone(const nm_ints *axes, const nm_shape *shape, unsigned *gone,
                         char text[NM_AXES_TEXT]);
/* The same for one axis; -1 where it is none. */
int nm_axis_of(const nm_shape *shape, int64_t axis);
/* The shape with length 1 in place of the axes that go, and without them. */
nm_shape nm_axes_kept(const nm_shape *shape, unsigned gone);
nm_shape nm_axes_left(const nm_shape *shape, unsigned gone);
/* Elements behind one result. */
double nm_axes_count(const nm_shape *shape, unsigned gone);

#endif
