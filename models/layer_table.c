#include "core/guard.h"
#include "models/layer.h"
#include "models/model.h"
#include "models/table.h"

nm_status nm_register_layers(nm_context *context)
{
    NM_GIVEN(context, NM_ERROR_INPUT);
#define NM_ROW(name) &nm_layer_##name,
    static const nm_layer_type *const table[] = {NM_LAYER_TABLE(NM_ROW)};
#undef NM_ROW
    for (int i = 0; i < NM_COUNT_OF(table); i++) {
        if (nm_register_layer(context, table[i]) != NM_OK) {
            return nm_context_status(context);
        }
    }
    return NM_OK;
}
