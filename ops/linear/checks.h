/* What convolutions made of others ask of their inputs and options. */
#ifndef NM_OPS_CHECKS_H
#define NM_OPS_CHECKS_H

#include "core/op.h"

/* Item `i` of a list of one number for all, or one for each. */
static inline int64_t nm_item_of(const nm_ints *list, int i)
{
    return list->at[list->count == 1 ? 0 : i];
}

/* Whether stride, dilation and such have one number, or `axes`, which `form` names; else fails. */
bool nm_lists_fit(nm_compose *c, int axes, const char *form, const nm_ints *const *lists,
                  const char *const *names, int count);
/* Whether input 2, the bias, is absent or [out]; else fails. */
bool nm_bias_fits(nm_compose *c, int64_t out);

#endif
