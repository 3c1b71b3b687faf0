"""Reference values for ops that move elements: a row each. PyTorch's images are NCHW; ours, in the file,
are NHWC."""

import torch
import torch.nn.functional as F

from common import Golden, I, N, V

golden = Golden("shape", kind=torch.float64)


def images(function):
    """A function of NCHW as one of NHWC."""
    return lambda x: function(x.movedim(-1, 1)).movedim(1, -1)


golden("squeeze/all", torch.squeeze, N(2, 1, 3, 1))
golden("squeeze/one", lambda x: x.squeeze(1), N(2, 1, 3, 1), options="{axes: 1}")
golden("squeeze/two", lambda x: x.squeeze((1, 3)), N(2, 1, 3, 1), options="{axes: [-1, 1]}")
golden("unsqueeze/first", lambda x: x[None], N(2, 3), options="{axes: 0}")
golden("unsqueeze/two", lambda x: x[:, None, :, None], N(2, 3), options="{axes: [1, -1]}")
golden("unsqueeze/rank_0", lambda x: x[None], N(), options="{axes: 0}")
golden("transpose/last_two", lambda x: x.transpose(-1, -2), N(2, 3, 4))
golden("transpose/first_last", lambda x: x.transpose(0, 2), N(2, 3, 4), options="{axes: [0, 2]}")
golden("transpose/negative", lambda x: x.transpose(-3, -2), N(2, 3, 4), options="{axes: [-3, -2]}")
golden("expand/plain", lambda x: x.expand(2, 3, 4), N(3, 1), options="{shape: [2, 3, 4]}")
golden("expand/keeps", lambda x: x.expand(2, -1, 4), N(3, 1), options="{shape: [2, -1, 4]}")
golden("expand/both_ways", lambda x: x.expand(2, 3, 4), N(3, 4), options="{shape: [2, 1, 1]}")
golden("expand/rank_0", lambda x: x.expand(2, 3), N(), options="{shape: [2, 3]}")
two, three = (N(2, 3), N(2, 3)), (N(2, 3), N(2, 3), N(2, 3))
for axis in (0, 1, 2, -1, -2):
    golden("stack/axis_%d" % axis, lambda *x: torch.stack(x, axis), *three, options="{axis: %d}" % axis)
golden("stack/one", lambda x: torch.stack([x]), N(2, 3))
golden("stack/rank_0", lambda *x: torch.stack(x), N(), N())
golden("split/even", lambda x: x.split(2), N(4, 3), options="{sizes: 2}")
golden("split/a_rest", lambda x: x.split(2, 1), N(3, 5), options="{sizes: 2, axis: 1}")
golden("split/sizes", lambda x: x.split([1, 3, 2], -1), N(2, 6), options="{sizes: [1, 3, 2], axis: -1}")
golden("split/eight", lambda x: x.split(1), N(8, 2), options="{sizes: 1}")
golden("flip/all", lambda x: x.flip(0, 1, 2), N(2, 3, 4))
golden("flip/last", lambda x: x.flip(-1), N(2, 3, 4), options="{axes: -1}")
golden("flip/two", lambda x: x.flip(0, 2), N(2, 3, 4), options="{axes: [0, 2]}")
golden("tile/each", lambda x: x.tile(2, 3), N(2, 3), options="{repeats: [2, 3]}")
golden("tile/fewer", lambda x: x.tile(2), N(2, 3), options="{repeats: 2}")
golden("tile/more", lambda x: x.tile(2, 1, 2), N(2, 3), options="{repeats: [2, 1, 2]}")
golden("tile/rank_0", lambda x: x.tile(3), N(), options="{repeats: 3}")
golden("tile/four_axes", lambda x: x.tile(2, 1, 2, 3), N(1, 2, 2, 2), options="{repeats: [2, 1, 2, 3]}")
for f in (1, 2, 3):
    golden("pixel_shuffle/%d" % f, images(lambda x: F.pixel_shuffle(x, f)), N(2, 2, 3, 2 * f * f),
           options="{factor: %d}" % f)
    golden("pixel_unshuffle/%d" % f, images(lambda x: F.pixel_unshuffle(x, f)), N(2, 2 * f, 3 * f, 2),
           options="{factor: %d}" % f)

# F.pad() names the last axis first, and mirrors images only.
golden("pad/one_number", lambda x: F.pad(x, (1, 1, 1, 1)), N(2, 3), options="{padding: 1}")
golden("pad/each_axis", lambda x: F.pad(x, (2, 2, 1, 1)), N(2, 3), options="{padding: [1, 2]}")
golden("pad/each_side", lambda x: F.pad(x, (3, 0, 1, 2)), N(2, 3), options="{padding: [1, 2, 3, 0]}")
golden("pad/value", lambda x: F.pad(x, (3, 0, 1, 2), value=-1.5), N(2, 3),
       options="{padding: [1, 2, 3, 0], value: -1.5}")
