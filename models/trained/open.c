#include "models/open.h"

#include "models/initializer.h"
#include "models/model.h"
#include "models/parts.h"
#include "ops/ops.h"
#include "optim/optim.h"

static nm_status register_all(nm_context *context)
{
    nm_status status = nm_register_ops(context);
    status = status == NM_OK ? nm_register_optim(context) : status;
    status = status == NM_OK ? nm_register_initializers(context) : status;
    status = status == NM_OK ? nm_register_layers(context) : status;
    return status == NM_OK ? nm_register_parts(context) : status;
}

nm_context *nm_open(const nm_context_options *options)
{
    nm_context *context = nm_context_create(options);
    if (context && register_all(context) != NM_OK) {
        nm_context_destroy(context);
        return NULL;
    }
    return context;
}

void nm_close(nm_context *context)
{
    nm_context_destroy(context);
}
