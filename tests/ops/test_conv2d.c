/* Convolutions, by ours and by oneDNN's kernels, against the sum that defines them. */
#include "ops/kernels/conv_choice.h"
#include "tests/ops/conv_reference.h"

/* ---- By hand ---- */

START_TEST(the_kernel_is_not_flipped)
{
    fixture f = begin();
    nm_tensor *x = TENSOR(f, (1, 2, 3, 1), 1, 2, 3, 4, 5, 6);
    nm_tensor *w = TENSOR(f, (1, 2, 2, 1), 1, 10, 100, 1000), *b = TENSOR(f, (1), 0.5);
    ASSERT_TENSOR(nm_conv2d(f.tape, x, w, b), (1, 1, 2, 1), 5421.5, 6532.5);
    end(f);
}
END_TEST

START_TEST(padding_is_zeros_around_the_image)
{
    fixture f = begin();
    nm_tensor *x = TENSOR(f, (1, 2, 2, 1), 1, 2, 3, 4);
    nm_tensor *w = nm_full(f.tape, NM_F32, NM_SHAPE(1, 3, 3, 1), 1);
    ASSERT_TENSOR(nm_conv2d(f.tape, x, w, NULL, .padding = NM_INTS(1)), (1, 2, 2, 1), 10, 10, 10,
                  10);
    ASSERT_TENSOR(nm_conv2d(f.tape, x, w, NULL, .padding = NM_INTS(1, 2), .stride = NM_INTS(2)),
                  (1, 1, 2, 1), 4, 10);
    end(f);
}
END_TEST

START_TEST(groups_do_not_mix)
{
    fixture f = begin();
    nm_tensor *x = TENSOR(f, (1, 1, 1, 4), 1, 2, 3, 4);
    nm_tensor *w = TENSOR(f, (2, 1, 1, 2), 1, 10, 1, 10);
    ASSERT_TENSOR(nm_conv2d(f.tape, x, w, NULL, .groups = 2), (1, 1, 1, 2), 21, 43);
    end(f);
}
END_TEST

START_TEST(a_conv2d_activation_is_the_two_ops_one_after_the_other_to_the_bit)
{
    fixture f = begin();
    for (int i = 0; i < 4 * 2 * 2 * 2; i++) {
        const int groups = 1 + i / 16; /* one: few channels, which have a kernel of their own */
        nm_activation activation = (nm_activation)(i % 4);
        nm_dtype dtype = i / 4 % 2 ? NM_F64 : NM_F32;
        nm_context_set_onednn(f.context, i / 8 % 2);
        nm_tensor *in[] = {random_tensor(&f, dtype, NM_SHAPE(2, 7, 19, groups * 4)),
                           random_tensor(&f, dtype, NM_SHAPE(16, 3, 3, 4)),
                           random_tensor(&f, dtype, NM_SHAPE(16))};
        for (int k = 0; k < 3; k++) {
            nm_tensor_set_requires_grad(in[k], true);
        }
        nm_tensor *fused = nm_conv2d_activation(f.tape, in[0], in[1], in[2],
                                                .padding = NM_INTS(1, 0), .stride = NM_INTS(2),
                                                .groups = groups, .activation = (int)activation);
        nm_tensor *plain = nm_conv2d(f.tape, in[0], in[1], in[2], .padding = NM_INTS(1, 0),
                                     .stride = NM_INTS(2), .groups = groups);
        assert_same_step(&f, in, (nm_tensor *[]){fused, activate(f.tape, activation, plain)});
        nm_tape_reset(f.tape);
    }
    end(f);
}
END_TEST

/* ---- Against the definition ---- */

