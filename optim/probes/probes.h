/* What runs probes; the trainer's. */
#ifndef NM_OPTIM_PROBES_PROBES_H
#define NM_OPTIM_PROBES_PROBES_H

#include "optim/probe.h"

typedef struct nm_probes nm_probes;

/* What they are made with. All that it points to must outlive the probes. */
typedef struct nm_probes_setup {
    const nm_choices *probes;
    const nm_network *network;
    const nm_loss *loss;
    const nm_dataset *set; /* of training, and how batches of it are made */
    const nm_loader_options *loader;
    nm_precision precision;
    uint64_t seed;
    const nm_value *at; /* where the file has them; NULL: nowhere */
    nm_status (*emit)(void *user, const nm_probe_record *record);
    void *user;
} nm_probes_setup;

/* Whatever is wrong with options or names of layers, to `d`. */
void nm_probes_check(nm_context *context, const nm_probes_setup *setup, nm_diagnostics *d);
/* NULL on failure. */
nm_probes *nm_probes_create(nm_context *context, const nm_probes_setup *setup);
void nm_probes_destroy(nm_probes *probes); /* NULL is fine */

/* Where an update is: `random` is its first batch's, which stays as it is; `last` is behind all
 * updates, of the last one's batch. */
typedef struct nm_probes_now {
    const nm_batch *batch;
    nm_random random;
    int64_t step;
    double rate;
    bool last;
} nm_probes_now;
nm_status nm_probes_before(nm_probes *probes, const nm_probes_now *now);
nm_status nm_probes_after(nm_probes *probes);

#endif
