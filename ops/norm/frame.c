#include "ops/norm/frame.h"

#include "ops/kernels/copy.h"
#include "ops/kernels/reduce.h"

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

/* ---- In memory ---- */

/* Whether the axes of the sets stand behind all others. */
static bool is_contiguous(const nm_frame *f)
{
    bool gone = false;
    for (int d = 0; d < f->full.rank; d++) {
        const bool goes = f->gone >> d & 1;
        if (f->full.dim[d] != 1 && gone && !goes) {
            return false;
        }
        gone |= goes && f->full.dim[d] != 1;
    }
    return true;
}

/* The axes of `full` as contiguous sets have them: the kept ones first. */
static void order_of(const nm_frame *f, int order[NM_MAX_RANK])
{
    int n = 0;
    for (unsigned goes = 0; goes < 2; goes++) {
        for (int d = 0; d < f->full.rank; d++) {
            if ((f->gone >> d & 1) == goes) {
                order[n++] = d;
            }
        }
    }
}

/* From a tensor of `shape`, which broadcasts to `full`, to whole contiguous sets. */
static nm_copy_plan plan_of(const nm_frame *f, const nm_shape *shape)
{
    nm_copy_plan plan = {.rank = f->full.rank};
    int64_t stride[NM_MAX_RANK], next = 1;
    int order[NM_MAX_RANK];
    nm_contiguous_strides(shape, stride);
    order_of(f, order);
    for (int i = f->full.rank - 1; i >= 0; i--) {
        const int d = order[i];
        plan.axis[i].length = f->full.dim[d];
        plan.axis[i].x = shape->dim[d] == 1 ? 0 : stride[d];
        plan.axis[i].y = next;
        next *= f->full.dim[d];
    }
    return plan;
}

nm_frame_copy nm_frame_copy_begin(const nm_run *run, const nm_frame *frame)
{
    return (nm_frame_copy){.context = run->context,
                           .dtype = run->dtype,
                           .frame = *frame,
                           .moves = !is_contiguous(frame)};
}

void nm_frame_copy_end(nm_frame_copy *c)
{
    for (int i = 0; i < c->used; i++) {
        nm_scratch_end(c->copies[i]);
    }
}

static void *next_copy(nm_frame_copy *c)
{
    const int64_t count = c->frame.sets * c->frame.length;
    void *copy = nm_scratch(c->context, nm_bytes(count + 1, nm_dtype_size(c->dtype)));
    c->copies[c->used++] = copy;
    c->status = copy ? c->status : NM_ERROR_MEMORY;
    return copy;
}

static void *copy_in(nm_frame_copy *c, const void *from, const nm_shape *shape)
{
    void *to = next_copy(c);
    if (to) {
        nm_copy(c->context, plan_of(&c->frame, shape), nm_dtype_size(c->dtype), from, to);
    }
    return to;
}

static void copy_out(nm_frame_copy *c, const void *from, void *to)
{
    nm_copy_plan plan = plan_of(&c->frame, &c->frame.full);
    for (int d = 0; d < plan.rank; d++) {
        const int64_t x = plan.axis[d].x;
        plan.axis[d].x = plan.axis[d].y;
        plan.axis[d].y = x;
    }
    nm_copy(c->context, plan, nm_dtype_size(c->dtype), from, to);
}

const void *nm_frame_take(nm_frame_copy *c, const void *x)
{
    return x && c->moves ? copy_in(c, x, &c->frame.full) : x;
}

void *nm_frame_room(nm_frame_copy *c, void *y)
{
    return y && c->moves ? next_copy(c) : y;
}

void nm_frame_give(nm_frame_copy *c, const void *from, void *y)
{
    if (y && c->moves) {
        copy_out(c, from, y);
    }
}

/* Whether a parameter's axes stand side by side, so that it is a pattern as it is. */
static bool find_pattern(const nm_frame *f, const nm_shape *split, nm_pattern *pattern)
{
    bool before = false, behind = false;
    pattern->repeat = pattern->count = 1;
    for (int d = 0; d < f->full.rank; d++) {
        const bool varies = split->dim[d] != 1;
        if (f->full.dim[d] == 1) {
            continue;
        }
        if (varies && behind) {
            return false;
        }
        behind = before && !varies;
        before |= varies;
        *(varies ? &pattern->count : &pattern->repeat) *= before ? f->full.dim[d] : 1;
    }
    return true;
}

nm_pattern nm_frame_pattern(nm_frame_copy *c, const void *parameter, const nm_shape *split,
                            bool whole)
{
    nm_pattern pattern = {parameter, 1, 1};
    if (!parameter) {
        return pattern;
    }
    const bool plain = !c->moves && find_pattern(&c->frame, split, &pattern);
    const bool is_whole = pattern.count == c->frame.sets * c->frame.length;
    if (plain && (!whole || is_whole)) {
        pattern.at = parameter;
        return pattern;
    }
    return (nm_pattern){copy_in(c, parameter, split), 1, c->frame.sets * c->frame.length};
}

/* A pattern that is no copy has as many elements as its parameter, in the same order. */
static bool is_copy(const nm_frame_copy *c, const void *at)
{
    for (int i = 0; i < c->used; i++) {
        if (c->copies[i] == at) {
            return true;
        }
    }
    return false;
}

void *nm_frame_sum_room(nm_frame_copy *c, const nm_pattern *pattern, void *to)
{
    return pattern->at && is_copy(c, pattern->at) ? next_copy(c) : to;
}

void nm_frame_sum(nm_frame_copy *c, const void *from, const nm_shape *split, void *to)
{
    const void *whole = from;
    unsigned gone = 0;
    if (from == to || c->status != NM_OK) {
        return;
    }
    if (c->moves) {
        void *ordered = next_copy(c);
        if (!ordered) {
            return;
        }
        copy_out(c, from, ordered);
        whole = ordered;
    }
    for (int d = 0; d < split->rank; d++) {
        gone |= (unsigned)(split->dim[d] == 1) << d;
    }
    nm_status status =
        nm_reduce(c->context, NM_REDUCE_SUM, c->dtype, &c->frame.full, gone, 1, whole, to);
    c->status = status == NM_OK ? c->status : status;
}
