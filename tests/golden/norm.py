"""Reference values for batch norm, weight norm, softmax and the losses."""

import torch
import torch.nn.functional as F

from common import Golden, integers, normal, uniform

golden = Golden("norm")


# ---- Batch norm. Channels are the last axis; PyTorch's are axis 1. ----

def batch_norm(axis=-1, eps=1e-5, mean_only=False):
    """y, mean and var (biased) of training."""
    def function(x, scale=None, shift=None):
        moved = x.movedim(axis, 1)
        others = [d for d in range(moved.dim()) if d != 1]
        mean, var = moved.mean(others), moved.var(others, unbiased=False)
        if mean_only:
            column = [-1] + [1] * (moved.dim() - 2)
            y = moved - mean.view(column)
            y = y if scale is None else y * scale.view(column)
            y = y if shift is None else y + shift.view(column)
        else:
            y = F.batch_norm(moved, None, None, scale, shift, True, 0, eps)
        return y.movedim(1, axis), mean, var
    return function


def frozen(axis=-1, eps=1e-5):
    """y of inference; mean and var are those given."""
    def function(x, scale, shift, mean, var):
        y = F.batch_norm(x.movedim(axis, 1), mean, var, scale, shift, False, 0, eps)
        return y.movedim(1, axis)
    return function


def affine(channels):
    return [normal(channels, shift=1.0), normal(channels)]


golden.case("batch_norm/dense", [normal(8, 5), *affine(5)], batch_norm())
golden.case("batch_norm/not_affine", [normal(8, 5)], batch_norm())
golden.case("batch_norm/scale_only", [normal(6, 3), normal(3)], batch_norm())
golden.case("batch_norm/images", [normal(2, 4, 3, 6), *affine(6)], batch_norm())
golden.case("batch_norm/channels_first", [normal(3, 4, 2, 3), *affine(4)], batch_norm(1),
            "{axis: 1}")
golden.case("batch_norm/axis_0", [normal(4, 7), *affine(4)], batch_norm(0), "{axis: 0}")
golden.case("batch_norm/large_eps", [normal(8, 5), *affine(5)], batch_norm(eps=0.5), "{eps: 0.5}")
# With two values xhat is 1 and -1 but for eps: a small one would leave nothing but rounding.
golden.case("batch_norm/two_values", [normal(2, 5), *affine(5)], batch_norm(eps=0.1), "{eps: 0.1}")
golden.case("batch_norm/wide", [normal(5, 150), *affine(150)], batch_norm(), second=False)
golden.case("batch_norm/long", [normal(700, 3), *affine(3)], batch_norm(), second=False)
golden.case("batch_norm/shifted", [normal(32, 4, shift=100.0), *affine(4)], batch_norm(),
            second=False)
golden.case("batch_norm/mean_only", [normal(8, 5), *affine(5)], batch_norm(mean_only=True),
            "{mean_only: true}")
golden.case("batch_norm/mean_only_channels_first", [normal(2, 3, 5), *affine(3)],
            batch_norm(1, mean_only=True), "{mean_only: true, axis: 1}")
golden.case("batch_norm/inference", [normal(4, 5), *affine(5), normal(5), uniform(0.5, 2, 5)],
            frozen(), "{mode: inference}", no_gin=(3, 4))
golden.case("batch_norm/inference_one_row",
            [normal(1, 3), *affine(3), normal(3), uniform(0.5, 2, 3)], frozen(),
            "{mode: inference}", no_gin=(3, 4))
golden.case("batch_norm/inference_channels_first",
            [normal(2, 3, 4), *affine(3), normal(3), uniform(0.5, 2, 3)], frozen(1),
            "{mode: inference, axis: 1}", no_gin=(3, 4))


def then(activation):
    """Batch norm, a residual and an activation."""
    def function(x, scale, shift, *residual):
        y, mean, var = batch_norm()(x, scale, shift)
        return activation(y + residual[-1] if residual else y), mean, var
    return function


golden.case("batch_norm_activation/relu", [normal(8, 5), *affine(5)], then(torch.relu))
golden.case("batch_norm_activation/images", [normal(2, 4, 3, 6), *affine(6)], then(torch.relu))
golden.case("batch_norm_activation/sigmoid", [normal(8, 5), *affine(5)], then(torch.sigmoid),
            "{activation: sigmoid}")
golden.case("batch_norm_activation/tanh", [normal(8, 5), *affine(5)], then(torch.tanh),
            "{activation: tanh}")
golden.case("batch_norm_activation/residual",
            [normal(2, 4, 3, 6), *affine(6), None, None, normal(2, 4, 3, 6)], then(torch.relu))


# ---- Weight norm. PyTorch 1.13's torch._weight_norm has no second derivative: the formula. ----

