"""Reference values for reductions: a row each."""

import torch

from common import Golden, N, U, V

golden = Golden("reduce", kind=torch.float64)
inf, nan = float("inf"), float("nan")


def prod(x, dim, keepdim=False):
    """Over several axes, one after the other."""
    for d in sorted((d % max(x.dim(), 1) for d in dim), reverse=True):
        x = torch.prod(x, d, keepdim)
    return x


OPS = {
    "sum": torch.sum, "mean": torch.mean, "max": torch.amax, "min": torch.amin, "prod": prod,
    "var": torch.var, "std": torch.std, "logsumexp": torch.logsumexp,
    "norm": torch.linalg.vector_norm,
}
AXES = {"all": ((0, 1, 2), "{}"), "first": ((0,), "{axes: 0}"), "last": ((-1,), "{axes: -1}"),
        "outer_two": ((0, 2), "{axes: [2, 0]}"), "inner_two": ((1, 2), "{axes: [1, -1]}")}
for op, function in OPS.items():
    for name, (axes, options) in AXES.items():
        golden(op + "/" + name, lambda x: function(x, dim=axes), N(3, 4, 5), options=options)
    golden(op + "/kept", lambda x: function(x, dim=(1,), keepdim=True), N(3, 4, 5),
           options="{axes: [1], keepdims: true}")
    golden(op + "/kept_all", lambda x: function(x, dim=(0, 1), keepdim=True), N(3, 4),
           options="{keepdims: true}")
    golden(op + "/long", lambda x: function(x, dim=(1,)), N(2, 71), options="{axes: 1}",
           second=op != "prod")
    golden(op + "/few", lambda x: function(x, dim=(0,)), N(3, 2), options="{axes: 0}")
for op in ("sum", "mean", "max", "min", "prod", "logsumexp", "norm"):
    function = OPS[op]
    for axis in (0, -1):
        golden("%s/rank_0_axis_%d" % (op, axis), lambda x: function(x, dim=(axis,)), N(),
               options="{axes: %d}" % axis, second=op != "norm")  # that is rounding alone
for correction in (0, 2, 0.5):
    for op in ("var", "std"):
        golden("%s/correction_%s" % (op, correction),
               lambda x: OPS[op](x, dim=(0, 1), correction=correction), N(4, 5),
               options="{correction: %s}" % correction)
golden("var/far", lambda x: x.var(), N(40, shift=1000))
for p, text in ((1, "1"), (inf, "max"), (3, "3"), (1.5, "1.5"), (2.7, "2.7")):
    for name, (axes, options) in AXES.items():
        options = options[:-1] + (", " if len(options) > 2 else "") + "p: " + text + "}"
        golden("norm/p_%s_%s" % (text, name), lambda x: torch.linalg.vector_norm(x, p, axes), N(3, 4, 5),
               options=options)

# Zeros, ties, infinities.
golden("prod/one_zero", lambda x: x.prod(1), lambda: torch.tensor([[2.0, 0, 3], [1, 4, 5]]).double(),
       options="{axes: 1}")
golden("prod/two_zeros", lambda x: x.prod(1), lambda: torch.tensor([[2.0, 0, 0, 3], [0, 0, 0, 0]]).double(),
       options="{axes: 1}")
golden("min/ties", lambda x: torch.amin(x, 1), lambda: torch.tensor([[1.0, 3, 1, 2], [5, 5, 5, 5]]).double(),
       options="{axes: 1}")
golden("std/flat", lambda x: x.std(), V(3.0, 3.0, 3.0), second=False)
for p, text in ((1, "1"), (2, "2"), (3, "3"), (1.5, "1.5"), (inf, "max")):
    golden("norm/zeros_" + text, lambda x: torch.linalg.vector_norm(x, p), V(0.0, 0.0, 0.0),
           options="{p: %s}" % text, second=False)
    golden("norm/some_zeros_" + text, lambda x: torch.linalg.vector_norm(x, p), V(0.0, 2.0, -2.0),
           options="{p: %s}" % text, second=False)
golden("logsumexp/far", lambda x: torch.logsumexp(x, 0), V(1000.0, 1001.0, -1000.0))
golden("logsumexp/infinite", lambda x: torch.logsumexp(x, 1),
       lambda: torch.tensor([[-inf, 1.0], [-inf, -inf], [inf, 0.0], [nan, 1.0]]).double(),
       options="{axes: 1}", no_gin=(0,))
for op in ("max", "min"):
    golden(op + "/nan", lambda x: OPS[op](x, (1,)),
           lambda: torch.tensor([[nan, 1.0], [1.0, nan], [inf, -inf]]).double(), options="{axes: 1}",
           no_gin=(0,))

# Where they stand.
TIES = lambda: torch.tensor([[1.0, 3, 3, -1], [nan, 5, nan, 5], [0, -0.0, -2, -2], [inf, -inf, inf, 0]]).double()
for op, function in (("argmax", torch.argmax), ("argmin", torch.argmin)):
    golden(op + "/all", lambda x: function(x), N(3, 4, 5), no_gin=(0,))
    golden(op + "/all_kept", lambda x: function(x).reshape(1, 1), N(3, 4), no_gin=(0,), options="{keepdims: true}")
    for axis in (0, 1, -1):
        golden("%s/axis_%d" % (op, axis), lambda x: function(x, axis), N(3, 4, 5), no_gin=(0,),
               options="{axis: %d}" % axis)
    golden(op + "/wide", lambda x: function(x, 0), N(7, 130), no_gin=(0,), options="{axis: 0}")
    golden(op + "/kept", lambda x: function(x, 1, True), N(3, 4, 5), no_gin=(0,),
           options="{axis: 1, keepdims: true}")
    golden(op + "/ties", lambda x: function(x, 1), TIES, no_gin=(0,), options="{axis: 1}")
    golden(op + "/rank_0", lambda x: function(x, 0), N(), no_gin=(0,), options="{axis: -1}")

for axis in (0, 1, -1):
    golden("cumsum/axis_%d" % axis, lambda x: x.cumsum(axis), N(3, 4, 5), options="{axis: %d}" % axis)
golden("cumsum/reverse", lambda x: x.flip(0).cumsum(0).flip(0), N(5, 3), options="{reverse: true}")
golden("cumsum/exclusive", lambda x: x.cumsum(0) - x, N(5, 3), options="{exclusive: true}")
golden("cumsum/wide", lambda x: x.cumsum(0), N(4, 70), second=False)
golden("cumsum/rank_0", lambda x: x.cumsum(0), N())
for op, function in (("softmax", torch.softmax), ("log_softmax", torch.log_softmax)):
    for axis in (0, 1, -1):
        golden("%s/axis_%d" % (op, axis), lambda x: function(x, axis), N(3, 4, 5), options="{axis: %d}" % axis)
    for axis in (0, -1):
        golden("%s/rank_0_axis_%d" % (op, axis), lambda x: function(x, axis), N(), options="{axis: %d}" % axis,
               second=False)
golden.write()
