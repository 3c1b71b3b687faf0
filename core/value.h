/* YAML as a tree of values with positions: the only way text becomes configuration.
 *
 * Reading is strict and bounded, since files are hostile until checked: UTF-8, one document, no
 * duplicate keys, no merge keys (<<), keys that are text, no tags but !!str (which means what
 * quotes mean), at most 64 levels, 1 MiB of text, 256 anchors and 100 000 values (keys among them)
 * after aliases are expanded. The limits hold while events are read, before a tree exists. What
 * breaks a rule is NM_ERROR_INPUT. */
#ifndef NM_CORE_VALUE_H
#define NM_CORE_VALUE_H

#include "core/context.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum nm_value_kind { NM_VALUE_SCALAR, NM_VALUE_LIST, NM_VALUE_MAP } nm_value_kind;

typedef struct nm_value nm_value;

typedef struct nm_value_entry {
    const nm_value *key; /* a scalar */
    const nm_value *value;
} nm_value_entry;

/* A value of the tree. All of it belongs to the nm_document. Treat as read-only. */
struct nm_value {
    nm_value_kind kind;
    bool quoted;                   /* scalar: it stood in quotes, so it is text */
    int line, column;              /* from 1; 0 where the value has no place in a file */
    const char *file;              /* as given by the caller; "" for none */
    const char *text;              /* scalar: its text */
    int count;                     /* list: items; map: entries */
    const nm_value *const *items;  /* list */
    const nm_value_entry *entries; /* map, in the file's order */
};

typedef struct nm_document nm_document;

#define NM_VALUE_MAX_DEPTH 64
#define NM_VALUE_MAX_BYTES (1 << 20)
#define NM_VALUE_MAX_NODES 100000
#define NM_VALUE_MAX_ANCHORS 256

/* Reads YAML text of `size` bytes (SIZE_MAX: up to its 0). `file` names it in messages (NULL or "":
 * no name) and is copied, as the text is. An empty text gives a null scalar. NULL on failure, with
 * "FILE:LINE:COLUMN: what is wrong" as the context's error; columns count characters. */
NM_API nm_document *nm_document_parse(nm_context *context, const char *text, size_t size,
                                      const char *file);
NM_API nm_document *nm_document_read(nm_context *context, const char *path);
/* The same as nm_document_parse(), with other bounds on bytes and values, for what a program wrote:
 * a table of many columns in a saved network. */
NM_API nm_document *nm_document_parse_within(nm_context *context, const char *text, size_t size,
                                             const char *file, size_t most_bytes, int most_nodes);
NM_API void nm_document_destroy(nm_document *document);
NM_API const nm_value *nm_document_root(const nm_document *document);

/* Sets a value by its path, as in --set: "train.epochs=3", "model.0.dense.units=8" (list items by
 * index, from 0). The text after the first "=" is YAML. Missing maps on the way are made, also in
 * place of a null; a list index must exist. The new values have the file "--set" and the place in
 * `assignment`. Old nm_value pointers stay valid but may no longer be in the tree; what an alias
 * shares with the changed place keeps its old value. On failure the document is as it was. */
NM_API nm_status nm_document_set(nm_document *document, const char *assignment);
/* The same for one of several: the `number`-th, from 1, has places "--set:NUMBER:COLUMN". */
NM_API nm_status nm_document_set_nth(nm_document *document, const char *assignment, int number);

/* The document as it is now, as text: that of its file, with what nm_document_set() changed changed
 * there too, and comments and all else left as they were. Relative paths among the options that
 * were read are rewritten so that they hold from a file in `folder`, which must be there; NULL:
 * they stay. New memory, free with nm_free(); NULL on failure. */
NM_API char *nm_document_text(nm_document *document, const char *folder, size_t *size);

/* The entry of a map, or NULL if it is missing or `map` is NULL or no map. */
NM_API const nm_value *nm_value_get(const nm_value *map, const char *key);
/* The same for messages: where the entry stands or, if it is missing, the map; NULL for NULL. */
NM_API const nm_value *nm_value_place(const nm_value *map, const char *key);
/* A null scalar: empty, ~ or null, not in quotes. */
NM_API bool nm_value_is_null(const nm_value *value);

/* ---- Numbers that never depend on the locale ---- */

/* The whole of `text` as a number; false if it is none or out of range, and `value` is untouched.
 * Integers take an optional sign and digits (also 0x...; underscores are not numbers; 010 is ten).
 * Floats take the same, 1.5, .5, 1e-3, ".inf", "-.inf", ".nan", in at most 500 characters; a number
 * too small for a double, such as 1e-400, is out of range too. */
NM_API bool nm_parse_int(const char *text, int64_t *value);
NM_API bool nm_parse_float(const char *text, double *value);
/* The shortest text that reads back as the same number, in at most 32 bytes: 3, 0.1, 1e-5, -0,
 * 1e16, .inf, -.inf, .nan. Without an exponent from 0.0001 up to 1e16. Returns `text`. */
NM_API char *nm_format_float(double value, char text[32]);

/* ---- Diagnostics: collects every independent error of a file, then fails once. ---- */

typedef struct nm_diagnostics {
    nm_context *context;
    int count;       /* errors so far */
    int hidden;      /* those of them that the text has no room for */
    size_t length;   /* used bytes of text */
    char text[8192]; /* one line an error, cut with "... and N more" */
} nm_diagnostics;

/* Where an error is, as its line of the text says first: "FILE:LINE:COLUMN: " or "FILE:LINE: ". */
typedef struct nm_place {
    size_t file;      /* bytes of the file's name */
    int line, column; /* from 1; column 0: it is not told */
    size_t length;    /* bytes of all of it, to the message */
} nm_place;

/* The place at the beginning of a line of an error's text; false if there is none. */
NM_API bool nm_place_read(const char *line, nm_place *place);

NM_API void nm_diagnostics_begin(nm_diagnostics *d, nm_context *context);
/* Adds "FILE:LINE:COLUMN: message". `at` may be NULL: no place. What is there already, word for
 * word at its place, is counted again, but not told again. */
NM_API void nm_diagnose(nm_diagnostics *d, const nm_value *at, const char *format, ...)
    NM_PRINTF(3, 4);
/* Moves the context's standing error, if there is one, into the list, with a place as nm_fail_at()
 * puts it. Memory errors stay standing. */
NM_API void nm_diagnose_standing(nm_diagnostics *d, const nm_value *at);
/* Puts a value's place before the standing error, unless it begins with a place in that file; that
 * of a setting (--set) within it, if the error quotes its text. `at` may be NULL: no place. Returns
 * the standing status. */
NM_API nm_status nm_fail_at(nm_context *context, const nm_value *at);
/* Fails with NM_ERROR_INPUT and all lines if there were any; NM_OK otherwise. An error that stands
 * in the context already comes first: its status is returned. */
NM_API nm_status nm_diagnostics_end(nm_diagnostics *d);

#ifdef __cplusplus
}
#endif
#endif
