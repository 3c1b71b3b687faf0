/* Arms by name, and the end of a study. */
#include "models/command/study/study.h"

const nm_value *study_axis_value(const study *s, const arm *a, int i)
{
    return s->axes[i].values->items[a->at[i]];
}

const char *study_variant(const study *s, const arm *a)
{
    return s->variants->entries[a->variant].key->text;
}

const char *study_axis_text(const study *s, const arm *a, int i)
{
    return s->axes[i].texts[a->at[i]];
}

void study_close(study *s)
{
    for (int i = 0; i < s->arm_count; i++) {
        nm_free(s->context, s->arms[i].text);
        nm_free(s->context, s->arms[i].values);
    }
    for (int i = 0; i < s->axis_count; i++) {
        nm_free(s->context, s->axes[i].texts);
    }
    nm_free(s->context, s->arms);
    nm_free(s->context, s->measures);
    nm_free(s->context, s->claims);
    nm_free(s->context, s->plots);
    nm_document_destroy(s->document);
}
