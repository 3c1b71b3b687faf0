/* The tensor store: a network's parameters and buffers by name, in the order they were added.
 * Optimizers, checkpoints, weight norm and exporters find them here. */
#ifndef NM_CORE_STORE_H
#define NM_CORE_STORE_H

#include "core/file.h"
#include "core/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nm_role {
    NM_PARAMETER, /* learned: requires a gradient while it is trainable */
    NM_BUFFER     /* kept but not learned: running statistics */
} nm_role;

/* What a parameter is for, so that optimizers can tell them apart (weight decay, for one). */
typedef enum nm_purpose {
    NM_WEIGHT,
    NM_BIAS,
    NM_NORM_SCALE,
    NM_NORM_SHIFT,
    NM_STATISTIC, /* of any sign */
    NM_VARIANCE,  /* a statistic that is never negative */
    NM_COUNTER    /* of integers, never negative either */
} nm_purpose;

typedef struct nm_entry {
    const char *name;  /* "conv1.weight"; the store's */
    nm_tensor *tensor; /* the store's; its name is the same */
    nm_role role;
    nm_purpose purpose;
    bool trainable; /* a parameter is learned, a buffer moves in training; change it with
                       nm_store_set_trainable() */
} nm_entry;

typedef struct nm_store nm_store;

NM_API nm_store *nm_store_create(nm_context *context);
/* Destroys the tensors too; NULL is fine. Optimizers, traced networks and models that were made
 * with it go on: it ends with the last of them. */
NM_API void nm_store_destroy(nm_store *store);
NM_API nm_context *nm_store_context(const nm_store *store);

/* Adds a tensor of zeros. A taken name is an error. All are trainable at first. */
NM_API nm_tensor *nm_store_add(nm_store *store, const char *name, nm_role role, nm_purpose purpose,
                               nm_dtype dtype, nm_shape shape);
NM_API int nm_store_count(const nm_store *store);
NM_API const nm_entry *nm_store_at(const nm_store *store, int index);
NM_API const nm_entry *nm_store_find(const nm_store *store, const char *name); /* or NULL */
/* Which entries a walk stops at; zeros: all. */
typedef struct nm_selection {
    const char *match; /* a shell pattern for the name, such as "conv*.weight"; NULL: any */
    unsigned roles;    /* a set of nm_role, NM_ONE_OF(NM_PARAMETER); 0: any */
    unsigned purposes; /* a set of nm_purpose, NM_ONE_OF(NM_WEIGHT) | NM_ONE_OF(NM_BIAS); 0: any */
    bool trainable;    /* only those that are not frozen */
} nm_selection;
#define NM_ONE_OF(value) (1u << (value))

/* The next entry of those behind `entry` in the store's order that the selection (NULL: all) has,
 * or the first of them for NULL; NULL after the last:
 *
 *     const nm_selection weights = {.purposes = NM_ONE_OF(NM_WEIGHT)};
 *     for (const nm_entry *e = NULL; (e = nm_store_next(store, e, &weights));) */
NM_API const nm_entry *nm_store_next(const nm_store *store, const nm_entry *entry,
                                     const nm_selection *selection);
/* Elements of all parameters. */
NM_API int64_t nm_store_parameters(const nm_store *store);

/* Freezes or frees every parameter and buffer whose name matches a shell pattern ("conv*.weight",
 * "*"). A pattern that matches none is an error. A frozen buffer stays as it is: batch norm uses
 * its running statistics in training too then. */
NM_API nm_status nm_store_set_trainable(nm_store *store, const char *pattern, bool trainable);
/* The same for one entry. */
NM_API void nm_store_set_trainable_at(nm_store *store, int index, bool trainable);
/* nm_tensor_clear_grad() for all. */
NM_API void nm_store_clear_grads(nm_store *store);

/* Adds all tensors to a file being written, under prefix + name. */
NM_API nm_status nm_store_write(const nm_store *store, const char *prefix,
                                nm_tensor_writer *writer);
/* Takes the values of all tensors from a file. Every one must be there with its shape and type, and
 * without a fault (below); a message names what is missing, what fits by name but not by shape, and
 * what is left over. Nothing is changed unless all fits. `prefix` selects the file's names that
 * begin with it. */
NM_API nm_status nm_store_read(nm_store *store, const char *prefix, const nm_tensor_file *file);
/* ---- The library's own ---- */

/* As long as it is held, it does not end, whatever its user says. By the context's own thread. NULL
 * is fine. */
void nm_store_hold(nm_store *store);
void nm_store_release(nm_store *store);

/* The tape, of another context and without recording, may read the store's tensors, and what else
 * is their context's user's own. Until nm_store_take_back(), by the same thread, they cannot be
 * changed, and the context does not end. The store itself must be destroyed after that. In any
 * thread, as long as the store's own does not change or destroy it meanwhile. */
void nm_store_lend(nm_store *store, nm_tape *tape);
void nm_store_take_back(nm_store *store);
/* How many tapes read it. */
int nm_store_readers(const nm_store *store);
/* NM_OK: none. Else an error that says so. */
nm_status nm_store_check_change(const nm_store *store);

/* How often it was said what is trainable. */
/* Also of tensors that graphs compute with and their users destroyed. */
uint64_t nm_store_changes(const nm_store *store);
/* Whether that has filled it once. The library's own. */
bool nm_store_is_filled(const nm_store *store);
/* What is wrong with `values` as those of this entry: one that is not finite, a variance or counter
 * that is negative. "is nan at [3]; it must be a finite number" in `text`, or NULL: nothing. */
#define NM_FAULT_TEXT 256
NM_API const char *nm_entry_fault(const nm_entry *entry, nm_tensor *values,
                                  char text[NM_FAULT_TEXT]);

#ifdef __cplusplus
}
#endif
#endif
