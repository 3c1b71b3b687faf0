#include "ops/norm/frame.h"

/* ---- Which axes ---- */

static nm_status check_axes(const nm_infer *infer, const nm_ints *axes, const char *what)
{
    unsigned seen = 0;
    for (int i = 0; i < axes->count; i++) {
        int axis;
        if (nm_infer_axis(infer, 0, axes->at[i], &axis) != NM_OK) {
            return NM_ERROR_INPUT;
        }
        if (seen >> axis & 1) {
            return nm_infer_fail(infer, "axis %lld is given twice in %s", (long long)axes->at[i],
                                 what);
        }
        seen |= 1u << axis;
    }
    return NM_OK;
}

/* Bit d: sets lie along axis d of x. */
static unsigned axes_of(const nm_ints *axes, const nm_shape *x)
{
    unsigned bits = axes->count ? 0 : (1u << x->rank) - 1;
    for (int i = 0; i < axes->count; i++) {
        bits |= 1u << nm_shape_axis(x, axes->at[i]);
    }
    return bits;
}

static nm_status check_groups(const nm_infer *infer, const nm_normalize_options *o)
{
    const nm_shape *x = infer->in[0];
    char text[NM_SHAPE_TEXT];
    int axis;
    if (o->groups == 1) {
        return NM_OK;
    }
    if (nm_infer_axis(infer, 0, o->axis, &axis) != NM_OK) {
        return NM_ERROR_INPUT;
    }
    nm_shape_text(x, text);
    if (x->dim[axis] % o->groups) {
        return nm_infer_fail(infer, "axis %d of x %s does not divide into %lld groups", axis, text,
                             (long long)o->groups);
    }
    if (!(axes_of(&o->axes, x) >> axis & 1)) {
        return nm_infer_fail(infer,
                             "groups divide axis %d, which is not among the axes of a set; add it "
                             "to axes, or leave groups out",
                             axis);
    }
    if (x->rank == NM_MAX_RANK) {
        return nm_infer_fail(infer, "with groups x may have %d axes, not %d as %s has",
                             NM_MAX_RANK - 1, NM_MAX_RANK, text);
    }
    return NM_OK;
}

nm_status nm_frame_infer(const nm_infer *infer, const nm_normalize_options *o, nm_frame *frame)
{
    nm_status status = check_axes(infer, &o->axes, "axes");
    if (status == NM_OK) status = check_groups(infer, o);
    if (status == NM_OK) *frame = nm_frame_of(o, infer->in[0]);
    return status;
}

/* Adds an axis of x, or of a shape that broadcasts to it, as the one or two of `full`. */
static void add_axis(nm_shape *full, int64_t length, int64_t groups)
{
    if (groups) {
        full->dim[full->rank++] = length == 1 ? 1 : groups;
        length = length == 1 ? 1 : length / groups;
    }
    full->dim[full->rank++] = length;
}

nm_frame nm_frame_of(const nm_normalize_options *o, const nm_shape *x)
{
    const unsigned gone = axes_of(&o->axes, x);
    nm_frame f = {.x = *x, .split = -1, .sets = 1, .length = 1};
    f.split = o->groups > 1 ? nm_shape_axis(x, o->axis) : -1;
    for (int d = 0; d < x->rank; d++) {
        if (d == f.split) { /* even where it has length 1, which no group divides */
            f.full.dim[f.full.rank++] = o->groups;
            f.full.dim[f.full.rank++] = x->dim[d] / o->groups;
        } else {
            f.full.dim[f.full.rank++] = x->dim[d];
        }
        f.gone |= (gone >> d & 1) << (f.full.rank - 1);
    }
    f.kept = f.full;
    for (int d = 0; d < f.full.rank; d++) {
        const bool goes = f.gone >> d & 1;
        *(goes ? &f.length : &f.sets) *= f.full.dim[d];
        if (goes) {
            f.kept.dim[d] = 1;
        } else {
            f.statistics.dim[f.statistics.rank++] = f.full.dim[d];
        }
    }
    return f;
}

/* ---- Parameters ---- */

static nm_status check_listed(const nm_infer *infer, int input, const nm_ints *axes)
{
    const nm_shape *x = infer->in[0], *p = infer->in[input];
    char wanted_text[NM_SHAPE_TEXT], p_text[NM_SHAPE_TEXT], x_text[NM_SHAPE_TEXT];
    nm_shape wanted = {.rank = axes->count};
    for (int i = 0; i < axes->count; i++) {
        wanted.dim[i] = x->dim[nm_shape_axis(x, axes->at[i])];
    }
    if (nm_shape_equal(p, &wanted)) {
        return NM_OK;
    }
    return nm_infer_fail(infer, "%s %s must be %s: one value for each index of the %s of x %s",
                         infer->op->inputs[input].name, nm_shape_text(p, p_text),
                         nm_shape_text(&wanted, wanted_text),
                         axes->count == 1 ? "axis" : "affine axes", nm_shape_text(x, x_text));
}

nm_status nm_frame_check_parameter(const nm_infer *infer, int input, const nm_ints *axes)
{
    const nm_shape *x = infer->in[0], *p = infer->in[input];
    char p_text[NM_SHAPE_TEXT], x_text[NM_SHAPE_TEXT];
    nm_shape both;
    if (!p) {
        return NM_OK;
    }
    if (axes && axes->count) {
        nm_status status = check_axes(infer, axes, "affine_axes");
        return status == NM_OK ? check_listed(infer, input, axes) : status;
    }
    if (nm_shape_broadcast(p, x, &both) && nm_shape_equal(&both, x)) {
        return NM_OK;
    }
    return nm_infer_fail(infer, "%s %s must broadcast to x %s", infer->op->inputs[input].name,
                         nm_shape_text(p, p_text), nm_shape_text(x, x_text));
}

nm_status nm_frame_check_statistics(const nm_infer *infer, int input, const nm_frame *frame)
{
    const nm_shape *t = infer->in[input];
    char t_text[NM_SHAPE_TEXT], x_text[NM_SHAPE_TEXT], wanted[NM_SHAPE_TEXT];
    if (!t || nm_shape_equal(t, &frame->statistics)) {
        return NM_OK;
    }
    return nm_infer_fail(infer, "%s %s must be %s: one value for each set of x %s",
                         infer->op->inputs[input].name, nm_shape_text(t, t_text),
                         nm_shape_text(&frame->statistics, wanted),
                         nm_shape_text(&frame->x, x_text));
}

nm_shape nm_frame_spread(const nm_frame *f, const nm_shape *p, const nm_ints *axes)
{
    nm_shape spread = {.rank = f->x.rank};
    for (int d = 0; d < f->x.rank; d++) {
        const int from = d - (f->x.rank - p->rank);
        spread.dim[d] = axes && axes->count ? 1 : from >= 0 ? p->dim[from] : 1;
    }
    for (int i = 0; axes && i < axes->count; i++) {
        spread.dim[nm_shape_axis(&f->x, axes->at[i])] = p->dim[i];
    }
    return spread;
}

nm_shape nm_frame_split(const nm_frame *f, const nm_shape *spread)
{
    nm_shape split = {.rank = 0};
    for (int d = 0; d < spread->rank; d++) {
        add_axis(&split, spread->dim[d], d == f->split ? f->full.dim[d] : 0);
    }
    return split;
}
