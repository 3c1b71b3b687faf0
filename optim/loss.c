#include "optim/loss.h"

#include <math.h>
#include <string.h>

#include "core/guard.h"
#include "ops/arithmetic.h"

static const nm_loss_type *type_of(const nm_choice *choice)
{
    return (const nm_loss_type *)(const void *)choice->item;
}

nm_status nm_loss_begin(nm_loss *loss, nm_context *context, const nm_choice *choice)
{
    NM_REQUIRE(context, loss, NM_ERROR_INPUT);
    *loss = (nm_loss){.context = context};
    NM_REQUIRE(context, choice, NM_ERROR_INPUT);
    const nm_item *item = choice->item;
    if (!item) {
        return nm_fail(context, NM_ERROR_INPUT,
                       "no loss is given; choose one, such as cross_entropy");
    }
    if (nm_item_check(context, NM_KIND_LOSS, item) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    *loss = (nm_loss){
        .context = context, .type = type_of(choice), .options = nm_choice_options(choice)};
    return item->spec ? nm_spec_check(context, item->spec, item->name, loss->options) : NM_OK;
}

nm_status nm_loss_prepare(nm_loss *loss, const nm_dataset *train, int64_t outputs)
{
    NM_GIVEN(loss && loss->type, NM_ERROR_INPUT);
    const nm_loss_type *type = loss->type;
    if (!type->follows_data || !type->follows_data(loss->options)) {
        return NM_OK;
    }
    if (!train) {
        return nm_fail(loss->context, NM_ERROR_INPUT,
                       "%s: its options leave to the training set what cannot be known without it; "
                       "give numbers",
                       type->item.name);
    }
    loss->prepared = nm_alloc_zero(loss->context, 1, type->item.spec->size);
    if (!loss->prepared) {
        return NM_ERROR_MEMORY;
    }
    memcpy(loss->prepared, loss->options, type->item.spec->size);
    nm_status status = type->prepare(loss->context, loss->prepared, train, outputs, &loss->memory);
    if (status == NM_OK) {
        loss->options = loss->prepared;
    }
    return status;
}

nm_status nm_loss_check(const nm_loss *loss, int64_t outputs)
{
    NM_GIVEN(loss && loss->type, NM_ERROR_INPUT);
    const nm_loss_type *type = loss->type;
    return type->check ? type->check(loss->context, loss->options, outputs) : NM_OK;
}

void nm_loss_end(nm_loss *loss)
{
    NM_GIVEN(loss, );
    if (loss->context) {
        nm_free(loss->context, loss->memory);
        nm_free(loss->context, loss->prepared);
    }
    *loss = (nm_loss){0};
}

nm_choice nm_loss_choice_resolve(const nm_choice *given, const nm_choice *saved)
{
    NM_GIVEN(given && saved, ((nm_choice){0}));
    if (!given->item || given->item != saved->item) {
        return *given;
    }
    const nm_loss_type *type = type_of(given);
    bool open = type->follows_data && type->follows_data(nm_choice_options(given));
    return open && !type->follows_data(nm_choice_options(saved)) ? *saved : *given;
}

nm_ignored nm_loss_ignored(const nm_loss *loss)
{
    NM_GIVEN(loss && loss->type, ((nm_ignored){0}));
    return loss->type->ignored ? loss->type->ignored(loss->options) : (nm_ignored){0};
}

nm_ignored nm_loss_choice_ignored(const nm_choice *choice)
{
    NM_GIVEN(choice, ((nm_ignored){0}));
    return choice->item ? nm_loss_ignored(&(nm_loss){.type = type_of(choice),
                                                     .options = nm_choice_options(choice)})
                        : (nm_ignored){0};
}

bool nm_loss_choice_padding(const nm_choice *choice, double *padding)
{
    NM_GIVEN(choice && padding, false);
    const bool in_rows = choice->item && type_of(choice)->padding;
    if (in_rows) {
        *padding = type_of(choice)->padding(nm_choice_options(choice));
    }
    return in_rows;
}

int nm_loss_choice_wants(const nm_choice *choice)
{
    NM_GIVEN(choice, 0);
    return !choice->item                    ? NM_WANTED_ANY
           : type_of(choice)->wants_labels  ? NM_WANTED_LABELS
           : type_of(choice)->takes_sigmoid ? NM_WANTED_SHARES
           : type_of(choice)->keeps_targets ? NM_WANTED_AS_THEY_ARE
                                            : NM_WANTED_VALUES;
}

static nm_status check_targets(const nm_loss *loss, const nm_batch *batch)
{
    bool labels = batch->target_dtype == NM_I32;
    if (batch->targets && labels == loss->type->wants_labels) {
        return NM_OK;
    }
    return nm_fail(loss->context, NM_ERROR_INPUT,
                   "%s: it needs %s, but the data set has %s; choose another loss or data set",
                   loss->type->item.name,
                   loss->type->wants_labels ? "class labels" : "values to predict",
                   !batch->targets ? "no targets"
                   : labels        ? "class labels"
                                   : "values");
}

nm_tensor *nm_loss_of(const nm_loss *loss, nm_tape *tape, nm_tensor *outputs, const nm_batch *batch)
{
    NM_GIVEN(loss && loss->type, NULL);
    NM_REQUIRE(loss->context, tape, NULL);
    NM_REQUIRE(loss->context, batch, NULL);
    if (!outputs || check_targets(loss, batch) != NM_OK) {
        return NULL;
    }
    nm_tensor *targets =
        nm_tape_wrap(tape, batch->target_dtype, batch->target_shape, batch->targets);
    return targets ? nm_loss_compute(loss, tape, outputs, targets) : NULL;
}

nm_tensor *nm_loss_compute(const nm_loss *loss, nm_tape *tape, nm_tensor *outputs,
                           nm_tensor *targets)
{
    const char *scope = nm_tape_enter(tape, "loss");
    nm_tensor *result = loss->type->compute(loss->options, tape, outputs, targets);
    nm_tape_enter(tape, scope);
    return result;
}

nm_tensor *nm_loss_predicted(const nm_loss *loss, nm_tape *tape, nm_tensor *outputs)
{
    return loss && loss->type && loss->type->predicted
               ? loss->type->predicted(loss->options, tape, outputs)
               : outputs;
}

double nm_loss_weight(const nm_loss *loss, const nm_batch *batch)
{
    NM_GIVEN(loss && loss->type, (double)NAN);
    NM_REQUIRE(loss->context, batch && batch->count, (double)NAN);
    const nm_loss_type *type = loss->type;
    return type->weight ? type->weight(loss->options, batch) : (double)batch->count;
}
