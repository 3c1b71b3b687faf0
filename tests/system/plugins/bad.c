/* Plugins that are wrong, each in one way: -DBAD_NAME says in which. */
#include <norma.h>
#include <string.h>

/* ---- An op, y = 2 x, that breaks a promise or keeps all ---- */

static nm_status twice_infer(nm_infer *infer)
{
    nm_infer_same(infer);
#ifdef BAD_SHAPE
    infer->out[0].dim[0] *= 2; /* half of what is promised is written */
#endif
    return NM_OK;
}

static nm_status twice_forward(const nm_run *run)
{
#ifdef BAD_FORWARD
    return NM_ERROR_IO;
#endif
    for (int64_t i = 0; i < nm_tensor_count(run->in[0]); i++) {
        const double x = nm_tensor_get(run->in[0], i);
        nm_tensor_set(run->out[0], i, 2 * x);
#ifdef BAD_WRITES
        nm_tensor_set(run->in[0], i, 0);
#endif
    }
    return NM_OK;
}

static nm_tensor *twice_vjp(nm_vjp *v, int input)
{
    (void)input;
#ifdef BAD_VJP_SHAPE
    return nm_mean(v->tape, v->gout[0]);
#elif defined BAD_VJP_NULL
    return NULL;
#elif defined BAD_VJP
    return nm_affine(v->tape, v->gout[0], 3, 0);
#else
    return nm_affine(v->tape, v->gout[0], 2, 0);
#endif
}

static const nm_sample samples[] = {{.in = {NM_NORMAL(3, 4)}}};
static const nm_op twice = {
#ifdef BAD_NAME
    .item = NM_ITEM(nm_op, "relu", "twice"),
#else
    .item = NM_ITEM(nm_op, "twice", "twice"),
#endif
    .inputs = nm_port_x,
    .outputs = nm_port_y,
    .input_count = 1,
    .output_count = 1,
    .infer = twice_infer,
    .forward = twice_forward,
    .vjp = twice_vjp,
    .samples = samples,
    .sample_count = NM_COUNT_OF(samples)};

/* ---- Registration ---- */

#ifdef BAD_LOSS
static const nm_loss_type hollow = {.item = NM_ITEM(nm_loss_type, "hollow", "no computation")};
#endif

static nm_status init(nm_context *context)
{
    nm_register_op(context, &twice);
#ifdef BAD_SILENT
    return NM_ERROR_INPUT;
#elif defined BAD_REASON
    return nm_fail(context, NM_ERROR_INPUT, "the licence of twice has run out");
#elif defined BAD_LOSS
    return nm_register(context, NM_KIND_LOSS, &hollow.item);
#elif defined BAD_KIND
    return nm_register(context, NM_KIND_METRIC, &twice.item);
#elif defined BAD_STANDING
    nm_fail(context, NM_ERROR_INPUT, "noticed, and forgotten");
    return NM_OK;
#else
    return nm_context_status(context);
#endif
}

#ifdef BAD_UNDEFINED
extern int nm_there_is_no_such_function(void);
int wanted(void);
int wanted(void)
{
    return nm_there_is_no_such_function();
}
#endif

#if defined BAD_ABI || defined BAD_SIZE || defined BAD_ENTRY
static const nm_plugin_struct sizes[] = {{"nm_shape", sizeof(nm_shape)},
                                         {"nm_op", sizeof(nm_op) + 8}};
NM_API extern const nm_plugin_built nm_plugin_abi;
const nm_plugin_built nm_plugin_abi = {
#ifdef BAD_ABI
    NM_ABI + 1, 1, sizes, nm_library_mark};
#elif defined BAD_SIZE
    NM_ABI, 2, sizes, nm_library_mark};
#else
    NM_ABI, 1, sizes, nm_library_mark};
#endif
#ifndef BAD_ENTRY
NM_API nm_status nm_plugin_init(nm_context *context);
nm_status nm_plugin_init(nm_context *context)
{
    return init(context);
}
#else
NM_API extern nm_status (*const its_own_name)(nm_context *);
nm_status (*const its_own_name)(nm_context *) = init;
#endif
#elif defined BAD_NO_ABI
NM_API nm_status nm_plugin_init(nm_context *context);
nm_status nm_plugin_init(nm_context *context)
{
    return init(context);
}
#else
NM_PLUGIN(init)
#endif
