/* From a study to files of runs: variants times axes, with their values put in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/text.h"
#include "models/command/study/study.h"

#define MOST_NESTED 8 /* values that name values */

/* What stands for names while a file is written. */
typedef struct binding {
    study *study;
    const arm *arm;
    nm_text *text;
    nm_diagnostics *d;
    int depth;
} binding;

/* ---- Values by name ---- */

/* Where the maps of names stand, those first that count more. */
static int sources(const study *s, const arm *a, const nm_value *maps[3])
{
    maps[0] = s->variants->entries[a->variant].value;
    maps[1] = s->is_quick ? s->quick.set : NULL;
    maps[2] = s->set;
    return 3;
}

static const nm_value *find(const study *s, const arm *a, const char *name)
{
    const nm_value *maps[3];
    for (int i = 0; i < s->axis_count; i++) {
        if (strcmp(s->axes[i].name, name) == 0) {
            return study_axis_value(s, a, i);
        }
    }
    const int count = sources(s, a, maps);
    for (int i = 0; i < count; i++) {
        const nm_value *v = nm_value_get(maps[i], name);
        if (v) {
            return v;
        }
    }
    return NULL;
}

/* The name behind the dollar of such a scalar; NULL of others. */
static const char *name_in(const nm_value *v)
{
    return v->kind == NM_VALUE_SCALAR && !v->quoted && v->text[0] == '$' ? v->text + 1 : NULL;
}

static void put(binding *b, const nm_value *v);

static const nm_value *resolve(binding *b, const nm_value *v)
{
    for (int n = 0; name_in(v) && n < MOST_NESTED; n++) {
        const nm_value *value = find(b->study, b->arm, name_in(v));
        if (!value) {
            nm_diagnose(b->d, v,
                        "nothing says what $%s is in variant \"%s\"; give it there, in axes or in "
                        "set",
                        name_in(v), study_variant(b->study, b->arm));
            return NULL;
        }
        v = value;
    }
    return v;
}

/* An item; of a name that stands for a list, the list's items. */
static bool put_item(binding *b, const nm_value *item, bool first)
{
    const nm_value *v = resolve(b, item);
    if (v && name_in(item) && v->kind == NM_VALUE_LIST) {
        for (int i = 0; i < v->count; i++) {
            first = put_item(b, v->items[i], first);
        }
        return first;
    }
    if (v) {
        nm_text_add(b->text, first ? "" : ", ");
        put(b, v);
    }
    return first && !v;
}

static void put_scalar(binding *b, const nm_value *v)
{
    int64_t whole;
    double number;
    const bool plain =
        !v->quoted &&
        (nm_parse_int(v->text, &whole) || nm_parse_float(v->text, &number) || nm_value_is_null(v) ||
         strcmp(v->text, "true") == 0 || strcmp(v->text, "false") == 0);
    if (plain) {
        nm_text_add(b->text, "%s", nm_value_is_null(v) ? "null" : v->text);
    } else if (v->quoted ||
               strspn(v->text, "abcdefghijklmnopqrstuvwxyz_0123456789") != strlen(v->text)) {
        nm_text_add_quoted(b->text, v->text);
    } else {
        nm_text_add(b->text, "%s", v->text);
    }
}

static void put(binding *b, const nm_value *v)
{
    v = resolve(b, v);
    if (!v || ++b->depth > NM_VALUE_MAX_DEPTH) {
        return;
    }
    if (v->kind == NM_VALUE_SCALAR) {
        put_scalar(b, v);
    } else if (v->kind == NM_VALUE_LIST) {
        bool first = true;
        nm_text_add(b->text, "[");
        for (int i = 0; i < v->count; i++) {
            first = put_item(b, v->items[i], first);
        }
        nm_text_add(b->text, "]");
    } else {
        nm_text_add(b->text, "{");
        for (int i = 0; i < v->count; i++) {
            nm_text_add(b->text, i ? ", " : "");
            put_scalar(b, v->entries[i].key);
            nm_text_add(b->text, ": ");
            put(b, v->entries[i].value);
        }
        nm_text_add(b->text, "}");
    }
    b->depth--;
}

/* ---- Values by path ---- */

