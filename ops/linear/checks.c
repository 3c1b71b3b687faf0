#include "ops/linear/checks.h"

bool nm_lists_fit(nm_compose *c, int axes, const char *form, const nm_ints *const *lists,
                  const char *const *names, int count)
{
    for (int i = 0; i < count; i++) {
        if (lists[i]->count != 1 && lists[i]->count != axes) {
            nm_compose_fail(c, "%s takes one number, or %s", names[i], form);
            return false;
        }
    }
    return true;
}

bool nm_bias_fits(nm_compose *c, int64_t out)
{
    char text[NM_SHAPE_TEXT], wanted[NM_SHAPE_TEXT];
    const nm_shape *b = c->in[2] ? nm_tensor_shape(c->in[2]) : NULL;
    if (!b || (b->rank == 1 && b->dim[0] == out)) {
        return true;
    }
    nm_compose_fail(c, "b %s must be [out], %s here", nm_shape_text(b, text),
                    nm_shape_text(&NM_SHAPE(out), wanted));
    return false;
}
