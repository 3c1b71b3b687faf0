#include "models/initializer.h"

#include "core/guard.h"
#include "models/table.h"

/* Streams 15 << 60 and up: apart from those of data sets, loader and trainer. */
static uint64_t stream_of(const char *name)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a */
    for (; *name; name++) {
        hash = (hash ^ (unsigned char)*name) * 1099511628211u;
    }
    return hash | 15ull << 60;
}

nm_status nm_initialize(const nm_choice *choice, uint64_t seed, nm_tensor *tensor)
{
    NM_GIVEN(tensor, NM_ERROR_INPUT);
    NM_REQUIRE(nm_tensor_context(tensor), choice && choice->item, NM_ERROR_INPUT);
    if (nm_item_check(nm_tensor_context(tensor), NM_KIND_INITIALIZER, choice->item) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    const nm_initializer_type *type = (const nm_initializer_type *)choice->item;
    const void *options = nm_choice_options(choice);
    const char *name = nm_tensor_name(tensor);
    nm_random random = nm_random_create(seed, stream_of(name ? name : ""));
    nm_status status = type->fill(options, &random, tensor);
    return status == NM_OK ? NM_OK : nm_fail_in(nm_tensor_context(tensor), "%s", type->item.name);
}

nm_status nm_register_initializers(nm_context *context)
{
    NM_GIVEN(context, NM_ERROR_INPUT);
#define NM_ROW(name) &nm_initializer_##name,
    static const nm_initializer_type *const table[] = {NM_INITIALIZER_TABLE(NM_ROW)};
#undef NM_ROW
    static const nm_kind_rule rule = {sizeof(nm_initializer_type),
                                      {NM_KIND_NEED(nm_initializer_type, fill)}};
    nm_kind_define(context, NM_KIND_INITIALIZER, &rule);
    for (int i = 0; i < (int)(sizeof table / sizeof *table); i++) {
        if (nm_register(context, NM_KIND_INITIALIZER, &table[i]->item) != NM_OK) {
            return nm_context_status(context);
        }
    }
    return NM_OK;
}

nm_tensor *nm_parameter(nm_store *store, const char *name, nm_purpose purpose, nm_shape shape)
{
    const nm_choice he = {.item = &nm_initializer_he.item};
    const nm_role role = purpose >= NM_STATISTIC ? NM_BUFFER : NM_PARAMETER;
    nm_tensor *tensor =
        nm_store_add(store, name, role, purpose, purpose == NM_COUNTER ? NM_I64 : NM_F32, shape);
    nm_status status = tensor ? NM_OK : NM_ERROR_INPUT;
    if (tensor && purpose == NM_WEIGHT) {
        status = nm_initialize(&he, nm_context_seed(nm_store_context(store)), tensor);
    } else if (purpose == NM_NORM_SCALE || purpose == NM_VARIANCE) {
        status = nm_tensor_fill(tensor, 1);
    }
    return status == NM_OK ? tensor : NULL;
}
