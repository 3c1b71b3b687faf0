"""The rows of `norma bench` that PyTorch has too, one JSON object a line, under the same names.

usage: pytorch.py THREADS SECONDS [FILTER] [--bf16]     SECONDS: for each row; FILTER: part of a name
"""
import json
import resource
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional

BF16 = "--bf16" in sys.argv
ARGUMENTS = [word for word in sys.argv[1:] if word != "--bf16"]
THREADS, SECONDS = int(ARGUMENTS[0]), float(ARGUMENTS[1])
FILTER = ARGUMENTS[2] if len(ARGUMENTS) > 2 else ""
BN_PAPER = [784, 100, 100, 100, 10]
MLP = [784, 512, 256, 10]
NORM_SHAPES = [(128, 32, 32, 16), (128, 8, 8, 64), (64, 14, 14, 64), (128, 512)]
CHAIN = 100


# ---- Networks ----

def perceptron(sizes, activation, norm):
    layers = []
    for before, after in zip(sizes[:-2], sizes[1:-1]):
        dense = nn.Linear(before, after)
        layers += [nn.utils.weight_norm(dense)] if norm == "wn" else [dense, nn.BatchNorm1d(after)]
        layers.append(activation())
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


def cnn(norm):
    layers, before = [], 1
    for after in (32, 64):
        conv = nn.Conv2d(before, after, 3, padding=1)
        layers += [nn.utils.weight_norm(conv)] if norm == "wn" else [conv, nn.BatchNorm2d(after)]
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


# ---- The clock ----

def wanted(name):
    return FILTER in name


def measure(name, batch, layout, step, parts=1):
    times, end = [], None
    while end is None or time.perf_counter() < end:
        start = time.perf_counter()
        step()
        times.append((time.perf_counter() - start) * 1e6 / parts)
        if end is None and len(times) == 4:  # warm
            times, end = [], time.perf_counter() + SECONDS
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"name": name, "batch": batch, "threads": THREADS, "layout": layout,
                      "precision": "bf16" if BF16 else "f32", "us_best": min(times),
                      "us_median": statistics.median(times), "peak_mb": peak}), flush=True)


def in_layout(thing, layout):
    return thing.to(memory_format=torch.channels_last) if layout == "nhwc" else thing


# ---- Rows ----

def train(name, make, shape, batch, layout=""):
    if not wanted(name):
        return
    network, labels = in_layout(make(), layout), torch.randint(0, 10, (batch,))
    x = in_layout(torch.randn(batch, *shape), layout)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=BF16):
            loss = functional.cross_entropy(network(x).float(), labels)
        loss.backward()
        optimizer.step()

    measure(name, batch, layout, step)


def batch_norm(shape, layout):
    """Shapes are Norma's, channels last; PyTorch's logical order has them second."""
    order = (0, 3, 1, 2) if len(shape) == 4 else (0, 1)
    x = in_layout(torch.randn([shape[i] for i in order]), layout).requires_grad_()
    norm = nn.BatchNorm2d(shape[-1]) if len(shape) == 4 else nn.BatchNorm1d(shape[-1])
    gradient = torch.randn_like(x)
    text = "x".join(map(str, shape))
    if wanted("batch_norm " + text):
        measure("batch_norm " + text, shape[0], layout, lambda: norm(x))
    if wanted("batch_norm+grad " + text):
        measure("batch_norm+grad " + text, shape[0], layout,
                lambda: torch.autograd.grad(norm(x), [x, *norm.parameters()], gradient))


def inference(name, optimize, layout):
    if not wanted(name):
        return
    network = in_layout(cnn("bn"), layout).eval()
    x = in_layout(torch.randn(1, 1, 28, 28), layout)
    if optimize:
        network = torch.jit.optimize_for_inference(torch.jit.trace(network, x))

    def step():
        with torch.no_grad():
            network(x)

    measure(name, 1, layout, step)


def scalar_op():
    x, factor = torch.ones((), requires_grad=True), torch.ones(())

    def step():
        x.grad, y = None, x
        for _ in range(CHAIN):
            y = y * factor
        y.backward()

    if wanted("scalar_op"):
        measure("scalar_op", 1, "", step, CHAIN)


torch.manual_seed(0)
torch.set_num_threads(THREADS)
train("mlp_bn_paper", lambda: perceptron(BN_PAPER, nn.Sigmoid, "bn"), (784,), 60)
train("mlp_bn", lambda: perceptron(MLP, nn.ReLU, "bn"), (784,), 128)
train("mlp_wn", lambda: perceptron(MLP, nn.ReLU, "wn"), (784,), 128)
for memory_layout in ("nchw", "nhwc"):
    train("cnn_bn", lambda: cnn("bn"), (1, 28, 28), 64, memory_layout)
    train("cnn_wn", lambda: cnn("wn"), (1, 28, 28), 64, memory_layout)
    train("resnet20_bn", resnet20, (3, 32, 32), 128, memory_layout)
if not BF16:
    for memory_layout in ("nchw", "nhwc"):
        for norm_shape in NORM_SHAPES:
            batch_norm(norm_shape, memory_layout if len(norm_shape) == 4 else "")
        inference("cnn_bn one image", False, memory_layout)
        inference("cnn_bn one image, optimized", True, memory_layout)
    scalar_op()
