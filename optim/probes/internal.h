/* What the probes' files share. */
#ifndef NM_OPTIM_PROBES_INTERNAL_H
#define NM_OPTIM_PROBES_INTERNAL_H

#include "optim/probes/probes.h"

/* Batches of a probe come from the seed and this, so that they are never the training's. */
#define NM_PROBE_SEED 0x9e3779b97f4a7c15ull

/* Layers that showed themselves in a pass. */
typedef struct nm_shown {
    int count, room;
    nm_probe_layer *layers;
} nm_shown;

struct nm_probes {
    nm_probes_setup setup; /* a copy */
    nm_loader_options options;
    nm_probe_view view;
    const nm_probe_type *type; /* the one that is looking */
    nm_shown shown;            /* view.layers */
    int entries;               /* of the store */
    void **copies;             /* of all of them, before the update; view.earlier */
    const void *seen;          /* the batch of the last pass, if it was the update's; else NULL */
    nm_random random;
    nm_loader *loader; /* of other batches; NULL: none was drawn */
    bool drawing;      /* one was, for this update */
    int64_t rounds;
};

/* NULL without memory. */
nm_probe_layer *nm_probe_add_layer(nm_context *context, nm_shown *shown, const char *name,
                                   const char *type);
/* Copies all tensors of the store. */
nm_status nm_probes_copy(nm_probes *probes);
/* The loss of a batch as it is recorded on the tape, which is reset before; `output` is the
 * network's, or NULL. Running statistics move in training: nm_probe_restore_buffers(), once nothing
 * reads them any more. NULL on failure. */
nm_tensor *nm_probe_forward(nm_probe_view *view, const nm_batch *batch, bool training,
                            nm_tensor **output);
void nm_probe_restore_buffers(nm_probe_view *view);
/* The same without a way back: view.value is the loss, `outputs`, if it is not NULL, the outputs in
 * new memory. */
nm_status nm_probe_look(nm_probe_view *view, const nm_batch *batch, bool training,
                        double **outputs);
/* The loader of other batches, made when it is first asked for; NULL on failure. */
nm_loader *nm_probe_loader(nm_probe_view *view);
/* nm_probe_numbers() of elements as they lie in a copy of the tensor. */
double *nm_probe_elements(nm_probe_view *view, const nm_tensor *like, const void *elements);
/* The next parameter that the options want, behind *index, -1 at first. */
bool nm_probe_next(const nm_probe_view *view, const void *options, int *index);

/* Of probes that have no options but when they look. */
extern const nm_spec nm_probe_spec;

static inline bool nm_probe_is_due(const nm_choice *choice, int64_t step)
{
    const nm_probe_options *o = nm_choice_options(choice);
    return step % (o ? o->every : 100) == 0;
}

/* ---- Numbers ---- */

static inline double nm_probe_dot(const double *a, const double *b, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += a[i] * b[i];
    }
    return sum;
}

/* Rows of a parameter: what lies along its first axis; a vector is one row. */
static inline int64_t nm_probe_rows(const nm_tensor *tensor)
{
    const nm_shape *shape = nm_tensor_shape(tensor);
    return shape->rank > 1 ? shape->dim[0] : 1;
}

#endif
