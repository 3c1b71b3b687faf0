/* 3x3 convolutions by Winograd's filtering. */
#include "ops/kernels/conv_choice.h"
#include "tests/ops/conv_reference.h"

/* Whether there is a kernel here whose vectors the channels fill. */
static bool fills_vectors(const nm_conv *c)
{
    const nm_conv_wide *wide;
    for (int i = 0; (wide = nm_conv_wide_at(i)) != NULL; i++) {
        if (c->c % wide->lanes == 0 && c->o % wide->lanes == 0) {
            return true;
        }
    }
    return false;
}

/* Channels in groups of 8, or of 16 for longer vectors, of which products take two at a time. Tiles
 * that hang over. */
static nm_conv random_winograd(fixture *f, int64_t n, int64_t size, int64_t groups)
{
    nm_conv c = {.n = n, .kh = 3, .kw = 3, .groups = 1, .stride = {1, 1}, .dilation = {1, 1}};
    c.padding[0] = any_of(f, 0, 2), c.padding[1] = any_of(f, 0, 2);
    c.h = any_of(f, c.padding[0] ? 1 : 3, size), c.w = any_of(f, c.padding[1] ? 1 : 3, size);
    c.oh = c.h + 2 * c.padding[0] - 2, c.ow = c.w + 2 * c.padding[1] - 2;
    c.c = 8 * any_of(f, 1, 2 * groups), c.o = 8 * any_of(f, 1, 2 * groups);
    return c;
}

START_TEST(convolutions_by_winograds_filtering_are_the_sums_that_define_them)
{
    fixture f = begin();
    nm_context_set_onednn(f.context, false);
    for (int i = 0; i < 32; i++) {
        nm_context_set_threads(f.context, 1 + i % 3);
        nm_conv c = random_winograd(&f, 1, 9, i % 2 ? 3 : 1);
        ck_assert((nm_conv_choose(f.context, NM_F32, &c).winograd != NULL) == fills_vectors(&c));
        check_conv(&f, c, NM_F32);
    }
    end(f);
}
END_TEST

START_TEST(winograds_filtering_takes_more_tiles_than_go_together)
{
    fixture f = begin();
    nm_context_set_onednn(f.context, false);
    for (int i = 0; i < 3; i++) {
        nm_context_set_threads(f.context, 1 + i);
        nm_conv c = random_winograd(&f, 9, 11, 1);
        c.h = c.w = 14; /* 144 tiles or more */
        c.oh = c.h + 2 * c.padding[0] - 2, c.ow = c.w + 2 * c.padding[1] - 2;
        check_conv(&f, c, NM_F32);
    }
    end(f);
}
END_TEST

START_TEST(winograds_filtering_can_be_switched_off)
{
    fixture f = begin();
    nm_context_set_onednn(f.context, false);
    nm_conv c = random_winograd(&f, 2, 11, 3);
    nm_tensor *x = random_tensor(&f, NM_F32, NM_SHAPE(c.n, c.h, c.w, c.c));
    nm_tensor *w = random_tensor(&f, NM_F32, NM_SHAPE(c.o, 3, 3, c.c));
    nm_ints padding = NM_INTS(c.padding[0], c.padding[1]);
    nm_tensor *on = nm_conv2d(f.tape, x, w, NULL, .padding = padding);
    ck_assert(nm_context_set_winograd(f.context, false));
    ck_assert(!nm_conv_choose(f.context, NM_F32, &c).winograd);
    nm_tensor *off = nm_conv2d(f.tape, x, w, NULL, .padding = padding);
    ck_assert(!nm_context_set_winograd(f.context, true));
    nm_tensor *again = nm_conv2d(f.tape, x, w, NULL, .padding = padding);
    double apart = difference(on, off);
    ck_assert(apart < 1e-4 &&
              (apart > 0) == fills_vectors(&c)); /* rounded otherwise: another kernel */
    ck_assert_double_eq(difference(on, again), 0);
    end(f);
}
END_TEST

static const nm_conv fits = {.n = 8,
                             .h = 16,
                             .w = 16,
                             .c = 16,
                             .o = 32,
                             .oh = 16,
                             .ow = 16,
                             .kh = 3,
                             .kw = 3,
                             .stride = {1, 1},
                             .padding = {1, 1},
                             .dilation = {1, 1},
                             .groups = 1};