/* Whether $name stands somewhere in it, or in what is put there. */
static bool mentions(const nm_value *v, const char *name)
{
    if (!v) {
        return false;
    }
    if (name_in(v)) {
        return strcmp(name_in(v), name) == 0;
    }
    bool found = false;
    for (int i = 0; i < v->count && !found; i++) {
        found = mentions(v->kind == NM_VALUE_LIST  ? v->items[i]
                         : v->kind == NM_VALUE_MAP ? v->entries[i].value
                                                   : NULL,
                         name);
    }
    return found;
}

static bool is_name(const study *s, const char *name)
{
    bool found = mentions(s->base, name) || mentions(s->set, name);
    for (int i = 0; i < s->variants->count && !found; i++) {
        found = mentions(s->variants->entries[i].value, name);
    }
    return found;
}

/* Whether a path begins in a part of a file. */
static bool is_path(const char *name)
{
    static const char *const parts[] = {"model", "data", "loss", "train", "probes"};
    const size_t length = strcspn(name, ".");
    for (int i = 0; i < NM_COUNT_OF(parts); i++) {
        if (strlen(parts[i]) == length && strncmp(parts[i], name, length) == 0) {
            return true;
        }
    }
    return false;
}

static void check_names(study *s, const nm_value *map, const char *what, nm_diagnostics *d)
{
    for (int i = 0; map && map->kind == NM_VALUE_MAP && i < map->count; i++) {
        const char *name = map->entries[i].key->text;
        if (!is_name(s, name) && !is_path(name)) {
            nm_diagnose(d, map->entries[i].key,
                        "%s: \"%s\" changes nothing: base has no $%s, and it is no path like "
                        "train.epochs",
                        what, name, name);
        }
    }
}

static void set_path(binding *b, nm_document *document, const char *name, const nm_value *value)
{
    nm_text text = {.context = b->study->context};
    binding inner = *b;
    if (!is_path(name) || is_name(b->study, name)) {
        return;
    }
    inner.text = &text;
    nm_text_add(&text, "%s=", name);
    put(&inner, value);
    char *setting = nm_text_end(&text);
    if (setting && nm_document_set(document, setting) != NM_OK) {
        nm_diagnose_standing(b->d, value);
    }
    nm_free(b->study->context, setting);
}

/* Those that count more come last. */
static void set_paths(binding *b, nm_document *document)
{
    const study *s = b->study;
    const nm_value *maps[3];
    for (int m = sources(s, b->arm, maps) - 1; m >= 0; m--) {
        for (int i = 0; maps[m] && maps[m]->kind == NM_VALUE_MAP && i < maps[m]->count; i++) {
            set_path(b, document, maps[m]->entries[i].key->text, maps[m]->entries[i].value);
        }
    }
    for (int i = 0; i < s->axis_count; i++) {
        set_path(b, document, s->axes[i].name, study_axis_value(s, b->arm, i));
    }
}

/* ---- Arms ---- */

/* As a name of files: what is none is an underscore. */
static void name_arm(const study *s, arm *a)
{
    size_t length = (size_t)snprintf(a->name, sizeof a->name, "%s", study_variant(s, a));
    for (int i = 0; i < s->axis_count && length < sizeof a->name; i++) {
        length += (size_t)snprintf(a->name + length, sizeof a->name - length, ",%s=%s",
                                   s->axes[i].name, study_axis_text(s, a, i));
    }
    for (char *c = a->name; *c; c++) {
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.,=+-", *c)) {
            *c = '_';
        }
    }
}

/* The parts, a line each. */
static char *write_parts(binding *b)
{
    const nm_value *base = b->study->base;
    nm_text text = {.context = b->study->context};
    b->text = &text;
    for (int i = 0; i < base->count; i++) {
        nm_text_add(&text, "%s: ", base->entries[i].key->text);
        put(b, base->entries[i].value);
        nm_text_add(&text, "\n");
    }
    b->text = NULL;
    return nm_text_end(&text);
}

static void write_arm(study *s, arm *a, nm_diagnostics *d)
{
    binding b = {.study = s, .arm = a, .d = d};
    const int errors = d->count;
    char *text = write_parts(&b);
    nm_document *document = text && d->count == errors
                                ? nm_document_parse(s->context, text, SIZE_MAX, s->base->file)
                                : NULL;
    if (document) {
        size_t size;
        set_paths(&b, document);
        a->text = nm_document_text(document, NULL, &size);
        nm_document_destroy(document);
    }
    nm_free(s->context, text);
}

