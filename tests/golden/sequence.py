"""Reference values for ops of sequences: attention, lstm and gru; and for products with vectors."""

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from common import Golden, I, N

golden = Golden("sequence", kind=torch.float64)


# ---- Attention ----

def attention(**options):
    def function(q, k, v, mask=None):
        allowed = mask if mask is None or mask.is_floating_point() else mask != 0
        with sdpa_kernel(SDPBackend.MATH):  # the one that has second derivatives
            return F.scaled_dot_product_attention(q, k, v, allowed, **options)
    return function


def hiding(*rows):
    return lambda: torch.tensor(rows)


def unseen():
    """A mask that is added, under which a query sees nothing."""
    mask = torch.zeros(3, 4, dtype=torch.float64)
    mask[1] = -float("inf")
    mask[2, :2] = -float("inf")
    return mask


name = "scaled_dot_product_attention/"
qkv = N(2, 3, 4), N(2, 5, 4), N(2, 5, 3)
golden(name + "plain", attention(), *qkv)
golden(name + "matrices", attention(), N(3, 2), N(4, 2), N(4, 5))
golden(name + "heads", attention(), N(2, 2, 3, 4), N(2, 2, 3, 4), N(2, 2, 3, 4))
golden(name + "scale", attention(scale=0.3), *qkv, options="{scale: 0.3}")
golden(name + "scale_0", attention(scale=0.0), *qkv, options="{scale: 0}")
golden(name + "causal", attention(is_causal=True), N(2, 4, 3), N(2, 4, 3), N(2, 4, 2), options="{is_causal: true}")
golden(name + "causal_more_keys", attention(is_causal=True), *qkv, options="{is_causal: true}")
golden(name + "causal_fewer_keys", attention(is_causal=True), N(2, 5, 3), N(2, 2, 3), N(2, 2, 2),
       options="{is_causal: true}")
golden(name + "causal_one_query", attention(is_causal=True), N(1, 3), N(4, 3), N(4, 2), options="{is_causal: true}")
golden(name + "causal_scale", attention(is_causal=True, scale=0.9), N(2, 4, 3), N(2, 4, 3), N(2, 4, 2),
       options="{is_causal: true, scale: 0.9}")
golden(name + "added", attention(), *qkv, N(3, 5))
golden(name + "added_each", attention(), *qkv, N(2, 3, 5))
golden(name + "added_infinite", attention(), N(2, 3, 2), N(2, 4, 2), N(2, 4, 2), unseen, no_gin=(3,))
golden(name + "hidden", attention(), *qkv, hiding([1, 1, 0, 0, 1], [0, 0, 0, 0, 1], [1, 1, 1, 1, 1]))
golden(name + "hidden_wholly", attention(), *qkv, hiding([1, 1, 0, 0, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]))
golden(name + "hidden_keys", attention(), *qkv, lambda: torch.tensor([[[1, 1, 0, 0, 1]], [[1, 0, 0, 0, 0]]]))
golden(name + "one_key", attention(), N(2, 3, 4), N(2, 1, 4), N(2, 1, 4))


# ---- lstm, gru ----

def recurrent(kind, reverse=False, lengths=None):
    """torch.nn's module with the weights as arguments; both ways in one module, of which one is taken."""
    def function(x, w_ih, w_hh, b_ih=None, b_hh=None, *state):
        hidden = w_hh.shape[1]
        if b_ih is None:
            b_ih = torch.zeros(w_hh.shape[0], dtype=torch.float64)
        if b_hh is None:
            b_hh = torch.zeros(w_hh.shape[0], dtype=torch.float64)
        state = [s for s in state[:2 if kind == "lstm" else 1]]
        state = [torch.zeros(x.shape[0], hidden, dtype=torch.float64) if s is None else s for s in state]
        while len(state) < (2 if kind == "lstm" else 1):
            state.append(torch.zeros(x.shape[0], hidden, dtype=torch.float64))
        outputs, ends = [], []
        for i in range(x.shape[0]):  # a sequence by itself, as long as it is
            length = x.shape[1] if lengths is None else lengths[i]
            part = x[i:i + 1, :length].flip(1) if reverse else x[i:i + 1, :length]
            start = [s[None, i:i + 1].contiguous() for s in state]
            module = torch.nn.LSTM if kind == "lstm" else torch.nn.GRU
            net = module(x.shape[2], hidden, batch_first=True).double()
            values = {"weight_ih_l0": w_ih, "weight_hh_l0": w_hh, "bias_ih_l0": b_ih, "bias_hh_l0": b_hh}
            given = tuple(start) if kind == "lstm" else start[0]
            y, end = torch.func.functional_call(net, values, (part, given))
            y = y.flip(1) if reverse else y
            outputs.append(F.pad(y, (0, 0, 0, x.shape[1] - length)))
            ends.append([e[0] for e in (end if kind == "lstm" else (end,))])
        return [torch.cat(outputs)] + [torch.cat(e) for e in zip(*ends)]
    return function


def case(kind, name, n, steps, channels, hidden, bias=True, state=False, lengths=None, reverse=False):
    gates = 4 if kind == "lstm" else 3
    inputs = [N(n, steps, channels), N(gates * hidden, channels), N(gates * hidden, hidden)]
    inputs += [N(gates * hidden), N(gates * hidden)] if bias else [None, None]
    states = 2 if kind == "lstm" else 1
    inputs += [N(n, hidden)] * states if state else [None] * states
    inputs += [lambda: torch.tensor(lengths)] if lengths else []
    golden("%s/%s" % (kind, name), recurrent(kind, reverse, lengths), *inputs,
           options="{reverse: true}" if reverse else None)


