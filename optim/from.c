#include "optim/from.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "core/guard.h"
#include "core/op.h"
#include "core/text.h"
#include "optim/saved.h"

#define MOST_LINES 20 /* of one kind, before the rest is only counted */

static const nm_from defaults = {.path = NULL};
static const char *const preparation_names[] = {"new", "taken", NULL};
static const nm_option rows[] = {
    {NM_FIELD(nm_from, path), NM_OPTION_STRING, .flags = NM_REQUIRED | NM_PATH,
     .doc = "a saved network: a safetensors file, or the folder of a run"},
    {NM_FIELD(nm_from, except), NM_OPTION_STRINGS,
     .doc = "names that are not taken, as shell patterns: \"dense2.*\""},
    {NM_FIELD(nm_from, preparation), NM_OPTION_ENUM, .names = preparation_names,
     .doc =
         "what is done to samples, and the classes and their order: as the new data has them, or "
         "taken as they were saved"},
};
const nm_spec nm_from_spec = {.name = "nm_from",
                              .size = sizeof(nm_from),
                              .defaults = &defaults,
                              .options = rows,
                              .count = NM_COUNT_OF(rows)};

typedef struct taking {
    nm_context *context;
    const nm_from *from;
    nm_store *store;
    nm_saved saved;
    char *path; /* of the file */
    bool quiet;
    int lines;     /* told so far */
    nm_text names; /* of what is taken */
    nm_taken counts;
} taking;

/* ---- Names ---- */

static bool is_excepted(const nm_from *from, const char *name)
{
    for (int i = 0; i < from->except.count; i++) {
        if (fnmatch(from->except.at[i], name, 0) == 0) {
            return true;
        }
    }
    return false;
}

/* A pattern that matches nothing would take what it was to leave out. */
static nm_status check_patterns(const taking *t)
{
    for (int i = 0; i < t->from->except.count; i++) {
        bool matches = false;
        for (int k = 0; k < nm_store_count(t->store) && !matches; k++) {
            matches = fnmatch(t->from->except.at[i], nm_store_at(t->store, k)->name, 0) == 0;
        }
        if (!matches) {
            return nm_fail(t->context, NM_ERROR_INPUT,
                           "\"except\": no tensor of the network matches \"%s\"; the first is "
                           "called \"%s\"",
                           t->from->except.at[i],
                           nm_store_count(t->store) ? nm_store_at(t->store, 0)->name : "");
        }
    }
    return NM_OK;
}

static size_t prefix_length(const taking *t)
{
    return t->saved.prefix ? strlen(t->saved.prefix) : 0;
}

static nm_tensor *find(const taking *t, const char *name)
{
    char *whole = nm_format(t->context, "%s%s", t->saved.prefix ? t->saved.prefix : "", name);
    nm_tensor *found = whole ? nm_tensor_file_find(t->saved.file, whole) : NULL;
    nm_free(t->context, whole);
    return found;
}

/* ---- What does not fit ---- */

static void tell(taking *t, const char *format, ...) NM_PRINTF(2, 3);
static void tell(taking *t, const char *format, ...)
{
    char message[1024];
    if (t->quiet || t->lines++ >= MOST_LINES) {
        return;
    }
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof message, format, list);
    va_end(list);
    nm_context_log(t->context, NM_LOG_WARNING, "%s: %s", t->path, message);
}

static bool is_float(nm_dtype dtype)
{
    return dtype == NM_F32 || dtype == NM_F64 || dtype == NM_BF16;
}

static bool fits(const nm_tensor *here, const nm_tensor *there)
{
    nm_dtype a = nm_tensor_dtype(here), b = nm_tensor_dtype(there);
    return nm_shape_equal(nm_tensor_shape(here), nm_tensor_shape(there)) &&
           (a == b || (is_float(a) && is_float(b)));
}

static nm_status check_values(const taking *t, const nm_entry *entry, nm_tensor *there)
{
    char fault[NM_FAULT_TEXT];
    if (nm_entry_fault(entry, there, fault)) {
        return nm_fail(t->context, NM_ERROR_FORMAT, "%s: \"%s\" %s", t->path, entry->name, fault);
    }
    return NM_OK;
}

