/* What is saved of a split. */
#include <inttypes.h>
#include <stdio.h>

#include "core/op.h"
#include "optim/data/split/split.h"

static const nm_split_record defaults = {.rule = NULL};
static const nm_option rows[] = {
    {NM_FIELD(nm_split_record, rule), NM_OPTION_STRING, .doc = "how rows were chosen"},
    {NM_FIELD(nm_split_record, share), NM_OPTION_FLOAT, .min = 0, .max = 1, .doc = "wanted"},
    {NM_FIELD(nm_split_record, test_share), NM_OPTION_FLOAT, .min = 0, .max = 1,
     .doc = "the same, of a test set"},
    {NM_FIELD(nm_split_record, seed), NM_OPTION_INT, .min = 0, .max = 1e15,
     .doc = "data.split_seed"},
    {NM_FIELD(nm_split_record, rows), NM_OPTION_INT, .min = 0, .max = 1e15, .doc = "in all"},
    {NM_FIELD(nm_split_record, validation), NM_OPTION_INT, .min = 0, .max = 1e15,
     .doc = "of them held out to validate with"},
    {NM_FIELD(nm_split_record, test), NM_OPTION_INT, .min = 0, .max = 1e15,
     .doc = "of them held out as a fold"},
    {NM_FIELD(nm_split_record, unused), NM_OPTION_INT, .min = 0, .max = 1e15,
     .doc = "of them later than the fold"},
    {NM_FIELD(nm_split_record, folds), NM_OPTION_INT, .min = 0, .max = 1e6, .doc = "in all"},
    {NM_FIELD(nm_split_record, fold), NM_OPTION_INT, .min = 0, .max = 1e6, .doc = "which, from 1"},
    {NM_FIELD(nm_split_record, data), NM_OPTION_STRING, .doc = "fingerprint of all rows"},
    {NM_FIELD(nm_split_record, validation_data), NM_OPTION_STRING, .doc = "the same of those rows"},
    {NM_FIELD(nm_split_record, test_data), NM_OPTION_STRING, .doc = "the same"},
};
const nm_spec nm_split_record_spec = {.name = "nm_split_record",
                                      .size = sizeof(nm_split_record),
                                      .defaults = &defaults,
                                      .options = rows,
                                      .count = NM_COUNT_OF(rows)};