for kind in ("lstm", "gru"):
    case(kind, "plain", 2, 3, 2, 3)
    case(kind, "one_step", 2, 1, 2, 3)
    case(kind, "no_bias", 2, 3, 2, 2, bias=False)
    case(kind, "state", 2, 4, 2, 2, state=True)
    case(kind, "reverse", 2, 5, 2, 2, reverse=True)
    case(kind, "reverse_state", 2, 3, 1, 2, state=True, reverse=True)
    case(kind, "lengths", 3, 4, 2, 2, lengths=[4, 1, 3])
    case(kind, "lengths_state", 3, 4, 2, 2, state=True, lengths=[2, 4, 1])
    case(kind, "lengths_reverse", 3, 5, 2, 2, state=True, lengths=[2, 5, 3], reverse=True)
    case(kind, "one_channel", 1, 7, 1, 1)

# ---- Products with vectors, and elements of single numbers ----
golden("matmul/two_vectors", torch.matmul, N(4), N(4))
golden("matmul/vector_and_matrix", torch.matmul, N(4), N(4, 3))
golden("matmul/matrix_and_vector", torch.matmul, N(3, 4), N(4))
golden("matmul/vector_and_batch", torch.matmul, N(4), N(2, 1, 4, 3))
golden("matmul/batch_and_vector", torch.matmul, N(2, 1, 3, 4), N(4))
golden("matmul/one_number_each", torch.matmul, N(1), N(1))
golden("matmul/no_rows", torch.matmul, N(0, 4), N(4))
golden("matmul/of_nothing", torch.matmul, N(3, 0), N(0))
golden("matmul/transposed_and_vector", lambda a, b: a.mT @ b, N(2, 4, 3), N(4), options="{transpose_a: true}")
golden("matmul/vector_and_transposed", lambda a, b: a @ b.mT, N(4), N(2, 3, 4), options="{transpose_b: true}")
zero = lambda *shape: lambda: torch.zeros(shape, dtype=torch.int64)
golden("gather/number", lambda x, i: x.gather(0, i), N(), zero())
golden("gather/number_twice", lambda x, i: x.gather(-1, i), N(), zero(2), options="{axis: -1}")
golden("gather/one_of_a_vector", lambda x, i: x.gather(0, i), N(3), lambda: torch.tensor(2))
golden("index_select/number_by_number", lambda x, i: x.index_select(0, i), N(), zero())
golden("index_select/number", lambda x, i: x.index_select(0, i), N(), zero(1))
golden("scatter_add/number", lambda x, i, s: x.scatter_add(0, i, s), N(), zero(), N())
golden("scatter_add/number_twice", lambda x, i, s: x.scatter_add(0, i, s), N(), zero(2), N(2))
golden("scatter_add/one_of_a_vector", lambda x, i, s: x.scatter_add(0, i, s), N(3), lambda: torch.tensor(2), N())
golden("sequence_mask/rows", lambda n: (torch.arange(4)[None] < n[:, None]).double(), I(5, 6), options="{steps: 4}")


def self_attention(heads, causal=False, bias=True):
    """nn.MultiheadAttention of x with itself; steps behind a length are 0."""
    def run(x, w_in, *rest):
        b_in, w_out, b_out = rest[:3] if bias else (None, rest[0], None)
        lengths = rest[3] if len(rest) > 3 else None
        steps, embed = x.shape[1], x.shape[2]
        hidden = None if lengths is None else torch.arange(steps)[None] >= lengths[:, None]
        later = torch.ones(steps, steps).triu(1).bool() if causal else None
        t = x.transpose(0, 1)
        y, _ = F.multi_head_attention_forward(
            t, t, t, embed, heads, w_in, b_in, None, None, False, 0.0, w_out, b_out, training=False,
            key_padding_mask=hidden, need_weights=True, attn_mask=later)
        y = y.transpose(0, 1)
        return y if hidden is None else y.masked_fill(hidden[..., None], 0)
    return run


for heads in (1, 2, 4):
    golden("self_attention/heads_%d" % heads, self_attention(heads), N(2, 3, 4), N(12, 4), N(12), N(4, 4), N(4),
           options="{heads: %d}" % heads)
golden("self_attention/causal", self_attention(2, True), N(2, 4, 4), N(12, 4), N(12), N(4, 4), N(4),
       options="{heads: 2, is_causal: true}")
for causal in (False, True):
    golden("self_attention/lengths" + "_causal" * causal, self_attention(2, causal), N(3, 4, 4), N(12, 4), N(12), N(4, 4),
           N(4), lambda: torch.tensor([2, 4, 1]), options="{heads: 2, is_causal: %s}" % str(causal).lower())
golden("self_attention/one_step", self_attention(2), N(2, 1, 2), N(6, 2), N(6), N(2, 2), N(2), options="{heads: 2}")
golden("attention_weights/causal", lambda q, k: (q @ k.mT / 2).masked_fill(
    torch.ones(3, 3).triu(1).bool(), -float("inf")).softmax(-1), N(2, 3, 4), N(2, 3, 4), options="{is_causal: true}")
golden("to_index/plain", lambda x: x.int(), lambda: torch.tensor([[3.0, -2], [0, 7]], dtype=torch.float64), no_gin=(0,))
golden.write()
