"""Reference values for layer, RMS, instance and group norm, and for what is weighted: each case once
in f32 and once in f64, in a file of its own. F.rms_norm wants PyTorch 2.4."""

import torch
import torch.nn.functional as F

from common import Golden, normal, seed, uniform


def layer_norm(axis=-1, eps=1e-5):
    return lambda x, scale=None, shift=None: F.layer_norm(x, x.shape[axis:], scale, shift, eps)


def rms_norm(axis=-1, eps=1e-5):
    return lambda x, scale=None: F.rms_norm(x, x.shape[axis:], scale, eps)


def channels_first(function):
    """A function of [n, channels, ...] for tensors with the channels last."""
    return lambda x, *rest: function(x.movedim(-1, 1), *rest).movedim(1, -1)


def instance_norm(eps=1e-5):
    return lambda x, scale=None, shift=None: F.instance_norm(x, weight=scale, bias=shift, eps=eps)


def group_norm(groups, eps=1e-5):
    return lambda x, scale=None, shift=None: F.group_norm(x, groups, scale, shift, eps)


def weighted(axes, eps=1e-5):
    """y, mean and var over the axes; only x, scale, shift and the weights are given."""
    def function(x, scale, shift, mean, var, weight):
        w = weight.expand(x.shape)
        mass = w.sum(axes, keepdim=True)
        mean = (w * x).sum(axes, keepdim=True) / mass
        var = (w * (x - mean) ** 2).sum(axes, keepdim=True) / mass
        y = (x - mean) / (var + eps).sqrt() * scale + shift
        return y, mean.squeeze(axes), var.squeeze(axes)
    return function


def affine(*shape):
    return [normal(*shape, shift=1.0), normal(*shape)]


def mask(lengths, steps):
    return (torch.arange(steps)[None, :] < torch.tensor(lengths)[:, None]).double()[:, :, None]


def cases(golden):
    case = golden.case
    case("layer_norm/rows", [normal(4, 7), *affine(7)], layer_norm())
    case("layer_norm/not_affine", [normal(3, 2, 5)], layer_norm())
    case("layer_norm/two_axes", [normal(3, 4, 5), *affine(4, 5)], layer_norm(-2), "{axis: -2}")
    case("layer_norm/images", [normal(2, 3, 4, 5), *affine(3, 4, 5)], layer_norm(1), "{axis: 1}",
         second=False)
    case("layer_norm/large_eps", [normal(4, 3), *affine(3)], layer_norm(eps=0.5), "{eps: 0.5}")
    case("layer_norm/scale_only", [normal(4, 6), normal(6)], layer_norm())
    case("layer_norm/long", [normal(3, 1500), *affine(1500)], layer_norm(), second=False)
    case("layer_norm/shifted", [normal(5, 33, shift=100.0), *affine(33)], layer_norm(),
         second=False)
    case("rms_norm/rows", [normal(4, 7), normal(7)], rms_norm())
    case("rms_norm/not_affine", [normal(3, 2, 5)], rms_norm())
    case("rms_norm/two_axes", [normal(3, 4, 5), normal(4, 5)], rms_norm(-2), "{axis: -2}")
    case("rms_norm/large_eps", [normal(4, 3), normal(3)], rms_norm(eps=0.5), "{eps: 0.5}")
    case("rms_norm/one_value", [normal(4, 1), normal(1)], rms_norm(eps=0.1), "{eps: 0.1}")
    case("instance_norm/channels_first", [normal(2, 3, 4, 5), *affine(3)], instance_norm(),
         "{axis: 1}")
    case("instance_norm/images", [normal(2, 3, 4, 5), *affine(5)],
         channels_first(instance_norm()))
    case("instance_norm/sequence", [normal(3, 6, 2)], channels_first(instance_norm(0.1)),
         "{eps: 0.1}")
    case("instance_norm/wide", [normal(2, 9, 5, 70), *affine(70)],
         channels_first(instance_norm()), second=False)
    case("group_norm/channels_first", [normal(2, 6, 3, 2), *affine(6)], group_norm(3),
         "{groups: 3, axis: 1}")
    case("group_norm/images", [normal(2, 3, 2, 6), *affine(6)], channels_first(group_norm(2)),
         "{groups: 2}")
    case("group_norm/one_group", [normal(3, 4), *affine(4)], group_norm(1), "{groups: 1}")
    case("group_norm/each_channel", [normal(2, 3, 4), *affine(4)], channels_first(group_norm(4)),
         "{groups: 4}")
    case("group_norm/wide", [normal(2, 9, 5, 96), *affine(96)], channels_first(group_norm(8)),
         "{groups: 8}", second=False)
    case("l2_normalize/rows", [normal(4, 5)], lambda x: F.normalize(x, dim=-1), "{eps: 0}")
    case("l2_normalize/axis_0", [normal(4, 5)], lambda x: F.normalize(x, dim=0), "{axes: 0, eps: 0}")
    case("normalize/padded_steps",
         [normal(3, 6, 4), *affine(4), None, None, mask([6, 2, 4], 6)], weighted((0, 1)),
         "{axes: [0, 1]}", no_gin=(5,))
    case("normalize/weights",
         [normal(3, 6), *affine(6), None, None, uniform(0.1, 2, 3, 6)], weighted((1,)),
         "{axes: 1}", no_gin=(5,))


for name, kind in [("family", torch.float32), ("family_f64", torch.float64)]:
    seed("family")
    file = Golden(name, kind)
    seed("family")
    cases(file)
    file.write()
