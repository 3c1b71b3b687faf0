"""Reference values for what the catalogue has beside: rows of tables with padding, nll, local response norm."""

import torch
import torch.nn.functional as F

from common import Golden, I, N, U

golden = Golden("catalogue", kind=torch.float64)

for padding in (0, 2, -1):
    golden("embedding/padding_%d" % padding, lambda i, w: F.embedding(i, w, padding_idx=padding), I(4, 5, 3), N(4, 2),
           options="{padding_idx: %d}" % padding)
golden("embedding/plain", F.embedding, I(4, 2, 3), N(4, 2))
golden("embedding/one", F.embedding, I(4), N(4, 2))


def nll(**options):
    """PyTorch's classes stand second."""
    return lambda x, t, w=None: F.nll_loss(x.movedim(-1, 1) if x.dim() > 1 else x, t.long(), w, **options)


for reduction in ("mean", "sum", "none"):
    text = "reduction: " + reduction
    golden("nll/" + reduction, nll(reduction=reduction), N(5, 4), I(4, 5), options="{%s}" % text)
    golden("nll/axes_" + reduction, nll(reduction=reduction), N(2, 3, 4), I(4, 2, 3), options="{%s}" % text)
    golden("nll/weighted_" + reduction, nll(reduction=reduction), N(5, 4), I(4, 5), U(0.5, 2, 4), no_gin=(2,),
           options="{%s}" % text)
    golden("nll/ignored_" + reduction, nll(reduction=reduction, ignore_index=1), N(9, 3), I(3, 9), no_gin=(),
           options="{ignore_index: 1, %s}" % text)
    golden("nll/ignored_weighted_" + reduction, nll(reduction=reduction, ignore_index=2), N(9, 3), I(3, 9),
           U(0.5, 2, 3), no_gin=(2,), options="{ignore_index: 2, %s}" % text)
golden("nll/of_log_softmax", lambda x, t: F.nll_loss(x, t.long()), lambda: N(4, 3)().log_softmax(1), I(3, 4))
golden("nll/one_row", nll(), N(4), I(4))


def response(size, **options):
    return lambda x: F.local_response_norm(x.movedim(-1, 1), size, **options).movedim(1, -1)


for size in (1, 2, 3, 4, 5, 8):
    golden("local_response_norm/size_%d" % size, response(size), N(2, 3, 6), options="{size: %d}" % size)
    golden("local_response_norm/strong_%d" % size, response(size, alpha=0.7, beta=0.4, k=0.5), N(2, 3, 6),
           options="{size: %d, alpha: 0.7, beta: 0.4, k: 0.5}" % size)
golden("local_response_norm/images", response(3, alpha=1.0), N(2, 2, 3, 4), options="{size: 3, alpha: 1}")
golden("local_response_norm/one_channel", response(3, alpha=1.0, k=2.0), N(2, 4, 1),
       options="{size: 3, alpha: 1, k: 2}")
golden("local_response_norm/power_2", response(2, alpha=1.0, beta=2.0), N(2, 2, 4),
       options="{size: 2, alpha: 1, beta: 2}")
golden("local_response_norm/power_0", response(2, alpha=1.0, beta=0.0), N(2, 2, 4),
       options="{size: 2, alpha: 1, beta: 0}")


def weighted(axes, affine=True):
    """The formula, with statistics of what has weight."""
    def run(x, *rest):
        scale, shift, w = rest if affine else (1, 0, rest[0])
        w = w.expand_as(x) / w.expand_as(x).sum(axes, keepdim=True)
        mean = (w * x).sum(axes, keepdim=True)
        var = (w * (x - mean) ** 2).sum(axes, keepdim=True)
        return scale * (x - mean) / (var + 1e-5).sqrt() + shift
    return run


steps = lambda: torch.tensor([1, 1, 1, 0, 1, 1, 1, 1.0], dtype=torch.float64).reshape(2, 4, 1)
golden("layer_norm/weighted", weighted((-1,)), N(3, 4), N(4), N(4), U(0, 1, 3, 4), no_gin=(3,))
golden("instance_norm/weighted", weighted((1,)), N(2, 4, 3), N(3), N(3), steps, no_gin=(3,))
golden("instance_norm/weighted_like_parts", lambda x, scale, shift, w: torch.cat([torch.cat([
    F.instance_norm(x[:1, :3].mT, None, None, scale, shift).mT,
    ((x[:1, 3:] - x[:1, :3].mean(1, True)) / (x[:1, :3].var(1, correction=0, keepdim=True) + 1e-5).sqrt()) * scale + shift],
    1), F.instance_norm(x[1:].mT, None, None, scale, shift).mT]), N(2, 4, 3), N(3), N(3), steps, no_gin=(3,))
golden("sequence_lengths/rows", lambda x: torch.tensor([2, 0, 3]),
       lambda: torch.tensor([[1, 2, 0], [0, 0, 0], [0, 0, 0.5]], dtype=torch.float64), no_gin=(0,))
golden.write()
