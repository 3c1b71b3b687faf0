#include "models/command/plot/history.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "models/command/train/log_line.h"

#define MOST_CURVES 20000 /* of a run; what is more is nothing that norma wrote */

/* ---- Curves ---- */

static bool is_of(const curve *c, const char *name, const char *layer)
{
    return strcmp(c->name, name) == 0 && strcmp(c->layer, layer) == 0;
}

/* That curve, a new one if there is none. They come in the same order line for line: the next is
 * the one behind the last, mostly. */
static curve *find_curve(history *h, const char *name, const char *layer, int *last)
{
    for (int k = 0; k < h->count; k++) {
        const int i = (*last + 1 + k) % h->count;
        if (is_of(&h->curves[i], name, layer)) {
            *last = i;
            return &h->curves[i];
        }
    }
    if (h->count == h->room) {
        const int room = h->room ? 2 * h->room : 32;
        curve *more = room <= MOST_CURVES
                          ? nm_resize(h->context, h->curves, (size_t)room * sizeof *more)
                          : NULL;
        if (!more) {
            return NULL;
        }
        h->curves = more;
        h->room = room;
    }
    *last = h->count;
    curve *c = &h->curves[h->count++];
    *c = (curve){.count = 0};
    snprintf(c->name, CURVE_NAME, "%s", name);
    snprintf(c->layer, CURVE_NAME, "%s", layer);
    return c;
}

static bool grow(nm_context *context, curve *c)
{
    double **const columns[] = {&c->step, &c->epoch, &c->seconds, &c->value};
    const int64_t room = c->room ? 2 * c->room : 64;
    for (int i = 0; i < NM_COUNT_OF(columns) && c->count == c->room; i++) {
        double *more = nm_resize(context, *columns[i], (size_t)room * sizeof *more);
        if (!more) {
            return false;
        }
        *columns[i] = more;
    }
    c->room = c->count == c->room ? room : c->room;
    return true;
}

typedef struct moment {
    double step, epoch, seconds;
} moment;

static void add_point(history *h, curve *c, moment at, double value)
{
    if (c && grow(h->context, c)) {
        c->step[c->count] = at.step;
        c->epoch[c->count] = at.epoch;
        c->seconds[c->count] = at.seconds;
        c->value[c->count++] = value;
    }
}

/* A run that went on from its checkpoint did again what came after that. */
static void forget_from(history *h, double step)
{
    for (int i = 0; i < h->count; i++) {
        curve *c = &h->curves[i];
        while (c->count && c->step[c->count - 1] >= step) {
            c->count--;
        }
    }
}

/* ---- Lines ---- */

typedef struct reading {
    history *history;
    int last; /* curve that was written to */
} reading;

/* NaN: not there, or no number. */
static double number_of(const char *line, const char *name)
{
    log_field f;
    char *end;
    const double value = log_find(line, name, &f) ? strtod(f.value, &end) : (double)NAN;
    return isfinite(value) && end == f.value + f.length ? value : (double)NAN;
}

static bool is_name(const log_field *f, const char *name)
{
    return f->name_length == strlen(name) && strncmp(f->name, name, f->name_length) == 0;
}

/* Numbers, and null where there was none to write. */
static bool is_number(const log_field *f)
{
    return strchr("-0123456789", *f->value) ||
           (f->length == 4 && strncmp(f->value, "null", 4) == 0);
}

/* Every number of a line but those that say when. */
static void take_numbers(reading *r, const char *line, const char *prefix, const char *layer,
                         moment at)
{
    log_field f;
    for (const char *rest = line; log_next(&rest, &f);) {
        char name[CURVE_NAME], *end;
        if (!is_number(&f) || is_name(&f, "step") || is_name(&f, "epoch") ||
            is_name(&f, "seconds")) {
            continue;
        }
        snprintf(name, sizeof name, "%s%.*s", prefix, (int)(f.name_length & 127), f.name);
        const double value = *f.value == 'n' ? (double)NAN : strtod(f.value, &end);
        add_point(r->history, find_curve(r->history, name, layer, &r->last), at, value);
    }
}

static void take_end(history *h, const char *line)
{
    h->state = log_is(line, "end", "\"failed\"") ? RUN_FAILED : RUN_ENDED;
    log_take_text(line, "error", h->error, sizeof h->error);
}

static void take_log_line(void *user, const char *line)
{
    reading *r = user;
    history *h = r->history;
    const moment at = {number_of(line, "step"), number_of(line, "epoch"),
                       number_of(line, "seconds")};
    if (log_is(line, "event", "\"start\"")) {
        h->state = RUN_CUT_OFF;
        h->error[0] = 0;
    } else if (log_is(line, "event", "\"end\"")) {
        take_end(h, line);
    } else if (log_is(line, "event", "\"epoch\"") && at.step >= 0 && at.epoch >= 0) {
        forget_from(h, at.step);
        take_numbers(r, line, "", "", at);
        h->epochs = (int64_t)fmin(at.epoch, 1e15);
        h->steps = (int64_t)fmin(at.step, 1e15);
        h->seconds = at.seconds;
    }
}

