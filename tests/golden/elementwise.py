"""Reference values for elementwise ops: a row each. What differs from PyTorch's values by a number
(masks of 1 and 0 for true and false) is converted here."""

import torch
import torch.nn.functional as F

from common import Golden, N, U, V

golden = Golden("elementwise", kind=torch.float64)
inf, nan = float("inf"), float("nan")


def hard_sigmoid(x):
    """F.hardsigmoid() has 1/6 as f32 in its gradient, also in f64, and no second order."""
    return F.relu6(x + 3) / 6


# Functions of one number, where they are smooth: a large range, a shape of rank 3, one number.
ANYWHERE = {
    "expm1": torch.expm1, "sin": torch.sin, "cos": torch.cos, "erf": torch.erf, "abs": torch.abs,
    "elu": F.elu, "selu": F.selu, "celu": F.celu, "silu": F.silu, "mish": F.mish,
    "softplus": F.softplus, "hard_swish": F.hardswish, "hard_sigmoid": hard_sigmoid,
    "leaky_relu": F.leaky_relu, "gelu": F.gelu,
}
ABOVE_0 = {"log1p": torch.log1p, "rsqrt": torch.rsqrt, "reciprocal": torch.reciprocal}
for op, function in ANYWHERE.items():
    golden(op + "/wide", function, N(4, 9, scale=3))
    golden(op + "/near_0", function, U(-0.01, 0.01, 20))
    golden(op + "/rank_3", function, N(2, 3, 4))
    golden(op + "/rank_0", function, N())
for op, function in ABOVE_0.items():
    golden(op + "/wide", function, U(0.01, 10, 4, 9))
    golden(op + "/rank_3", function, U(0.5, 2, 2, 3, 4))
    golden(op + "/rank_0", function, U(0.5, 2))
golden("log1p/near_0", torch.log1p, U(-0.01, 0.01, 20))
golden("log1p/below_0", torch.log1p, U(-0.99, -0.5, 20))
golden("expm1/far", torch.expm1, U(-40, 40, 30))
golden("erf/far", torch.erf, U(-5, 5, 30))
golden("reciprocal/below_0", torch.reciprocal, U(-10, -0.01, 20))
golden("sin/far", torch.sin, U(-1000, 1000, 30))
golden("cos/far", torch.cos, U(-1000, 1000, 30))

# Options that are not the defaults.
golden("elu/alpha", lambda x: F.elu(x, 0.3), N(4, 9, scale=3), options="{alpha: 0.3}")
golden("elu/negative_alpha", lambda x: F.elu(x, -1.5), N(4, 9), options="{alpha: -1.5}")
# F.celu() rounds 1 / alpha to f32, also in f64.
golden("celu/alpha", lambda x: torch.where(x > 0, x, 0.3 * torch.expm1(x / 0.3)), N(4, 9, scale=3),
       options="{alpha: 0.3}")
golden("celu/large_alpha", lambda x: F.celu(x, 4.0), N(4, 9, scale=3), options="{alpha: 4}")
golden("softplus/beta", lambda x: F.softplus(x, 2), N(4, 9, scale=3), options="{beta: 2}")
golden("softplus/threshold", lambda x: F.softplus(x, 1, 1), N(4, 9, scale=3), options="{threshold: 1}")
golden("softplus/both", lambda x: F.softplus(x, 0.5, 2), N(4, 9, scale=5),
       options="{beta: 0.5, threshold: 2}")
golden("softplus/far", F.softplus, U(-60, 60, 40), second=False)
golden("silu/far", F.silu, U(-60, 60, 40), second=False)
golden("mish/far", F.mish, U(-60, 60, 40), second=False)
golden("elu/far", F.elu, U(-60, 60, 40), second=False)
golden("hard_sigmoid/options", lambda x: (0.2 * x + 0.4).clamp(0, 1), N(4, 9, scale=3),
       options="{alpha: 0.2, beta: 0.4}")
golden("leaky_relu/slope", lambda x: F.leaky_relu(x, -0.4), N(4, 9), options="{negative_slope: -0.4}")
golden("gelu/tanh", lambda x: F.gelu(x, approximate="tanh"), N(4, 9, scale=3),
       options="{approximate: tanh}")