/* Counts it, and says why it is not taken. */
static nm_status look_at(taking *t, const nm_entry *entry, nm_tensor *there)
{
    nm_taken *n = &t->counts;
    char shapes[2][NM_SHAPE_TEXT];
    nm_shape_text(nm_tensor_shape(entry->tensor), shapes[0]);
    if (is_excepted(t->from, entry->name)) {
        n->except++;
    } else if (!there) {
        n->missing++;
        tell(t, "\"%s\" %s is not in it and begins anew", entry->name, shapes[0]);
    } else if (!fits(entry->tensor, there)) {
        n->unfit++;
        tell(t, "\"%s\" is %s %s there and %s %s here, and begins anew", entry->name,
             nm_dtype_name(nm_tensor_dtype(there)),
             nm_shape_text(nm_tensor_shape(there), shapes[1]),
             nm_dtype_name(nm_tensor_dtype(entry->tensor)), shapes[0]);
    } else {
        nm_text_add(&t->names, "%s%s", n->taken++ ? ", " : "", entry->name);
        return check_values(t, entry, there);
    }
    return NM_OK;
}

/* What the file has besides. */
static void tell_unused(taking *t)
{
    size_t length = prefix_length(t);
    char shape[NM_SHAPE_TEXT];
    for (int i = 0; i < nm_tensor_file_count(t->saved.file); i++) {
        const char *name = nm_tensor_file_name(t->saved.file, i);
        bool own = strncmp(name, t->saved.prefix ? t->saved.prefix : "", length) == 0;
        if (own && !nm_store_find(t->store, name + length)) {
            nm_shape_text(nm_tensor_shape(nm_tensor_file_at(t->saved.file, i)), shape);
            tell(t, "\"%s\" %s is not in this network and not used", name + length, shape);
        }
    }
    if (t->lines > MOST_LINES && !t->quiet) {
        nm_context_log(t->context, NM_LOG_WARNING, "%s: ... and %d more", t->path,
                       t->lines - MOST_LINES);
    }
}

static nm_status fail_without_any(const taking *t)
{
    char here[NM_SHAPE_TEXT] = "", there[NM_SHAPE_TEXT] = "";
    const nm_entry *first = nm_store_count(t->store) ? nm_store_at(t->store, 0) : NULL;
    const char *name = nm_tensor_file_name(t->saved.file, 0);
    if (t->counts.except == nm_store_count(t->store)) {
        return nm_fail(t->context, NM_ERROR_INPUT,
                       "%s: nothing would be taken from it: \"except\" leaves all of the network's "
                       "tensors out",
                       t->path);
    }
    if (first && name) {
        nm_shape_text(nm_tensor_shape(first->tensor), here);
        nm_shape_text(nm_tensor_shape(nm_tensor_file_at(t->saved.file, 0)), there);
    }
    return nm_fail(t->context, NM_ERROR_INPUT,
                   "%s: nothing in it fits the network, which begins with \"%s\" %s; the file "
                   "begins with \"%s\" %s",
                   t->path, first ? first->name : "", here, name ? name : "", there);
}

/* ---- Taking ---- */

static nm_status assign(nm_tensor *here, nm_tensor *there)
{
    if (nm_tensor_dtype(here) == nm_tensor_dtype(there)) {
        return nm_tensor_assign(here, there);
    }
    for (int64_t i = 0; i < nm_tensor_count(here); i++) {
        nm_tensor_set(here, i, nm_tensor_get(there, i));
    }
    return NM_OK;
}

/* Looks at all first, so that nothing is changed where one is broken. */
static nm_status look_at_all(taking *t)
{
    for (int i = 0; i < nm_store_count(t->store); i++) {
        const nm_entry *entry = nm_store_at(t->store, i);
        nm_status status = look_at(t, entry, find(t, entry->name));
        if (status != NM_OK || nm_context_status(t->context) != NM_OK) {
            return nm_context_status(t->context);
        }
    }
    tell_unused(t);
    return t->counts.taken ? NM_OK : fail_without_any(t);
}

static nm_status take_all(const taking *t)
{
    for (int i = 0; i < nm_store_count(t->store); i++) {
        const nm_entry *entry = nm_store_at(t->store, i);
        nm_tensor *there = is_excepted(t->from, entry->name) ? NULL : find(t, entry->name);
        if (there && fits(entry->tensor, there)) {
            assign(entry->tensor, there);
        }
    }
    return nm_context_status(t->context);
}