def weight_norm(dim):
    def function(v, g):
        if dim < 0:
            return g * v / v.norm()
        others = [d for d in range(v.dim()) if d != dim]
        column = [-1 if d == dim else 1 for d in range(v.dim())]
        w = v * (g.view(column) / v.pow(2).sum(others, keepdim=True).sqrt())
        module = torch._weight_norm(v.detach(), g.detach().view(column).contiguous(), dim)
        assert dim not in (0, v.dim() - 1) or torch.allclose(w.detach(), module)
        return w
    return function


golden.case("weight_norm/dense", [normal(4, 7), normal(4)], weight_norm(0))
golden.case("weight_norm/convolution", [normal(4, 3, 3, 2), normal(4)], weight_norm(0))
golden.case("weight_norm/last_axis", [normal(5, 3), normal(3)], weight_norm(1), "{axis: 1}")
golden.case("weight_norm/inner_axis", [normal(2, 3, 4), normal(3)], weight_norm(1), "{axis: 1}")
golden.case("weight_norm/no_axis", [normal(4, 5), normal()], weight_norm(-1), "{axis: -1}")
golden.case("weight_norm/small", [normal(3, 6, scale=1e-6), normal(3)], weight_norm(0),
            second=False)

# ---- Softmax ----

golden.case("softmax/plain", [normal(4, 7)], lambda x: x.softmax(-1))
golden.case("softmax/axis_1", [normal(2, 5, 3)], lambda x: x.softmax(1), "{axis: 1}")
golden.case("softmax/large", [normal(3, 6, scale=300.0)], lambda x: x.softmax(-1))
golden.case("log_softmax/plain", [normal(4, 7)], lambda x: x.log_softmax(-1))
golden.case("log_softmax/axis_0", [normal(5, 3)], lambda x: x.log_softmax(0), "{axis: 0}")
golden.case("log_softmax/large", [normal(3, 6, scale=300.0)], lambda x: x.log_softmax(-1))


# ---- Losses ----

def cross_entropy(**options):
    def function(logits, labels):
        classes = logits.shape[-1]
        loss = F.cross_entropy(logits.reshape(-1, classes), labels.reshape(-1), **options)
        return loss.view(labels.shape) if options.get("reduction") == "none" else loss
    return function


golden.case("cross_entropy/mean", [normal(6, 10), integers(10, 6)], cross_entropy())
golden.case("cross_entropy/sum", [normal(6, 4), integers(4, 6)], cross_entropy(reduction="sum"),
            "{reduction: sum}")
golden.case("cross_entropy/none", [normal(2, 3, 4), integers(4, 2, 3)],
            cross_entropy(reduction="none"), "{reduction: none}")
golden.case("cross_entropy/smoothing", [normal(6, 10), integers(10, 6)],
            cross_entropy(label_smoothing=0.1), "{label_smoothing: 0.1}")
golden.case("cross_entropy/ignore", [normal(8, 4), integers(4, 8)], cross_entropy(ignore_index=2),
            "{ignore_index: 2}")
for reduction in ("mean", "sum", "none"):
    golden.case("cross_entropy/smoothing_and_ignore_" + reduction, [normal(8, 4), integers(4, 8)],
                cross_entropy(ignore_index=1, label_smoothing=0.3, reduction=reduction),
                "{ignore_index: 1, label_smoothing: 0.3, reduction: %s}" % reduction)
for reduction in ("mean", "sum", "none"):
    golden.case("mse/" + reduction, [normal(4, 5), normal(4, 5)],
                lambda x, t: F.mse_loss(x, t, reduction=reduction), "{reduction: %s}" % reduction)


def weighted(**options):
    def function(logits, labels, weight):
        classes = logits.shape[-1]
        loss = F.cross_entropy(logits.reshape(-1, classes), labels.reshape(-1), weight.detach(),
                               **options)
        return loss.reshape(labels.shape) if options.get("reduction") == "none" else loss
    return function


for reduction in ("mean", "sum", "none"):
    golden.case("cross_entropy/weighted_" + reduction,
                [normal(8, 4), integers(4, 8), uniform(0.1, 5, 4)],
                weighted(reduction=reduction), "{reduction: %s}" % reduction, no_gin=(2,))
    golden.case("cross_entropy/weighted_smoothing_and_ignore_" + reduction,
                [normal(2, 5, 4), integers(4, 2, 5), uniform(0.1, 5, 4)],
                weighted(ignore_index=1, label_smoothing=0.3, reduction=reduction),
                "{ignore_index: 1, label_smoothing: 0.3, reduction: %s}" % reduction, no_gin=(2,))


def huber(delta):
    return lambda x: F.huber_loss(x, torch.zeros_like(x), reduction="none", delta=delta)


golden.case("huber/plain", [normal(4, 5, scale=2)], huber(1.0))
golden.case("huber/far", [torch.tensor([0.3, -1.0, 2, -7, 1e6])], huber(1.5), "{delta: 1.5}")
golden.case("huber/at_delta", [torch.tensor([1.5, -1.5])], huber(1.5), "{delta: 1.5}",
            second=False)

golden.write()
