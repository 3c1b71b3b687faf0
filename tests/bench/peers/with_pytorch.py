"""PyTorch in the way of kept.py: eager and compiled, images with channels first and last, plain and fused SGD,
weight norm by its old and its new module; predictions traced and compiled with frozen weights, too.

usage: with_pytorch.py THREADS"""
import os
import sys
import types
import warnings

warnings.filterwarnings("ignore")
sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir))

import torch  # noqa: E402
from torch import nn  # noqa: E402

import kept  # noqa: E402
from torch_networks import NETWORKS, has_fused_sgd, in_layout, loss_function, perceptron  # noqa: E402

COMPILES = hasattr(torch, "compile")


def compiled(function):
    """Each in code of its own, or the compiler would ask of every earlier one whether it is meant."""
    own = types.FunctionType(function.__code__.replace(), function.__globals__, function.__name__,
                             function.__defaults__, function.__closure__)
    return torch.compile(own, dynamic=False)


def find(network):
    """(what makes it of a norm, norms, a sample's shape, layouts, momentum) of a name or of sizes: 784-100-10."""
    if network in NETWORKS:
        make, norms, shape = NETWORKS[network]
        return make, norms, shape, ["nchw", "nhwc"] if len(shape) == 3 else [""], 0.9
    sizes = [int(size) for size in network.split("-")]
    return lambda norm: perceptron(sizes, nn.ReLU, norm), [None], (sizes[0],), [""], 0


def words(*parts):
    return ", ".join(filter(None, parts))


def training_step(model, loss, x, labels, momentum, fused):
    sgd = torch.optim.SGD(model.parameters(), lr=0.01, momentum=momentum, **({"fused": True} if fused else {}))

    def step():
        sgd.zero_grad(set_to_none=True)
        loss(x, labels).backward()
        sgd.step()
    return step


def ways_to_train(network, batch, bf16):
    make, norms, shape, layouts, momentum = find(network)
    for norm, layout, compiles in ((norm, layout, compiles) for norm in norms for layout in layouts
                                   for compiles in [False, True][:1 + COMPILES]):
        model = in_layout(make(norm), layout)
        x, labels = in_layout(torch.randn(batch, *shape), layout), torch.randint(0, 2, (batch,))
        loss = loss_function(model, bf16)
        loss = compiled(loss) if compiles else loss
        for fused in [False, True][:1 + has_fused_sgd()]:
            yield (words(layout, "compiled" if compiles else "", "fused SGD" if fused else "",
                         "new weight norm" if norm == "new wn" else ""),
                   training_step(model, loss, x, labels, momentum, fused))


def prediction_step(predict, x):
    def step():
        with torch.inference_mode():
            predict(x)
    return step


def ways_to_predict(network, batch, int8):
    make, norms, shape, layouts, _ = find(network)
    for layout in layouts:
        model = in_layout(make(norms[0]), layout).eval()
        if int8:
            model = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
        x = in_layout(torch.randn(batch, *shape), layout)
        yield layout, prediction_step(model, x)
        yield words(layout, "traced"), prediction_step(torch.jit.optimize_for_inference(torch.jit.trace(model, x)), x)
        if COMPILES and not int8:
            torch._inductor.config.freezing = True
            frozen = torch.compile(model, dynamic=False)

            def step(frozen=frozen, x=x):
                with torch.no_grad():
                    frozen(x)
            yield words(layout, "compiled"), step
            torch._inductor.config.freezing = False


def ways(what, network, batch):
    if what in ("train", "train_bf16"):
        return ways_to_train(network, batch, what == "train_bf16")
    return ways_to_predict(network, batch, what == "int8")


torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(0)
kept.serve(ways)
