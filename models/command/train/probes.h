/* What probes found: probes.jsonl in a run's folder, a JSON object a line.
 *
 *     {"step": 100, "probe": "gradient_norms", "layer": "dense1.weight", "norm": 0.12, ...}
 *
 * Without "layer" it is of the whole network. A run that goes on writes again what came after its
 * checkpoint: those lines are taken out before. */
#ifndef NM_MODELS_COMMAND_TRAIN_PROBES_H
#define NM_MODELS_COMMAND_TRAIN_PROBES_H

#include <stdio.h>

#include "norma.h"

typedef struct run_probes {
    FILE *to; /* NULL: not opened */
} run_probes;

/* Records of updates before `step` stay, if it is above 0. Of a run without probes: nothing. */
nm_status probes_open(nm_context *context, run_probes *probes, const char *folder, int64_t step);
nm_status probes_write(nm_context *context, run_probes *probes, const nm_probe_record *record);
void probes_close(run_probes *probes);

#endif
