"""Reference values for matrix products, convolutions and pooling. PyTorch's images are NCHW and its
weights OIHW; ours, in the file, are NHWC and OHWI."""

import torch
import torch.nn.functional as F

from common import Golden, normal, seed

golden = Golden("linear")

ACTIVATIONS = {"none": lambda z: z, "relu": torch.relu, "sigmoid": torch.sigmoid,
               "tanh": torch.tanh}


def case(name, make, function, options=None, **more):
    """A case whose inputs do not change with the cases before it."""
    seed(name + " inputs")
    golden.case(name, make(), function, options, **more)


def channels_first(x):
    return x.permute(0, 3, 1, 2)


def channels_last(x):
    return x.permute(0, 2, 3, 1)


def products():
    case("matmul/plain", lambda: [normal(5, 7), normal(7, 3)], torch.matmul)
    case("matmul/both_transposed", lambda: [normal(7, 5), normal(3, 7)], lambda a, b: a.t() @ b.t(),
         "{transpose_a: true, transpose_b: true}")
    case("matmul/batches", lambda: [normal(2, 1, 4, 3), normal(3, 3, 5)], torch.matmul)
    case("matmul/batches_transposed", lambda: [normal(3, 4, 6), normal(3, 5, 6)],
         lambda a, b: a @ b.transpose(1, 2), "{transpose_b: true}")
    case("matmul/one_for_all", lambda: [normal(3, 2, 4), normal(4, 5)], torch.matmul)
    case("matmul/larger", lambda: [normal(13, 25), normal(25, 11)], torch.matmul, second=False)
    case("dense/plain", lambda: [normal(6, 5), normal(4, 5), normal(4)], F.linear)
    case("dense/no_bias", lambda: [normal(6, 5), normal(4, 5)], F.linear)
    case("dense/three_axes", lambda: [normal(2, 3, 5), normal(4, 5), normal(4)], F.linear)
    case("dense/a_vector", lambda: [normal(5), normal(4, 5), normal(4)], F.linear)
    case("dense/larger", lambda: [normal(9, 30), normal(11, 30), normal(11)], F.linear,
         second=False)
    for name, function in ACTIVATIONS.items():
        case("dense_activation/" + name, lambda: [normal(6, 5), normal(4, 5), normal(4)],
             lambda x, w, b, f=function: f(F.linear(x, w, b)), "{activation: %s}" % name)
    case("dense_activation/three_axes", lambda: [normal(2, 3, 5), normal(4, 5)],
         lambda x, w: F.linear(x, w).relu())
    case("dense_activation/larger", lambda: [normal(9, 30), normal(11, 30), normal(11)],
         lambda x, w, b: F.linear(x, w, b).relu(), second=False)


def convolution(name, x, w, options, second=True, bias=True, op="conv2d", then=lambda y: y,
                **settings):
    def function(x, w, b=None):
        return channels_last(then(F.conv2d(channels_first(x), channels_first(w), b, **settings)))

    case(op + "/" + name,
         lambda: [normal(*x), normal(*w)] + ([normal(w[0])] if bias else []), function, options,
         second=second)


def convolutions():
    convolution("plain", (2, 4, 5, 2), (3, 3, 3, 2), None)
    convolution("no_bias", (2, 4, 4, 2), (3, 2, 2, 2), None, bias=False)
    convolution("one_by_one", (2, 3, 3, 4), (5, 1, 1, 4), None)
    convolution("padded", (1, 5, 5, 3), (4, 3, 3, 3), "{padding: 1}", padding=1)
    convolution("stride_with_a_rest", (1, 6, 7, 2), (3, 3, 3, 2), "{stride: 2, padding: 1}",
                stride=2, padding=1)
    convolution("two_numbers_each", (1, 7, 6, 2), (2, 3, 2, 2),
                "{stride: [2, 1], padding: [0, 1], dilation: [1, 2]}", stride=(2, 1),
                padding=(0, 1), dilation=(1, 2))
    convolution("dilated", (1, 7, 7, 2), (2, 3, 3, 2), "{dilation: 2, padding: 2}", dilation=2,
                padding=2)
    convolution("groups", (1, 4, 5, 6), (4, 3, 3, 3), "{groups: 2, padding: 1}", groups=2,
                padding=1)
    convolution("depthwise", (1, 5, 5, 4), (8, 3, 3, 1), "{groups: 4, stride: 2, padding: 1}",
                groups=4, stride=2, padding=1)
    convolution("padding_beyond_the_kernel", (1, 3, 3, 1), (2, 2, 2, 1), "{padding: 3}", padding=3)
    convolution("larger", (1, 7, 7, 12), (8, 3, 3, 12), "{padding: 1}", second=False, padding=1)
    for name, function in ACTIVATIONS.items():
        convolution(name, (1, 4, 5, 2), (3, 3, 3, 2), "{activation: %s, padding: 1}" % name,
                    op="conv2d_activation", then=function, padding=1)
    convolution("groups_and_stride", (2, 5, 6, 4), (4, 3, 2, 2), "{stride: [2, 1], groups: 2}",
                bias=False, op="conv2d_activation", then=torch.relu, stride=(2, 1), groups=2)


def pooling(name, x, options, pool, **more):
    case(name, lambda: [x() if callable(x) else normal(*x)],
         lambda x: channels_last(pool(channels_first(x))), options, **more)


def poolings():
    for op, pool in (("max_pool2d", F.max_pool2d), ("avg_pool2d", F.avg_pool2d)):
        pooling(op + "/plain", (2, 4, 6, 2), "{kernel: 2}", lambda x: pool(x, 2))
        pooling(op + "/a_rest", (1, 5, 5, 2), "{kernel: 2}", lambda x: pool(x, 2))
        pooling(op + "/overlapping", (1, 7, 6, 2), "{kernel: 3, stride: 2}",
                lambda x: pool(x, 3, 2))
        pooling(op + "/padded", (1, 6, 5, 2), "{kernel: 3, stride: 2, padding: 1}",
                lambda x: pool(x, 3, 2, 1))
        pooling(op + "/two_numbers_each", (1, 7, 6, 2),
                "{kernel: [3, 2], stride: [1, 2], padding: [1, 0]}",
                lambda x: pool(x, (3, 2), (1, 2), (1, 0)))
        pooling(op + "/gaps", (1, 7, 7, 2), "{kernel: 2, stride: 3}", lambda x: pool(x, 2, 3))
    pooling("avg_pool2d/padding_left_out", (1, 6, 5, 2),
            "{kernel: 3, stride: 2, padding: 1, count_include_pad: false}",
            lambda x: F.avg_pool2d(x, 3, 2, 1, count_include_pad=False))
    pooling("avg_pool2d/global", (2, 4, 3, 5), "{global: true}",
            lambda x: F.adaptive_avg_pool2d(x, 1))
    pooling("max_pool2d/global", (2, 4, 3, 5), "{global: true}",
            lambda x: F.adaptive_max_pool2d(x, 1))
    # Only the first of several largest gets the gradient.
    pooling("max_pool2d/ties", lambda: normal(2, 6, 6, 2).clamp(-0.3, 0.3).sign(),
            "{kernel: 3, stride: 2, padding: 1}", lambda x: F.max_pool2d(x, 3, 2, 1),
            second=False)


products()
convolutions()
poolings()
golden.write()
