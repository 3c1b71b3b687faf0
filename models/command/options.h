/* All options of all that is registered: the parts of a file and what stands in them, layers, ops,
 * data sets, and so on. For help, reference and completion. */
#ifndef NM_MODELS_COMMAND_OPTIONS_H
#define NM_MODELS_COMMAND_OPTIONS_H

#include "models/command/command.h"

/* An option and where it stands. */
typedef struct option_place {
    nm_kind kind;
    const nm_item *item;
    const nm_spec *spec; /* whose option it is: the item's, or one within that */
    const nm_option *option;
    char path[192]; /* within the item: "weight_norm.axis" */
} option_place;

typedef void (*option_fn)(void *user, const option_place *place);

/* In the order of kinds, items and tables; those of a map behind the map, but for one that is a
 * part of a file and as such an item. */
void each_option(const nm_context *context, option_fn call, void *user);

#define MOST_PLACES 128

typedef struct option_list {
    int count;
    option_place place[MOST_PLACES];
} option_list;

/* Those that are called so: "patience", "early_stopping.patience", or as --set has it,
 * "model.0.dense.units". */
void find_options(const nm_context *context, const char *name, option_list *list);

/* The part of a file that is read by this table; NULL: none. */
const nm_item *part_of_spec(const nm_context *context, const nm_spec *spec);

#define OPTION_TEXT 1024

/* "int, default 5, at least 1 and at most 1e9" */
void describe_option(nm_context *context, const nm_spec *spec, const nm_option *option,
                     char text[OPTION_TEXT]);

#define MOST_NAMES 1024

/* All that `norma help` knows: commands, items, options; each name once. Returns how many. */
int help_names(const nm_context *context, const command *const *commands,
               const char *names[MOST_NAMES]);

#endif
