/* From a YAML list to layers: types, options, names, children. Every mistake is reported, and what
 * can be read in spite of it is read. */
#include <stdio.h>
#include <string.h>

#include "core/guard.h"
#include "models/model_internal.h"

#define LONGEST_NAME 60

/* ---- Names ---- */

static bool is_name(const char *text)
{
    size_t length =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
    return length > 0 && length <= LONGEST_NAME && !text[length];
}

static const char *prefix_of(const nm_layer_type *type)
{
    return type->prefix ? type->prefix : type->item.name;
}

/* How many layers with this prefix stand there already, this one noted: the first of each prefix in
 * a list counts them. */
static int count_alike(nm_layer *layer, const nm_layers *before)
{
    nm_model *m = layer->model;
    char key[128];
    const nm_layer *list = before->first ? before->first : layer;
    snprintf(key, sizeof key, "%p %.60s", (const void *)list, prefix_of(layer->type));
    layer_record *first = nm_map_find(m->alike, key);
    if (!first && nm_map_add(m->alike, key, record_of(layer)) == NM_OK) {
        first = record_of(layer);
    }
    return first ? first->alike++ : 0;
}

static const char *given_name(const nm_layer *layer)
{
    return layer->options ? ((const nm_layer_options *)layer->options)->name : NULL;
}

/* `{TYPE: {name: HERE}}` */
static const nm_value *place_of_name(const nm_layer *layer)
{
    const nm_value *at = layer->at;
    const nm_value *options = at->kind == NM_VALUE_MAP ? at->entries[0].value : NULL;
    const nm_value *name = nm_value_get(options, "name");
    return name ? name : at;
}

static void check_given_name(nm_layer *layer, const char *name, nm_diagnostics *d)
{
    if (!is_name(name)) {
        nm_diagnose(d, place_of_name(layer),
                    "%s: \"name\" must be 1 to %d letters, digits, \"_\" or \"-\", not \"%.60s\"",
                    layer->type->item.name, LONGEST_NAME, name);
        record_of(layer)->broken = true;
    }
}

/* Gives it its name and label. */
static void name_layer(nm_layer *layer, const nm_layers *before, const char *prefix,
                       nm_diagnostics *d)
{
    char own[2 * LONGEST_NAME + 16];
    const char *given = given_name(layer);
    const int alike = layer->type ? count_alike(layer, before) : 0;
    if (given) {
        check_given_name(layer, given, d);
        snprintf(own, sizeof own, "%.*s", LONGEST_NAME, given);
    } else if (layer->type) {
        snprintf(own, sizeof own, "%.60s%d", prefix_of(layer->type), alike + 1);
    } else {
        snprintf(own, sizeof own, "unknown%d", before->count + 1);
    }
    layer->name = nm_format(layer->context, "%s%s%s", prefix ? prefix : "", prefix ? "." : "", own);
    char *label = layer->name ? nm_format(layer->context, "layer \"%s\"", layer->name) : NULL;
    layer->label = label ? nm_context_label(layer->context, label) : NULL;
    nm_free(layer->context, label);
}

/* Notes the name, which must be new. */
static void claim_name(nm_layer *layer, nm_diagnostics *d)
{
    nm_model *m = layer->model;
    if (!layer->label || record_of(layer)->broken) {
        return;
    }
    const nm_layer *other = nm_map_find(m->names, layer->name);
    if (other) {
        nm_diagnose(d, place_of_name(layer),
                    "%s: the name \"%s\" is taken by the layer in line %d; choose another",
                    layer->type->item.name, layer->name, other->at->line);
        record_of(layer)->broken = true;
    } else {
        nm_map_add(m->names, layer->name, layer);
    }
}

/* ---- A layer ---- */

static bool has_room(nm_model *m, const nm_value *at, nm_diagnostics *d)
{
    if (m->count == NM_MODEL_MAX_LAYERS) {
        if (!m->full) {
            nm_diagnose(d, at, "model: it would have more than %d layers; repeat fewer",
                        NM_MODEL_MAX_LAYERS);
        }
        m->full = true;
        return false;
    }
    return true;
}

static bool make_room(nm_model *m)
{
    if (m->count < m->capacity) {
        return true;
    }
    int capacity = m->capacity ? 2 * m->capacity : 16;
    void *records = nm_resize(m->context, m->records, (size_t)capacity * sizeof(layer_record *));
    if (records) {
        m->records = records;
        m->capacity = capacity;
    }
    return records;
}

