/* y = x / (1 - p) where kept, else 0. Element i is kept if word i % 4 of Philox(counter i / 4, key
 * seed) is at least p 2^32: a function of seed and i alone, so the gradient, which is dropout of
 * dy, draws it again, and neither threads nor anything stored comes into it. */
#include "core/random.h"
#include "core/thread.h"
#include "ops/define.h"
#include "ops/kernels/kernel.h"
#include "ops/loss.h"
#include "ops/table.h"

#define LANES 16                /* counters drawn side by side */
#define BLOCK (4 * LANES)       /* elements they serve */
#define GRAIN 256               /* blocks that are worth a thread */
#define STREAM 0x64726f706f7574 /* "dropout": apart from other uses of the same seed */

typedef struct work {
    const void *x;
    void *y;
    int64_t count;
    uint64_t seed;
    double scale;
    uint32_t threshold; /* words from here on are kept */
} work;

/* nm_philox() for LANES counters from `first`; the words of a counter stand together. The lanes are
 * kept in arrays so that every step is a vector operation. */
NM_KERNEL static void draw(uint64_t seed, uint64_t first, uint32_t words[BLOCK])
{
    uint32_t a[LANES], b[LANES], c[LANES], d[LANES];
    uint32_t key = (uint32_t)seed, key_high = (uint32_t)(seed >> 32);
    NM_SIMD for (int i = 0; i < LANES; i++)
    {
        const uint64_t counter = first + (uint64_t)i;
        a[i] = (uint32_t)counter;
        b[i] = (uint32_t)(counter >> 32);
        c[i] = (uint32_t)STREAM;
        d[i] = (uint32_t)((uint64_t)STREAM >> 32);
    }
    for (int round = 0; round < 10; round++, key += 0x9E3779B9u, key_high += 0xBB67AE85u) {
        NM_SIMD for (int i = 0; i < LANES; i++)
        {
            const uint64_t p = (uint64_t)a[i] * 0xD2511F53u, q = (uint64_t)c[i] * 0xCD9E8D57u;
            a[i] = (uint32_t)(q >> 32) ^ b[i] ^ key;
            c[i] = (uint32_t)(p >> 32) ^ d[i] ^ key_high;
            b[i] = (uint32_t)q;
            d[i] = (uint32_t)p;
        }
    }
    NM_SIMD for (int i = 0; i < LANES; i++)
    {
        words[4 * i] = a[i];
        words[4 * i + 1] = b[i];
        words[4 * i + 2] = c[i];
        words[4 * i + 3] = d[i];
    }
}

#define DROPOUT(suffix, real)                                                                      \
    NM_KERNEL_##real static void keep_##suffix(                                                    \
        const real *x, real *y, int64_t n, const uint32_t *words, uint32_t threshold, real scale)  \
    {                                                                                              \
        NM_SIMD for (int64_t i = 0; i < n; i++)                                                    \
        {                                                                                          \
            y[i] = words[i] >= threshold ? x[i] * scale : 0;                                       \
        }                                                                                          \
    }                                                                                              \
    static void run_##suffix(void *arg, int64_t begin, int64_t end)                                \
    {                                                                                              \
        const work *w = arg;                                                                       \
        uint32_t words[BLOCK];                                                                     \
        for (int64_t block = begin; block < end; block++) {                                        \
            const int64_t at = block * BLOCK;                                                      \
            const int64_t n = w->count - at < BLOCK ? w->count - at : BLOCK;                       \
            draw(w->seed, (uint64_t)block *LANES, words);                                          \
            keep_##suffix((const real *)w->x + at, (real *)w->y + at, n, words, w->threshold,      \
                          (real)w->scale);                                                         \
        }                                                                                          \
    }
DROPOUT(f32, float)
DROPOUT(f64, double)

static nm_status dropout_infer(nm_infer *infer)
{
    char text[NM_SHAPE_TEXT];
    const nm_shape *seed = infer->in[1];
    if (seed && nm_shape_count(seed) != 1) {
        return nm_infer_fail(infer, "seed %s must be one number", nm_shape_text(seed, text));
    }
    infer->out[0] = *infer->in[0];
    return NM_OK;
}

/* With all its bits, which a double has not. */
static uint64_t seed_of(const nm_run *run)
{
    const nm_dropout_options *o = run->options;
    if (!run->x[1]) {
        return (uint64_t)o->seed;
    }
    switch (nm_tensor_dtype(run->in[1])) {
    case NM_I64: return (uint64_t) * (const int64_t *)run->x[1];
    case NM_I32: return (uint64_t) * (const int32_t *)run->x[1];
    default: return *(const uint8_t *)run->x[1];
    }
}

static nm_status dropout_forward(const nm_run *run)
{
    const nm_dropout_options *o = run->options;
    work w = {.x = run->x[0],
              .y = run->y[0],
              .count = nm_tensor_count(run->in[0]),
              .seed = seed_of(run),
              .scale = 1 / (1 - o->p),
              .threshold = (uint32_t)(o->p * 4294967296.0)};
    nm_parallel(run->context, (w.count + BLOCK - 1) / BLOCK, GRAIN,
                run->dtype == NM_F64 ? run_f64 : run_f32, &w);
    return NM_OK;
}

static nm_tensor *dropout_vjp(nm_vjp *v, int input)
{
    (void)input;
    return nm_apply2(v->tape, &nm_op_dropout, v->options, v->gout[0], v->in[1]);
}

static const nm_dropout_options defaults = {NM_DROPOUT_DEFAULTS, NM_END(nm_dropout_options)};
NM_OPTIONS_INIT(nm_dropout_options, defaults)
static const nm_option options[] = {
    {NM_FIELD(nm_dropout_options, p), NM_OPTION_FLOAT, .doc = "the probability of a zero", .min = 0,
     .max = 1, .flags = NM_MAX_OPEN},
    {NM_FIELD(nm_dropout_options, seed), NM_OPTION_INT,
     .doc = "which elements are zero: another one for every call and step"},
};
static const nm_spec spec = NM_SPEC(nm_dropout_options, defaults, options);

static const nm_sample dropout_samples[] = {
    {.options = "{seed: 3}", .in = {NM_NORMAL(4, 5)}},
    {.options = "{p: 0.2, seed: 7}", .in = {NM_NORMAL(70)}},
    {.options = "{p: 0}", .in = {NM_NORMAL(3)}},
    {.in = {NM_NORMAL(6, 7), NM_INDEX(100, 1)}},
};

static const nm_port inputs[] = {
    {.name = "x", .doc = "any shape"},
    {.name = "seed",
     .doc = "one number, in place of the option",
     .type = NM_PORT_INDEX,
     .flags = NM_PORT_OPTIONAL},
};

NM_OP(dropout, inputs, nm_port_y, dropout_infer, NM_OP_IN_PLACE, "random zeros, the rest scaled up",
      .spec = &spec,
      .doc =
          "y = x / (1 - p) with probability 1 - p, else 0, for every element by itself. The seed\n"
          "decides which. dx = dropout of dy with the same seed. For training; evaluation\n"
          "leaves it out. Srivastava and others 2014.")

nm_tensor *nm_dropout_with(nm_tape *tape, nm_tensor *x, const nm_dropout_options *o)
{
    return nm_apply1(tape, &nm_op_dropout, o, x);
}

nm_tensor *nm_dropout_drawn(nm_tape *tape, nm_tensor *x, nm_tensor *seed, double p)
{
    const nm_dropout_options o = {NM_END(nm_dropout_options), .p = p};
    return nm_apply2(tape, &nm_op_dropout, &o, x, seed);
}
