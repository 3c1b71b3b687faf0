#include "ops/kernels/copy.h"
#include "ops/kernels/reduce.h"
#include "ops/norm/frame.h"

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

/* A parameter as a pattern along the sets; `whole`: one value for each element. */
static nm_pattern make_pattern(nm_frame_copy *c, const void *parameter, const nm_shape *split,
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

/* ---- As the kernels take it ---- */

/* The shape of an input that is a parameter, to broadcast to `full`; false: it is absent. */
static bool find_split(const nm_frame_copy *c, const nm_run *run, int input, const nm_ints *axes,
                       nm_shape *split)
{
    if (input >= run->op->input_count || !run->x[input]) {
        return false;
    }
    const nm_shape spread = nm_frame_spread(&c->frame, nm_tensor_shape(run->in[input]), axes);
    *split = nm_frame_split(&c->frame, &spread);
    return true;
}

/* The geometry of slabs: one or no axis that is kept, then one that is not, one that is, one or
 * none that is not, where neighbours of a kind are one. */
static bool find_slabs(const nm_frame *f, nm_slabs *s)
{
    int64_t length[NM_MAX_RANK + 1] = {1};
    int count = 1; /* of runs; even ones are kept */
    for (int d = 0; d < f->full.rank; d++) {
        if (f->full.dim[d] == 1) {
            continue;
        }
        if ((f->gone >> d & 1) != (unsigned)(count - 1) % 2) {
            length[count++] = 1;
        }
        length[count - 1] *= f->full.dim[d];
    }
    s->slabs = length[0];
    s->rows = count > 1 ? length[1] : 1;
    s->columns = count > 2 ? length[2] : 1;
    s->depth = count > 3 ? length[3] : 1;
    return count == 3 || count == 4;
}

/* Whether the kernel of slabs takes it, with parameters as they are. */
static bool choose_slabs(nm_frame_copy *c, const nm_run *run, const nm_frame_ports *ports,
                         const nm_ints *axes)
{
    nm_pattern patterns[2] = {{NULL, 1, 1}, {NULL, 1, 1}};
    const int inputs[] = {ports->scale, ports->shift};
    nm_shape split;
    if (find_split(c, run, ports->weight, NULL, &split) || !find_slabs(&c->frame, &c->slabs)) {
        return false;
    }
    for (int i = 0; i < 2; i++) {
        if (find_split(c, run, inputs[i], axes, &split)) {
            patterns[i].at = run->x[inputs[i]];
            if (!find_pattern(&c->frame, &split, &patterns[i])) {
                return false;
            }
        }
    }
    c->slabs.sets = (nm_sets){.scale = patterns[0], .shift = patterns[1]};
    return nm_slabs_suit(&c->slabs);
}

static nm_pattern pattern_of(nm_frame_copy *c, const nm_run *run, int input, const nm_ints *axes,
                             nm_shape *split, bool whole)
{
    return find_split(c, run, input, axes, split) ? make_pattern(c, run->x[input], split, whole)
                                                  : (nm_pattern){NULL, 1, 1};
}

const nm_sets *nm_frame_sets(nm_frame_copy *c, const nm_run *run, const nm_normalize_options *o,
                             const nm_frame_ports *ports, bool slabs)
{
    nm_shape of_weight;
    c->in_slabs = c->moves && slabs && choose_slabs(c, run, ports, &o->affine_axes);
    c->moves = c->moves && !c->in_slabs;
    c->slabs.sets =
        (nm_sets){.context = run->context,
                  .dtype = run->dtype,
                  .sets = c->frame.sets,
                  .length = c->frame.length,
                  .centered = o->subtract_mean,
                  .divided = o->divide,
                  .summed = o->sum,
                  .eps = o->eps,
                  .x = nm_frame_take(c, run->x[ports->x]),
                  .weight = pattern_of(c, run, ports->weight, NULL, &of_weight, true).at,
                  .scale = pattern_of(c, run, ports->scale, &o->affine_axes, &c->of_scale, false),
                  .shift = pattern_of(c, run, ports->shift, &o->affine_axes, &c->of_shift, false)};
    return &c->slabs.sets;
}

nm_status nm_frame_forward(const nm_frame_copy *c, const void *given_mean, const void *given_var,
                           void *y, void *mean, void *var, void *inverse)
{
    if (c->in_slabs) {
        return nm_slabs_forward(&c->slabs, given_mean, given_var, y, mean, var, inverse);
    }
    nm_sets_forward(&c->slabs.sets, given_mean, given_var, y, mean, var, inverse);
    return NM_OK;
}

nm_status nm_frame_gradient(const nm_frame_copy *c, const nm_sets_gradient *g)
{
    return c->in_slabs ? nm_slabs_gradient_run(&c->slabs, g)
                       : nm_sets_gradient_run(&c->slabs.sets, g);
}
