/* A network of any ops on any values, in f64: run from graphs of its own pass, fused, folded and in
 * plans, it has the outputs, gradients, running statistics and errors of the ops one by one. The
 * input's bytes: vectors or images; then of each step the op and which values it reads. */
#include <math.h>

#include "core/store.h"
#include "ops/norm.h"
#include "ops/ops.h"
#include "optim/traced.h"

#include "tests/fuzz/fuzz.h"

#define CHANNELS 3
#define MOST_STEPS 12
#define MOST_NUMBERS 4096
#define TOLERANCE 1e-7 /* of the largest number; nothing here makes rounding much larger */

typedef struct net {
    nm_context *context;
    nm_store *store;
    nm_tensor *dense, *conv, *point, *bias, *scale, *shift, *mean, *var, *gain;
    nm_tensor *x;
    const uint8_t *steps;
    int count;
    nm_random random;
} net;

typedef nm_tensor *step(const net *n, const nm_pass *pass, nm_tensor *a, nm_tensor *b);
#define STEP(name, ...)                                                                            \
    static nm_tensor *name(const net *n, const nm_pass *pass, nm_tensor *a, nm_tensor *b)          \
    {                                                                                              \
        (void)n, (void)b;                                                                          \
        return __VA_ARGS__;                                                                        \
    }
#define RUNNING .eps = 0.1, .momentum = 0.25
STEP(relu, nm_relu(pass->tape, a))
STEP(tanh_, nm_tanh(pass->tape, a))
STEP(sigmoid, nm_sigmoid(pass->tape, a))
STEP(gelu, nm_gelu(pass->tape, a))
STEP(add, nm_add(pass->tape, a, b))
STEP(mul, nm_mul(pass->tape, a, b))
STEP(dense, nm_dense(pass->tape, a, n->dense, n->bias))
STEP(plain_dense, nm_dense(pass->tape, a, n->dense, NULL))
STEP(conv, nm_conv2d(pass->tape, a, n->conv, n->bias, .padding = NM_INTS(1)))
STEP(point, nm_conv2d(pass->tape, a, n->point, NULL))
STEP(norm, nm_batch_norm_running(pass->tape, a, n->scale, n->shift, n->mean, n->var, pass->training,
                                 RUNNING))
STEP(bare_norm,
     nm_batch_norm_running(pass->tape, a, NULL, NULL, n->mean, n->var, pass->training, RUNNING))
STEP(mean_norm, nm_batch_norm_running(pass->tape, a, NULL, n->shift, n->mean, NULL, pass->training,
                                      .mean_only = true))
STEP(frozen_norm,
     nm_batch_norm_running(pass->tape, a, n->scale, NULL, n->mean, n->var, false, RUNNING))
STEP(layer_norm, nm_layer_norm(pass->tape, a, n->scale, n->shift, .eps = 0.1))
STEP(affine, nm_affine(pass->tape, a, 0.5, -0.25))
STEP(gained, nm_mul(pass->tape, a, nm_tanh(pass->tape, n->gain)))
STEP(weight_norm,
     nm_dense(pass->tape, a, nm_weight_norm(pass->tape, n->dense, n->gain, .axis = 0), n->bias))
STEP(max_pool, nm_max_pool2d(pass->tape, a, .kernel = NM_INTS(2)))
STEP(avg_pool, nm_avg_pool2d(pass->tape, a, .kernel = NM_INTS(2)))
STEP(middle, nm_mean(pass->tape, a, .axes = NM_INTS(0), .keepdims = true))
STEP(flat, nm_reshape(pass->tape, a, NM_SHAPE(-1, CHANNELS)))

/* Random numbers that the pass has. */
static nm_tensor *dropout(const net *n, const nm_pass *pass, nm_tensor *a, nm_tensor *b)
{
    (void)n, (void)b;
    return pass->random
               ? nm_dropout_drawn(pass->tape, a, nm_tape_draw(pass->tape, pass->random), 0.25)
               : a;
}

static step *const table[] = {relu,        tanh_,      sigmoid,    gelu,    add,         mul,
                              dense,       conv,       point,      norm,    bare_norm,   mean_norm,
                              frozen_norm, layer_norm, affine,     gained,  weight_norm, max_pool,
                              avg_pool,    middle,     flat,       dropout, add,         relu,
                              norm,        max_pool,   plain_dense};

static nm_tensor *forward(void *self, const nm_pass *pass, nm_tensor *x)
{
    const net *n = self;
    nm_tensor *values[MOST_STEPS + 1] = {x};
    for (int i = 0; i < n->count; i++) {
        const uint8_t *s = n->steps + 3 * i;
        values[i + 1] = table[s[0] % NM_COUNT_OF(table)](n, pass, values[i - s[1] % (i + 1)],
                                                         values[s[2] % (i + 1)]);
    }
    return values[n->count];
}

/* ---- What it makes ---- */

typedef struct outcome {
    double numbers[MOST_NUMBERS];
    int count;
    char error[256];
} outcome;

static void keep(outcome *o, nm_tensor *x)
{
    for (int64_t i = 0; x && i < nm_tensor_count(x) && o->count < MOST_NUMBERS; i++) {
        o->numbers[o->count++] = nm_tensor_get(x, i);
    }
}

static void keep_error(outcome *o, nm_context *context)
{
    if (nm_context_status(context) != NM_OK && !*o->error) {
        snprintf(o->error, sizeof o->error, "%s", nm_context_error(context));
    }
    nm_context_clear_error(context);
}

