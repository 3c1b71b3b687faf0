/* Convolutions where the images stand, those of each channel by itself above all. */
#include "ops/kernels/conv_choice.h"
#include "tests/ops/conv_reference.h"

/* ---- Against the sums that define them ---- */

static void random_axis(fixture *f, int i, int64_t *size, int64_t *kernel, int64_t *out, nm_conv *c)
{
    *kernel = any_of(f, 1, 5);
    c->stride[i] = any_of(f, 1, 4);
    c->padding[i] = any_of(f, 0, 4);
    c->dilation[i] = any_of(f, 1, 4);
    int64_t reach = (*kernel - 1) * c->dilation[i] + 1, least = reach - 2 * c->padding[i];
    *size = any_of(f, least > 1 ? least : 1, (least > 1 ? least : 1) + 15);
    *out = (*size + 2 * c->padding[i] - reach) / c->stride[i] + 1;
}

static nm_conv random_depthwise(fixture *f, int64_t channels)
{
    nm_conv c = {.n = any_of(f, 1, 3), .c = channels, .groups = channels};
    random_axis(f, 0, &c.h, &c.kh, &c.oh, &c);
    random_axis(f, 1, &c.w, &c.kw, &c.ow, &c);
    c.o = c.c * (any_of(f, 0, 1) ? 1 : any_of(f, 2, 3));
    return c;
}

static void check_random(nm_dtype dtype, bool onednn)
{
    fixture f = begin();
    nm_context_set_onednn(f.context, onednn);
    for (int i = 0; i < 60; i++) {
        nm_conv c = random_depthwise(&f, any_of(&f, 1, i % 2 ? 8 : 40));
        const nm_conv_choice k = nm_conv_choose(f.context, dtype, &c);
        ck_assert(c.c == 1 || (k.forward && k.input_grad && k.weight_grad));
        check_conv(&f, c, dtype);
    }
    end(f);
}

START_TEST(depthwise_convolutions_in_f32_are_the_sums_that_define_them)
{
    check_random(NM_F32, false);
}
END_TEST

START_TEST(depthwise_convolutions_in_f64_are_the_sums_that_define_them)
{
    check_random(NM_F64, false);
}
END_TEST

START_TEST(depthwise_convolutions_beside_onednn_are_the_sums_that_define_them)
{
    check_random(NM_F32, true);
}
END_TEST

static void check_tiles(fixture *f, const nm_tiles *tiles, nm_conv c)
{
    reference r = make_reference(f, c);
    nm_tensor *x = copy_as(f, r.x, NM_F32), *w = copy_as(f, r.w, NM_F32);
    nm_tensor *b = copy_as(f, r.b, NM_F32), *y = copy_as(f, r.y, NM_F32);
    nm_tensor *dx = copy_as(f, r.dx, NM_F32), *dw = copy_as(f, r.dw, NM_F32), *dy = y;
    y = nm_full(f->tape, NM_F32, *nm_tensor_shape(y), NAN);
    nm_direct_forward(f->context, tiles, NM_F32, &c, nm_tensor_f32(x), nm_tensor_f32(w),
                      nm_tensor_f32(b), NM_ACTIVATION_NONE, nm_tensor_f32(y));
    assert_like(&c, "y", y, r.y);
    nm_tensor_fill(dx, NAN), nm_tensor_fill(dw, NAN);
    nm_direct_input_grad(f->context, tiles, NM_F32, &c, nm_tensor_f32(dy), nm_tensor_f32(w),
                         nm_tensor_f32(dx));
    assert_like(&c, "dx", dx, r.dx);
    if (nm_conv_is_depthwise(&c)) {
        nm_direct_weight_grad(f->context, tiles, NM_F32, &c, nm_tensor_f32(x), nm_tensor_f32(dy),
                              nm_tensor_f32(dw));
        assert_like(&c, "dw", dw, r.dw);
    }
    assert_fine(f->context);
    nm_tape_reset(f->tape);
}

