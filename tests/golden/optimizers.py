"""Reference values for the optimizers but SGD: 20 steps on fixed gradients, in f64.

Every variant starts from the same parameter and sees the same gradients, so that only the update is
compared. The tensors, all f64:

    parameter               [2, 3]: before the first step
    gradients               [20, 2, 3]: that of step 0, 1, ...
    rates                   [20]: the learning rates as factors of the variant's own
    <variant>/parameters    [20, 2, 3]: after step 0, 1, ...

A variant is called "<optimizer>/<what it shows>"; its metadata are the options, "{rate: 0.01, amsgrad:
true}". Adam, AdamW, RMSprop and Adagrad are PyTorch's; Lion, LARS and LAMB, which it does not have,
are the papers' formulas, written out below.
"""

import torch

from common import Golden, normal

STEPS = 20
PYTORCH = {
    "adam/plain": (torch.optim.Adam, {"rate": 0.01}),
    "adam/decay": (torch.optim.Adam, {"rate": 0.1, "weight_decay": 0.1, "beta1": 0.5, "beta2": 0.9}),
    "adam/amsgrad": (torch.optim.Adam, {"rate": 0.02, "amsgrad": True, "eps": 1e-3, "beta2": 0.5}),
    "adamw/plain": (torch.optim.AdamW, {"rate": 0.01, "weight_decay": 0}),
    "adamw/decay": (torch.optim.AdamW, {"rate": 0.1, "weight_decay": 0.3}),
    "adamw/amsgrad": (torch.optim.AdamW, {"rate": 0.02, "amsgrad": True, "beta2": 0.5}),
    "rmsprop/plain": (torch.optim.RMSprop, {"rate": 0.01}),
    "rmsprop/decay": (torch.optim.RMSprop, {"rate": 0.03, "weight_decay": 0.1, "alpha": 0.8}),
    "rmsprop/momentum": (torch.optim.RMSprop, {"rate": 0.01, "momentum": 0.9, "eps": 1e-3}),
    "rmsprop/centered": (torch.optim.RMSprop, {"rate": 0.01, "centered": True, "alpha": 0.9}),
    "rmsprop/all": (torch.optim.RMSprop, {"rate": 0.01, "centered": True, "momentum": 0.5,
                                          "weight_decay": 0.2, "alpha": 0.9}),
    "adagrad/plain": (torch.optim.Adagrad, {"rate": 0.1}),
    "adagrad/decay": (torch.optim.Adagrad, {"rate": 0.1, "weight_decay": 0.1, "rate_decay": 0.3}),
    "adagrad/initial": (torch.optim.Adagrad, {"rate": 0.1, "initial": 0.5, "eps": 1e-2}),
}
# One iteration a step, on the gradient that stands there.
LBFGS = {
    "lbfgs/plain": {"rate": 0.1},
    "lbfgs/short": {"rate": 0.3, "history_size": 2},
    "lbfgs/tolerances": {"rate": 0.2, "history_size": 100, "tolerance_grad": 0.9, "tolerance_change": 2.0},
}
THEIRS = {"rate": "lr", "rate_decay": "lr_decay", "initial": "initial_accumulator_value"}


def lion(w, m, v, g, t, rate, weight_decay=0.0, beta1=0.9, beta2=0.99):
    w -= rate * weight_decay * w + rate * torch.sign(beta1 * m + (1 - beta1) * g)
    m.copy_(beta2 * m + (1 - beta2) * g)


def lars(w, m, v, g, t, rate, weight_decay=0.0, momentum=0.9, coefficient=1e-3):
    trust = coefficient * w.norm() / (g.norm() + weight_decay * w.norm())
    m.copy_(momentum * m + trust * (g + weight_decay * w))
    w -= rate * m


def lamb(w, m, v, g, t, rate, weight_decay=0.0, beta1=0.9, beta2=0.999, eps=1e-6):
    m.copy_(beta1 * m + (1 - beta1) * g)
    v.copy_(beta2 * v + (1 - beta2) * g * g)
    r = m / (1 - beta1 ** t) / ((v / (1 - beta2 ** t)).sqrt() + eps) + weight_decay * w
    w -= rate * w.norm() / r.norm() * r


PAPERS = {
    "lion/plain": (lion, {"rate": 0.01}),
    "lion/decay": (lion, {"rate": 0.03, "weight_decay": 0.5, "beta1": 0.5, "beta2": 0.8}),
    "lars/plain": (lars, {"rate": 2.0}),
    "lars/decay": (lars, {"rate": 2.0, "weight_decay": 0.1, "momentum": 0.5, "coefficient": 0.02}),
    "lamb/plain": (lamb, {"rate": 0.01}),
    "lamb/decay": (lamb, {"rate": 0.1, "weight_decay": 0.3, "beta2": 0.9}),
}


def by_pytorch(kind, options, start, gradients, rates):
    parameter = start.clone().requires_grad_(True)
    theirs = {THEIRS.get(key, key): value for key, value in options.items()}
    if "beta1" in theirs or "beta2" in theirs:
        theirs["betas"] = (theirs.pop("beta1", 0.9), theirs.pop("beta2", 0.999))
    optimizer = kind([parameter], **theirs)
    for gradient, rate in zip(gradients, rates):
        optimizer.param_groups[0]["lr"] = rate * options["rate"]
        parameter.grad = gradient.clone()
        optimizer.step()
        yield parameter.detach().clone()


def by_formula(step, options, start, gradients, rates):
    w, m, v = start.clone(), torch.zeros_like(start), torch.zeros_like(start)
    for t, (gradient, rate) in enumerate(zip(gradients, rates), 1):
        step(w, m, v, gradient, t, **dict(options, rate=rate * options["rate"]))
        yield w.clone()


def by_lbfgs(options, start, gradients, rates):
    parameter = start.clone().requires_grad_(True)
    theirs = dict({"history_size": 10}, **{THEIRS.get(key, key): value for key, value in options.items()})
    optimizer = torch.optim.LBFGS([parameter], max_iter=1, **theirs)
    for gradient, rate in zip(gradients, rates):
        optimizer.param_groups[0]["lr"] = rate * options["rate"]
        parameter.grad = gradient.clone()
        optimizer.step(lambda: torch.zeros(()))
        yield parameter.detach().clone()


golden = Golden("optimizers")
start, gradients = normal(2, 3), [normal(2, 3) for _ in range(STEPS)]
rates = [1.0] * 8 + [0.5] * 8 + [0.1] * 4
golden.add("parameter", start, torch.float64)
golden.add("gradients", torch.stack(gradients), torch.float64)
golden.add("rates", torch.tensor(rates, dtype=torch.float64), torch.float64)
for variants, run in ((PYTORCH, by_pytorch), (PAPERS, by_formula)):
    for name, (kind, options) in variants.items():
        results = torch.stack(list(run(kind, options, start, gradients, rates)))
        golden.add(name + "/parameters", results, torch.float64)
        text = ", ".join("%s: %s" % (key, str(value).lower()) for key, value in options.items())
        golden.metadata[name] = "{%s}" % text
for name, options in LBFGS.items():
    golden.add(name + "/parameters", torch.stack(list(by_lbfgs(options, start, gradients, rates))), torch.float64)
    golden.metadata[name] = "{%s}" % ", ".join("%s: %s" % pair for pair in options.items())
golden.write()