static void random_axis(fixture *f, int i, int64_t *size, int64_t *kernel, int64_t *out, nm_conv *c)
{
    *kernel = any_of(f, 1, 4);
    c->stride[i] = any_of(f, 1, 3);
    c->padding[i] = any_of(f, 0, 3);
    c->dilation[i] = any_of(f, 1, 3);
    int64_t reach = (*kernel - 1) * c->dilation[i] + 1, least = reach - 2 * c->padding[i];
    *size = any_of(f, least > 1 ? least : 1, (least > 1 ? least : 1) + 8);
    *out = (*size + 2 * c->padding[i] - reach) / c->stride[i] + 1;
}

static nm_conv random_conv(fixture *f)
{
    nm_conv c = {.n = any_of(f, 1, 3), .groups = any_of(f, 1, 3)};
    random_axis(f, 0, &c.h, &c.kh, &c.oh, &c);
    random_axis(f, 1, &c.w, &c.kw, &c.ow, &c);
    c.c = c.groups * any_of(f, 1, any_of(f, 0, 1) ? 20 : 3);
    c.o = c.groups * any_of(f, 1, any_of(f, 0, 1) ? 20 : 3);
    return c;
}

static void check_convs(nm_dtype dtype, bool onednn)
{
    fixture f = begin();
    nm_context_set_onednn(f.context, onednn);
    for (int i = 0; i < 60; i++) {
        check_conv(&f, random_conv(&f), dtype);
    }
    end(f);
}

START_TEST(our_convolutions_in_f32_are_the_sums_that_define_them)
{
    check_convs(NM_F32, false);
}
END_TEST

START_TEST(our_convolutions_in_f64_are_the_sums_that_define_them)
{
    check_convs(NM_F64, false);
}
END_TEST

START_TEST(onednns_convolutions_are_the_sums_that_define_them)
{
    check_convs(NM_F32, true);
}
END_TEST

/* Outputs in groups of 8 or 16, one to six at once, for vectors of either kind; rows with a rest.
 */
START_TEST(convolutions_of_few_channels_are_the_sums_that_define_them)
{
    fixture f = begin();
    for (int i = 0; i < 60; i++) {
        nm_context_set_onednn(f.context, i % 2);
        nm_conv c = {.n = any_of(&f, 1, 3), .groups = 1, .dilation = {1, 1}};
        c.kh = any_of(&f, 1, 5), c.kw = any_of(&f, 1, 5);
        for (int k = 0; k < 2; k++) {
            c.stride[k] = any_of(&f, 1, 3);
            c.padding[k] = any_of(&f, 0, (k ? c.kw : c.kh) - 1);
        }
        c.h = any_of(&f, c.kh, c.kh + 6), c.w = any_of(&f, c.kw + 21, c.kw + 40);
        c.oh = (c.h + 2 * c.padding[0] - c.kh) / c.stride[0] + 1;
        c.ow = (c.w + 2 * c.padding[1] - c.kw) / c.stride[1] + 1;
        c.c = any_of(&f, 1, 4), c.o = 8 * any_of(&f, 1, 6);
        ck_assert_int_ge(c.ow, 8);
        check_conv(&f, c, NM_F32);
    }
    end(f);
}
END_TEST

/* 3x3 on one channel, outputs in groups of `unit`, which has a kernel for its gradient of weights.
 */
static nm_conv random_first_layer(fixture *f, int64_t unit)
{
    nm_conv c = {.n = any_of(f, 1, 3), .c = 1, .kh = 3, .kw = 3, .groups = 1, .dilation = {1, 1}};
    for (int k = 0; k < 2; k++) {
        c.stride[k] = any_of(f, 1, 3);
        c.padding[k] = any_of(f, 0, 2);
    }
    c.h = any_of(f, 3, 24), c.w = any_of(f, 24, 48);
    c.oh = (c.h + 2 * c.padding[0] - 3) / c.stride[0] + 1;
    c.ow = (c.w + 2 * c.padding[1] - 3) / c.stride[1] + 1;
    c.o = unit * any_of(f, 1, 2);
    return c;
}

