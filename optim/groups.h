/* Groups: parameters treated otherwise, by name. They are gone through in their order, and each
 * changes what it says of the parameters it matches. What it does not say stays as the groups
 * before left it; at first it is as the optimizer has it.
 *
 *     [{match: "*", rate: 0.1}, {match: "*.bias", weight_decay: 0}]
 *
 * gives every parameter a tenth of the rate, and biases no weight decay besides. */
#ifndef NM_OPTIM_GROUPS_H
#define NM_OPTIM_GROUPS_H

#include "core/op.h"
#include "core/store.h"

#ifdef __cplusplus
extern "C" {
#endif

#define NM_UNCHANGED (-2.0)     /* as the groups before left it */
#define NM_DEFAULT_DECAY (-1.0) /* as the optimizer has it: its exceptions count again */

typedef enum nm_frozen {
    NM_FROZEN_NOT,      /* false */
    NM_FROZEN,          /* true */
    NM_FROZEN_UNCHANGED /* as the groups before left it, at first as the store has it */
} nm_frozen;

typedef struct nm_group {
    const char *match;   /* shell pattern: "conv*.weight"; one that matches nothing is an error */
    double rate;         /* factor on the learning rate, or NM_UNCHANGED */
    double weight_decay; /* of all that match, whatever the optimizer leaves out; or
                            NM_DEFAULT_DECAY or NM_UNCHANGED */
    int frozen;          /* nm_frozen: not learned. A buffer that matches rests; where a layer's
                            parameters are all frozen, its buffers rest too unless a group says
                            otherwise of them */
    const nm_value *at;  /* not an option: where it stands; NULL: nowhere */
} nm_group;

#define NM_GROUP_DEFAULTS                                                                          \
    .rate = NM_UNCHANGED, .weight_decay = NM_UNCHANGED, .frozen = NM_FROZEN_UNCHANGED
/* The defaults but for what is said: NM_GROUP(.match = "*.bias", .rate = 2), for a function of C.
 */
#ifndef __cplusplus
#define NM_GROUP(...) NM_OPTIONS_VALUE(nm_group, NM_GROUP_DEFAULTS, __VA_ARGS__)
#endif

extern NM_API const nm_spec nm_group_spec;

/* Reads a YAML list of groups (NULL: none). The result is new memory, free with nm_free(), but its
 * texts are the value's; NULL if there is none or it is wrong. Errors go to `d`. */
NM_API nm_group *nm_groups_read(const nm_value *list, nm_diagnostics *d, int *count);

/* What is wrong with groups for this store, each with its place, to `d`: options out of their
 * ranges, and patterns that match nothing. */
NM_API void nm_groups_check(const nm_store *store, const nm_group *groups, int count,
                            nm_diagnostics *d);

/* What the groups make of one entry of a store: none of it is NM_UNCHANGED. */
typedef struct nm_setting {
    double rate;         /* factor */
    double weight_decay; /* or NM_DEFAULT_DECAY */
} nm_setting;

/* Goes through the groups: settings[i] becomes that of the store's i-th entry, and entries are
 * frozen or freed. An error names every group that is wrong, with its place, and changes nothing.
 */
NM_API nm_status nm_groups_apply(nm_store *store, const nm_group *groups, int count,
                                 nm_setting *settings);

#ifdef __cplusplus
}
#endif
#endif