/* ---- Samples and classes ---- */

static bool same_numbers(const double *a, const double *b, int64_t count)
{
    bool same = (a == NULL) == (b == NULL);
    for (int64_t i = 0; same && a && i < count; i++) {
        same = a[i] == b[i];
    }
    return same;
}

static bool same_preparation(const nm_schema *a, const nm_schema *b)
{
    return a->scale == b->scale && a->channels == b->channels &&
           same_numbers(a->mean, b->mean, a->channels) &&
           same_numbers(a->deviation, b->deviation, a->channels) &&
           a->target_channels == b->target_channels &&
           same_numbers(a->target_mean, b->target_mean, a->target_channels) &&
           same_numbers(a->target_deviation, b->target_deviation, a->target_channels);
}

/* The first class of another name; -1: none. */
static int64_t first_other_class(const nm_schema *a, const nm_schema *b)
{
    char names[2][32];
    for (int64_t i = 0; i < a->classes; i++) {
        if (strcmp(nm_schema_class_name(a, i, names[0]), nm_schema_class_name(b, i, names[1]))) {
            return i;
        }
    }
    return -1;
}

/* The outputs that were learned for one class would be taken for another's. */
static void compare_schemas(taking *t, const nm_schema *now)
{
    char names[2][32];
    const nm_schema *before = t->saved.schema;
    if (!before || !now) {
        return;
    }
    t->counts.prepared_otherwise = !same_preparation(before, now);
    int64_t other = before->classes == now->classes ? first_other_class(before, now) : -1;
    if (other >= 0) {
        nm_context_log(t->context, NM_LOG_WARNING,
                       "%s: class %lld was called \"%s\" there and is \"%s\" here: leave the last "
                       "layer out with \"except\", or keep the classes with preparation: taken",
                       t->path, (long long)other, nm_schema_class_name(before, other, names[0]),
                       nm_schema_class_name(now, other, names[1]));
    }
}

/* ---- All of it ---- */

static nm_status open_saved(taking *t)
{
    t->path = nm_saved_find(t->context, t->from->path);
    nm_status status = t->path ? nm_saved_open(t->context, t->path, &t->saved) : NM_ERROR_INPUT;
    if (status == NM_OK && t->saved.quantized) {
        return nm_fail(t->context, NM_ERROR_INPUT,
                       "%s has weights of 8 bits, which are for predictions; begin from the "
                       "network that it was made from",
                       t->path);
    }
    return status == NM_OK ? check_patterns(t) : nm_context_status(t->context);
}

static nm_status finish(taking *t, nm_status status)
{
    nm_saved_close(&t->saved);
    nm_free(t->context, t->path);
    if (status != NM_OK) {
        nm_text_drop(&t->names);
        return nm_fail_in(t->context, "from");
    }
    t->counts.names = nm_text_end(&t->names);
    return nm_context_status(t->context);
}

nm_status nm_from_take(const nm_from *from, nm_store *store, const nm_schema *schema,
                       nm_taken *taken)
{
    nm_context *context = nm_store_context(store);
    NM_REQUIRE(context, taken, NM_ERROR_INPUT);
    *taken = (nm_taken){0};
    NM_REQUIRE(context, from && store, NM_ERROR_INPUT);
    NM_UNLESS_FAILED(context);
    taking t = {.context = context, .from = from, .store = store, .names = {.context = context}};
    nm_status status = open_saved(&t);
    if (status == NM_OK) status = look_at_all(&t);
    if (status == NM_OK) status = take_all(&t);
    if (status == NM_OK) compare_schemas(&t, schema);
    status = finish(&t, status);
    *taken = status == NM_OK ? t.counts : (nm_taken){0};
    return status;
}

nm_status nm_from_check(const nm_from *from, nm_store *store)
{
    NM_GIVEN(store, NM_ERROR_INPUT);
    NM_REQUIRE(nm_store_context(store), from, NM_ERROR_INPUT);
    nm_context *context = nm_store_context(store);
    NM_UNLESS_FAILED(context);
    taking t = {.context = context,
                .from = from,
                .store = store,
                .names = {.context = context},
                .quiet = true};
    nm_status status = open_saved(&t);
    status = finish(&t, status == NM_OK ? look_at_all(&t) : status);
    nm_free(context, t.counts.names);
    return status;
}
