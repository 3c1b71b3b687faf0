/* The sets that `normalize` works on: which axes of x they lie along, what shapes their numbers
 * have, and how they lie in memory. */
#ifndef NM_OPS_FRAME_H
#define NM_OPS_FRAME_H

#include "ops/kernels/slabs.h"
#include "ops/norm.h"

typedef struct nm_frame {
    nm_shape x;
    nm_shape full;       /* x's, the axis of the groups being two: groups, and what is in one */
    unsigned gone;       /* bit d: sets lie along axis d of `full` */
    nm_shape kept;       /* `full` with length 1 in place of those axes */
    nm_shape statistics; /* and without them: one number a set */
    int split;           /* the axis of x that groups divide; -1: none */
    int64_t sets, length;
} nm_frame;

/* Checks axes and groups against input 0, and finds the frame. */
nm_status nm_frame_infer(const nm_infer *infer, const nm_normalize_options *options,
                         nm_frame *frame);
/* The same where that went well. */
nm_frame nm_frame_of(const nm_normalize_options *options, const nm_shape *x);

/* Fails unless a parameter (input `input`, absent or not) has one value for each index of
 * `axes`, or without such a list a shape that broadcasts to x's. */
nm_status nm_frame_check_parameter(const nm_infer *infer, int input, const nm_ints *axes);
/* Fails unless it is absent or has the shape of the statistics. */
nm_status nm_frame_check_statistics(const nm_infer *infer, int input, const nm_frame *frame);

/* A parameter's shape as one of x's rank that broadcasts to it; then with the axis of the groups in
 * two, to broadcast to `full`. */
nm_shape nm_frame_spread(const nm_frame *frame, const nm_shape *parameter, const nm_ints *axes);
nm_shape nm_frame_split(const nm_frame *frame, const nm_shape *spread);

/* ---- Tensors of the shapes of a frame, in formulas; NULL stays NULL ---- */

/* A tensor of x's shape, a parameter's or a set's numbers, to be broadcast to `full`. */
nm_tensor *nm_frame_whole(nm_tape *tape, const nm_frame *frame, nm_tensor *x);
nm_tensor *nm_frame_parameter(nm_tape *tape, const nm_frame *frame, nm_tensor *parameter,
                              const nm_ints *axes);
nm_tensor *nm_frame_along(nm_tape *tape, const nm_frame *frame, nm_tensor *statistics);
/* The sum over each set of a tensor of the shape `full`, along it. */
nm_tensor *nm_frame_sums(nm_tape *tape, const nm_frame *frame, nm_tensor *x);
/* What broadcasting a parameter to `full` comes to, backward. */
nm_tensor *nm_frame_back(nm_tape *tape, const nm_frame *frame, nm_tensor *x, nm_tensor *parameter,
                         const nm_ints *axes);

/* ---- In memory ---- */

#define NM_FRAME_COPIES 10

/* A call's tensors as one of the kernels takes them: what does not lie so is copied. */
typedef struct nm_frame_copy {
    nm_context *context;
    nm_dtype dtype;
    nm_frame frame;
    bool moves;                    /* x is copied, to contiguous sets */
    bool in_slabs;                 /* or it stays, for the kernel of slabs */
    nm_slabs slabs;                /* what the kernels take; its geometry if in_slabs */
    nm_shape of_scale, of_shift;   /* their shapes, to broadcast to `full` */
    void *copies[NM_FRAME_COPIES]; /* of x's size each */
    int used;
    nm_status status; /* NM_OK, or there was no memory for one: nothing may be computed then */
} nm_frame_copy;

/* Which of a call's inputs are what. */
typedef struct nm_frame_ports {
    int x, scale, shift, weight;
} nm_frame_ports;

nm_frame_copy nm_frame_copy_begin(const nm_run *run, const nm_frame *frame);
void nm_frame_copy_end(nm_frame_copy *copy);
/* What the kernels take. `slabs`: the kernel of slabs may be chosen. */
const nm_sets *nm_frame_sets(nm_frame_copy *copy, const nm_run *run,
                             const nm_normalize_options *options, const nm_frame_ports *ports,
                             bool slabs);
/* The kernels, on these: nm_sets_forward() and nm_sets_gradient_run(). */
nm_status nm_frame_forward(const nm_frame_copy *copy, const void *given_mean, const void *given_var,
                           void *y, void *mean, void *var, void *inverse);
nm_status nm_frame_gradient(const nm_frame_copy *copy, const nm_sets_gradient *gradient);
/* A tensor of x's shape as contiguous sets: itself or a copy. NULL stays. */
const void *nm_frame_take(nm_frame_copy *copy, const void *x);
/* Where a result of x's shape may be written as contiguous sets: `y` itself or room that
 * nm_frame_give() copies from. */
void *nm_frame_room(nm_frame_copy *copy, void *y);
void nm_frame_give(nm_frame_copy *copy, const void *from, void *y);
/* The gradient of a parameter of that pattern and shape: where the kernel writes it, and how it
 * comes from there to where it belongs. */
void *nm_frame_sum_room(nm_frame_copy *copy, const nm_pattern *pattern, void *to);
void nm_frame_sum(nm_frame_copy *copy, const void *from, const nm_shape *split, void *to);

#endif
