/* How class labels that are integers in the data become classes 0, 1, 2, ...
 *
 * 1. For a network that is there already, by the names of its classes.
 * 2. Where `classes` is given, or the smallest label is 0: a label is its class.
 * 3. Otherwise (1 to 3, or -1 and 1) the labels that occur, in increasing order, are the classes,
 *    and each class is called by its label. Of negative ones only -1 beside 1 alone is taken: else
 *    it more often marks samples without a class.
 *
 * The label that the loss ignores is no class, and stays as it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "optim/data/readers.h"

static bool is_ignored(const nm_dataset *set, int32_t label)
{
    return nm_is_ignored(&set->ignored, label);
}

/* ---- A network's classes ---- */

/* A class's label and its number, to be looked up by the label. */
typedef struct known_class {
    int32_t label;
    int32_t number;
} known_class;

static int compare_classes(const void *a, const void *b)
{
    const int32_t x = ((const known_class *)a)->label, y = ((const known_class *)b)->label;
    return (x > y) - (x < y);
}

/* The classes whose names are integers, by label; *count of them. */
static known_class *list_classes(const nm_dataset *set, const nm_schema *schema, size_t *count)
{
    known_class *known = nm_alloc_zero(set->context, (size_t)schema->classes, sizeof *known);
    int64_t label;
    *count = 0;
    for (int64_t i = 0; known && i < schema->classes; i++) {
        if (nm_parse_int(schema->class_names[i], &label) && label == (int32_t)label) {
            known[(*count)++] = (known_class){(int32_t)label, (int32_t)i};
        }
    }
    if (known) {
        qsort(known, *count, sizeof *known, compare_classes);
    }
    return known;
}

#define NAMES_SHOWN 6

static nm_status unknown_label(const nm_dataset *set, const nm_schema *schema, int64_t sample,
                               int32_t label)
{
    char names[256] = "", number[32];
    size_t length = 0;
    for (int64_t i = 0; i < schema->classes && i < NAMES_SHOWN && length < sizeof names; i++) {
        length += (size_t)snprintf(names + length, sizeof names - length, "%s%.32s", i ? ", " : "",
                                   nm_schema_class_name(schema, i, number));
    }
    return nm_fail(set->context, NM_ERROR_FORMAT,
                   "sample %lld has label %d, which is no class that was trained on: %s%s",
                   (long long)sample, label, names, schema->classes > NAMES_SHOWN ? ", ..." : "");
}

static nm_status number_by_names(nm_dataset *set, const nm_schema *schema)
{
    size_t count = 0;
    const size_t bytes = (size_t)set->count * nm_dataset_target_bytes(set);
    int32_t *labels = nm_dataset_own(set, set->targets, bytes);
    known_class *known = labels ? list_classes(set, schema, &count) : NULL;
    nm_status status = known ? NM_OK : nm_context_status(set->context);
    set->targets = labels ? labels : set->targets;
    for (int64_t i = 0; status == NM_OK && i < set->count; i++) {
        const known_class wanted = {labels[i], 0};
        const known_class *found = bsearch(&wanted, known, count, sizeof *known, compare_classes);
        if (found) {
            labels[i] = found->number;
        } else if (!is_ignored(set, labels[i])) {
            status = unknown_label(set, schema, i, labels[i]);
        }
    }
    nm_free(set->context, known);
    return status;
}

/* ---- Classes of new data ---- */