START_TEST(gradients_of_3x3_kernels_on_one_channel_are_the_sums_that_define_them)
{
    fixture f = begin();
    for (int i = 0; i < 16; i++) {
        nm_context_set_onednn(f.context, i % 2);
        const nm_conv_wide *wide = nm_conv_wide_at(i / 2 % 2 && nm_conv_wide_at(1) ? 1 : 0);
        nm_conv c = random_first_layer(&f, wide ? wide->grad_unit : 32);
        ck_assert(!wide || nm_conv_narrow_has_weight_grad(&c, wide));
        check_conv(&f, c, NM_F32);
    }
    end(f);
}
END_TEST

START_TEST(kernels_for_few_channels_can_be_switched_off)
{
    fixture f = begin();
    nm_context_set_onednn(f.context, false);
    ck_assert(nm_context_set_narrow_conv(f.context, false));
    for (int i = 0; i < 5; i++) {
        nm_conv c = random_first_layer(&f, 32);
        ck_assert(!nm_conv_choose(f.context, NM_F32, &c).narrow);
        check_conv(&f, c, NM_F32);
    }
    ck_assert(!nm_context_set_narrow_conv(f.context, true));
    ck_assert(nm_context_set_narrow_conv(f.context, true));
    end(f);
}
END_TEST

/* ---- bf16 ---- */

START_TEST(in_bf16_the_inputs_are_rounded_and_the_sums_are_not)
{
    fixture f = begin();
    nm_context_emulate_bf16(f.context, true);
    for (int groups = 1; groups < 3; groups++) {
        const rounded in[] = {random_rounded(&f, NM_SHAPE(2, 9, 8, 16)),
                              random_rounded(&f, NM_SHAPE(32, 3, 3, 16 / groups)),
                              random_rounded(&f, NM_SHAPE(2, 5, 4, 32))};
#define CONV(kind, precision_)                                                                     \
    nm_conv2d(f.tape, in[0].kind, in[1].kind, NULL, .padding = NM_INTS(1), .stride = NM_INTS(2),   \
              .groups = groups, .precision = precision_)
        nm_tensor *y[] = {CONV(plain, NM_PRECISION_BF16), CONV(rounded, NM_PRECISION_F32),
                          CONV(plain, NM_PRECISION_F32)};
        assert_steps_of_bf16(&f, in, y);
        nm_tensor *fused = nm_conv2d_activation(f.tape, in[0].plain, in[1].plain, NULL,
                                                .padding = NM_INTS(1), .stride = NM_INTS(2),
                                                .groups = groups, .precision = NM_PRECISION_BF16);
        ck_assert_double_eq(difference(fused, nm_relu(f.tape, y[0])), 0);
    }
    end(f);
}
END_TEST

/* ---- Weights that oneDNN keeps in its own layout ---- */

static void assert_close_to_our_own(fixture *f, nm_tensor *x, nm_tensor *w)
{
    nm_tensor *y = nm_conv2d(f->tape, x, w, NULL);
    nm_context_set_onednn(f->context, false);
    nm_tensor *own = nm_conv2d(f->tape, x, w, NULL);
    nm_context_set_onednn(f->context, true);
    ck_assert_double_le(difference(y, own), 1e-5);
}

START_TEST(a_change_of_any_weight_is_seen_at_once)
{
    fixture f = begin();
    nm_tensor *x = random_tensor(&f, NM_F32, NM_SHAPE(1, 6, 6, 16));
    nm_tensor *w = random_tensor(&f, NM_F32, NM_SHAPE(32, 3, 3, 16));
    for (int i = 0; i < 40; i++) {
        for (int k = 0; k < 5; k++) {
            assert_close_to_our_own(&f, x, w);
        }
        nm_tensor_set(w, any_of(&f, 0, nm_tensor_count(w) - 1), 100 + i);
    }
    end(f);
}
END_TEST

