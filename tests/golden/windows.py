"""Reference values for windows over images: pools and convolutions with all their options, a row each.
PyTorch's images are NCHW and its weights OIHW; ours, in the file, are NHWC and OHWI."""

import torch
import torch.nn.functional as F

from common import Golden, N

golden = Golden("windows", kind=torch.float64)


def images(function):
    """A function of NCHW and OIHW as one of NHWC and OHWI."""
    return lambda x, w=None, b=None: function(
        *[t if t is None or t.dim() < 3 else t.movedim(-1, 1) for t in (x, w, b)][:1 if w is None else 3]
    ).movedim(1, -1)


def around(x, top, bottom, left, right, value=0.0):
    return F.pad(x, (left, right, top, bottom), value=value)


inf = float("inf")
MAX = lambda *a, **k: images(lambda x: F.max_pool2d(x, *a, **k))
AVG = lambda *a, **k: images(lambda x: F.avg_pool2d(x, *a, **k))
for size in ((5, 6), (7, 7), (6, 5), (3, 8)):
    name = "%d_%d" % size
    x = N(1, *size, 2)
    for op, pool in (("max_pool2d", MAX), ("avg_pool2d", AVG)):
        golden("%s/ceil_%s" % (op, name), pool(2, ceil_mode=True), x, options="{kernel: 2, ceil_mode: true}")
        golden("%s/ceil_stride_%s" % (op, name), pool(3, 2, 1, ceil_mode=True), x,
               options="{kernel: 3, stride: 2, padding: 1, ceil_mode: true}")
        golden("%s/ceil_gaps_%s" % (op, name), pool(2, 3, ceil_mode=True), x,
               options="{kernel: 2, stride: 3, ceil_mode: true}")
        golden("%s/ceil_mixed_%s" % (op, name), pool((3, 2), (2, 3), (1, 1), ceil_mode=True), x,
               options="{kernel: [3, 2], stride: [2, 3], padding: 1, ceil_mode: true}")
    golden("avg_pool2d/ceil_without_%s" % name,
           AVG(3, 2, 1, ceil_mode=True, count_include_pad=False), x,
           options="{kernel: 3, stride: 2, padding: 1, ceil_mode: true, count_include_pad: false}")
    golden("max_pool2d/dilated_%s" % name, MAX(2, 1, 1, 2), x,
           options="{kernel: 2, stride: 1, padding: 1, dilation: 2}")
for dilation, text in (((1, 2), "[1, 2]"), ((2, 1), "[2, 1]"), (3, "3")):
    golden("max_pool2d/dilation_%s" % text, MAX((2, 3), 1, 0, dilation), N(2, 8, 9, 3),
           options="{kernel: [2, 3], stride: 1, dilation: %s}" % text)
golden("max_pool2d/dilation_and_stride", MAX(3, 2, 1, 2, ceil_mode=True), N(1, 8, 9, 2),
       options="{kernel: 3, stride: 2, padding: 1, dilation: 2, ceil_mode: true}")
golden("max_pool2d/two_sides", images(lambda x: F.max_pool2d(around(x, 0, 1, 1, 0, -inf), 3, 2)), N(1, 6, 6, 2),
       options="{kernel: 3, stride: 2, padding: [0, 1, 1, 0]}")
golden("avg_pool2d/two_sides", images(lambda x: F.avg_pool2d(around(x, 0, 1, 1, 0), 3, 2)), N(1, 6, 6, 2),
       options="{kernel: 3, stride: 2, padding: [0, 1, 1, 0]}")
golden("max_pool2d/same", images(lambda x: F.max_pool2d(around(x, 0, 1, 0, 1, -inf), 2, 1)), N(1, 4, 5, 2),
       options="{kernel: 2, stride: 1, padding: same}")
golden("max_pool2d/same_stride", images(lambda x: F.max_pool2d(around(x, 0, 1, 1, 1, -inf), 3, 2)), N(1, 6, 5, 2),
       options="{kernel: 3, stride: 2, padding: same}")
