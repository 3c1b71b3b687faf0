/* What stands around an image before a window moves over it. */
#ifndef NM_OPS_SIDES_H
#define NM_OPS_SIDES_H

#include "ops/linear.h"

typedef struct nm_sides {
    int64_t before[2], after[2]; /* vertical, horizontal */
} nm_sides;

/* `padding`: one number for all sides, two (vertical, horizontal), or four (top, bottom, left,
 * right); none: 0. NM_PADDING_SAME: as much as makes the output's size the image's, divided by the
 * stride and rounded up; an odd one behind. `reach` is the window's, from its first place to its
 * last. */
nm_sides nm_find_sides(const nm_ints *padding, const int64_t image[2], const int64_t reach[2],
                       const int64_t stride[2]);
/* Whether it has one of these forms. */
bool nm_sides_are_fine(const nm_ints *padding);
/* The same; fails if not. */
nm_status nm_check_sides(const nm_infer *infer, const nm_ints *padding);

#define NM_PADDING_FORM                                                                            \
    "one number, two (vertical, horizontal), four (top, bottom, left, right), or same"

extern const nm_named_value nm_padding_names[]; /* "same" */

#endif