static void train(net *n, nm_tape *tape, nm_traced *traced, outcome *o)
{
    const nm_pass pass = {.tape = tape, .random = &n->random, .training = true};
    nm_tape_reset(tape);
    nm_tensor *y = traced ? nm_traced_forward(traced, &pass, n->x) : forward(n, &pass, n->x);
    keep(o, y);
    nm_backward(tape, nm_mean(tape, nm_mul(tape, y, y)), 0);
    for (const nm_entry *e = NULL; (e = nm_store_next(n->store, e, NULL));) {
        keep(o, e->role == NM_BUFFER ? e->tensor : nm_tensor_grad(e->tensor));
    }
    nm_store_clear_grads(n->store);
    keep_error(o, n->context);
}

static void predict(net *n, nm_tape *tape, nm_traced *traced, outcome *o)
{
    const nm_pass pass = {.tape = tape};
    nm_tape_reset(tape);
    const bool recording = nm_tape_set_recording(tape, false);
    keep(o, traced ? nm_traced_forward(traced, &pass, n->x) : forward(n, &pass, n->x));
    nm_tape_set_recording(tape, recording);
    keep_error(o, n->context);
}

static void fill(net *n)
{
    nm_random random = nm_random_create(5, 0);
    for (const nm_entry *e = NULL; (e = nm_store_next(n->store, e, NULL));) {
        const bool is_var = e->tensor == n->var;
        nm_random_fill_uniform(&random, e->tensor, is_var ? 0.5 : -0.7, is_var ? 1.5 : 0.8);
    }
    nm_random_fill_normal(&random, n->x, 0, 1);
    n->random = nm_random_create(6, 0);
}

/* Two steps of training, two passes of inference, and a folded one. */
static void run(net *n, bool from_graphs, outcome *o)
{
    const nm_network network = {.self = n, .store = n->store, .forward = forward};
    nm_tape *tape = nm_tape_create(n->context);
    nm_traced *traced = from_graphs ? nm_traced_create(&network) : NULL;
    require(tape && !traced == !from_graphs);
    *o = (outcome){.count = 0};
    fill(n);
    for (int i = 0; i < 2; i++) {
        train(n, tape, traced, o);
    }
    for (int i = 0; i < 3; i++) {
        if (i == 2 && traced) {
            nm_traced_fold(traced, NM_F64, *nm_tensor_shape(n->x));
            keep_error(o, n->context);
        }
        predict(n, tape, traced, o);
    }
    nm_traced_destroy(traced);
    nm_tape_destroy(tape);
}

/* Of a pass that fails, the ops before the fault have moved statistics only where they ran; the
 * error names the op that failed, or the one in its place. */
static void compare(const outcome *a, const outcome *b)
{
    double most = 1;
    require(!*a->error == !*b->error);
    if (*a->error) {
        return;
    }
    require(a->count == b->count);
    for (int i = 0; i < a->count; i++) {
        most = fmax(most, fabs(a->numbers[i]));
    }
    for (int i = 0; i < a->count && most < 1e50; i++) {
        require(fabs(a->numbers[i] - b->numbers[i]) <= TOLERANCE * most);
    }
}

/* ---- An input ---- */

static nm_tensor *add_to(net *n, const char *name, nm_role role, nm_shape shape)
{
    nm_tensor *x = nm_store_add(n->store, name, role, NM_WEIGHT, NM_F64, shape);
    require(x);
    return x;
}

static void begin(net *n, bool images)
{
    n->store = nm_store_create(n->context);
    n->dense = add_to(n, "dense", NM_PARAMETER, NM_SHAPE(CHANNELS, CHANNELS));
    n->conv = add_to(n, "conv", NM_PARAMETER, NM_SHAPE(CHANNELS, 3, 3, CHANNELS));
    n->point = add_to(n, "point", NM_PARAMETER, NM_SHAPE(CHANNELS, 1, 1, CHANNELS));
    n->bias = add_to(n, "bias", NM_PARAMETER, NM_SHAPE(CHANNELS));
    n->scale = add_to(n, "scale", NM_PARAMETER, NM_SHAPE(CHANNELS));
    n->shift = add_to(n, "shift", NM_PARAMETER, NM_SHAPE(CHANNELS));
    n->gain = add_to(n, "gain", NM_PARAMETER, NM_SHAPE(CHANNELS));
    n->mean = add_to(n, "mean", NM_BUFFER, NM_SHAPE(CHANNELS));
    n->var = add_to(n, "var", NM_BUFFER, NM_SHAPE(CHANNELS));
    n->x = nm_tensor_create(n->context, NM_F64,
                            images ? NM_SHAPE(2, 4, 4, CHANNELS) : NM_SHAPE(4, CHANNELS));
    require(n->x);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static fuzz_context f = {.most = FUZZ_MEMORY};
    static outcome direct, traced;
    if (size < 4) {
        return 0;
    }
    const int count = (int)((size - 1) / 3);
    net n = {.context = fuzz_begin(&f),
             .steps = data + 1,
             .count = count < MOST_STEPS ? count : MOST_STEPS};
    begin(&n, data[0] % 2);
    run(&n, false, &direct);
    run(&n, true, &traced);
    compare(&direct, &traced);
    nm_tensor_destroy(n.x);
    nm_store_destroy(n.store);
    fuzz_end(&f);
    return 0;
}
