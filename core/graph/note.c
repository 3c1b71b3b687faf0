/* What a dry run did that no graph can hold. Below all that may have to say so. */
#include "core/graph/internal.h"

void nm_trace_note(nm_trace *trace, const char *obstacle)
{
    if (!trace->obstacle) {
        trace->obstacle = obstacle;
    }
}

void nm_trace_note_in(nm_context *context, const char *obstacle)
{
    nm_trace_note(context->trace, obstacle);
}
