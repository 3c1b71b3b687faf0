/* What conv2d, its gradients and conv2d_activation share. */
#ifndef NM_OPS_CONV2D_H
#define NM_OPS_CONV2D_H

#include "ops/linear.h"
#include "ops/linear/precision.h"
#include "ops/linear/sides.h"

extern const nm_port nm_conv2d_inputs[3];
extern const nm_port nm_conv2d_outputs[1];

/* conv2d's parts, for ops with its inputs and more options. */
nm_status nm_conv2d_check(nm_infer *infer, const nm_conv2d_options *options);
nm_status nm_conv2d_compute(const nm_run *run, const nm_conv2d_options *options,
                            nm_activation activation);
int64_t nm_conv2d_multiply_adds(const nm_infer *infer);
/* Of an input, for the gradient `dy` of the convolution; w's and b's come together. */
nm_tensor *nm_conv2d_gradient(nm_vjp *v, const nm_conv2d_options *options, nm_tensor *dy,
                              int input);

/* The gradient of conv2d's input, an image of that size. */
nm_tensor *nm_conv2d_input_grad(nm_tape *tape, nm_tensor *dy, nm_tensor *w,
                                const nm_conv2d_options *options, int64_t height, int64_t width);

#define NM_CONV2D_ROW(type_, field_, min_, doc_)                                                   \
    {                                                                                              \
        NM_FIELD(type_, field_), NM_OPTION_INTS, .doc = doc_, .min = min_, .max = 65536            \
    }
/* The rows of conv2d's options in a struct that has these fields. */
#define NM_CONV2D_ROWS(type_)                                                                      \
    NM_CONV2D_ROW(type_, stride, 1, "step of the kernel: one number, or vertical and horizontal"), \
        {NM_FIELD(type_, padding),                                                                 \
         NM_OPTION_INTS,                                                                           \
         .min = 0,                                                                                 \
         .max = 65536,                                                                             \
         .named = nm_padding_names,                                                                \
         .doc = "zeros around the image: " NM_PADDING_FORM},                                       \
        NM_CONV2D_ROW(type_, dilation, 1, "distance of the kernel's taps: one number, or two"),    \
        {NM_FIELD(type_, groups), NM_OPTION_INT,                                                   \
         .doc = "the channels fall into so many groups that do not mix", .min = 1,                 \
         .max = NM_NO_LIMIT},                                                                      \
    {                                                                                              \
        NM_FIELD(type_, precision), NM_OPTION_ENUM, .names = nm_precision_names,                   \
                                                    .doc = NM_PRECISION_DOC                        \
    }

#endif