golden("pad/infinite", lambda x: F.pad(x, (1, 2), value=-float("inf")), N(3), no_gin=(0,),
       options="{padding: [1, 2], value: -.inf}")
golden("pad/cut", lambda x: F.pad(x, (-1, 2, 1, -1), value=4), N(3, 4),
       options="{padding: [1, -1, -1, 2], value: 4}")
golden("pad/axes", lambda x: F.pad(x, (1, 2)), N(2, 3, 4), options="{padding: [1, 2], axes: -1}")
for mode, theirs in (("reflect", "reflect"), ("edge", "replicate"), ("wrap", "circular")):
    pad = lambda x, p: F.pad(x[None, None], p, mode=theirs)[0, 0]
    golden("pad/%s_sides" % mode, lambda x: pad(x, (2, 1, 0, 2)), N(3, 4),
           options="{padding: [0, 2, 2, 1], mode: %s}" % mode)
    golden("pad/%s_most" % mode, lambda x: pad(x, (3, 3, 2, 2)), N(3, 4),
           options="{padding: [2, 3], mode: %s}" % mode)
    golden("pad/%s_last" % mode, lambda x: F.pad(x, (1, 2), mode=theirs), N(2, 3, 4),
           options="{padding: [1, 2], axes: [-1], mode: %s}" % mode)

for axis, shape in ((0, (5, 3)), (1, (4, 2)), (-1, (4, 7))):
    golden("gather/axis_%d" % axis, lambda x, i: x.gather(axis, i), N(4, 3), I((4, 3)[axis], *shape),
           options="{axis: %d}" % axis)
    golden("scatter_add/axis_%d" % axis, lambda x, i, s: x.scatter_add(axis, i, s), N(5, 7),
           I((5, 7)[axis], *shape), N(*shape), options="{axis: %d}" % axis)
golden("gather/smaller", lambda x, i: x.gather(1, i), N(3, 4, 5), I(4, 2, 6, 3), options="{axis: 1}")
golden("scatter_add/smaller", lambda x, i, s: x.scatter_add(1, i, s), N(3, 4, 5), I(4, 2, 6, 3), N(2, 6, 3),
       options="{axis: 1}")
for axis in (0, 1, -1):
    golden("index_select/axis_%d" % axis, lambda x, i: x.index_select(axis, i), N(3, 4, 5),
           I((3, 4, 5)[axis], 6), options="{axis: %d}" % axis)
golden("index_select/matrix", lambda x, i: x[:, i], N(3, 4, 5), I(4, 2, 3), options="{axis: 1}")
golden("index_select/one", lambda x, i: x.index_select(0, i), N(3, 4), I(3))
golden("index_select/one_of_last", lambda x, i: x.index_select(-1, i), N(3, 4), I(3), options="{axis: -1}")
golden("index_select/negative", lambda x, i: x[i], N(3, 4), lambda: torch.tensor([-1, 0, -3]))
golden("embedding/plain", lambda i, w: F.embedding(i, w), I(6, 2, 4), N(6, 5))
golden("embedding/one", lambda i, w: F.embedding(i, w), I(6), N(6, 5))
golden("one_hot/plain", lambda i: F.one_hot(i, 5).double(), I(5, 2, 3), options="{num_classes: 5}")

for mode in ("nearest", "bilinear"):
    for name, kwargs, options in (
            ("twice", {"scale_factor": 2}, "scale: 2"), ("each", {"scale_factor": (1.5, 3)}, "scale: [1.5, 3]"),
            ("uneven", {"scale_factor": 1.7}, "scale: 1.7"), ("smaller", {"scale_factor": 0.6}, "scale: 0.6"),
            ("size", {"size": (7, 5)}, "size: [7, 5]"), ("one_size", {"size": 4}, "size: 4"),
            ("down", {"size": (2, 3)}, "size: [2, 3]")):
        golden("upsample/%s_%s" % (mode, name), images(lambda x: F.interpolate(x, mode=mode, **kwargs)),
               N(2, 4, 5, 2), options="{%s, mode: %s}" % (options, mode))
for size in ((7, 5), (1, 3), (2, 9)):
    golden("upsample/aligned_%d_%d" % size,
           images(lambda x: F.interpolate(x, size, mode="bilinear", align_corners=True)), N(1, 4, 5, 2),
           options="{size: [%d, %d], mode: bilinear, align_corners: true}" % size)
golden("upsample/aligned_scale",
       images(lambda x: F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)), N(1, 3, 4, 2),
       options="{scale: 2, mode: bilinear, align_corners: true}")
golden("upsample/signal", images(lambda x: F.interpolate(x, scale_factor=2.5, mode="linear")), N(2, 4, 3),
       options="{scale: 2.5, mode: bilinear}")
golden("upsample/volume", images(lambda x: F.interpolate(x, scale_factor=2)), N(1, 2, 2, 3, 2), options="{scale: 2}")
golden.write()
