"""Training steps of the bench's networks in PyTorch, one JSON object a line.

usage: pytorch.py THREADS SECONDS [FILTER]
"""
import json
import statistics
import sys
import time

import torch
from torch import nn

THREADS, SECONDS = int(sys.argv[1]), float(sys.argv[2])
FILTER = sys.argv[3] if len(sys.argv) > 3 else ""
BN_PAPER = [784, 100, 100, 100, 10]
MLP = [784, 512, 256, 10]


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


def measure(name, network, shape, batch, layout):
    if FILTER not in name:
        return
    x, labels = torch.randn(batch, *shape), torch.randint(0, 10, (batch,))
    if layout == "nhwc":
        network = network.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9)
    times, end = [], None
    while end is None or time.perf_counter() < end:
        start = time.perf_counter()
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(network(x), labels).backward()
        optimizer.step()
        times.append((time.perf_counter() - start) * 1e6)
        if end is None and len(times) == 4:  # warm
            times, end = [], time.perf_counter() + SECONDS
    print(json.dumps({"name": name, "batch": batch, "threads": THREADS, "layout": layout,
                      "us_best": min(times), "us_median": statistics.median(times)}), flush=True)


torch.manual_seed(0)
torch.set_num_threads(THREADS)
measure("mlp_bn_paper", perceptron(BN_PAPER, nn.Sigmoid, "bn"), (784,), 60, "")
measure("mlp_bn", perceptron(MLP, nn.ReLU, "bn"), (784,), 128, "")
measure("mlp_wn", perceptron(MLP, nn.ReLU, "wn"), (784,), 128, "")
for layout in ("nchw", "nhwc"):
    measure("cnn_bn", cnn("bn"), (1, 28, 28), 64, layout)
    measure("cnn_wn", cnn("wn"), (1, 28, 28), 64, layout)