START_TEST(layers_of_one_shape_do_not_take_each_others_weights)
{
    fixture f = begin();
    nm_tensor *x = random_tensor(&f, NM_F32, NM_SHAPE(1, 6, 6, 16)), *w[20];
    for (int i = 0; i < 20; i++) { /* more than are kept for one shape */
        w[i] = random_tensor(&f, NM_F32, NM_SHAPE(32, 3, 3, 16));
    }
    for (int k = 0; k < 6; k++) {
        for (int i = 0; i < (k < 4 ? 5 : 20); i++) {
            assert_close_to_our_own(&f, x, w[i]);
        }
    }
    end(f);
}
END_TEST

START_TEST(unchanged_weights_give_the_same_bits_again)
{
    fixture f = begin();
    nm_tensor *x = random_tensor(&f, NM_F32, NM_SHAPE(1, 6, 6, 16));
    nm_tensor *w = random_tensor(&f, NM_F32, NM_SHAPE(32, 3, 3, 16));
    nm_tensor *first = nm_conv2d(f.tape, x, w, NULL);
    for (int k = 0; k < 5; k++) {
        nm_tensor *y = nm_conv2d(f.tape, x, w, NULL);
        ck_assert_mem_eq(nm_tensor_data(y), nm_tensor_data(first), nm_tensor_bytes(y));
    }
    end(f);
}
END_TEST

/* More than a piece of patches, in rows of several images, with a rest at the end. */
START_TEST(a_batch_of_several_pieces_is_like_its_images_one_by_one)
{
    fixture f = begin();
    nm_context_set_onednn(f.context, false);
    nm_tensor *x = random_tensor(&f, NM_F32, NM_SHAPE(7, 24, 24, 20));
    nm_tensor *w = random_tensor(&f, NM_F32, NM_SHAPE(6, 3, 3, 20));
    nm_tensor_set_requires_grad(x, true);
    nm_tensor *y = nm_tensor_keep(nm_conv2d(f.tape, x, w, NULL, .padding = NM_INTS(1)));
    nm_tensor *dx = gradient(&f, y, y, x);
    int64_t size = 24 * 24 * 20, out = 24 * 24 * 6;
    for (int image = 0; image < 7; image++) {
        nm_tensor *one =
            nm_tape_wrap(f.tape, NM_F32, NM_SHAPE(1, 24, 24, 20), nm_tensor_f32(x) + image * size);
        nm_tensor_set_requires_grad(one, true);
        nm_tensor *y_one = nm_tensor_keep(nm_conv2d(f.tape, one, w, NULL, .padding = NM_INTS(1)));
        ck_assert_mem_eq(nm_tensor_f32(y_one), nm_tensor_f32(y) + image * out,
                         (size_t)out * sizeof(float));
        ck_assert_mem_eq(nm_tensor_f32(gradient(&f, y_one, y_one, one)),
                         nm_tensor_f32(dx) + image * size, (size_t)size * sizeof(float));
    }
    end(f);
}
END_TEST

START_TEST(our_gradients_are_the_same_to_the_bit_for_any_number_of_threads)
{
    fixture f = begin();
    nm_context_set_onednn(f.context, false);
    nm_tensor *x = random_tensor(&f, NM_F32, NM_SHAPE(9, 20, 20, 20)), *result[2][3];
    nm_tensor *w = random_tensor(&f, NM_F32, NM_SHAPE(12, 3, 3, 20));
    nm_tensor_set_requires_grad(x, true);
    nm_tensor_set_requires_grad(w, true);
    for (int i = 0; i < 2; i++) {
        nm_context_set_threads(f.context, i ? 3 : 1);
        result[i][2] = nm_tensor_keep(nm_conv2d(f.tape, x, w, NULL));
        nm_gradients(f.tape, &result[i][2], &result[i][2], 1, (nm_tensor *[]){x, w}, 2, 0,
                     result[i]);
        assert_fine(f.context);
    }
    for (int i = 0; i < 3; i++) {
        ck_assert_mem_eq(nm_tensor_data(result[0][i]), nm_tensor_data(result[1][i]),
                         nm_tensor_bytes(result[0][i]));
    }
    end(f);
}
END_TEST