static void make_arms(study *s, nm_diagnostics *d)
{
    int64_t count = s->variants->count;
    for (int i = 0; i < s->axis_count; i++) {
        count *= s->axes[i].values->count;
    }
    if (count > MOST_ARMS) {
        nm_diagnose(d, s->variants, "%lld variants and values of axes are too many; at most %d",
                    (long long)count, MOST_ARMS);
        return;
    }
    s->arms = nm_alloc_zero(s->context, (size_t)count, sizeof *s->arms);
    for (int n = 0; s->arms && n < count; n++) {
        arm *a = &s->arms[s->arm_count++];
        int rest = n;
        for (int i = s->axis_count - 1; i >= 0; i--) {
            a->at[i] = rest % s->axes[i].values->count;
            rest /= s->axes[i].values->count;
        }
        a->variant = rest;
        name_arm(s, a);
        write_arm(s, a, d);
    }
}

/* An arm that is another under another name: what made it changes nothing. */
static void check_twins(const study *s, nm_diagnostics *d)
{
    for (int i = 0; i < s->arm_count; i++) {
        for (int k = 0; k < i; k++) {
            const arm *a = &s->arms[k], *b = &s->arms[i];
            if (a->text && b->text && strcmp(a->text, b->text) == 0) {
                nm_diagnose(d, s->variants->entries[b->variant].key,
                            "\"%s\" is the same as \"%s\": what it sets changes nothing; let it "
                            "set something else, or remove it",
                            b->name, a->name);
                return;
            }
        }
    }
}

/* A file of its own among those of the system's temporary ones; its name ends in .yaml. */
static nm_file *make_temporary(study *s, char path[RUN_PATH])
{
    const char *folder = getenv("TMPDIR");
    if (snprintf(path, RUN_PATH, "%s/norma-study-%ld.yaml", folder ? folder : "/tmp",
                 (long)getpid()) >= RUN_PATH) {
        nm_fail(s->context, NM_ERROR_INPUT, "the folder's name is too long");
        return NULL;
    }
    return nm_file_create(s->context, path);
}

/* The same as a training would find it, before any runs. */
static void check_arm(study *s, const arm *a, nm_diagnostics *d)
{
    char path[RUN_PATH];
    nm_config config = {0};
    nm_file *file = make_temporary(s, path);
    nm_status status =
        file ? nm_file_write(file, a->text, strlen(a->text)) : nm_context_status(s->context);
    if (file && status == NM_OK) {
        status = nm_file_commit(file);
    } else if (file) {
        nm_file_abandon(file);
    }
    status = status == NM_OK ? nm_config_open(s->context, path, NULL, 0, 0, &config) : status;
    if (status != NM_OK) {
        nm_fail_in(s->context, "\"%s\"", a->name);
        nm_diagnose_standing(d, s->variants->entries[a->variant].key);
    }
    nm_config_close(&config);
    remove(path);
}

static void check_claims(study *s, nm_diagnostics *d)
{
    for (int i = 0; i < s->claim_count; i++) {
        study_check_claim(s, &s->claims[i], d);
    }
}

nm_status study_expand(study *s)
{
    nm_diagnostics d;
    nm_diagnostics_begin(&d, s->context);
    check_names(s, s->set, "set", &d);
    check_names(s, s->axes_value, "axes", &d);
    check_names(s, s->quick.set, "quick", &d);
    for (int i = 0; i < s->variants->count; i++) {
        check_names(s, s->variants->entries[i].value, s->variants->entries[i].key->text, &d);
    }
    if (!d.count) {
        make_arms(s, &d);
        check_twins(s, &d);
        check_claims(s, &d);
    }
    for (int i = 0; i < s->arm_count && !d.count && nm_context_status(s->context) == NM_OK; i++) {
        check_arm(s, &s->arms[i], &d);
    }
    const nm_status status = nm_diagnostics_end(&d);
    return status == NM_OK ? nm_context_status(s->context) : status;
}