static int compare_labels(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* The different labels in increasing order, *count of them; new memory. */
static int32_t *distinct_labels(const nm_dataset *set, int64_t *count)
{
    const int32_t *labels = set->targets;
    int32_t *distinct = nm_alloc_zero(set->context, (size_t)set->count, sizeof *distinct);
    int64_t used = 0;
    for (int64_t i = 0; distinct && i < set->count; i++) {
        if (!is_ignored(set, labels[i])) {
            distinct[used++] = labels[i];
        }
    }
    *count = 0;
    if (distinct) {
        qsort(distinct, (size_t)used, sizeof *distinct, compare_labels);
    }
    for (int64_t i = 0; i < used; i++) {
        if (i == 0 || distinct[i] != distinct[*count - 1]) {
            distinct[(*count)++] = distinct[i];
        }
    }
    return distinct;
}

static nm_status name_classes(nm_dataset *set, const int32_t *distinct, int64_t count)
{
    nm_schema *schema = set->schema ? set->schema : nm_schema_create(set->context);
    set->schema = schema;
    const char **names = schema ? nm_schema_alloc(schema, (size_t)count, sizeof *names) : NULL;
    for (int64_t i = 0; names && i < count; i++) {
        char text[32];
        snprintf(text, sizeof text, "%d", distinct[i]);
        names[i] = nm_schema_copy(schema, text, strlen(text));
    }
    if (nm_context_status(set->context) != NM_OK) {
        return nm_context_status(set->context);
    }
    schema->classes = count;
    schema->class_names = names;
    set->classes = count;
    nm_context_log(set->context, NM_LOG_INFO,
                   "the labels go from %d to %d: %lld classes, called by them", distinct[0],
                   distinct[count - 1], (long long)count);
    return number_by_names(set, schema);
}

/* A class without a sample is often a mistake, and never learned. A single label above all others
 * may mark samples that have none. */
static void tell_gaps(const nm_dataset *set, const int32_t *distinct, int64_t count)
{
    const int32_t largest = distinct[count - 1];
    char remedy[128] = "numpy.unique(y, return_inverse=True)[1] numbers those that occur";
    if (count <= largest && count > 1 && distinct[count - 2] == count - 2) {
        snprintf(remedy, sizeof remedy,
                 "if %d marks samples without a class, set the loss's ignore_index to it", largest);
    }
    if (count <= largest) {
        nm_context_log(set->context, NM_LOG_WARNING,
                       "the labels go from 0 to %d, but %lld of these classes have no sample; %s",
                       largest, (long long)largest + 1 - (long long)count, remedy);
    }
}

/* Several are no mark of samples without a class, but numbers. */
static nm_status negative_label(const nm_dataset *set, int32_t label, bool several)
{
    const int32_t *labels = set->targets;
    int64_t sample = 0;
    while (labels[sample] != label) {
        sample++;
    }
    if (several) {
        return nm_fail(set->context, NM_ERROR_FORMAT,
                       "sample %lld has label %d; classes count from 0 (to predict numbers, the "
                       "loss is mse or huber)",
                       (long long)sample, label);
    }
    return nm_fail(
        set->context, NM_ERROR_FORMAT,
        "sample %lld has label %d; classes count from 0 (for samples without a class, set "
        "the loss's ignore_index to %d)",
        (long long)sample, label, label);
}

static nm_status find_classes(nm_dataset *set)
{
    int64_t count;
    nm_status status = NM_OK;
    int32_t *distinct = distinct_labels(set, &count);
    if (!distinct) {
        return NM_ERROR_MEMORY;
    }
    const bool signs = count == 2 && distinct[0] == -1 && distinct[1] == 1;
    if (count && distinct[0] < 0 && !signs) {
        status = negative_label(set, distinct[0], count > 1 && distinct[1] < 0);
    } else if (count && distinct[0] != 0) {
        status = name_classes(set, distinct, count);
    } else if (count) {
        tell_gaps(set, distinct, count);
    }
    nm_free(set->context, distinct);
    return status;
}

nm_status nm_dataset_number_classes(nm_dataset *set, const nm_schema *schema)
{
    if (set->target_dtype != NM_I32 || !set->targets || set->count < 1 || set->is_numbered) {
        return NM_OK;
    }
    if (schema) {
        set->classes = schema->classes;
        return schema->class_names ? number_by_names(set, schema) : NM_OK;
    }
    return set->classes ? NM_OK : find_classes(set);
}
