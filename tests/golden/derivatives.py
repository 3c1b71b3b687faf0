"""Reference values for products with Jacobians and Hessians of whole networks: torch.func's jvp, and jvp of
grad, in double precision.

tests/models/test_derivatives.c builds the same networks in f64. The tensors, f64 but for the labels:

    <network>/x                    [8, ...]: the batch, channels last
    <network>/labels               [8], i32
    <network>/at/<parameter>       under Norma's names, in Norma's order of axes
    <network>/v/<parameter>        a direction
    <network>/x_v                  the direction of x
    <network>/jvp                  [8, 3]: how the outputs move as the parameters do by v
    <network>/x_jvp                [8, 3]: as x does by x_v
    <network>/hvp/<parameter>      the Hessian of the cross entropy in all parameters, times v
    metadata "<network>"           the network in YAML

Batch norm is in training. Written with PyTorch 2.13.0.
"""

import torch
from torch import nn
from torch.func import functional_call, grad, jvp
from torch.nn import functional

from common import Golden, integers, normal, seed

CLASSES = 3


class Flatten(nn.Module):
    """In Norma's order, channels last."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


def batch_norm(module):
    """Without running statistics, which torch.func's transforms do not move in place."""
    return "batch_norm", module, {"scale": "weight", "shift": "bias"}


WEIGHT = {"weight": "weight", "bias": "bias"}
NETWORKS = {
    "mlp_bn": lambda: [
        ("dense: {units: 5}", nn.Linear(6, 5), WEIGHT),
        batch_norm(nn.BatchNorm1d(5, track_running_stats=False)), ("tanh", nn.Tanh(), {}),
        ("dense: {units: 4}", nn.Linear(5, 4), WEIGHT),
        batch_norm(nn.BatchNorm1d(4, track_running_stats=False)), ("gelu", nn.GELU(), {}),
        ("dense: {units: 3}", nn.Linear(4, CLASSES), WEIGHT)],
    "cnn_bn": lambda: [
        ("conv2d: {channels: 4, kernel: 3, padding: 1}", nn.Conv2d(2, 4, 3, padding=1), WEIGHT),
        batch_norm(nn.BatchNorm2d(4, track_running_stats=False)), ("silu", nn.SiLU(), {}),
        ("avg_pool2d: {kernel: 2}", nn.AvgPool2d(2), {}), ("flatten", Flatten(), {}),
        ("dense: {units: 3}", nn.Linear(16, CLASSES), WEIGHT)],
}
PREFIX = {"dense": "dense", "conv2d": "conv", "batch_norm": "bn"}


def names_of(layers):
    """Norma's name for each of PyTorch's in nn.Sequential."""
    numbers, names = {}, {}
    for i, (yaml, _, parameters) in enumerate(layers):
        kind = yaml.split(":")[0]
        numbers[kind] = numbers.get(kind, 0) + 1
        for ours, theirs in parameters.items():
            names["%d.%s" % (i, theirs)] = "%s%d.%s" % (PREFIX[kind], numbers[kind], ours)
    return names


def last(x):
    return x.permute(0, 2, 3, 1) if x.dim() == 4 else x


def add_network(golden, name, layers):
    seed(name)
    network = nn.Sequential(*(module for _, module, _ in layers)).double()
    names = names_of(layers)
    shift = {key: 1.0 if ours.endswith("scale") else 0.0 for key, ours in names.items()}
    at = {key: normal(*p.shape, scale=0.5, shift=shift[key]) for key, p in network.named_parameters()}
    v = {key: normal(*p.shape) for key, p in at.items()}
    shape = (8, 2, 4, 4) if name.startswith("cnn") else (8, 6)
    x, x_v, labels = normal(*shape), normal(*shape), integers(CLASSES, 8)

    def outputs(parameters, samples):
        return functional_call(network, parameters, (samples,))

    def loss(parameters):
        return functional.cross_entropy(outputs(parameters, x), labels)

    golden.metadata[name] = "[%s]" % ", ".join(yaml for yaml, _, _ in layers)
    for key, tensor in (("x", last(x)), ("x_v", last(x_v)), ("labels", labels),
                        ("jvp", jvp(lambda p: outputs(p, x), (at,), (v,))[1]),
                        ("x_jvp", jvp(lambda s: outputs(at, s), (x,), (x_v,))[1])):
        golden.add("%s/%s" % (name, key), tensor)
    for what, values in (("at", at), ("v", v), ("hvp", jvp(grad(loss), (at,), (v,))[1])):
        for key, tensor in values.items():
            golden.add("%s/%s/%s" % (name, what, names[key]), last(tensor))


golden = Golden("derivatives", torch.float64)
for network_name, make in NETWORKS.items():
    add_network(golden, network_name, make())
golden.write()