START_TEST(only_some_convolutions_are_for_winograds_filtering)
{
    const nm_conv_wide *wide = nm_conv_wide_at(0);
    if (!wide) {
        return; /* the library's kernels are for processors with more than this one has */
    }
    ck_assert(nm_conv_is_winograd(NM_F32, &fits, wide));
    ck_assert(!nm_conv_is_winograd(NM_F64, &fits, wide));
    ck_assert(nm_conv_winograd_pays(&fits));
#define CHECK_NOT(field, value)                                                                    \
    do {                                                                                           \
        nm_conv c = fits;                                                                          \
        c.field = value;                                                                           \
        ck_assert(!nm_conv_is_winograd(NM_F32, &c, wide));                                         \
    } while (0)
    CHECK_NOT(n, 0);
    CHECK_NOT(h, 0);
    CHECK_NOT(w, 0);
    CHECK_NOT(kh, 1);
    CHECK_NOT(kw, 5);
    CHECK_NOT(stride[1], 2);
    CHECK_NOT(dilation[0], 2);
    CHECK_NOT(padding[0], 3);
    CHECK_NOT(groups, 16);
    CHECK_NOT(c, 20);
    CHECK_NOT(o, 4);
    nm_conv few = fits;
    few.n = 1, few.oh = 16, few.ow = 16; /* 16 tiles of 4 by 4 */
    ck_assert(nm_conv_winograd_pays(&few));
    few.ow = 12;
    ck_assert(!nm_conv_winograd_pays(&few));
}
END_TEST

START_TEST(winograds_filtering_adds_bias_and_activation_like_ops_of_their_own)
{
    fixture f = begin();
    nm_context_set_onednn(f.context, false);
    for (int i = 0; i < 4; i++) {
        nm_tensor *in[] = {random_tensor(&f, NM_F32, NM_SHAPE(2, 6, 7, 16)),
                           random_tensor(&f, NM_F32, NM_SHAPE(48, 3, 3, 16)),
                           random_tensor(&f, NM_F32, NM_SHAPE(48))};
        for (int k = 0; k < 3; k++) {
            nm_tensor_set_requires_grad(in[k], true);
        }
        nm_tensor *fused = nm_conv2d_activation(f.tape, in[0], in[1], in[2], .padding = NM_INTS(1),
                                                .activation = i);
        nm_tensor *plain = nm_conv2d(f.tape, in[0], in[1], in[2], .padding = NM_INTS(1));
        nm_tensor *two = activate(f.tape, (nm_activation)i, plain);
        assert_same_step(&f, in, (nm_tensor *[]){fused, two});
        nm_tape_reset(f.tape);
    }
    end(f);
}
END_TEST

START_TEST(winograds_filtering_hides_no_nan)
{
    fixture f = begin();
    nm_context_set_onednn(f.context, false);
    nm_tensor *x = random_tensor(&f, NM_F32, NM_SHAPE(1, 8, 8, 16));
    nm_tensor *w = random_tensor(&f, NM_F32, NM_SHAPE(16, 3, 3, 16));
    for (int i = 0; i < 30; i++) {
        int64_t row = any_of(&f, 0, 7), column = any_of(&f, 0, 7), channel = any_of(&f, 0, 15);
        nm_tensor_set(x, (row * 8 + column) * 16 + channel, i % 2 ? NAN : INFINITY);
        nm_tensor *y = nm_conv2d_activation(f.tape, x, w, NULL, .padding = NM_INTS(1),
                                            .activation = NM_ACTIVATION_RELU);
        for (int64_t k = 0; k < nm_tensor_count(y); k++) {
            int64_t down = k / 16 / 8 - row, across = k / 16 % 8 - column;
            bool sees = llabs(down) <= 1 && llabs(across) <= 1;
            double value = nm_tensor_get(y, k);
            ck_assert(!sees || i % 2 == 0 || isnan(value));
            ck_assert(!sees || i % 2 == 1 || !isfinite(value) || value == 0); /* relu of -inf */
        }
        nm_tensor_set(x, (row * 8 + column) * 16 + channel, 1);
    }
    end(f);
}
END_TEST

START_TEST(winograds_filtering_gives_the_same_bits_again)
{
    fixture f = begin();
    nm_context_set_onednn(f.context, false);
    nm_tensor *x = random_tensor(&f, NM_F32, NM_SHAPE(9, 20, 20, 32)), *result[3][3];
    nm_tensor *w = random_tensor(&f, NM_F32, NM_SHAPE(16, 3, 3, 32));
    nm_tensor_set_requires_grad(x, true);
    nm_tensor_set_requires_grad(w, true);
    for (int i = 0; i < 3; i++) {
        nm_context_set_threads(f.context, i < 2 ? 3 : 2);
        result[i][2] = nm_tensor_keep(nm_conv2d(f.tape, x, w, NULL));
        nm_gradients(f.tape, &result[i][2], &result[i][2], 1, (nm_tensor *[]){x, w}, 2, 0,
                     result[i]);
        assert_fine(f.context);
    }
    for (int k = 0; k < 3; k++) {
        ck_assert_double_eq(difference(result[0][k], result[1][k]), 0);
        /* the gradient of w is summed by the threads' shares */
        ck_assert_double_le(difference(result[0][k], result[2][k]), k == 1 ? 0.1 : 0);
    }
    end(f);
}
END_TEST