golden("clamp/both", lambda x: x.clamp(-1, 0.5), N(4, 9), options="{min: -1, max: 0.5}")
golden("clamp/min", lambda x: x.clamp(min=0.1), N(4, 9), options="{min: 0.1}")
golden("clamp/max", lambda x: x.clamp(max=0.1), N(2, 3, 4), options="{max: 0.1}")
golden("clamp/crossed", lambda x: x.clamp(1, -1), N(4, 9), options="{min: 1, max: -1}")

# Two numbers, with broadcasting.
SHAPES = {"same": ((4, 5), (4, 5)), "row": ((4, 5), (5,)), "column": ((4, 1), (2, 4, 5)),
          "scalar": ((3, 4), ()), "outer": ((3, 1), (1, 4)), "rank_0": ((), ())}
for shape, (a, b) in SHAPES.items():
    golden("maximum/" + shape, torch.maximum, N(*a), N(*b))
    golden("minimum/" + shape, torch.minimum, N(*a), N(*b))
    golden("pow/tensor_" + shape, torch.pow, U(0.1, 4, *a), N(*b, scale=2))
    golden("where/" + shape, lambda c, x, y: torch.where(c != 0, x, y), lambda: (N(*a)() > 0).int(), N(*a),
           N(*b))
for op in ("equal", "not_equal", "less", "less_or_equal", "greater", "greater_or_equal"):
    function = getattr(torch, {"equal": "eq", "not_equal": "ne", "less_or_equal": "less_equal",
                               "greater_or_equal": "greater_equal"}.get(op, op))
    golden(op + "/values", lambda a, b: function(a, b).double(), V(1.0, 2.0, nan, -0.0, inf, nan, -inf),
           V(1.0, 1.0, 1.0, 0.0, inf, nan, inf), no_gin=(0, 1))
    golden(op + "/broadcast", lambda a, b: function(a, b).double(), N(3, 1), N(2, 1, 4), no_gin=(0, 1))
golden("prelu/channels", lambda x, w: F.prelu(x.movedim(-1, 1), w).movedim(1, -1), N(2, 3, 4, 5), N(5))
golden("prelu/one", F.prelu, N(4, 9), N(1))
for exponent in (3, 2, 0.5, -1, 2.3, 0, 1, -2.5):
    golden("pow/%s" % exponent, lambda x: x ** exponent, U(0.01, 4, 4, 9),
           options="{exponent: %s}" % exponent)
golden("pow/whole_of_negative", torch.pow, V(-1.5, -0.5, -2.0, 3.0), V(3.0, 2.0, -1.0, 4.0), second=False)

# Steps.
STEPS = V(nan, -2.5, -1.5, -0.5, -0.0, 0.0, 0.5, 1.5, 2.5, 0.49999997, 1e10, -1e30, inf, -inf, 3.2, -3.7)
for op in ("floor", "ceil", "round", "sign"):
    golden(op + "/values", getattr(torch, op), STEPS, no_gin=(0,))
golden("isnan/values", lambda x: torch.isnan(x).double(), V(nan, 1.0, inf, -inf, 0.0), no_gin=(0,))

# Kinks, ties and ends, values and first order.
for op, function in {"elu": F.elu, "selu": F.selu, "celu": F.celu, "abs": torch.abs, "relu": F.relu,
                     "leaky_relu": F.leaky_relu, "hard_swish": F.hardswish, "hard_sigmoid": hard_sigmoid,
                     "softplus": F.softplus}.items():
    golden(op + "/kinks", function, V(-3.0, 0.0, 3.0, 20.0, -20.0, 1.0, -1.0), second=False)
golden("clamp/kinks", lambda x: x.clamp(-1, 2), V(-1.0, 2.0, 0.0, -3.0, 3.0), options="{min: -1, max: 2}",
       second=False)
golden("maximum/ties", torch.maximum, V(1.0, 2.0, 3.0, 0.0), V(1.0, 3.0, 2.0, 0.0), second=False)
golden("minimum/ties", torch.minimum, V(1.0, 2.0, 3.0, 0.0), V(1.0, 3.0, 2.0, 0.0), second=False)
golden("pow/zero_base", torch.pow, V(0.0, 0.0, 0.0, 2.0), V(2.0, 1.0, 0.0, 0.0), second=False)
golden("prelu/kink", F.prelu, V(0.0, -1.0, 1.0, 0.0), V(0.25), second=False)
golden.write()
