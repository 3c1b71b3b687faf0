"""The networks that Norma is compared on, in PyTorch."""
import torch
from torch import nn
from torch.nn import functional

BN_PAPER = [784, 100, 100, 100, 10]
MLP = [784, 512, 256, 10]
WEIGHT_NORMS = ["wn"] + ["new wn"] * hasattr(nn.utils.parametrizations, "weight_norm")


def weight_normed(layer, norm):
    """`norm`: "wn" or "new wn"."""
    if norm == "wn":
        return nn.utils.weight_norm(layer)
    return nn.utils.parametrizations.weight_norm(layer)


def perceptron(sizes, activation, norm):
    """`norm`: "bn", "wn", "new wn", or None."""
    layers = []
    for before, after in zip(sizes[:-2], sizes[1:-1]):
        dense = nn.Linear(before, after)
        layers += ([dense, nn.BatchNorm1d(after)] if norm == "bn" else
                   [weight_normed(dense, norm)] if norm else [dense])
        layers.append(activation())
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


def cnn(norm):
    layers, before = [], 1
    for after in (32, 64):
        conv = nn.Conv2d(before, after, 3, padding=1)
        layers += [conv, nn.BatchNorm2d(after)] if norm == "bn" else [weight_normed(conv, norm)]
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
        before = after
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * 7 * 7, 10))


def convolution(before, after, size, stride):
    return [nn.Conv2d(before, after, size, stride, size // 2, bias=False), nn.BatchNorm2d(after)]


class Residual(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.body = nn.Sequential(*convolution(before, after, 3, stride), nn.ReLU(),
                                  *convolution(after, after, 3, 1))
        same = before == after and stride == 1
        self.shortcut = nn.Sequential(*([] if same else convolution(before, after, 1, stride)))

    def forward(self, x):
        return functional.relu(self.body(x) + self.shortcut(x))


def resnet20():
    layers, before = convolution(3, 16, 3, 1) + [nn.ReLU()], 16
    for after in (16, 32, 64):
        for block in range(3):
            layers.append(Residual(before, after, 2 if block == 0 and after > 16 else 1))
            before = after
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


# name: what makes it of a norm, norms, a sample's shape
NETWORKS = {
    "mlp_bn_paper": (lambda norm: perceptron(BN_PAPER, nn.Sigmoid, norm), ["bn"], (784,)),
    "mlp_bn": (lambda norm: perceptron(MLP, nn.ReLU, norm), ["bn"], (784,)),
    "mlp_wn": (lambda norm: perceptron(MLP, nn.ReLU, norm), WEIGHT_NORMS, (784,)),
    "cnn_bn": (cnn, ["bn"], (1, 28, 28)),
    "cnn_wn": (cnn, WEIGHT_NORMS, (1, 28, 28)),
    "resnet20_bn": (lambda norm: resnet20(), ["bn"], (3, 32, 32)),
}


def loss_function(network, bf16):
    def loss(x, labels):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            logits = network(x)
        return functional.cross_entropy(logits.float(), labels)
    return loss


def has_fused_sgd():
    try:
        torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1, fused=True)
        return True
    except (TypeError, RuntimeError):
        return False


def in_layout(thing, layout):
    return thing.to(memory_format=torch.channels_last) if layout == "nhwc" else thing