/* One channel with several outputs too, and rows of more places than a tile has. */
START_TEST(tiles_of_every_instruction_set_are_the_sums_that_define_them)
{
    fixture f = begin();
    const nm_conv_wide *wide;
    for (int set = 0; (wide = nm_conv_wide_at(set)) != NULL; set++) {
        for (int i = 0; i < 30; i++) {
            nm_conv c = random_depthwise(&f, i % 5 ? any_of(&f, wide->lanes, 40) : 1);
            c.o = i % 5 ? c.o : any_of(&f, wide->lanes, 40);
            check_tiles(&f, &wide->tiles, c);
        }
    }
    end(f);
}
END_TEST

/* Of so many channels a group at least, both ways. */
static nm_conv random_grouped(fixture *f, int64_t least)
{
    nm_conv c = random_depthwise(f, 1);
    c.groups = any_of(f, 1, 2);
    c.c = c.groups * any_of(f, least, 20), c.o = c.groups * any_of(f, least, 20);
    return c;
}

START_TEST(convolutions_of_groups_are_the_sums_that_define_them)
{
    fixture f = begin();
    const nm_conv_wide *wide;
    for (int set = 0; (wide = nm_conv_wide_at(set)) != NULL; set++) {
        for (int i = 0; i < 20; i++) {
            nm_conv c = random_grouped(&f, wide->lanes);
            check_tiles(&f, &wide->tiles, c);
        }
    }
    end(f);
}
END_TEST

START_TEST(convolutions_without_onednn_take_no_patches_where_vectors_are_full)
{
    fixture f = begin();
    nm_context_set_onednn(f.context, false);
    for (int i = 0; i < 20; i++) {
        nm_conv c = random_grouped(&f, 16);
        c.stride[0] = 2; /* not Winograd's */
        c.oh = (c.h + 2 * c.padding[0] - (c.kh - 1) * c.dilation[0] - 1) / 2 + 1;
        const nm_conv_choice k = nm_conv_choose(f.context, NM_F32, &c);
        ck_assert(!nm_conv_wide_at(0) || (k.forward && k.input_grad));
        check_conv(&f, c, NM_F32);
    }
    end(f);
}
END_TEST

/* Images that are their own patches, where nothing is padded or skipped. */
START_TEST(convolutions_of_one_tap_are_the_sums_that_define_them)
{
    fixture f = begin();
    for (int i = 0; i < 48; i++) {
        nm_context_set_onednn(f.context, i % 2);
        const int64_t groups = any_of(&f, 1, 3), padding = i % 3 == 2;
        nm_conv c = {.n = any_of(&f, 1, 3), .h = any_of(&f, 1, 9), .w = any_of(&f, 1, 20)};
        c.kh = c.kw = 1, c.groups = groups;
        c.stride[0] = c.stride[1] = i % 5 == 4 ? 2 : 1, c.dilation[0] = c.dilation[1] = 1;
        c.padding[0] = 0, c.padding[1] = padding;
        c.oh = (c.h - 1) / c.stride[0] + 1, c.ow = (c.w + 2 * padding - 1) / c.stride[1] + 1;
        c.c = groups * any_of(&f, 2, 24), c.o = groups * any_of(&f, 1, 24);
        check_conv(&f, c, i / 2 % 4 ? NM_F32 : NM_F64);
    }
    end(f);
}
END_TEST

START_TEST(what_lies_outside_of_an_image_is_not_read)
{
    fixture f = begin();
    nm_context_set_onednn(f.context, false);
    nm_tensor *x = random_tensor(&f, NM_F32, NM_SHAPE(3, 5, 5, 16));
    nm_tensor *w = random_tensor(&f, NM_F32, NM_SHAPE(16, 3, 3, 1));
    nm_tensor *y =
        nm_tensor_keep(nm_conv2d(f.tape, x, w, NULL, .padding = NM_INTS(1), .groups = 16));
    const int64_t image = 5 * 5 * 16;
    for (int64_t i = 0; i < image; i++) { /* around the second */
        nm_tensor_set(x, i, NAN);
        nm_tensor_set(x, 2 * image + i, NAN);
    }
    nm_tensor *again = nm_conv2d(f.tape, x, w, NULL, .padding = NM_INTS(1), .groups = 16);
    ck_assert_mem_eq(nm_tensor_f32(again) + image, nm_tensor_f32(y) + image,
                     (size_t)image * sizeof(float));
    end(f);
}
END_TEST

