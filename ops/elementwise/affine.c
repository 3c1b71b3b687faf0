/* y = scale x + shift with constant numbers: what gradient formulas are full of. */
#include "ops/basic.h"
#include "ops/elementwise.h"
#include "ops/table.h"

#define OPTION(name) ((real)((const nm_affine_options *)options)->name)

NM_UNARY(affine, OPTION(scale) * x + OPTION(shift))

static nm_tensor *affine_vjp(nm_vjp *v, int input)
{
    (void)input;
    return nm_affine(v->tape, v->gout[0], ((const nm_affine_options *)v->options)->scale, 0);
}

static const nm_sample affine_samples[] = {
    {.options = "{scale: -1.5, shift: 2}", .in = {NM_NORMAL(3, 5)}},
    {.in = {NM_NORMAL(4)}},
};

static const nm_affine_options defaults = {NM_END(nm_affine_options), .scale = 1};
static const nm_option options[] = {
    {NM_FIELD(nm_affine_options, scale), NM_OPTION_FLOAT, .doc = "the number to multiply by"},
    {NM_FIELD(nm_affine_options, shift), NM_OPTION_FLOAT, .doc = "the number to add"},
};
static const nm_spec spec = NM_SPEC(nm_affine_options, defaults, options);

NM_UNARY_OP(affine, "multiply by a number and add one", .spec = &spec,
            .doc = "y = scale x + shift, elementwise. dx = scale dy.")

nm_tensor *nm_affine(nm_tape *tape, nm_tensor *x, double scale, double shift)
{
    nm_affine_options o = {NM_END(nm_affine_options), .scale = scale, .shift = shift};
    return nm_apply1(tape, &nm_op_affine, &o, x);
}
