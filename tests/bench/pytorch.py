"""The rows of `norma bench` that PyTorch has too, one JSON object a line, under the same names.

usage: pytorch.py THREADS SECONDS [FILTER] [--bf16] [--eager]

SECONDS: for each row; FILTER: part of a name. A row is measured in every way that this PyTorch has: eager
and, since PyTorch 2 and without --eager, compiled; SGD plain and, where there is one for the processor,
fused; images with channels first and last; weight norm by its old and its new module. A way that fails is a
row with "error" in place of times.
"""
import json
import resource
import statistics
import sys
import time
import warnings

import torch
from torch import nn

from torch_networks import NETWORKS, cnn, has_fused_sgd, in_layout, loss_function

BF16 = "--bf16" in sys.argv
ARGUMENTS = [word for word in sys.argv[1:] if not word.startswith("--")]
THREADS, SECONDS = int(ARGUMENTS[0]), float(ARGUMENTS[1])
FILTER = ARGUMENTS[2] if len(ARGUMENTS) > 2 else ""
warnings.filterwarnings("ignore")  # of what is deprecated in one version and not there in another
COMPILES = hasattr(torch, "compile") and "--eager" not in sys.argv
NORM_SHAPES = [(128, 32, 32, 16), (128, 8, 8, 64), (64, 14, 14, 64), (128, 512)]
CHAIN = 100


# ---- The clock ----

def wanted(name):
    return FILTER in name


def time_steps(step, parts):
    """Microseconds of a part, of each step after the first few."""
    times, end = [], None
    while end is None or time.perf_counter() < end:
        start = time.perf_counter()
        step()
        times.append((time.perf_counter() - start) * 1e6 / parts)
        if end is None and len(times) == 4:  # warm
            times, end = [], time.perf_counter() + SECONDS
    return times


def measure(name, batch, layout, way, step, parts=1):
    """One row; `way` says what else is as one may choose."""
    row = {"name": name, "batch": batch, "threads": THREADS, "layout": layout, "way": way,
           "precision": "bf16" if BF16 else "f32"}
    try:
        times = time_steps(step, parts)
        row.update(us_best=min(times), us_median=statistics.median(times),
                   peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    except Exception as error:  # no compiler, an op that does not compile, ...
        row["error"] = " ".join(str(error).split())[:200]
    print(json.dumps(row), flush=True)


def ways_of(function):
    """(name, function) of each way to call a function of tensors."""
    yield "", function
    if COMPILES:
        torch._dynamo.reset()
        yield "compiled", torch.compile(function)


# ---- Rows ----

def train_by(name, network, x, labels, layout, way):
    """The rows of one network, with each SGD."""
    for way_of_loss, loss in ways_of(loss_function(network, BF16)):
        for fused in [False, True] if has_fused_sgd() else [False]:
            options = {"fused": True} if fused else {}
            optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, **options)

            def step():
                optimizer.zero_grad(set_to_none=True)
                loss(x, labels).backward()
                optimizer.step()

            words = [way_of_loss, "fused SGD" if fused else "", way]
            measure(name, len(labels), layout, ", ".join(filter(None, words)), step)


def train(name, batch, layout=""):
    make, norms, shape = NETWORKS[name]
    for norm in norms if wanted(name) else []:
        x = in_layout(torch.randn(batch, *shape), layout)
        train_by(name, in_layout(make(norm), layout), x, torch.randint(0, 10, (batch,)), layout,
                 "new weight norm" if norm == "new wn" else "")


def batch_norm(shape, layout):
    """Shapes are Norma's, channels last; PyTorch's logical order has them second."""
    order = (0, 3, 1, 2) if len(shape) == 4 else (0, 1)
    x = in_layout(torch.randn([shape[i] for i in order]), layout).requires_grad_()
    module = nn.BatchNorm2d(shape[-1]) if len(shape) == 4 else nn.BatchNorm1d(shape[-1])
    gradient = torch.randn_like(x)
    text = "x".join(map(str, shape))
    if not wanted("batch_norm " + text) and not wanted("batch_norm+grad " + text):
        return
    for way, norm in ways_of(module):
        if wanted("batch_norm " + text):
            measure("batch_norm " + text, shape[0], layout, way, lambda: norm(x))
        if wanted("batch_norm+grad " + text):
            measure("batch_norm+grad " + text, shape[0], layout, way,
                    lambda: torch.autograd.grad(norm(x), [x, *module.parameters()], gradient))


def optimized(network, x):
    """(name, function) of each way to make inference faster."""
    yield "traced", torch.jit.optimize_for_inference(torch.jit.trace(network, x))
    if COMPILES:
        torch._dynamo.reset()
        torch._inductor.config.freezing = True
        yield "compiled", torch.compile(network)
        torch._inductor.config.freezing = False


def inference(name, optimize, layout):
    if not wanted(name):
        return
    network = in_layout(cnn("bn"), layout).eval()
    x = in_layout(torch.randn(1, 1, 28, 28), layout)
    for way, predict in optimized(network, x) if optimize else [("", network)]:
        def step():
            with torch.no_grad():
                predict(x)

        measure(name, 1, layout, way, step)


def scalar_op():
    x, factor = torch.ones((), requires_grad=True), torch.ones(())

    def step():
        x.grad, y = None, x
        for _ in range(CHAIN):
            y = y * factor
        y.backward()

    if wanted("scalar_op"):
        measure("scalar_op", 1, "", "", step, CHAIN)


torch.manual_seed(0)
torch.set_num_threads(THREADS)
train("mlp_bn_paper", 60)
train("mlp_bn", 128)
train("mlp_wn", 128)
for memory_layout in ("nchw", "nhwc"):
    train("cnn_bn", 64, memory_layout)
    train("cnn_wn", 64, memory_layout)
    train("resnet20_bn", 128, memory_layout)
if not BF16:
    for norm_shape in NORM_SHAPES:
        for memory_layout in ("nchw", "nhwc") if len(norm_shape) == 4 else ("",):
            batch_norm(norm_shape, memory_layout)
    for memory_layout in ("nchw", "nhwc"):
        inference("cnn_bn one image", False, memory_layout)
        inference("cnn_bn one image, optimized", True, memory_layout)
    scalar_op()
