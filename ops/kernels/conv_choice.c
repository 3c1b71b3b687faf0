#include "ops/kernels/conv_choice.h"

#include "ops/kernels/bf16.h"
#include "ops/kernels/kernel.h"
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

/* ---- What there is ---- */

const nm_conv_wide *nm_conv_wide_at(int index)
{
#ifdef NM_HAS_AVX512
    if (__builtin_cpu_supports("avx512f") && index-- == 0) {
        return &nm_conv_avx512;
    }
#endif
#ifdef NM_HAS_AVX2
    const bool runs = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    return runs && index == 0 ? &nm_conv_avx2 : NULL;
#else
    return index == 0 ? &nm_conv_base : NULL;
#endif
}

const nm_conv_wide *nm_conv_wide_bf16(void)
{
#ifdef NM_HAS_AVX512_BF16
    return nm_has_bf16() ? &nm_conv_avx512_bf16 : NULL;
#else
    return NULL;
#endif
}

/* ---- What they take ---- */

#define CHANNELS 4 /* at most */
#define PIXELS 8   /* at least */

bool nm_conv_is_narrow(nm_dtype dtype, const nm_conv *c, const nm_conv_wide *wide)
{
    return dtype == NM_F32 && c->groups == 1 && c->c >= 1 && c->c <= CHANNELS && c->o > 0 &&
           c->o % wide->lanes == 0 && c->dilation[0] == 1 && c->dilation[1] == 1 && c->n > 0 &&
           c->h > 0 && c->w > 0 && c->ow >= PIXELS && c->padding[0] < c->kh &&
           c->padding[1] < c->kw;
}

bool nm_conv_narrow_has_weight_grad(const nm_conv *c, const nm_conv_wide *wide)
{
    return c->c == 1 && c->kh == 3 && c->kw == 3 && c->o % wide->grad_unit == 0;
}

bool nm_conv_is_winograd(nm_dtype dtype, const nm_conv *c, const nm_conv_wide *wide)
{
    bool fits = dtype == NM_F32 && c->kh == 3 && c->kw == 3 && c->groups == 1;
    for (int i = 0; i < 2; i++) {
        fits = fits && c->stride[i] == 1 && c->dilation[i] == 1 && c->padding[i] < 3;
    }
    return fits && c->n > 0 && c->h > 0 && c->w > 0 && c->c > 0 && c->c % wide->lanes == 0 &&
           c->o > 0 && c->o % wide->lanes == 0;
}

/* Fewer tiles do not pay for transforming the weights. */
#define ENOUGH_TILES 16

bool nm_conv_winograd_pays(const nm_conv *c)
{
    return c->n * ((c->oh + 3) / 4) * ((c->ow + 3) / 4) >= ENOUGH_TILES;
}

/* ---- The choice ---- */

/* For as many outputs: of one by one where vectors would not be full. */
static const nm_tiles *find_tiles(nm_dtype dtype, int64_t outputs)
{
    const nm_conv_wide *wide;
    for (int i = 0; dtype == NM_F32 && (wide = nm_conv_wide_at(i)) != NULL; i++) {
        if (outputs >= wide->lanes) {
            return &wide->tiles;
        }
    }
    return dtype == NM_F32 ? &nm_tiles_f32 : &nm_tiles_f64;
}

typedef bool (*fits_fn)(nm_dtype dtype, const nm_conv *conv, const nm_conv_wide *wide);

/* The best of those that take it. */
static const nm_conv_wide *best(nm_dtype dtype, const nm_conv *c, fits_fn fits)
{
    const nm_conv_wide *wide;
    for (int i = 0; (wide = nm_conv_wide_at(i)) != NULL && !fits(dtype, c, wide); i++) {
    }
    return wide;
}

/* Whether they fill the processor's vectors. */
static bool is_fast(const nm_conv_wide *wide)
{
#ifdef NM_HAS_AVX2
    return wide != NULL;
#else
    (void)wide;
    return false;
#endif
}

/* Of one channel, which other kernels take, the gradient of x alone. First as measured. */
static void choose_depthwise(nm_dtype dtype, const nm_conv *c, nm_conv_choice *k)
{
    const nm_tiles *tiles = find_tiles(dtype, c->o);
    const bool wide = tiles->lanes > 1 && is_fast(nm_conv_wide_at(0));
    const bool many = wide && c->c > 1 && (c->o > c->c || c->o < 16);
    k->forward = k->weight_grad = c->c > 1 ? tiles : NULL;
    k->input_grad = c->c > 1 || wide ? tiles : NULL;
    k->forward_first = k->input_grad_first = many;
    k->weight_grad_first = many || (wide && c->c > 1 && c->kh * c->kw > 9);
}

#define WEIGHTS 131072 /* at most, which are read again for every band */

static void choose_direct(nm_context *context, const nm_conv *c, nm_conv_choice *k)
{
    const int64_t in = c->c / c->groups, out = c->o / c->groups;
    /* The gradient of x is a product of dy where it stands, which is faster. */
    const bool plain = c->kh == 1 && c->kw == 1 && c->stride[0] == 1 && c->stride[1] == 1;
    if (c->kh * c->kw * in * c->o <= WEIGHTS && !(c->bf16 && nm_takes_bf16(context))) {
        k->forward = find_tiles(NM_F32, out);
        k->forward = k->forward->lanes > 1 ? k->forward : NULL;
        k->input_grad = find_tiles(NM_F32, in);
        k->input_grad = k->input_grad->lanes > 1 && !plain ? k->input_grad : NULL;
        k->input_grad_first = plain && c->groups == 1 && !c->bf16 && is_fast(nm_conv_wide_at(0));
    }
}

nm_conv_choice nm_conv_choose(nm_context *context, nm_dtype dtype, const nm_conv *c)
{
    nm_conv_choice k = {.narrow = best(dtype, c, nm_conv_is_narrow),
                        .winograd = best(dtype, c, nm_conv_is_winograd)};
    if (nm_conv_is_depthwise(c)) {
        choose_depthwise(dtype, c, &k);
    } else if (dtype == NM_F32 && c->n > 0 && c->h > 0 && c->w > 0 && c->c > 0 && c->o > 0) {
        choose_direct(context, c, &k);
    }
    const switches *s = k.narrow || k.winograd ? find_switches(context) : NULL;
    k.narrow = s && !s->narrow_off ? k.narrow : NULL;
    k.winograd = s && !s->winograd_off ? k.winograd : NULL;
    /* With AVX2 oneDNN's forward pass of one channel is faster by a quarter. */
    k.narrow_first = is_fast(k.narrow) && (k.narrow->lanes >= 16 || c->c > 1);
    k.narrow_grad_first = is_fast(k.narrow);
    const bool pays = is_fast(k.winograd) && nm_conv_winograd_pays(c);
    const bool in_bf16 = pays && c->bf16 && nm_takes_bf16(context);
    const nm_conv_wide *bf16 = in_bf16 ? nm_conv_wide_bf16() : NULL;
    k.winograd = bf16 && nm_conv_is_winograd(dtype, c, bf16) ? bf16 : k.winograd;
    k.winograd_first = pays && (!in_bf16 || k.winograd == bf16);
    k.input_grad_first = k.input_grad_first || k.winograd_first ||
                         (c->groups == 1 && c->c <= CHANNELS && is_fast(nm_conv_wide_at(0)));
    return k;
}