/* The bias's gradient is the sum of dy over all places. */
static void assert_sums(nm_tensor *db, nm_tensor *dy)
{
    const int64_t outputs = nm_tensor_count(db), all = nm_tensor_count(dy);
    for (int64_t o = 0; o < outputs; o++) {
        double sum = 0, size = 0;
        for (int64_t i = o; i < all; i += outputs) {
            sum += nm_tensor_get(dy, i);
            size += fabs(nm_tensor_get(dy, i));
        }
        assert_near(nm_tensor_get(db, o), sum, 0, 1e-6 * size);
    }
}

START_TEST(gradients_of_few_channels_are_the_same_to_the_bit_for_any_number_of_threads)
{
    fixture f = begin();
    nm_context_set_onednn(f.context, false);
    nm_tensor *x = random_tensor(&f, NM_F32, NM_SHAPE(16, 28, 28, 1)), *result[2][2];
    nm_tensor *w = random_tensor(&f, NM_F32, NM_SHAPE(64, 3, 3, 1));
    nm_tensor *b = random_tensor(&f, NM_F32, NM_SHAPE(64));
    nm_tensor_set_requires_grad(w, true);
    nm_tensor_set_requires_grad(b, true);
    for (int i = 0; i < 2; i++) {
        nm_context_set_threads(f.context, i ? 3 : 1);
        nm_tensor *y = nm_tensor_keep(nm_conv2d(f.tape, x, w, b, .padding = NM_INTS(1)));
        nm_gradients(f.tape, &y, &y, 1, (nm_tensor *[]){w, b}, 2, 0, result[i]);
        assert_fine(f.context);
        assert_sums(result[i][1], y);
    }
    for (int i = 0; i < 2; i++) {
        ck_assert_mem_eq(nm_tensor_data(result[0][i]), nm_tensor_data(result[1][i]),
                         nm_tensor_bytes(result[0][i]));
    }
    end(f);
}
END_TEST

/* ---- Edges ---- */

START_TEST(a_batch_without_images_has_gradients_of_zero)
{
    fixture f = begin();
    for (int onednn = 0; onednn < 2; onednn++) {
        nm_context_set_onednn(f.context, onednn);
        nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(0, 4, 4, 1), 1);
        nm_tensor *w = nm_full(f.tape, NM_F32, NM_SHAPE(1, 1, 2, 1), 1);
        nm_tensor_set_requires_grad(w, true);
        nm_tensor *y = nm_conv2d(f.tape, x, w, NULL);
        ck_assert_int_eq(nm_tensor_count(y), 0);
        ASSERT_TENSOR(gradient(&f, y, NULL, w), (1, 1, 2, 1), 0, 0);
        nm_tensor *b = nm_full(f.tape, NM_F32, NM_SHAPE(1), 1), *grads[2];
        nm_tensor_set_requires_grad(b, true);
        y = nm_conv2d(f.tape, x, w, b);
        nm_gradients(f.tape, &y, NULL, 1, (nm_tensor *[]){w, b}, 2, 0, grads);
        ASSERT_TENSOR(grads[0], (1, 1, 2, 1), 0, 0);
        ASSERT_TENSOR(grads[1], (1), 0);
    }
    end(f);
}
END_TEST

/* More shapes than primitives are kept, and the first ones again. */
START_TEST(many_shapes_in_one_context_stay_right)
{
    fixture f = begin();
    nm_tensor *w = nm_full(f.tape, NM_F32, NM_SHAPE(1, 1, 1, 1), 2);
    for (int64_t i = 0; i < 1100; i++) {
        nm_tensor *x = nm_full(f.tape, NM_F32, NM_SHAPE(1, 1, 1 + i % 560, 1), (double)i);
        nm_tensor *y = nm_conv2d(f.tape, x, w, NULL);
        ck_assert_double_eq(nm_tensor_get(y, i % 560), 2.0 * (double)i);
    }
    end(f);
}
END_TEST