/* ---- bf16 ---- */

/* The error's root of the mean square, relative to the result's. */
static double error_of(nm_tensor *x, nm_tensor *wanted)
{
    double apart = 0, size = 0;
    for (int64_t i = 0; i < nm_tensor_count(wanted); i++) {
        const double value = nm_tensor_get(wanted, i);
        apart += (nm_tensor_get(x, i) - value) * (nm_tensor_get(x, i) - value);
        size += value * value;
    }
    return sqrt(apart / (size + 1e-300));
}

/* y, and the gradients of x and w. */
static void convolve(fixture *f, const nm_conv *c, nm_precision precision, nm_tensor *const in[4],
                     nm_tensor *result[3])
{
    nm_tensor_set_requires_grad(in[0], true);
    nm_tensor_set_requires_grad(in[1], true);
    result[0] =
        nm_conv2d(f->tape, in[0], in[1], in[2], .padding = NM_INTS(c->padding[0], c->padding[1]),
                  .precision = (int)precision);
    nm_gradients(f->tape, result, &in[3], 1, in, 2, NM_KEEP_GRAPH, result + 1);
    assert_fine(f->context);
}

/* Beside f64, whose convolutions are tested against the sums. */
static void check_bf16(fixture *f, nm_conv c)
{
    nm_tensor *in[] = {random_tensor(f, NM_F64, NM_SHAPE(c.n, c.h, c.w, c.c)),
                       random_tensor(f, NM_F64, NM_SHAPE(c.o, 3, 3, c.c)),
                       random_tensor(f, NM_F64, NM_SHAPE(c.o)),
                       random_tensor(f, NM_F64, NM_SHAPE(c.n, c.oh, c.ow, c.o))};
    nm_tensor *f32[4], *wanted[3], *result[3];
    for (int i = 0; i < 4; i++) {
        f32[i] = copy_as(f, in[i], NM_F32);
    }
    convolve(f, &c, NM_PRECISION_F32, in, wanted);
    convolve(f, &c, NM_PRECISION_BF16, f32, result);
    for (int i = 0; i < 3; i++) {
        ck_assert_double_gt(error_of(result[i], wanted[i]), 1e-4); /* f32's is below 1e-6 */
        ck_assert_double_lt(error_of(result[i], wanted[i]), 0.03);
    }
    nm_tape_reset(f->tape);
}

/* Odd numbers of tiles, too, whose last has no other to go with. */
START_TEST(winograds_filtering_of_bf16_is_near_the_sums_that_define_it)
{
    fixture f = begin();
    const nm_conv_wide *bf16 = nm_has_bf16() ? nm_conv_wide_bf16() : NULL;
    for (int i = 0; bf16 && i < 12; i++) {
        nm_context_set_threads(f.context, 1 + i % 3);
        nm_conv c = {.n = 95 + i % 2, .kh = 3, .kw = 3, .groups = 1, .bf16 = 1};
        c.stride[0] = c.stride[1] = c.dilation[0] = c.dilation[1] = 1;
        c.padding[0] = any_of(&f, 0, 2), c.padding[1] = any_of(&f, 0, 2);
        c.h = any_of(&f, 3, i % 2 ? 7 : 5), c.w = any_of(&f, 5, 8);
        c.oh = c.h + 2 * c.padding[0] - 2, c.ow = c.w + 2 * c.padding[1] - 2;
        c.c = 16 * any_of(&f, 1, 3), c.o = 16 * any_of(&f, 1, 3);
        ck_assert(!nm_conv_winograd_pays(&c) ||
                  nm_conv_choose(f.context, NM_F32, &c).winograd == bf16);
        if (nm_conv_winograd_pays(&c)) {
            check_bf16(&f, c);
        }
    }
    end(f);
}
END_TEST

/* The kernels themselves, whatever pays. */
static nm_tensor *convolve_bf16(fixture *f, const nm_conv_wide *bf16, nm_conv c,
                                nm_tensor *const in[3], int direction)
{
    const float *x = nm_tensor_f32(in[0]), *w = nm_tensor_f32(in[1]), *dy = nm_tensor_f32(in[2]);
    nm_tensor *to = nm_full(f->tape, NM_F32, *nm_tensor_shape(in[(direction + 2) % 3]), 0);
    float *result = nm_tensor_f32(to);
    nm_status status = direction == 0
                           ? bf16->winograd_forward(f->context, &c, x, w, NULL, false, result)
                       : direction == 1 ? bf16->winograd_input_grad(f->context, &c, dy, w, result)
                                        : bf16->winograd_weight_grad(f->context, &c, x, dy, result);
    ck_assert_int_eq(status, NM_OK);
    return to;
}

