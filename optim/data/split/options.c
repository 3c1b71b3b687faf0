/* The options of a split. */
#include <stdio.h>
#include <string.h>

#include "core/guard.h"
#include "core/op.h"
#include "optim/data/split/split.h"

#define USUAL_SHARE 0.2

/* The rows are given: nothing else chooses them. */
static void check_indices(const nm_split_options *o, const nm_value *at, nm_diagnostics *d)
{
    const char *other = o->groups                                 ? "groups"
                        : o->order                                ? "order"
                        : o->stratify == NM_STRATIFY_TRUE         ? "stratify"
                        : o->share != USUAL_SHARE && o->share > 0 ? "share"
                                                                  : NULL;
    if (other) {
        nm_diagnose(d, at,
                    "data: validation: \"indices\" names the rows, so \"%s\" has no say; leave one "
                    "of them out",
                    other);
    }
}

static void check_options(const void *options, const nm_value *at, nm_diagnostics *d)
{
    const nm_split_options *o = options;
    if (o->indices) {
        check_indices(o, at, d);
    } else if (o->first_index) {
        nm_diagnose(d, at,
                    "data: validation: \"first_index\" says how \"indices\" counts, and there are "
                    "none; leave it out");
    }
    if (o->order && o->groups) {
        nm_diagnose(d, at,
                    "data: validation: \"order\" holds the last rows out, and \"groups\" whole "
                    "groups; give one of them");
    }
    if (o->order && o->stratify == NM_STRATIFY_TRUE) {
        nm_diagnose(d, at,
                    "data: validation: \"order\" holds the last rows out, whatever their class; "
                    "leave \"stratify\" out");
    }
}

static const nm_split_options defaults = {.share = USUAL_SHARE};
static const char *const stratify_names[] = {"auto", "true", "false", NULL};
static const nm_option rows[] = {
    {NM_FIELD(nm_split_options, share), NM_OPTION_FLOAT, .min = 0, .max = 1, .flags = NM_MAX_OPEN,
     .doc = "fraction of the training set held out; 0: nothing"},
    {NM_FIELD(nm_split_options, stratify), NM_OPTION_ENUM, .names = stratify_names,
     .doc =
         "whether each class keeps its share, as exactly as rounding allows, a class of a single "
         "row staying in the training set; auto: where targets are classes"},
    {NM_FIELD(nm_split_options, groups), NM_OPTION_STRING,
     .doc = "column of a table, of texts or numbers, such as a patient: rows of one group stay on "
            "one side. It is no input then, unless `columns` names it"},
    {NM_FIELD(nm_split_options, order), NM_OPTION_STRING,
     .doc = "last: the last rows of the file are held out; or a column of numbers or dates to sort "
            "by first, whose equal values stay together. It stays an input"},
    {NM_FIELD(nm_split_options, indices), NM_OPTION_STRING, .flags = NM_PATH,
     .doc = "file of the rows to hold out: text with one number a line, or .npy"},
    {NM_FIELD(nm_split_options, first_index), NM_OPTION_INT, .min = 0, .max = 1,
     .doc = "the number of the first row in it: 0, or 1"},
};
static const nm_advice advice[] = {
    {"csv npy idx path file", NULL,
     "it holds rows of the training set out; put those of a file of its own behind them, and name "
     "them by `indices`"},
    {NULL, NULL, NULL},
};
const nm_spec nm_split_spec = {.name = "nm_split_options",
                               .size = sizeof(nm_split_options),
                               .defaults = &defaults,
                               .options = rows,
                               .count = NM_COUNT_OF(rows),
                               .check = check_options,
                               .advice = advice};

bool nm_split_holds_out(const nm_split_options *o)
{
    NM_GIVEN(o, false);
    return o->share > 0 || o->indices;
}

const char *nm_split_order_column(const nm_split_options *o)
{
    NM_GIVEN(o, NULL);
    return o->order && strcmp(o->order, "last") != 0 ? o->order : NULL;
}

const char *nm_split_rule(const nm_split_options *o, const nm_dataset *set,
                          char text[NM_SPLIT_TEXT])
{
    NM_GIVEN(set, NULL);
    NM_REQUIRE(set->context, o, NULL);
    NM_REQUIRE(set->context, text, NULL);
    const bool by_class = set->classes > 0 && o->stratify != NM_STRATIFY_FALSE;
    if (o->indices) {
        snprintf(text, NM_SPLIT_TEXT, "the rows of %.200s", o->indices);
    } else if (nm_split_order_column(o)) {
        snprintf(text, NM_SPLIT_TEXT, "the last rows by \"%.200s\"", o->order);
    } else if (o->groups) {
        snprintf(text, NM_SPLIT_TEXT, "whole groups of \"%.200s\"%s", o->groups,
                 by_class ? ", classes about in their shares" : "");
    } else {
        snprintf(text, NM_SPLIT_TEXT, "%s",
                 o->order   ? "the last rows"
                 : by_class ? "each class in its share"
                            : "at random");
    }
    return text;
}
