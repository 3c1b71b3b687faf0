/* Paths in a file are meant from the file's own folder, so that it can be read from anywhere. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/guard.h"
#include "core/path.h"
#include "core/value_internal.h"
#include "core/values/edit.h"

/* A path that was read as an option, and what it means for this process. */
struct nm_path_read {
    nm_path_read *next;
    const nm_value *value;
    const char *meant;
};

/* ---- Reading ---- */

static bool exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}

static bool is_relative(const char *path)
{
    return *path != '/' && strcmp(path, "-") != 0; /* - is standard input */
}

/* From the file's folder, if it is there or nowhere. Many write paths from where they work: one
 * that is found only from the current folder is taken from there, and that is said. */
static const char *find_place(nm_document *document, const nm_value *value)
{
    char *text = nm_path_in(document->context, value->file, value->text);
    const char *meant = text ? nm_document_copy(document, text, strlen(text)) : NULL;
    nm_free(document->context, text);
    if (!meant || exists(meant) || !exists(value->text)) {
        return meant;
    }
    nm_context_log(
        document->context, NM_LOG_WARNING,
        "%s:%d:%d: \"%s\" is not in the folder of the file but in the current one; it is "
        "taken from there",
        value->file, value->line, value->column, value->text);
    return value->text;
}

/* NULL for what is no path, or was not read yet. */
static const char *meaning_of(const nm_document *document, const nm_value *value)
{
    for (const nm_path_read *path = document->paths; path; path = path->next) {
        if (path->value == value) {
            return path->meant;
        }
    }
    return NULL;
}

/* ~/data.csv, as in a shell: from the user's home, if that is known. NULL if memory ran out. */
static const char *from_home(nm_document *document, const char *text)
{
    const char *home = getenv("HOME");
    if (strncmp(text, "~/", 2) != 0 || !home || *home != '/') {
        return text;
    }
    const size_t size = strlen(home) + strlen(text);
    char *path = nm_document_alloc(document, size);
    if (path) {
        snprintf(path, size, "%s%s", home, text + 1);
    }
    return path;
}

const char *nm_document_path(nm_document *document, const nm_value *value)
{
    const char *known = meaning_of(document, value);
    if (known) { /* what was to be said was said */
        return known;
    }
    nm_path_read *path = nm_document_alloc(document, sizeof *path);
    if (!path) {
        return NULL;
    }
    bool in_file = document->folder && value->file == document->name;
    *path = (nm_path_read){document->paths, value, from_home(document, value->text)};
    document->paths = path;
    if (in_file && path->meant == value->text && is_relative(value->text)) {
        path->meant = find_place(document, value);
    }
    return path->meant;
}

/* ---- Writing ---- */

/* A path as it is to stand in a file of that folder; the value itself where that is the same. */
static const nm_value *move_path(nm_document *document, const nm_value *value, const char *folder)
{
    const char *meant = meaning_of(document, value);
    if (!meant || !is_relative(meant)) {
        return value;
    }
    char *written = nm_path_from(document->context, folder, meant);
    nm_value *moved = written ? nm_document_value(document, NM_VALUE_SCALAR, "", 0, 0) : NULL;
    if (moved) {
        moved->quoted = value->quoted;
        moved->text = nm_document_copy(document, written, strlen(written));
    }
    nm_free(document->context, written);
    return moved && moved->text ? moved : NULL;
}

static const nm_value *move_paths(nm_document *document, const nm_value *value, const char *folder);

static const nm_value *move_in_list(nm_document *document, const nm_value *list, const char *folder)
{
    nm_value *copy = nm_document_alloc(document, sizeof *copy);
    const nm_value **items = nm_document_alloc(document, (size_t)list->count * sizeof *items);
    bool fine = copy && items;
    for (int i = 0; fine && i < list->count; i++) {
        items[i] = move_paths(document, list->items[i], folder);
        fine = items[i];
    }
    if (fine) {
        *copy = *list;
        copy->items = items;
    }
    return fine ? copy : NULL;
}

static const nm_value *move_in_map(nm_document *document, const nm_value *map, const char *folder)
{
    nm_value *copy = nm_document_alloc(document, sizeof *copy);
    nm_value_entry *entries = nm_document_alloc(document, (size_t)map->count * sizeof *entries);
    bool fine = copy && entries;
    for (int i = 0; fine && i < map->count; i++) {
        entries[i] = (nm_value_entry){map->entries[i].key,
                                      move_paths(document, map->entries[i].value, folder)};
        fine = entries[i].value;
    }
    if (fine) {
        *copy = *map;
        copy->entries = entries;
    }
    return fine ? copy : NULL;
}

/* A copy of the tree; NULL on failure. */
static const nm_value *move_paths(nm_document *document, const nm_value *value, const char *folder)
{
    switch (value->kind) {
    case NM_VALUE_SCALAR: return move_path(document, value, folder);
    case NM_VALUE_LIST: return move_in_list(document, value, folder);
    case NM_VALUE_MAP: break;
    }
    return move_in_map(document, value, folder);
}

char *nm_document_text(nm_document *document, const char *folder, size_t *size)
{
    NM_GIVEN(document, NULL);
    NM_REQUIRE(document->context, size, NULL);
    const nm_value *wanted = document->root;
    if (folder) {
        wanted = move_paths(document, wanted, folder);
    }
    *size = document->source_size;
    return wanted ? nm_yaml_edit(document->context, document->source ? document->source : "", size,
                                 wanted)
                  : NULL;
}
