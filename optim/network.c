#include "optim/network.h"

#include "core/graph/parts.h"
#include "core/guard.h"

nm_tensor *nm_network_forward(const nm_network *network, const nm_pass *pass, nm_tensor *x)
{
    nm_context *context = nm_tape_context(pass->tape);
    const bool held = nm_tape_hold(pass->tape, true);
    nm_tensor *y = x ? network->forward(network->self, pass, x) : NULL;
    nm_tape_hold(pass->tape, held);
    if (x && !y && nm_context_status(context) == NM_OK) {
        nm_fail(context, NM_ERROR_INTERNAL,
                "the network's forward() returned NULL and did not say why (nm_fail)");
    }
    return y;
}

nm_tensor *nm_pass_show(const nm_pass *pass, const char *name, nm_tensor *y)
{
    NM_GIVEN(pass && pass->tape && y, NULL);
    NM_REQUIRE(nm_tape_context(pass->tape), name, NULL);
    if (pass->onlooker) {
        pass->onlooker->show(pass->onlooker->user, name, "", y);
    }
    return y;
}

typedef struct dry_run {
    const nm_network *network;
    const nm_pass *pass;
} dry_run;

static nm_status forward(void *self, nm_tape *tape, nm_tensor *const *in, nm_tensor **out)
{
    const dry_run *d = self;
    nm_random random = d->pass->random ? *d->pass->random : (nm_random){0};
    nm_pass pass = *d->pass;
    pass.tape = tape;
    pass.random = d->pass->random ? &random : NULL;
    out[0] = nm_network_forward(d->network, &pass, in[0]);
    if (pass.random && random.position != d->pass->random->position) {
        nm_tape_note_obstacle(tape, "draws random numbers otherwise than by nm_tape_draw()");
    }
    return nm_context_status(nm_tape_context(tape));
}

nm_graph *nm_network_trace(const nm_network *network, const nm_pass *pass, nm_dtype dtype,
                           nm_shape x)
{
    NM_GIVEN(network && network->forward, NULL);
    nm_context *context = nm_store_context(network->store);
    NM_REQUIRE(context, pass, NULL);
    return nm_network_trace_in(context, network, pass, dtype, x);
}

nm_graph *nm_network_trace_in(nm_context *context, const nm_network *network, const nm_pass *pass,
                              nm_dtype dtype, nm_shape x)
{
    dry_run self = {network, pass};
    const nm_graph_input input = {"x", dtype, x};
    return nm_graph_trace(context, network->store, forward, &self, &input, 1, 1);
}