static nm_tensor *empty(fixture *f, nm_shape shape)
{
    return nm_tape_tensor(f->tape, NM_F32, shape);
}

START_TEST(shapes_that_do_not_fit_are_named)
{
    fixture f = begin();
    nm_tensor *x = empty(&f, NM_SHAPE(2, 5, 5, 6)), *w = empty(&f, NM_SHAPE(4, 3, 3, 6));
    ck_assert_ptr_null(nm_conv2d(f.tape, x, w, NULL, .dilation = NM_INTS(1, 3)));
    assert_error(f.context, NM_ERROR_INPUT,
                 "conv2d: the kernel of w [4, 3, 3, 6], with padding [0, 0] and dilation [1, 3], "
                 "does not fit into x [2, 5, 5, 6]");
    nm_conv2d(f.tape, x, w, NULL, .groups = 2);
    assert_error(f.context, NM_ERROR_INPUT,
                 "conv2d: the channels do not fit: x [2, 5, 5, 6], w [4, 3, 3, 6], groups 2");
    nm_conv2d(f.tape, x, empty(&f, NM_SHAPE(4, 3, 3, 1)), NULL, .groups = 6);
    assert_error(f.context, NM_ERROR_INPUT, "groups 6"); /* 4 outputs do not fall into 6 */
    nm_conv2d(f.tape, x, w, empty(&f, NM_SHAPE(6)));
    assert_error(f.context, NM_ERROR_INPUT, "conv2d: b [6] does not fit w [4, 3, 3, 6]");
    nm_conv2d(f.tape, x, empty(&f, NM_SHAPE(4, 6)), NULL);
    assert_error(f.context, NM_ERROR_INPUT, "[out, kh, kw, channels / groups]");
    nm_conv2d(f.tape, x, empty(&f, NM_SHAPE(4, 0, 3, 6)), NULL);
    assert_error(f.context, NM_ERROR_INPUT, "does not fit into x");
    end(f);
}
END_TEST

START_TEST(options_out_of_range_are_named)
{
    fixture f = begin();
    nm_tensor *x = empty(&f, NM_SHAPE(2, 5, 5, 6)), *w = empty(&f, NM_SHAPE(4, 3, 3, 6));
    nm_conv2d(f.tape, x, w, NULL, .stride = NM_INTS(0));
    assert_error(f.context, NM_ERROR_INPUT, "stride");
    nm_conv2d(f.tape, x, w, NULL, .padding = NM_INTS(1, -1));
    assert_error(f.context, NM_ERROR_INPUT, "padding");
    nm_conv2d(f.tape, x, w, NULL, .dilation = NM_INTS(1, 1, 1));
    assert_error(f.context, NM_ERROR_INPUT, "dilation takes one number, or two");
    nm_conv2d(f.tape, x, w, NULL, .groups = 0);
    assert_error(f.context, NM_ERROR_INPUT, "groups");
    end(f);
}
END_TEST

START_TEST(a_gradient_of_another_size_is_refused)
{
    fixture f = begin();
    nm_tensor *dy = empty(&f, NM_SHAPE(2, 3, 3, 4)), *w = empty(&f, NM_SHAPE(4, 3, 3, 6)), *out;
    nm_call(f.tape, "conv2d_input_grad", (nm_tensor *[]){dy, w}, 2, "{size: 6}", &out, 1);
    assert_error(f.context, NM_ERROR_INPUT,
                 "conv2d_input_grad: dy is [2, 3, 3, 4], but the convolution gives [2, 4, 4, 4]");
    nm_call(f.tape, "conv2d_input_grad", (nm_tensor *[]){dy, w}, 2,
            "{size: 5, groups: 4611686018427387904}", &out, 1);
    assert_error(f.context, NM_ERROR_INPUT, "too many groups");
    nm_tensor *x = empty(&f, NM_SHAPE(2, 5, 5, 6));
    nm_call(f.tape, "conv2d_weight_grad", (nm_tensor *[]){x, dy}, 2, "{size: 2}", &out, 1);
    assert_error(f.context, NM_ERROR_INPUT, "but the convolution gives [2, 4, 4, 4]");
    end(f);
}
END_TEST

