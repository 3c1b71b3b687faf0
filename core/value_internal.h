/* What the files of the YAML reader and of the option specs share. */
#ifndef NM_CORE_VALUE_INTERNAL_H
#define NM_CORE_VALUE_INTERNAL_H

#include "core/option.h"

/* ---- A line of text that is put together piece by piece; what does not fit is left out. ---- */

typedef struct nm_line {
    size_t length;
    char text[1024];
} nm_line;

void nm_line_begin(nm_line *line);
void nm_line_add(nm_line *line, const char *format, ...) NM_PRINTF(2, 3);
/* "FILE:LINE:COLUMN: ", or as much of it as is known. */
void nm_line_add_place(nm_line *line, const char *file, int line_number, int column);

/* ---- Text from a file, fit to be shown in a message: cut, without control characters ---- */

#define NM_SHOWN 72

char *nm_text_shown(const char *text, size_t length, char shown[NM_SHOWN]);
/* What a value is, as the end of a sentence "expected ..., not": `abc`, `a list of 3 items`. */
void nm_line_add_value(nm_line *line, const nm_value *value);

/* true/yes/on or false/no/off, not in quotes. False if `value` is neither. */
bool nm_value_as_bool(const nm_value *value, bool *result);

/* ---- Documents ---- */

#define NM_SETTINGS_FILE "--set" /* the file that settings stand in, a line each */

typedef struct nm_document_chunk nm_document_chunk;
typedef struct nm_path_read nm_path_read;

struct nm_document {
    nm_context *context;
    const nm_value *root;
    const char *name;   /* of its file, as the values have it */
    const char *source; /* the text, where it was read from a file; else NULL */
    size_t source_size;
    bool folder;               /* relative paths are meant from the file's folder */
    nm_path_read *paths;       /* those that were read */
    nm_document_chunk *chunks; /* the newest first; values never move */
    size_t most_bytes;         /* of text */
    int most_nodes;
};

/* Memory that goes with the document, aligned for anything, not cleared. */
void *nm_document_alloc(nm_document *document, size_t size);
/* `length` bytes of text and a 0. */
char *nm_document_copy(nm_document *document, const char *text, size_t length);
/* An empty value of that kind and place. */
nm_value *nm_document_value(nm_document *document, nm_value_kind kind, const char *file, int line,
                            int column);
/* Parses text into values of the document, without touching its root. `file` is kept by pointer.
 * `first_line` is added to lines, `first_column` to the columns of the first one. */
const nm_value *nm_document_parse_into(nm_document *document, const char *text, size_t size,
                                       const char *file, int first_line, int first_column);

/* What a path means for this process that an option has as its value: from the folder of the file
 * it stands in, or where it is found only from the current folder, from that; one that was set
 * (--set), from the current folder. The document's; NULL if memory ran out. */
const char *nm_document_path(nm_document *document, const nm_value *value);

/* ---- Options ---- */

static inline const void *nm_option_field(const nm_option *option, const void *options)
{
    return (const char *)options + option->offset;
}

/* core/options/advice.c: reports a key that is no option, and returns the one that was meant, or
 * NULL; an option that is required and not there, or `nothing`, a null; a value in place of a map.
 */
const nm_option *nm_option_report_unknown(const nm_spec *spec, const char *what,
                                          const nm_value_entry *entry, nm_diagnostics *d);
void nm_option_report_missing(const nm_option *option, const char *what, const nm_value *at,
                              const nm_value *nothing, nm_diagnostics *d);
void nm_option_report_no_map(const nm_spec *spec, const char *what, const nm_value *value,
                             nm_diagnostics *d);
/* "; remove the quotes", or what else mends a value that an option does not take; often nothing. */
void nm_option_add_advice(nm_line *line, const nm_spec *spec, const nm_option *option,
                          const nm_value *value);
/* ", such as {units: 10}" for the value 10; nothing if there are no options. */
void nm_option_add_example(nm_line *line, const nm_spec *spec, const nm_value *value);
/* The first option that must be given; NULL: there is none. `spec` may be NULL. */
const nm_option *nm_spec_needed(const nm_spec *spec);
/* Splits `NAME` or `{NAME: options}`; `options` may become NULL. False after reporting anything
 * else. */
bool nm_choice_split(nm_kind kind, const nm_value *value, const char *what, nm_diagnostics *d,
                     const nm_value **name, const nm_value **options);
/* Reports a name that is none of the kind's, and what was perhaps meant. */
void nm_choice_report_unknown(nm_kind kind, const nm_value *name, const nm_value *options,
                              const char *what, nm_diagnostics *d);
/* " or balanced": the words that may stand instead of numbers. */
void nm_option_add_words(nm_line *line, const nm_option *option);
/* The word that stands for a number; NULL: there is none. */
const char *nm_option_name_of(const nm_option *option, double value);
/* Whether a number is within the option's limits, or has a name. */
bool nm_option_in_range(const nm_option *option, double value);
/* "at least 0 and below 1"; nothing if there are no limits. */
void nm_option_add_range(nm_line *line, const nm_option *option);
/* " or default, unchanged"; nothing if no number has a name. */
void nm_option_add_named(nm_line *line, const nm_option *option);
/* "one of valid, same". */
void nm_option_add_names(nm_line *line, const nm_option *option);
/* Reports a number out of range; `index` counts list items, -1: no list. */
void nm_option_diagnose_range(nm_diagnostics *d, const nm_value *at, const char *what,
                              const nm_option *option, int index, const char *number);

#endif
