/* What kinds of things are called, and in which order they are told. */
#include <stdio.h>
#include <string.h>

#include "models/command/command.h"

const nm_kind kinds_in_order[NM_KIND_COUNT] = {
    NM_KIND_PART,     NM_KIND_LAYER,   NM_KIND_INITIALIZER, NM_KIND_LOSS,  NM_KIND_OPTIMIZER,
    NM_KIND_SCHEDULE, NM_KIND_DATASET, NM_KIND_METRIC,      NM_KIND_PROBE, NM_KIND_OP};

const char *kind_plural(nm_kind kind, char plural[KIND_TITLE])
{
    const char *name = nm_kind_name(kind);
    bool hisses = name[0] && name[strlen(name) - 1] == 's'; /* losses */
    snprintf(plural, KIND_TITLE, "%s%s", name, hisses ? "es" : "s");
    return plural;
}

const char *kind_title(nm_kind kind, char title[KIND_TITLE])
{
    kind_plural(kind, title);
    title[0] = (char)(title[0] - 'a' + 'A');
    return title;
}
