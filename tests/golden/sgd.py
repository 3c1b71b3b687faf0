"""Reference values for SGD: PyTorch's torch.optim.SGD on fixed gradients, several steps.

Every variant starts from the same parameter and sees the same gradients, so that only the update is
compared. No dampening. The tensors, all f32:

    parameter               [2, 3]: before the first step
    gradients               [5, 2, 3]: that of step 0, 1, ...
    <variant>/parameters    [5, 2, 3]: after step 0, 1, ...
    <variant>/velocity      [5, 2, 3]: PyTorch's momentum buffer after each step; variants with
                            momentum only

Learning rates change from step to step: 0.1, 0.1, 0.05, 0.05, 0.01 (tensor rates, [5]). The
variants and their numbers, also as metadata "<variant>" = "{momentum: 0.9, ...}":

    plain                   no momentum, no decay
    decay                   weight decay 0.1
    momentum                momentum 0.9
    momentum_decay          momentum 0.9, weight decay 0.1
    nesterov                momentum 0.9, Nesterov
    nesterov_decay          momentum 0.8, Nesterov, weight decay 0.05

PyTorch's rule: g += decay * p; v = g at the first step, then momentum * v + g; with Nesterov
g += momentum * v, else g = v; p -= rate * g. The rate is not part of the velocity, so a changed rate
acts at once.
"""

import torch

from common import Golden, normal

RATES = [0.1, 0.1, 0.05, 0.05, 0.01]
VARIANTS = {
    "plain": {},
    "decay": {"weight_decay": 0.1},
    "momentum": {"momentum": 0.9},
    "momentum_decay": {"momentum": 0.9, "weight_decay": 0.1},
    "nesterov": {"momentum": 0.9, "nesterov": True},
    "nesterov_decay": {"momentum": 0.8, "nesterov": True, "weight_decay": 0.05},
}


def run(golden, name, options, start, gradients):
    parameter = start.clone().requires_grad_(True)
    optimizer = torch.optim.SGD([parameter], lr=RATES[0], **options)
    parameters, velocities = [], []
    for rate, gradient in zip(RATES, gradients):
        optimizer.param_groups[0]["lr"] = rate
        parameter.grad = gradient.clone()
        optimizer.step()
        parameters.append(parameter.detach().clone())
        if options.get("momentum"):
            velocities.append(optimizer.state[parameter]["momentum_buffer"].clone())
    golden.add(name + "/parameters", torch.stack(parameters))
    if velocities:
        golden.add(name + "/velocity", torch.stack(velocities))
    text = ", ".join("%s: %s" % (key, str(value).lower()) for key, value in options.items())
    golden.metadata[name] = "{%s}" % text


golden = Golden("sgd")
start, gradients = normal(2, 3), [normal(2, 3) for _ in RATES]
golden.add("parameter", start)
golden.add("gradients", torch.stack(gradients))
golden.add("rates", torch.tensor(RATES, dtype=torch.float64))
for name, options in VARIANTS.items():
    run(golden, name, options, start, gradients)
golden.write()
