#include "ops/ops.h"

#include "core/guard.h"
#include "ops/table.h"

nm_status nm_register_ops(nm_context *context)
{
    NM_GIVEN(context, NM_ERROR_INPUT);
#define NM_ROW(name) &nm_op_##name,
    static const nm_op *const table[] = {NM_OP_TABLE(NM_ROW)};
#undef NM_ROW
    for (int i = 0; i < NM_COUNT_OF(table); i++) {
        if (nm_register_op(context, table[i]) != NM_OK) {
            return nm_context_status(context);
        }
    }
    return NM_OK;
}