static void take_probe_line(void *user, const char *line)
{
    reading *r = user;
    const history *h = r->history;
    char prefix[64] = "", layer[CURVE_NAME] = "";
    const double step = number_of(line, "step");
    log_take_text(line, "probe", prefix, sizeof prefix - 1);
    log_take_text(line, "layer", layer, sizeof layer);
    if (*prefix && step >= 0) {
        const double epoch = h->steps ? step * (double)h->epochs / (double)h->steps : (double)NAN;
        strcat(prefix, ".");
        take_numbers(r, line, prefix, layer, (moment){step, epoch, NAN});
    }
}

/* ---- Files ---- */

/* Whether a process holds the log: then the run is not over. */
static bool is_held(FILE *log)
{
    const bool held = flock(fileno(log), LOCK_SH | LOCK_NB) != 0;
    flock(fileno(log), LOCK_UN);
    return held;
}

/* False if there is no such file. Whether it can be read, the context says. */
static bool read_file(history *h, const char *name, void (*take)(void *, const char *))
{
    char path[RUN_PATH];
    reading r = {h, 0};
    if (!path_join(path, h->folder, name) || !is_file(path)) {
        return false;
    }
    FILE *from = fopen(path, "re");
    if (!from) {
        nm_fail(h->context, NM_ERROR_IO, "cannot read %s: %s", path, strerror(errno));
        return true;
    }
    log_lines(h->context, from, path, take, &r);
    if (h->state == RUN_CUT_OFF && is_held(from)) {
        h->state = RUN_GOES_ON;
    }
    fclose(from);
    return true;
}

nm_status history_read(nm_context *context, const char *folder, history *h)
{
    *h = (history){.context = context, .state = RUN_CUT_OFF};
    const size_t length = strlen(folder);
    snprintf(h->folder, RUN_PATH, "%s", folder);
    for (size_t i = length < RUN_PATH ? length : 0; i > 1 && h->folder[i - 1] == '/'; i--) {
        h->folder[i - 1] = 0;
    }
    if (length >= RUN_PATH || !read_file(h, "log.jsonl", take_log_line)) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "%.200s: is no folder of a run: there is no log.jsonl in it", folder);
    }
    const run_state state = h->state;
    read_file(h, "probes.jsonl", take_probe_line);
    h->state = state;
    return nm_context_status(context);
}

void history_close(history *h)
{
    for (int i = 0; i < h->count; i++) {
        curve *c = &h->curves[i];
        nm_free(h->context, c->step);
        nm_free(h->context, c->epoch);
        nm_free(h->context, c->seconds);
        nm_free(h->context, c->value);
    }
    nm_free(h->context, h->curves);
    h->curves = NULL;
    h->count = h->room = 0;
}

const char *run_state_name(run_state state)
{
    static const char *const names[] = {"ended", "failed", "goes on", "was cut off"};
    return names[state];
}

/* ---- Several ---- */

static int is_member(const struct dirent *entry)
{
    const char *const name = entry->d_name;
    const bool named = strncmp(name, "fold-", 5) == 0 || strncmp(name, "seed-", 5) == 0;
    return named && name[5] && strspn(name + 5, "-0123456789") == strlen(name + 5);
}

static nm_status add_one(nm_context *context, const char *folder, history **runs, int *count)
{
    if (*count == MOST_HISTORIES) {
        return nm_fail(context, NM_ERROR_INPUT, "more than %d runs; take some of them",
                       MOST_HISTORIES);
    }
    history *more = nm_resize(context, *runs, (size_t)(*count + 1) * sizeof *more);
    if (!more) {
        return nm_context_status(context);
    }
    *runs = more;
    return history_read(context, folder, &more[(*count)++]);
}

nm_status histories_add(nm_context *context, const char *folder, history **runs, int *count)
{
    struct dirent **members = NULL;
    char path[RUN_PATH];
    const int found = folder_holds(folder, "network.yaml")
                          ? 0
                          : scandir(folder, &members, is_member, versionsort);
    nm_status status = NM_OK;
    int added = 0;
    for (int i = 0; i < found; i++) {
        const bool there =
            path_join(path, folder, members[i]->d_name) && folder_holds(path, "log.jsonl");
        if (there && status == NM_OK) {
            status = add_one(context, path, runs, count);
            added++;
        }
        free(members[i]);
    }
    free(members);
    return added ? status : add_one(context, folder, runs, count);
}

void histories_close(nm_context *context, history *runs, int count)
{
    for (int i = 0; i < count; i++) {
        history_close(&runs[i]);
    }
    nm_free(context, runs);
}
