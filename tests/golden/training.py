"""Reference values for training: ten steps of four small networks by PyTorch's SGD with Nesterov's
momentum and weight decay on what Norma decays: weights and, with weight norm, both v and g.

tests/models/test_golden_training.c trains the same networks from the same values. The tensors:

    <network>/x                    [8, ...]: the batch, channels last, f32
    <network>/labels               [8], i32
    <network>/start/<parameter>    under Norma's names, in Norma's order of axes
    <network>/end/<parameter>      after the last step
    <network>/losses               [10]: before each step
    metadata "<network>"           the network in YAML
    metadata "sgd"                 the optimizer's options

The computation is in double precision from values rounded to f32. Written with PyTorch 1.13.0 (Debian's)
and the same with 2.13.0.
"""

import torch
from torch import nn
from torch.nn import functional

from common import Golden, integers, normal, seed

STEPS = 10
CLASSES = 3
SGD = {"rate": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.05}

# A layer is its YAML, its module, and the names of its parameters here and there.
WEIGHT = {"weight": "weight", "bias": "bias"}
WEIGHT_NORM = {"weight_v": "weight_v", "weight_g": "weight_g", "bias": "bias"}
BATCH_NORM = {"scale": "weight", "shift": "bias"}


def dense(inputs, units, axis=None):
    """`axis`: that of weight norm, -1 for one length in all; None: without."""
    layer = nn.Linear(inputs, units)
    if axis is None:
        return "dense: {units: %d}" % units, layer, WEIGHT
    return ("dense: {units: %d, weight_norm: {axis: %d}}" % (units, axis),
            nn.utils.weight_norm(layer, dim=None if axis < 0 else axis), WEIGHT_NORM)


def conv(channels, out, weight_norm):
    layer = nn.Conv2d(channels, out, 3, padding=1)
    yaml = "conv2d: {channels: %d, kernel: 3, padding: 1%s}"
    if not weight_norm:
        return yaml % (out, ""), layer, WEIGHT
    return yaml % (out, ", weight_norm: true"), nn.utils.weight_norm(layer), WEIGHT_NORM


class Flatten(nn.Module):
    """In Norma's order, channels last."""

    def forward(self, x):
        return x.permute(0, 2, 3, 1).flatten(1)


NETWORKS = {
    "mlp_wn": lambda: [dense(6, 5, 0), ("tanh", nn.Tanh(), {}), dense(5, 4, -1),
                       ("tanh", nn.Tanh(), {}), dense(4, CLASSES)],
    "mlp_bn": lambda: [dense(6, 5), ("batch_norm", nn.BatchNorm1d(5), BATCH_NORM),
                       ("tanh", nn.Tanh(), {}), dense(5, CLASSES)],
    "cnn_wn": lambda: [conv(2, 4, True), ("tanh", nn.Tanh(), {}),
                       ("max_pool2d: {kernel: 2}", nn.MaxPool2d(2), {}), ("flatten", Flatten(), {}),
                       dense(16, CLASSES, 0)],
    "cnn_bn": lambda: [conv(2, 4, False), ("batch_norm", nn.BatchNorm2d(4), BATCH_NORM),
                       ("tanh", nn.Tanh(), {}), ("max_pool2d: {kernel: 2}", nn.MaxPool2d(2), {}),
                       ("flatten", Flatten(), {}), dense(16, CLASSES)],
}
PREFIX = {"dense": "dense", "conv2d": "conv", "batch_norm": "bn"}


def named_parameters(layers):
    """(Norma's name, PyTorch's parameter, whether it decays), each."""
    numbers = {}
    for yaml, module, names in layers:
        kind = yaml.split(":")[0]
        numbers[kind] = numbers.get(kind, 0) + 1
        for ours, theirs in names.items():
            yield ("%s%d.%s" % (PREFIX[kind], numbers[kind], ours), getattr(module, theirs),
                   ours.startswith("weight"))


def in_our_order(ours, tensor):
    """Convolutions have their channels last; a length is [channels], or [] where there is one."""
    if ours.endswith("_g"):
        return tensor.reshape([-1] if tensor.dim() else [])
    return tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor


def round_values(parameters):
    """Random values, also where PyTorch begins with 0 or 1, so that a decay of any is seen."""
    with torch.no_grad():
        for ours, parameter, _ in parameters:
            lengths = ours.endswith("_g") or ours.endswith("scale")
            parameter.copy_(normal(*parameter.shape, scale=0.3, shift=1.0 if lengths else 0.0))


def add_parameters(golden, where, parameters):
    for ours, parameter, _ in parameters:
        golden.add("%s/%s" % (where, ours), in_our_order(ours, parameter))


def make_optimizer(parameters):
    options = {key: value for key, value in SGD.items() if key not in ("rate", "weight_decay")}
    groups = [{"params": [p for _, p, decays in parameters if decays],
               "weight_decay": SGD["weight_decay"]},
              {"params": [p for _, p, decays in parameters if not decays], "weight_decay": 0}]
    return torch.optim.SGD(groups, lr=SGD["rate"], **options)


def train(golden, name, layers):
    seed(name)
    network = nn.Sequential(*(module for _, module, _ in layers)).double()
    parameters = list(named_parameters(layers))
    round_values(parameters)
    x = normal(8, 2, 4, 4) if name.startswith("cnn") else normal(8, 6)
    labels, losses = integers(CLASSES, 8), []
    optimizer = make_optimizer(parameters)
    golden.metadata[name] = "[%s]" % ", ".join(yaml for yaml, _, _ in layers)
    golden.add(name + "/x", x.permute(0, 2, 3, 1) if x.dim() == 4 else x)
    golden.add(name + "/labels", labels)
    add_parameters(golden, name + "/start", parameters)
    for _ in range(STEPS):
        optimizer.zero_grad()
        losses.append(functional.cross_entropy(network(x), labels))
        losses[-1].backward()
        optimizer.step()
    add_parameters(golden, name + "/end", parameters)
    golden.add(name + "/losses", torch.stack(losses))


golden = Golden("training")
golden.metadata["sgd"] = "{%s}" % ", ".join(
    "%s: %s" % (key, str(value).lower()) for key, value in SGD.items())
for network_name, make in NETWORKS.items():
    train(golden, network_name, make())
golden.write()