/* ---- Many images ---- */

/* The gradients of all images, with as many threads. */
static void run_all(fixture *f, nm_tensor *x, nm_tensor *w, int threads, nm_tensor *out[3])
{
    const int64_t groups = nm_tensor_shape(x)->dim[3] / nm_tensor_shape(w)->dim[3];
    nm_context_set_threads(f->context, threads);
    nm_tensor_set_requires_grad(x, true);
    nm_tensor_set_requires_grad(w, true);
    out[2] = nm_tensor_keep(
        nm_conv2d(f->tape, x, w, NULL, .padding = NM_INTS(1, 2), .groups = (int)groups));
    nm_gradients(f->tape, &out[2], &out[2], 1, (nm_tensor *[]){x, w}, 2, 0, out);
    assert_fine(f->context);
}

START_TEST(direct_convolutions_have_the_same_bits_for_any_number_of_threads)
{
    fixture f = begin();
    nm_context_set_onednn(f.context, false);
    const int64_t channels[] = {40, 24, 3, 20};
    for (int i = 0; i < 4; i++) {
        const int64_t c = channels[i], o = i == 1 ? 2 * c : c;
        nm_tensor *x = random_tensor(&f, NM_F32, NM_SHAPE(37, 12, 13, c)), *result[3][3];
        nm_tensor *w = random_tensor(&f, NM_F32, NM_SHAPE(o, 3, 5, i == 3 ? c : 1));
        for (int k = 0; k < 3; k++) {
            run_all(&f, x, w, 1 + k, result[k]);
            for (int t = 0; t < 3; t++) {
                ck_assert_mem_eq(nm_tensor_data(result[0][t]), nm_tensor_data(result[k][t]),
                                 nm_tensor_bytes(result[0][t]));
            }
        }
        nm_tape_reset(f.tape);
    }
    end(f);
}
END_TEST

/* So many outputs a channel that copies of x are made piece by piece, with a rest. */
START_TEST(images_that_are_widened_in_pieces_are_like_those_one_by_one)
{
    fixture f = begin();
    nm_context_set_onednn(f.context, false);
    nm_tensor *x = random_tensor(&f, NM_F32, NM_SHAPE(5, 40, 40, 32)), *all[3], *one[3];
    nm_tensor *w = random_tensor(&f, NM_F32, NM_SHAPE(192, 2, 3, 1));
    run_all(&f, x, w, 2, all);
    double *dw = calloc(192 * 6, sizeof *dw);
    for (int64_t i = 0; i < 5; i++) {
        const int64_t in = 40 * 40 * 32, out = nm_tensor_count(all[2]) / 5;
        nm_tensor *image =
            nm_tape_wrap(f.tape, NM_F32, NM_SHAPE(1, 40, 40, 32), nm_tensor_f32(x) + i * in);
        run_all(&f, image, w, 1, one);
        ck_assert_mem_eq(nm_tensor_f32(one[2]), nm_tensor_f32(all[2]) + i * out,
                         (size_t)out * sizeof(float));
        ck_assert_mem_eq(nm_tensor_f32(one[0]), nm_tensor_f32(all[0]) + i * in,
                         (size_t)in * sizeof(float));
        for (int64_t k = 0; k < 192 * 6; k++) {
            dw[k] += nm_tensor_get(one[1], k);
        }
    }
    for (int64_t k = 0; k < 192 * 6; k++) {
        assert_near(nm_tensor_get(all[1], k), dw[k], 1e-5, 1e-2);
    }
    free(dw);
    end(f);
}
END_TEST