golden("avg_pool2d/same", images(lambda x: F.avg_pool2d(around(x, 1, 1, 1, 1), 3, 1)), N(1, 4, 5, 2),
       options="{kernel: 3, stride: 1, padding: same}")
golden("global_avg_pool/image", images(lambda x: F.adaptive_avg_pool2d(x, 1)), N(2, 4, 3, 5))
golden("global_avg_pool/signal", images(lambda x: F.adaptive_avg_pool1d(x, 1)), N(2, 4, 5))
golden("global_max_pool/image", images(lambda x: F.adaptive_max_pool2d(x, 1)), N(2, 4, 3, 5))

CONV = lambda **k: images(lambda x, w, b: F.conv2d(x, w, b, **k))
for size, kernel, dilation in (((5, 6), (3, 3), 1), ((4, 5), (2, 4), 1), ((6, 5), (3, 2), 2), ((3, 3), (5, 5), 1)):
    golden("conv2d/same_%d_%d_by_%d" % (size + (dilation,)), CONV(padding="same", dilation=dilation),
           N(2, *size, 2), N(3, *kernel, 2), N(3), options="{padding: same, dilation: %d}" % dilation)
golden("conv2d/same_stride", images(lambda x, w, b: F.conv2d(around(x, 0, 1, 1, 1), w, b, 2)), N(1, 6, 5, 2),
       N(3, 3, 3, 2), N(3), options="{padding: same, stride: 2}")
for sides in ((0, 1, 2, 3), (2, 0, 0, 1), (0, 0, 0, 2), (3, 1, 1, 0)):
    golden("conv2d/sides_%d%d%d%d" % sides, images(lambda x, w, b: F.conv2d(around(x, *sides), w, b)),
           N(2, 4, 5, 2), N(3, 3, 3, 2), N(3), options="{padding: [%d, %d, %d, %d]}" % sides)
    golden("conv2d/sides_stride_%d%d%d%d" % sides,
           images(lambda x, w, b: F.conv2d(around(x, *sides), w, b, 2, groups=2)), N(1, 5, 5, 4), N(2, 3, 3, 2),
           N(2), options="{padding: [%d, %d, %d, %d], stride: 2, groups: 2}" % sides)
# Sizes at which kernels of their own take over: few channels, and Winograd's.
golden("conv2d/narrow_sides", images(lambda x, w, b: F.conv2d(around(x, 0, 2, 1, 2), w, b)), N(1, 9, 17, 3),
       N(16, 3, 3, 3), N(16), options="{padding: [0, 2, 1, 2]}", second=False)
golden("conv2d/narrow_same", CONV(padding="same"), N(1, 9, 17, 3), N(16, 4, 4, 3), N(16),
       options="{padding: same}", second=False)

CONV1 = lambda **k: images(lambda x, w, b: F.conv1d(x, w, b, **k))
for name, kwargs, options in (
        ("plain", {}, "{}"), ("padded", {"padding": 2}, "{padding: 2}"), ("stride", {"stride": 2}, "{stride: 2}"),
        ("dilated", {"dilation": 2, "padding": 1}, "{dilation: 2, padding: 1}"),
        ("same", {"padding": "same"}, "{padding: same}")):
    golden("conv1d/" + name, CONV1(**kwargs), N(2, 8, 2), N(3, 3, 2), N(3), options=options)
    golden("conv1d/%s_groups" % name, CONV1(groups=2, **kwargs), N(1, 9, 4), N(4, 2, 2),
           options=options[:-1] + (", " if len(options) > 2 else "") + "groups: 2}")
golden("conv1d/sides", images(lambda x, w, b: F.conv1d(F.pad(x, (1, 3)), w, b)), N(2, 5, 2), N(3, 3, 2), N(3),
       options="{padding: [1, 3]}")

# Products of batches that broadcast.
for name, a, b in (("both", (3, 1, 2, 4), (2, 4, 3)), ("left", (2, 3, 4), (4, 2)), ("right", (3, 4), (2, 4, 5)),
                   ("outer", (2, 1, 3, 2), (1, 3, 2, 4))):
    golden("matmul/broadcast_" + name, torch.matmul, N(*a), N(*b))
golden.write()