/* 32 tiles go together: one, an even number, an odd number, more; the same bits for any number of
 * threads but in w's gradient, which is summed by their shares. */
START_TEST(winograds_filtering_of_bf16_takes_any_number_of_tiles)
{
    fixture f = begin();
    const nm_conv_wide *bf16 = nm_conv_wide_bf16();
    for (int64_t n = 1; bf16 && n < 70; n += n < 6 ? 1 : 29) {
        nm_conv c = same_conv(n, 4, 3, 16, 32);
        reference r = make_reference(&f, c);
        nm_tensor *in[] = {copy_as(&f, r.x, NM_F32), copy_as(&f, r.w, NM_F32),
                           copy_as(&f, r.y, NM_F32)};
        nm_tensor *wanted[] = {r.y, r.dx, r.dw};
        for (int64_t i = 0; i < nm_tensor_count(r.y); i++) { /* without the bias */
            nm_tensor_set(r.y, i, nm_tensor_get(r.y, i) - nm_tensor_get(r.b, i % c.o));
        }
        for (int direction = 0; direction < 3; direction++) {
            nm_context_set_threads(f.context, 1);
            nm_tensor *one = convolve_bf16(&f, bf16, c, in, direction);
            ck_assert_double_lt(error_of(one, wanted[direction]), 0.03);
            nm_context_set_threads(f.context, 3);
            nm_tensor *three = convolve_bf16(&f, bf16, c, in, direction);
            ck_assert_double_le(error_of(three, one), direction == 2 ? 1e-5 : 0);
        }
        nm_tape_reset(f.tape);
    }
    end(f);
}
END_TEST

START_TEST(winograds_filtering_of_bf16_hides_no_nan)
{
    fixture f = begin();
    const nm_conv_wide *bf16 = nm_conv_wide_bf16();
    for (int i = 0; bf16 && i < 3; i++) {
        nm_conv c = same_conv(3, 4, 4, 16, 16);
        nm_tensor *in[] = {random_tensor(&f, NM_F32, NM_SHAPE(3, 4, 4, 16)),
                           random_tensor(&f, NM_F32, NM_SHAPE(16, 3, 3, 16)),
                           random_tensor(&f, NM_F32, NM_SHAPE(3, 4, 4, 16))};
        nm_tensor_set(in[i == 1 ? 2 : 0], 4 * 4 * 16 * 2, NAN); /* in the last image */
        nm_tensor *y = convolve_bf16(&f, bf16, c, in, i);
        ck_assert(isnan(nm_tensor_get(y, i == 2 ? 4 * 16 : 4 * 4 * 16 * 2)));
        ck_assert(i == 2 || isfinite(nm_tensor_get(y, 4 * 4 * 16 - 1)));
        nm_tape_reset(f.tape);
    }
    end(f);
}
END_TEST

START_TEST(winograds_filtering_without_memory_says_so)
{
    test_memory memory = {.fail_at = -1};
    nm_context *context = test_context(&memory);
    nm_context_set_onednn(context, false);
    static float x[2 * 8 * 8 * 16], w[16 * 3 * 3 * 16], y[2 * 8 * 8 * 16];
    nm_conv c = fits;
    c.n = 2, c.h = c.w = c.oh = c.ow = 8, c.o = 16;
    const bool can_run = nm_conv_choose(context, NM_F32, &c).winograd; /* and its state is there */
    ck_assert(can_run == fills_vectors(&c));
    for (int i = 0; i < 3; i++) {
        memory.fail_at = memory.calls;
        nm_status status =
            i == 0   ? nm_conv_forward(context, NM_F32, &c, x, w, NULL, NM_ACTIVATION_NONE, y)
            : i == 1 ? nm_conv_input_grad(context, NM_F32, &c, y, w, x)
                     : nm_conv_weight_grad(context, NM_F32, &c, x, y, w, NULL);
        ck_assert_int_eq(status, NM_ERROR_MEMORY);
        assert_error(context, NM_ERROR_MEMORY, "out of memory");
    }
    memory.fail_at = -1;
    test_context_end(context, &memory);
}
END_TEST

TEST_MAIN("ops/winograd", convolutions_by_winograds_filtering_are_the_sums_that_define_them,
          winograds_filtering_takes_more_tiles_than_go_together,
          winograds_filtering_can_be_switched_off,
          only_some_convolutions_are_for_winograds_filtering,
          winograds_filtering_adds_bias_and_activation_like_ops_of_their_own,
          winograds_filtering_hides_no_nan, winograds_filtering_gives_the_same_bits_again,
          winograds_filtering_of_bf16_is_near_the_sums_that_define_it,
          winograds_filtering_of_bf16_takes_any_number_of_tiles,
          winograds_filtering_of_bf16_hides_no_nan, winograds_filtering_without_memory_says_so)
