#include "core/store.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/guard.h"
#include "core/internal.h"
#include "core/registry.h"

struct nm_store {
    nm_context *context;
    nm_map *entries;
    bool filled;      /* from a file */
    int holders;      /* of the same context, that need it after its user is done with it */
    bool closed;      /* by its user; goes with the last holder */
    int readers;      /* tapes of other contexts; atomic */
    uint64_t changes; /* of what is trainable */
};

/* An entry as the store keeps it. */
typedef struct record {
    nm_entry entry; /* first: an entry is its record */
    int index;
} record;

nm_store *nm_store_create(nm_context *context)
{
    nm_store *store = nm_alloc_zero(context, 1, sizeof *store);
    if (!store) {
        return NULL;
    }
    store->context = context;
    store->entries = nm_map_create(context);
    if (!store->entries) {
        nm_free(context, store);
        return NULL;
    }
    return store;
}

static void destroy_entry(nm_context *context, nm_entry *entry)
{
    if (entry) {
        nm_tensor_own(entry->tensor, false);
        nm_tensor_destroy(entry->tensor);
        nm_free(context, entry);
    }
}

void nm_store_hold(nm_store *store)
{
    if (store) {
        store->holders++;
    }
}

void nm_store_release(nm_store *store)
{
    if (store && --store->holders == 0 && store->closed) {
        nm_store_destroy(store);
    }
}

void nm_store_destroy(nm_store *store)
{
    if (!store || store->holders) {
        if (store) {
            store->closed = true;
        }
        return;
    }
    for (int i = 0; i < nm_map_count(store->entries); i++) {
        destroy_entry(store->context, nm_map_at(store->entries, i));
    }
    nm_map_destroy(store->entries);
    nm_free(store->context, store);
}

nm_context *nm_store_context(const nm_store *store)
{
    NM_GIVEN(store, NULL);
    return store->context;
}

static nm_entry *make_entry(nm_context *context, const char *name, nm_role role, nm_purpose purpose,
                            nm_dtype dtype, nm_shape shape)
{
    record *made = nm_alloc_zero(context, 1, sizeof *made);
    if (!made) {
        return NULL;
    }
    nm_entry *entry = &made->entry;
    entry->role = role;
    entry->purpose = purpose;
    entry->trainable = true;
    entry->tensor = nm_tensor_create(context, dtype, shape);
    if (!entry->tensor || nm_tensor_set_name(entry->tensor, name) != NM_OK ||
        nm_tensor_set_requires_grad(entry->tensor, role == NM_PARAMETER) != NM_OK) {
        destroy_entry(context, entry);
        return NULL;
    }
    entry->name = nm_tensor_name(entry->tensor);
    nm_tensor_own(entry->tensor, true);
    return entry;
}

nm_tensor *nm_store_add(nm_store *store, const char *name, nm_role role, nm_purpose purpose,
                        nm_dtype dtype, nm_shape shape)
{
    NM_GIVEN(store, NULL);
    NM_REQUIRE(store->context, name, NULL);
    nm_entry *entry = make_entry(store->context, name, role, purpose, dtype, shape);
    if (!entry || nm_map_add(store->entries, name, entry) != NM_OK) {
        destroy_entry(store->context, entry);
        return NULL;
    }
    ((record *)(void *)entry)->index = nm_map_count(store->entries) - 1;
    entry->tensor->readers = &store->readers;
    return entry->tensor;
}

int nm_store_count(const nm_store *store)
{
    NM_GIVEN(store, 0);
    return nm_map_count(store->entries);
}

const nm_entry *nm_store_at(const nm_store *store, int index)
{
    NM_GIVEN(store, NULL);
    return nm_map_at(store->entries, index);
}

const nm_entry *nm_store_find(const nm_store *store, const char *name)
{
    NM_GIVEN(store, NULL);
    return nm_map_find(store->entries, name);
}

static bool is_selected(const nm_entry *entry, const nm_selection *s)
{
    return (!s->match || fnmatch(s->match, entry->name, 0) == 0) &&
           (!s->roles || s->roles & NM_ONE_OF(entry->role)) &&
           (!s->purposes || s->purposes & NM_ONE_OF(entry->purpose)) &&
           (!s->trainable || entry->trainable);
}

const nm_entry *nm_store_next(const nm_store *store, const nm_entry *entry,
                              const nm_selection *selection)
{
    NM_GIVEN(store, NULL);
    const record *last = entry ? nm_map_find(store->entries, entry->name) : NULL;
    const int begin = !entry ? 0 : last ? last->index + 1 : nm_store_count(store);
    for (int i = begin; i < nm_store_count(store); i++) {
        const nm_entry *next = nm_store_at(store, i);
        if (!selection || is_selected(next, selection)) {
            return next;
        }
    }
    return NULL;
}