#define STATE_OFFSET ((sizeof(layer_record) + 15) & ~(size_t)15)

nm_layer *nm_model_add_layer(nm_model *m, const nm_layer_type *type, size_t state, int depth)
{
    layer_record *record = make_room(m) ? nm_alloc_zero(m->context, 1, STATE_OFFSET + state) : NULL;
    if (!record) {
        return NULL;
    }
    record->depth = depth;
    record->layer = (nm_layer){.type = type,
                               .state = (char *)record + STATE_OFFSET,
                               .context = m->context,
                               .document = m->document,
                               .model = m};
    m->records[m->count++] = record;
    return &record->layer;
}

/* The layer that was chosen. */
static nm_layer *add_layer(nm_model *m, const nm_choice *choice, const nm_value *at, int depth)
{
    const nm_layer_type *type = (const nm_layer_type *)choice->item;
    nm_layer *layer = nm_model_add_layer(m, type, type ? type->state_size : 0, depth);
    if (layer) {
        layer->options = nm_choice_options(choice);
        layer->at = at;
    }
    return layer;
}

/* A mistake in a layer within it is not its own. */
static void read_values(nm_layer *layer, nm_diagnostics *d)
{
    layer_record *record = record_of(layer);
    int errors = d->count;
    layer->type->read(layer, d);
    record->broken = record->broken || (!record->has_children && d->count > errors);
}

static nm_layer *read_layer(nm_model *m, const nm_value *value, const char *prefix, int depth,
                            const nm_layers *before, nm_diagnostics *d)
{
    nm_choice choice = {0};
    int errors = d->count;
    nm_choice_read(NM_KIND_LAYER, value, "model", m->document, d, &choice);
    if (nm_context_status(m->context) != NM_OK || !has_room(m, value, d)) {
        return NULL;
    }
    nm_layer *layer = add_layer(m, &choice, value, depth);
    if (!layer) {
        return NULL;
    }
    record_of(layer)->broken = d->count > errors;
    name_layer(layer, before, prefix, d);
    claim_name(layer, d);
    if (layer->label && layer->type && layer->type->read) {
        read_values(layer, d);
    }
    return layer->label ? layer : NULL;
}

/* ---- Lists ---- */

/* False after reporting what is no list of layers. */
static bool is_list(const nm_value *list, const char *what, nm_diagnostics *d)
{
    if (list->kind == NM_VALUE_LIST && list->count) {
        return true;
    }
    nm_diagnose(d, list, "%s: expected a list of layers, such as [dense: {units: 10}, relu]%s",
                what, list->kind == NM_VALUE_LIST ? ", not an empty one" : "");
    return false;
}

static void append(nm_layers *layers, const nm_layers *more)
{
    *(layers->last ? &layers->last->next : &layers->first) = more->first;
    layers->last = more->last ? more->last : layers->last;
    layers->count += more->count;
}

void nm_layers_read(nm_model *model, const nm_value *list, const char *what, const char *prefix,
                    int depth, nm_diagnostics *d, nm_layers *layers)
{
    nm_layers own = {0}; /* among which names are numbered */
    int count = is_list(list, what, d) ? list->count : 0;
    for (int i = 0; i < count; i++) {
        nm_layer *layer = read_layer(model, list->items[i], prefix, depth, &own, d);
        if (!layer) {
            break; /* no memory, or too many layers */
        }
        append(&own, &(nm_layers){layer, layer, 1});
    }
    append(layers, &own);
}

void nm_layer_read_children(nm_layer *layer, const nm_value *list, const char *part,
                            nm_diagnostics *d, nm_layers *layers)
{
    NM_GIVEN(layer, );
    NM_REQUIRE(layer->context, list, );
    NM_REQUIRE(layer->context, d, );
    NM_REQUIRE(layer->context, layers, );
    layer_record *record = record_of(layer);
    char *prefix =
        nm_format(layer->context, "%s%s%s", layer->name, part ? "." : "", part ? part : "");
    record->has_children = true;
    if (prefix) {
        int count = layers->count;
        nm_layers_read(layer->model, list, layer->type->item.name, prefix, record->depth + 1, d,
                       layers);
        record->broken = record->broken || layers->count == count;
    }
    nm_free(layer->context, prefix);
}
