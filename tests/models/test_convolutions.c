/* Layers of convolutions beside conv2d: that they are their ops, and what they refuse. */
#include "tests/models/model_test.h"

/* The layer's output in evaluation is `y`, which the op made. */
static void assert_layer_makes(fixture *f, nm_tensor *x, nm_tensor *y)
{
    assert_fine(f->context);
    nm_tensor *z = evaluate(f, x);
    assert_fine(f->context);
    ck_assert(nm_shape_equal(nm_tensor_shape(y), nm_tensor_shape(z)));
    for (int64_t i = 0; i < nm_tensor_count(y); i++) {
        assert_near(nm_tensor_get(z, i), nm_tensor_get(y, i), 1e-12, 1e-12);
    }
}

START_TEST(the_layers_of_signals_and_volumes_are_their_ops)
{
    fixture f = begin_f64("[conv1d: {channels: 4, kernel: 3, stride: 2, padding: [2, 1], dilation: "
                          "2, groups: 2, bias: false}]",
                          NM_SHAPE(9, 4));
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(2, 9, 4), 1);
    assert_layer_makes(&f, x,
                       nm_conv1d(f.tape, x, named(&f, "conv1.weight"), NULL, .stride = 2,
                                 .padding = NM_INTS(2, 1), .dilation = 2, .groups = 2));
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
    f = begin_f64(
        "[conv3d: {channels: 2, kernel: [1, 2, 3], stride: [1, 2, 1], padding: [1, 0, 2], "
        "dilation: [2, 1, 1]}]",
        NM_SHAPE(2, 4, 3, 2));
    x = normal(&f, NM_F64, NM_SHAPE(2, 2, 4, 3, 2), 1);
    assert_layer_makes(&f, x,
                       nm_conv3d(f.tape, x, named(&f, "conv1.weight"), named(&f, "conv1.bias"),
                                 .stride = NM_INTS(1, 2, 1), .padding = NM_INTS(1, 0, 2),
                                 .dilation = NM_INTS(2, 1, 1)));
    nm_tape_reset(f.tape);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

/* Element (o, i, j, k) of the layer's weight is (g c / groups + k, i, j, o - g out / groups) of the
 * op's, for output o of group g. */
START_TEST(the_transposed_layer_has_conv2ds_order_of_weights)
{
    enum { OUT = 6, IN = 4, GROUPS = 2, KH = 2, KW = 3 };
    fixture f =
        begin_f64("[conv2d_transpose: {channels: 6, kernel: [2, 3], stride: [2, 3], padding: "
                  "[0, 1], output_padding: [1, 0], groups: 2}]",
                  NM_SHAPE(3, 2, IN));
    nm_tensor *w = named(&f, "conv1.weight");
    nm_tensor *turned = normal(&f, NM_F64, NM_SHAPE(IN, KH, KW, OUT / GROUPS), 7);
    for (int o = 0; o < OUT; o++) {
        for (int at = 0; at < KH * KW; at++) {
            for (int k = 0; k < IN / GROUPS; k++) {
                const int group = o / (OUT / GROUPS), in = group * IN / GROUPS + k;
                nm_tensor_set(turned, (in * KH * KW + at) * OUT / GROUPS + o % (OUT / GROUPS),
                              nm_tensor_get(w, (o * KH * KW + at) * IN / GROUPS + k));
            }
        }
    }
    nm_tensor *x = normal(&f, NM_F64, NM_SHAPE(2, 3, 2, IN), 1);
    assert_layer_makes(&f, x,
                       nm_conv2d_transpose(f.tape, x, turned, named(&f, "conv1.bias"),
                                           .stride = NM_INTS(2, 3), .padding = NM_INTS(0, 1),
                                           .output_padding = NM_INTS(1, 0), .groups = GROUPS));
    nm_tape_reset(f.tape);
    nm_tensor_destroy(turned);
    nm_tensor_destroy(x);
    end(&f);
}
END_TEST

START_TEST(inputs_of_another_kind_are_refused_with_what_would_help)
{
    refused("[conv1d: {channels: 2, kernel: 3}]", NM_SHAPE(8),
            "net.yaml:1:2: layer \"conv1\": conv1d: its input [batch, 8] must be signals, [batch, "
            "length, channels]; if it is, put op: {apply: {reshape: {shape: [-1, length, 1]}}} in "
            "front");
    refused("[conv3d: {channels: 2, kernel: 3}]", NM_SHAPE(4, 4, 4),
            "net.yaml:1:2: layer \"conv1\": conv3d: its input [batch, 4, 4, 4] must be volumes, "
            "[batch, depth, height, width, channels]; if it is, put op: {apply: {reshape: {shape: "
            "[-1, depth, height, width, 1]}}} in front");
    refused("[conv2d_transpose: {channels: 2, kernel: 3, groups: 2}]", NM_SHAPE(4, 4, 3),
            "net.yaml:1:2: layer \"conv1\": conv2d_transpose: the 3 channels of its input [batch, "
            "4, 4, 3] do not divide into 2 groups");
}
END_TEST

START_TEST(lists_of_another_length_are_refused)
{
    refused("[conv1d: {channels: 2, kernel: [3, 3]}]", NM_SHAPE(8, 1),
            "net.yaml:1:10: conv1d: \"kernel\" takes one number; not 2");
    refused("[conv3d: {channels: 2, kernel: [3, 3]}]", NM_SHAPE(8, 8, 8, 1),
            "net.yaml:1:10: conv3d: \"kernel\" takes one number, or three: depth, height, width; "
            "not 2");
    refused("[conv2d_transpose: {channels: 3, kernel: 3, groups: 2, padding: [1, 2, 3]}]",
            NM_SHAPE(8, 8, 2),
            "net.yaml:1:20: conv2d_transpose: \"padding\" takes one number, or two: vertical, "
            "horizontal; not 3\n"
            "net.yaml:1:20: conv2d_transpose: 3 channels do not divide into 2 groups");
}
END_TEST

TEST_MAIN("models/convolutions", the_layers_of_signals_and_volumes_are_their_ops,
          the_transposed_layer_has_conv2ds_order_of_weights,
          inputs_of_another_kind_are_refused_with_what_would_help,
          lists_of_another_length_are_refused)