int64_t nm_store_parameters(const nm_store *store)
{
    NM_GIVEN(store, 0);
    int64_t count = 0;
    for (int i = 0; i < nm_store_count(store); i++) {
        const nm_entry *entry = nm_store_at(store, i);
        count += entry->role == NM_PARAMETER ? nm_tensor_count(entry->tensor) : 0;
    }
    return count;
}

uint64_t nm_store_changes(const nm_store *store)
{
    return store->changes + __atomic_load_n(&store->context->lost, __ATOMIC_RELAXED);
}

void nm_store_set_trainable_at(nm_store *store, int index, bool trainable)
{
    NM_GIVEN(store, );
    nm_entry *entry = nm_map_at(store->entries, index);
    NM_GIVEN(entry && nm_tensor_check_change(entry->tensor) == NM_OK, );
    entry->trainable = trainable;
    store->changes++;
    if (entry->role == NM_PARAMETER) {
        nm_tensor_set_requires_grad(entry->tensor, trainable);
    }
    if (!trainable) {
        nm_tensor_clear_grad(entry->tensor);
    }
}

nm_status nm_store_set_trainable(nm_store *store, const char *pattern, bool trainable)
{
    NM_GIVEN(store, NM_ERROR_INPUT);
    NM_REQUIRE(store->context, pattern, NM_ERROR_INPUT);
    int matches = 0;
    for (int i = 0; i < nm_store_count(store); i++) {
        if (fnmatch(pattern, nm_store_at(store, i)->name, 0) == 0) {
            nm_store_set_trainable_at(store, i, trainable);
            matches++;
        }
    }
    if (!matches) {
        const char *near = nm_map_nearest(store->entries, pattern);
        return nm_fail(store->context, NM_ERROR_INPUT,
                       "no parameter or buffer matches \"%s\"%s%s%s", pattern,
                       near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
    }
    return NM_OK;
}

void nm_store_clear_grads(nm_store *store)
{
    NM_GIVEN(store, );
    const int count = nm_map_count(store->entries);
    for (int i = 0; i < count; i++) {
        nm_tensor *grad = ((const nm_entry *)nm_map_at(store->entries, i))->tensor->grad;
        if (grad) {
            nm_tensor_release(grad);
        }
    }
}

/* ---- Lending ---- */

void nm_store_lend(nm_store *store, nm_tape *tape)
{
    tape->lender = store->context;
    nm_context_hold(store->context);
    __atomic_add_fetch(&store->readers, 1, __ATOMIC_ACQ_REL);
}

void nm_store_take_back(nm_store *store)
{
    nm_context *context = store->context;
    __atomic_sub_fetch(&store->readers, 1, __ATOMIC_ACQ_REL); /* the store may end here */
    nm_context_release(context);
}

int nm_store_readers(const nm_store *store)
{
    return __atomic_load_n(&store->readers, __ATOMIC_ACQUIRE);
}

nm_status nm_store_check_change(const nm_store *store)
{
    const int readers = nm_store_readers(store);
    return readers ? nm_fail(store->context, NM_ERROR_INPUT,
                             "the network is read by %d predictors of other contexts; close them "
                             "before it changes, or change another copy of it",
                             readers)
                   : NM_OK;
}

/* ---- Files ---- */

#define LONGEST_FILE_NAME 512

static nm_status file_name(const nm_store *store, const char *prefix, const char *name,
                           char text[LONGEST_FILE_NAME])
{
    int length = snprintf(text, LONGEST_FILE_NAME, "%s%s", prefix ? prefix : "", name);
    if (length >= LONGEST_FILE_NAME) {
        return nm_fail(store->context, NM_ERROR_INPUT,
                       "the name \"%.40s...\" is longer than %d bytes", text,
                       LONGEST_FILE_NAME - 1);
    }
    return NM_OK;
}

nm_status nm_store_write(const nm_store *store, const char *prefix, nm_tensor_writer *writer)
{
    NM_GIVEN(store, NM_ERROR_INPUT);
    NM_REQUIRE(store->context, writer, NM_ERROR_INPUT);
    char name[LONGEST_FILE_NAME];
    for (int i = 0; i < nm_store_count(store); i++) {
        const nm_entry *entry = nm_store_at(store, i);
        nm_status status = file_name(store, prefix, entry->name, name);
        if (status == NM_OK) {
            status = nm_tensor_writer_add(writer, name, entry->tensor);
        }
        if (status != NM_OK) {
            return status;
        }
    }
    return NM_OK;
}

/* The first value that is negative, or a count that no run could reach; -1: none. */
static int64_t first_out_of_range(const nm_entry *entry, nm_tensor *values)
{
    bool counter = entry->purpose == NM_COUNTER;
    for (int64_t i = 0; i < nm_tensor_count(values); i++) {
        double value = nm_tensor_get(values, i);
        if (value < 0 || (counter && value > 0x1p53)) {
            return i;
        }
    }
    return -1;
}

const char *nm_entry_fault(const nm_entry *entry, nm_tensor *values, char text[NM_FAULT_TEXT])
{
    NM_GIVEN(entry && values && text, NULL);
    const char *rule = "a finite number";
    int64_t at = nm_tensor_first_not_finite(values);
    if (at < 0 && (entry->purpose == NM_VARIANCE || entry->purpose == NM_COUNTER)) {
        rule = entry->purpose == NM_VARIANCE ? "a variance, 0 or more" : "a count, 0 to 2^53";
        at = first_out_of_range(entry, values);
    }
    if (at < 0) {
        return NULL;
    }
    char number[32] = "NaN", place[NM_SHAPE_TEXT];
    double value = nm_tensor_get(values, at);
    if (!isnan(value)) {
        snprintf(number, sizeof number, "%.9g", value);
    }
    snprintf(text, NM_FAULT_TEXT, "is %s at %s; it must be %s", number,
             nm_shape_place_text(nm_tensor_shape(values), at, place), rule);
    return text;
}

static nm_status check_fit(nm_store *store, const nm_entry *entry, nm_tensor *found,
                           const char *name)
{
    char want[NM_SHAPE_TEXT], have[NM_SHAPE_TEXT];
    if (!found) {
        return nm_fail(store->context, NM_ERROR_FORMAT, "the file has no tensor \"%s\"", name);
    }
    const nm_shape *shape = nm_tensor_shape(entry->tensor);
    nm_dtype dtype = nm_tensor_dtype(entry->tensor);
    if (!nm_shape_equal(shape, nm_tensor_shape(found)) || dtype != nm_tensor_dtype(found)) {
        return nm_fail(store->context, NM_ERROR_FORMAT,
                       "\"%s\" is %s %s in the network, but %s %s in the file", name,
                       nm_dtype_name(dtype), nm_shape_text(shape, want),
                       nm_dtype_name(nm_tensor_dtype(found)),
                       nm_shape_text(nm_tensor_shape(found), have));
    }
    char fault[NM_FAULT_TEXT];
    if (nm_entry_fault(entry, found, fault)) {
        return nm_fail(store->context, NM_ERROR_FORMAT, "\"%s\" %s", name, fault);
    }
    return NM_OK;
}

static nm_status check_left_over(nm_store *store, const char *prefix, const nm_tensor_file *file)
{
    size_t length = prefix ? strlen(prefix) : 0;
    for (int i = 0; i < nm_tensor_file_count(file); i++) {
        const char *name = nm_tensor_file_name(file, i);
        if (strncmp(name, prefix ? prefix : "", length) == 0 && nm_tensor_file_at(file, i) &&
            !nm_store_find(store, name + length)) {
            return nm_fail(store->context, NM_ERROR_FORMAT,
                           "the file has a tensor \"%s\" that the network has not", name);
        }
    }
    return NM_OK;
}

bool nm_store_is_filled(const nm_store *store)
{
    return store && store->filled;
}

nm_status nm_store_read(nm_store *store, const char *prefix, const nm_tensor_file *file)
{
    NM_GIVEN(store, NM_ERROR_INPUT);
    NM_REQUIRE(store->context, file, NM_ERROR_INPUT);
    char name[LONGEST_FILE_NAME];
    nm_status status = nm_store_check_change(store);
    /* Twice: first to see that all fits, then to copy. */
    for (int copy = 0; copy < 2 && status == NM_OK; copy++) {
        for (int i = 0; i < nm_store_count(store) && status == NM_OK; i++) {
            const nm_entry *entry = nm_store_at(store, i);
            status = file_name(store, prefix, entry->name, name);
            nm_tensor *found = status == NM_OK ? nm_tensor_file_find(file, name) : NULL;
            if (status == NM_OK) {
                status = copy ? nm_tensor_assign(entry->tensor, found)
                              : check_fit(store, entry, found, name);
            }
        }
        if (!copy && status == NM_OK) {
            status = check_left_over(store, prefix, file);
        }
    }
    store->filled = store->filled || status == NM_OK;
    return status;
}
