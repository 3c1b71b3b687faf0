"""Reference values for convolutions of other kinds: transposed, of volumes; by groups and by channel. PyTorch's
tensors have channels first and weights [out, in, ...]; ours, in the file, have channels last."""

import torch
import torch.nn.functional as F

from common import Golden, N

golden = Golden("convolutions", kind=torch.float64)


def last(function):
    """A function of channels first as one of channels last; the bias is as it is."""
    return lambda x, w, b=None: function(x.movedim(-1, 1), w.movedim(-1, 1), b).movedim(1, -1)


def text(**options):
    return "{%s}" % ", ".join("%s: %s" % (k, list(v) if isinstance(v, tuple) else v) for k, v in options.items())


def transposed(name, x, w, bias=True, **options):
    inputs = [N(*x), N(*w)] + ([N(w[3] * options.get("groups", 1))] if bias else [])
    golden("conv2d_transpose/" + name, last(lambda x, w, b: F.conv_transpose2d(x, w, b, **options)), *inputs,
           options=text(**options))


transposed("plain", (2, 3, 4, 2), (2, 3, 3, 3))
transposed("no_bias", (2, 3, 4, 2), (2, 2, 3, 3), bias=False)
transposed("stride", (1, 3, 4, 2), (2, 3, 3, 3), stride=2)
transposed("stride_beyond_the_kernel", (1, 3, 2, 2), (2, 2, 1, 3), stride=(3, 2))
transposed("padding", (2, 4, 4, 2), (2, 3, 3, 2), padding=1)
transposed("padding_two", (1, 4, 5, 2), (2, 3, 4, 2), padding=(2, 1), stride=(2, 3))
transposed("output_padding", (1, 3, 4, 2), (2, 3, 3, 3), stride=2, padding=1, output_padding=1)
transposed("output_padding_two", (1, 3, 2, 2), (2, 3, 3, 3), stride=(3, 2), output_padding=(2, 1))
# No tap reaches the rows that it adds: dilation is above it, the stride is not.
transposed("output_padding_of_dilation", (1, 3, 2, 2), (2, 2, 2, 3), dilation=3, output_padding=2)
transposed("dilation", (1, 3, 3, 2), (2, 3, 2, 2), dilation=2)
transposed("dilation_two", (1, 3, 4, 2), (2, 2, 3, 2), dilation=(3, 1), stride=(1, 2), padding=1)
transposed("groups", (2, 3, 3, 4), (4, 3, 3, 3), groups=2)
transposed("depthwise", (1, 3, 4, 3), (3, 3, 3, 2), groups=3, stride=2, padding=1, output_padding=1)
transposed("one_by_one", (2, 3, 3, 4), (4, 1, 1, 2), stride=1)
transposed("one_place", (2, 1, 1, 3), (3, 4, 4, 2), stride=4)
transposed("no_sample", (0, 3, 3, 2), (2, 3, 3, 1), stride=2)
golden("conv2d_transpose/two_sides",  # what stands around the image of the convolution is cut off
       last(lambda x, w, b: F.conv_transpose2d(x, w, b, 2)[:, :, 1:, 2:-1]), N(1, 3, 4, 2), N(2, 4, 4, 3), N(3),
       options="{stride: 2, padding: [1, 0, 2, 1]}")
golden("conv2d_transpose/same", last(lambda x, w, b: F.conv_transpose2d(x, w, b, 2)[:, :, :-1, 1:-1]),
       N(1, 3, 4, 2), N(2, 3, 4, 3), N(3), options="{stride: 2, padding: same}")
golden("conv2d_transpose/same_of_a_small_kernel",
       last(lambda x, w, b: F.conv_transpose2d(x, w, b, 3, output_padding=(1, 2))), N(1, 3, 2, 2), N(2, 2, 1, 3), N(3),
       options="{stride: 3, padding: same}")


def volume(name, x, w, bias=True, **options):
    inputs = [N(*x), N(*w)] + ([N(w[0])] if bias else [])
    golden("conv3d/" + name, last(lambda x, w, b: F.conv3d(x, w, b, **options)), *inputs, options=text(**options))


volume("plain", (2, 3, 4, 3, 2), (3, 2, 3, 2, 2))
volume("no_bias", (1, 3, 3, 3, 2), (3, 3, 2, 2, 2), bias=False)
volume("stride", (1, 5, 4, 5, 2), (2, 2, 2, 3, 2), stride=2)
volume("stride_three", (1, 5, 4, 5, 2), (2, 2, 2, 3, 2), stride=(3, 1, 2))
volume("padding", (1, 3, 3, 2, 2), (2, 3, 3, 2, 2), padding=1)
volume("padding_three", (1, 2, 3, 2, 2), (2, 3, 3, 2, 2), padding=(2, 0, 1))
volume("dilation", (1, 5, 5, 3, 1), (2, 3, 2, 2, 1), dilation=2)
volume("dilation_three", (1, 4, 5, 3, 2), (2, 2, 2, 2, 2), dilation=(3, 1, 2), padding=(1, 0, 0))
volume("groups", (2, 3, 3, 3, 4), (6, 2, 2, 2, 2), groups=2)
volume("depthwise", (1, 4, 3, 4, 3), (6, 2, 3, 2, 1), groups=3, stride=2, padding=1)
volume("same", (1, 3, 4, 2, 2), (2, 3, 2, 2, 2), padding="same")
volume("one_by_one", (2, 2, 3, 2, 3), (4, 1, 1, 1, 3))
volume("no_sample", (0, 2, 3, 2, 3), (4, 2, 1, 1, 3))
golden("conv3d/two_sides", last(lambda x, w, b: F.conv3d(F.pad(x, (0, 1, 2, 0, 1, 0)), w, b)), N(1, 3, 3, 3, 2),
       N(2, 3, 3, 3, 2), N(2), options="{padding: [1, 0, 2, 0, 0, 1]}")

# Sizes at which the library with oneDNN and without go different ways, by groups.
for name, channels, groups, out in (("depthwise", 16, 16, 16), ("by_channel", 8, 8, 16), ("groups", 16, 4, 16)):
    golden("conv2d/%s_of_16" % name,
           last(lambda x, w, b: F.conv2d(x, w, b, padding=1, groups=groups)), N(1, 5, 6, channels),
           N(out, 3, 3, channels // groups), N(out), options=text(padding=1, groups=groups), second=False)
    golden("conv2d/%s_of_16_by_twos" % name,
           last(lambda x, w, b: F.conv2d(x, w, b, 2, padding=1, groups=groups)), N(1, 5, 6, channels),
           N(out, 3, 3, channels // groups), N(out), options=text(stride=2, padding=1, groups=groups), second=False)
# What padding cuts off behind, output_padding shows again; dilation alone is above it here.
transposed("output_padding_of_what_is_cut_off", (1, 3, 2, 2), (2, 2, 3, 3), stride=(1, 2), dilation=4, padding=2,
           output_padding=3)
transposed("output_padding_of_some_that_is_cut_off", (1, 3, 3, 4), (4, 2, 2, 2), dilation=(4, 3), padding=(1, 2),
           output_padding=(3, 1), groups=2)
golden.write()
