"""Reference values for the losses that are made of other ops: a row each."""

import torch
import torch.nn.functional as F

from common import Golden, N, U, V

golden = Golden("losses", kind=torch.float64)
REDUCTIONS = ("mean", "sum", "none")


def signs(*shape):
    return lambda: torch.where(N(*shape)() > 0, 1.0, -1.0).double()


for reduction in REDUCTIONS:
    options = {"reduction": reduction}
    text = "reduction: " + reduction
    golden("l1/" + reduction, lambda x, t: F.l1_loss(x, t, **options), N(4, 5), N(4, 5), options="{%s}" % text)
    golden("smooth_l1/" + reduction, lambda x, t: F.smooth_l1_loss(x, t, **options), N(4, 5), N(4, 5),
           options="{%s}" % text)
    golden("bce_with_logits/" + reduction, lambda x, t: F.binary_cross_entropy_with_logits(x, t, **options),
           N(4, 5, scale=3), U(0, 1, 4, 5), options="{%s}" % text)
    golden("bce_with_logits/weighted_" + reduction,
           lambda x, t, w, p: F.binary_cross_entropy_with_logits(x, t, w, pos_weight=p, **options),
           N(4, 5), U(0, 1, 4, 5), U(0.5, 2, 4, 1), U(0.5, 3, 5), options="{%s}" % text, no_gin=(2, 3))
    golden("kl_div/" + reduction, lambda x, t: F.kl_div(x, t, **options), N(4, 5), U(0.01, 1, 4, 5),
           options="{%s}" % text)
    golden("hinge/" + reduction, lambda x, t: getattr((1 - x * t).clamp(min=0), reduction)()
           if reduction != "none" else (1 - x * t).clamp(min=0), N(4, 5), signs(4, 5),
           options="{%s}" % text, no_gin=(1,))
    golden("cosine_embedding/" + reduction,
           lambda a, b, t: F.cosine_embedding_loss(a, b, t, margin=-0.5, **options), N(6, 5), N(6, 5),
           signs(6), options="{margin: -0.5, %s}" % text, no_gin=(2,))
    golden("triplet/" + reduction, lambda a, p, n: F.triplet_margin_loss(a, p, n, **options), N(4, 5),
           N(4, 5), N(4, 5), options="{%s}" % text)

golden("smooth_l1/beta", lambda x, t: F.smooth_l1_loss(x, t, beta=0.3), N(4, 5), N(4, 5),
       options="{beta: 0.3}")
golden("bce_with_logits/far", F.binary_cross_entropy_with_logits, U(-200, 200, 30), U(0, 1, 30),
       second=False)
golden("bce_with_logits/ends", F.binary_cross_entropy_with_logits, V(-40.0, 40.0, 3.0, -3.0),
       V(0.0, 1.0, 1.0, 0.0), no_gin=(1,))
golden("kl_div/batchmean", lambda x, t: F.kl_div(x, t, reduction="batchmean"), N(4, 5), U(0.01, 1, 4, 5),
       options="{reduction: batchmean}")
golden("kl_div/log_target", lambda x, t: F.kl_div(x, t, log_target=True), N(4, 5), N(4, 5),
       options="{log_target: true}")
golden("kl_div/zeros", F.kl_div, N(4), V(0.0, 0.5, 0.0, 0.5), no_gin=(1,))
golden("cosine_embedding/margin", lambda a, b, t: F.cosine_embedding_loss(a, b, t, margin=0.2), N(6, 5),
       N(6, 5), signs(6), options="{margin: 0.2}", no_gin=(2,))
golden("triplet/swap", lambda a, p, n: F.triplet_margin_loss(a, p, n, swap=True), N(8, 5), N(8, 5), N(8, 5),
       options="{swap: true}")
golden("triplet/p", lambda a, p, n: F.triplet_margin_loss(a, p, n, margin=2, p=3, eps=1e-3), N(4, 5),
       N(4, 5), N(4, 5), options="{margin: 2, p: 3, eps: 1e-3}")
golden("triplet/p_1", lambda a, p, n: F.triplet_margin_loss(a, p, n, p=1), N(4, 5), N(4, 5), N(4, 5),
       options="{p: 1}")
golden.write()
