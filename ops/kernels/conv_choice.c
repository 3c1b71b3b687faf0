#include "ops/kernels/conv_choice.h"

#include "ops/kernels/conv_narrow.h"
#include "ops/kernels/conv_winograd.h"
#include "ops/kernels/onednn.h"
#include "ops/kernels/wide.h"
#include "ops/linear.h"

/* ---- The switches of a context ---- */

static const char state_key;
typedef struct switches {
    bool narrow_off, winograd_off;
} switches;

static switches *find_switches(nm_context *context)
{
    return nm_context_attach(context, &state_key, sizeof(switches), NULL);
}

/* Turns a switch (NULL: memory ran out) and returns what it was. */
static bool set(bool *off, bool on)
{
    bool before = off && !*off;
    if (off) {
        *off = !on;
    }
    return before;
}

bool nm_context_set_narrow_conv(nm_context *context, bool on)
{
    switches *s = find_switches(context);
    return set(s ? &s->narrow_off : NULL, on);
}

bool nm_context_set_winograd(nm_context *context, bool on)
{
    switches *s = find_switches(context);
    return set(s ? &s->winograd_off : NULL, on);
}

/* ---- The choice ---- */

nm_conv_choice nm_conv_choose(nm_context *context, nm_dtype dtype, const nm_conv *c)
{
    nm_conv_choice k = {.narrow = nm_conv_is_narrow(dtype, c),
                        .winograd = nm_conv_is_winograd(dtype, c)};
    const switches *s =
        (k.narrow || k.winograd) && nm_wide_can_run() ? find_switches(context) : NULL;
    k.narrow = k.narrow && s && !s->narrow_off;
    k.winograd = k.winograd && s && !s->winograd_off;
    k.narrow_first = k.narrow && nm_wide_is_fast();
    k.winograd_first = k.winograd && nm_wide_is_fast() && nm_conv_winograd_pays(c) &&
                       !(c->bf16 && nm_onednn_takes_bf16(context));
    return k;
}