START_TEST(huge_kernels_and_images_overflow_nothing)
{
    fixture f = begin();
    nm_tape_set_dry(f.tape, true);
    const int64_t huge = INT64_C(1) << 55;
    nm_conv2d(f.tape, empty(&f, NM_SHAPE(1, 5, 5, 1)), empty(&f, NM_SHAPE(1, huge, 1, 1)), NULL,
              .dilation = NM_INTS(65536));
    assert_error(f.context, NM_ERROR_INPUT, "does not fit");
    nm_tensor *one = empty(&f, NM_SHAPE(1, 1, 1, 1)), *out;
    nm_call(f.tape, "conv2d_input_grad", (nm_tensor *[]){one, one}, 2,
            "{size: 9223372036854775807, padding: 1}", &out, 1);
    assert_error(f.context, NM_ERROR_INPUT, "does not fit");
    ck_assert_ptr_nonnull(nm_conv2d(f.tape, empty(&f, NM_SHAPE(1, 1, 1 << 30, 1 << 20)),
                                    empty(&f, NM_SHAPE(1 << 12, 1, 1, 1 << 20)), NULL));
    ck_assert_int_eq(nm_tape_cost_so_far(f.tape).multiply_adds, INT64_C(1) << 53);
    end(f);
}
END_TEST

START_TEST(a_batch_without_huge_images_overflows_nothing)
{
    fixture f = begin();
    const int64_t huge = INT64_C(1) << 60;
    nm_tensor *x = nm_full(f.tape, NM_F64, NM_SHAPE(0, huge, huge, 1), 0);
    nm_tensor *w = nm_full(f.tape, NM_F64, NM_SHAPE(1, 1, 1, 1), 1);
    nm_tensor_set_requires_grad(x, true);
    nm_tensor_set_requires_grad(w, true);
    nm_tensor *dx = gradient(&f, nm_conv2d(f.tape, x, w, NULL), NULL, x);
    ck_assert(nm_shape_equal(nm_tensor_shape(dx), nm_tensor_shape(x)));
    nm_tensor *dw = gradient(&f, nm_conv2d(f.tape, x, w, NULL), NULL, w);
    ck_assert(nm_tensor_item(dw) == 0);
    assert_fine(f.context);
    end(f);
}
END_TEST

TEST_MAIN("ops/conv2d", the_kernel_is_not_flipped, padding_is_zeros_around_the_image,
          groups_do_not_mix, a_conv2d_activation_is_the_two_ops_one_after_the_other_to_the_bit,
          our_convolutions_in_f32_are_the_sums_that_define_them,
          our_convolutions_in_f64_are_the_sums_that_define_them,
          onednns_convolutions_are_the_sums_that_define_them,
          convolutions_of_few_channels_are_the_sums_that_define_them,
          gradients_of_3x3_kernels_on_one_channel_are_the_sums_that_define_them,
          kernels_for_few_channels_can_be_switched_off,
          gradients_of_few_channels_are_the_same_to_the_bit_for_any_number_of_threads,
          in_bf16_the_inputs_are_rounded_and_the_sums_are_not,
          a_change_of_any_weight_is_seen_at_once,
          layers_of_one_shape_do_not_take_each_others_weights,
          unchanged_weights_give_the_same_bits_again,
          a_batch_of_several_pieces_is_like_its_images_one_by_one,
          our_gradients_are_the_same_to_the_bit_for_any_number_of_threads,
          a_batch_without_images_has_gradients_of_zero, many_shapes_in_one_context_stay_right,
          shapes_that_do_not_fit_are_named, options_out_of_range_are_named,
          a_gradient_of_another_size_is_refused, huge_kernels_and_images_overflow_nothing,
          a_batch_without_huge_images_overflows_nothing)