START_TEST(an_activation_of_a_depthwise_convolution_is_the_op_behind_it_to_the_bit)
{
    fixture f = begin();
    for (int i = 0; i < 16; i++) {
        nm_context_set_onednn(f.context, i / 8);
        const nm_dtype dtype = i / 4 % 2 ? NM_F64 : NM_F32;
        const nm_activation activation = (nm_activation)(i % 4);
        nm_tensor *x = random_tensor(&f, dtype, NM_SHAPE(2, 7, 9, 9));
        nm_tensor *w = random_tensor(&f, dtype, NM_SHAPE(18, 3, 3, 1));
        nm_tensor *b = random_tensor(&f, dtype, NM_SHAPE(18));
        nm_tensor *fused = nm_conv2d_activation(f.tape, x, w, b, .padding = NM_INTS(1), .groups = 9,
                                                .activation = (int)activation);
        nm_tensor *plain = nm_conv2d(f.tape, x, w, b, .padding = NM_INTS(1), .groups = 9);
        plain = activate(f.tape, activation, plain);
        assert_fine(f.context);
        ck_assert_mem_eq(nm_tensor_data(fused), nm_tensor_data(plain), nm_tensor_bytes(plain));
        nm_tape_reset(f.tape);
    }
    end(f);
}
END_TEST

/* ---- Edges ---- */

START_TEST(strides_and_dilations_that_skip_all_else_overflow_nothing)
{
    fixture f = begin();
    nm_context_set_onednn(f.context, false);
    const int64_t far = INT64_C(1) << 16;
    nm_tensor *x = TENSOR(f, (1, 2, 2, 2), 1, 2, 3, 4, 5, 6, 7, 8);
    nm_tensor *w = TENSOR(f, (2, 1, 1, 1), 10, 100);
    nm_tensor_set_requires_grad(x, true);
    nm_tensor *y = nm_conv2d(f.tape, x, w, NULL, .stride = NM_INTS(far), .groups = 2);
    ASSERT_TENSOR(y, (1, 1, 1, 2), 10, 200);
    ASSERT_TENSOR(gradient(&f, y, NULL, x), (1, 2, 2, 2), 10, 100, 0, 0, 0, 0, 0, 0);
    nm_tensor *wide = TENSOR(f, (2, 2, 1, 1), 1, 10, 100, 1000);
    y = nm_conv2d(f.tape, x, wide, NULL, .padding = NM_INTS(far, 0), .dilation = NM_INTS(far),
                  .stride = NM_INTS(far, 1), .groups = 2);
    ASSERT_TENSOR(y, (1, 2, 2, 2), 10, 2000, 30, 4000, 1, 200, 3, 400);
    end(f);
}
END_TEST

static nm_status all_directions(test_memory *memory)
{
    nm_context *context = test_context(memory);
    nm_tape *tape = context ? nm_tape_create(context) : NULL;
    if (tape) {
        nm_register_ops(context);
        nm_context_set_onednn(context, false);
        nm_tensor *in[] = {nm_full(tape, NM_F32, NM_SHAPE(2, 4, 4, 9), 1),
                           nm_full(tape, NM_F32, NM_SHAPE(18, 3, 3, 1), 1)};
        for (int i = 0; i < 2 && in[i]; i++) {
            nm_tensor_set_requires_grad(in[i], true);
        }
        nm_tensor *y = nm_conv2d(tape, in[0], in[1], NULL, .groups = 9), *grads[2];
        nm_gradients(tape, &y, NULL, 1, in, 2, 0, grads);
    }
    nm_status status = context ? nm_context_status(context) : NM_ERROR_MEMORY;
    nm_tape_destroy(tape);
    nm_context_destroy(context);
    return status;
}

START_TEST(a_failing_allocation_is_an_error)
{
    test_every_allocation(all_directions);
}
END_TEST

TEST_MAIN("ops/direct", depthwise_convolutions_in_f32_are_the_sums_that_define_them,
          depthwise_convolutions_in_f64_are_the_sums_that_define_them,
          depthwise_convolutions_beside_onednn_are_the_sums_that_define_them,
          tiles_of_every_instruction_set_are_the_sums_that_define_them,
          convolutions_of_groups_are_the_sums_that_define_them,
          convolutions_without_onednn_take_no_patches_where_vectors_are_full,
          convolutions_of_one_tap_are_the_sums_that_define_them,
          what_lies_outside_of_an_image_is_not_read,
          direct_convolutions_have_the_same_bits_for_any_number_of_threads,
          images_that_are_widened_in_pieces_are_like_those_one_by_one,
          an_activation_of_a_depthwise_convolution_is_the_op_behind_it_to_the_bit,
          strides_and_dilations_that_skip_all_else_overflow_nothing,
          a_failing_allocation_is_an_error)
