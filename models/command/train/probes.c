#include "models/command/train/probes.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "models/command/command.h"
#include "models/command/train/log_line.h"
#include "models/command/train/path.h"

#define STEP "{\"step\": "

typedef struct earlier {
    nm_file *to;
    int64_t step;
} earlier;

/* Copies lines of updates before `step`; what is no line of ours is left out. */
static void copy_earlier(void *user, const char *line)
{
    const earlier *e = user;
    const bool ours = strncmp(line, STEP, strlen(STEP)) == 0;
    if (ours && strtoll(line + strlen(STEP), NULL, 10) < e->step) {
        nm_file_write(e->to, line, strlen(line)); /* a failure is the commit's too */
    }
}

static nm_status keep_earlier(nm_context *context, const char *path, int64_t step)
{
    if (!is_file(path)) {
        return NM_OK;
    }
    earlier e = {nm_file_create(context, path), step};
    nm_status status =
        e.to ? log_lines_of(context, path, copy_earlier, &e) : nm_context_status(context);
    if (e.to && status == NM_OK) {
        status = nm_file_commit(e.to);
    } else if (e.to) {
        nm_file_abandon(e.to);
    }
    return status;
}

nm_status probes_open(nm_context *context, run_probes *probes, const char *folder, int64_t step)
{
    char path[RUN_PATH];
    if (!path_join(path, folder, "probes.jsonl")) {
        return nm_fail(context, NM_ERROR_INPUT, "the folder's name is too long");
    }
    const nm_status status = step > 0 ? keep_earlier(context, path, step) : NM_OK;
    if (status != NM_OK) {
        return status;
    }
    probes->to = fopen(path, step > 0 ? "ae" : "we");
    return probes->to ? NM_OK
                      : nm_fail(context, NM_ERROR_IO, "cannot write %s: %s", path, strerror(errno));
}

nm_status probes_write(nm_context *context, run_probes *probes, const nm_probe_record *r)
{
    json_line line = {.to = probes->to};
    json_integer(&line, "step", r->step);
    json_string(&line, "probe", r->probe);
    if (r->layer) {
        json_string(&line, "layer", r->layer);
    }
    for (int i = 0; i < r->count; i++) {
        if (!isnan(r->values[i])) {
            json_number(&line, r->names[i], r->values[i]);
        }
    }
    return json_end(&line) ? NM_OK
                           : nm_fail(context, NM_ERROR_IO, "cannot write probes.jsonl: %s",
                                     strerror(errno ? errno : EIO));
}

void probes_close(run_probes *probes)
{
    if (probes->to) {
        fclose(probes->to);
    }
    probes->to = NULL;
}
