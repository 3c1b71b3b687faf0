"""Reference values for ctc: the alpha recursion in PyTorch, whose derivatives of any order are those of log_probs
as they are. Each is compared with torch's ctc_loss here, in its value, and in its gradient behind log_softmax."""

import torch
import torch.nn.functional as F

from common import Golden, N

golden = Golden("ctc", kind=torch.float64)
INFINITY = float("inf")


def row(log_probs, labels, blank):
    """Minus the logarithm of the labels' probability: log_probs [steps, classes]."""
    path = [blank]
    for label in labels:
        path += [label, blank]
    alpha = [torch.zeros((), dtype=torch.float64) if i == 0 else None for i in range(len(path))]
    for step in log_probs:
        new = []
        for i, label in enumerate(path):
            ways = [alpha[k] for k in (i, i - 1) if k >= 0 and alpha[k] is not None]
            if i >= 2 and label != blank and label != path[i - 2] and alpha[i - 2] is not None:
                ways.append(alpha[i - 2])
            new.append(step[label] + torch.stack(ways).logsumexp(0) if ways else None)
        alpha = new
    ends = [a for a in alpha[-2:] if a is not None] if labels else [a for a in alpha if a is not None]
    return -torch.stack(ends).logsumexp(0) if ends else None


def ctc(blank, reduction, zero_infinity=False):
    def run(log_probs, targets, input_lengths=None, target_lengths=None):
        n, steps = log_probs.shape[:2]
        inputs = [steps] * n if input_lengths is None else input_lengths.tolist()
        counts = [targets.shape[1]] * n if target_lengths is None else target_lengths.tolist()
        losses = [row(log_probs[i, :inputs[i]], targets[i, :counts[i]].tolist(), blank) for i in range(n)]
        impossible = log_probs.sum() * 0 + (0 if zero_infinity else INFINITY)
        losses = torch.stack([impossible if x is None else x for x in losses])
        check(log_probs, targets, inputs, counts, blank, losses)
        if reduction == "none":
            return losses
        if reduction == "sum":
            return losses.sum()
        return (losses / torch.tensor([max(c, 1) for c in counts], dtype=torch.float64)).mean()
    return run


def check(log_probs, targets, inputs, counts, blank, losses):
    """That the recursion is PyTorch's."""
    x = log_probs.detach().clone().requires_grad_()
    y = F.ctc_loss(x.log_softmax(2).transpose(0, 1), targets.long(), torch.tensor(inputs), torch.tensor(counts),
                   blank=blank, reduction="none", zero_infinity=True)
    rows = [row(x.log_softmax(2)[i, :inputs[i]], targets[i, :counts[i]].tolist(), blank) for i in range(len(inputs))]
    ours = torch.stack([x.sum() * 0 if r is None else r for r in rows])
    assert torch.allclose(y, ours, rtol=1e-12, atol=1e-12), (y, ours)
    weights = torch.arange(1, len(inputs) + 1, dtype=torch.float64)
    a, = torch.autograd.grad((y * weights).sum(), x)
    b, = torch.autograd.grad((ours * weights).sum(), x)
    assert torch.allclose(a, b, rtol=1e-10, atol=1e-12)


def labels(*rows):
    return lambda: torch.tensor(rows)


for reduction in ("mean", "sum", "none"):
    golden("ctc/" + reduction, ctc(0, reduction), N(2, 5, 4), labels([1, 2], [3, 3]),
           options="{reduction: %s}" % reduction)
    golden("ctc/lengths_" + reduction, ctc(2, reduction), N(3, 6, 4), labels([1, 1, 3], [0, 9, 9], [3, 0, 9]),
           labels(6, 3, 5), labels(3, 1, 2), options="{blank: 2, reduction: %s}" % reduction)
golden("ctc/no_labels", ctc(0, "none"), N(2, 3, 3), labels([1, 2], [1, 2]), labels(3, 2), labels(0, 1),
       options="{reduction: none}")
golden("ctc/exactly_enough_steps", ctc(0, "none"), N(2, 3, 3), labels([1, 2, 1], [1, 1, 0]), labels(3, 3), labels(3, 2),
       options="{reduction: none}")
golden("ctc/zero_infinity", ctc(0, "mean", True), N(3, 3, 3), labels([1, 1], [1, 2], [2, 1]), labels(2, 3, 1),
       labels(2, 2, 2), options="{zero_infinity: true}")
golden("ctc/infinity", ctc(0, "none"), N(2, 3, 3), labels([1, 1], [1, 2]), labels(2, 3), labels(2, 2),
       options="{reduction: none}", no_gin=(0,))
golden("ctc/of_log_softmax", ctc(0, "mean"), lambda: N(2, 20, 6)().log_softmax(2), labels([1, 5, 5, 2], [4, 3, 2, 1]))
golden.write()
