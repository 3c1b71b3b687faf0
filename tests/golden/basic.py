"""Reference values for elementwise ops, reductions and shape ops."""

import torch
import torch.nn.functional as F

from common import Golden, normal, seed, uniform

golden = Golden("basic")


def case(name, make, function, options=None, **more):
    """A case whose inputs do not change with the cases before it."""
    seed(name + " inputs")
    golden.case(name, make(), function, options, **more)


def arithmetic():
    shapes = {"same": ((4, 5), (4, 5)), "row": ((4, 5), (5,)), "column": ((4, 1), (2, 4, 5)),
              "scalar": ((3, 4), ()), "outer": ((3, 1), (1, 4))}
    ops = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div}
    for op, function in ops.items():
        for shape, (a, b) in shapes.items():
            case(op + "/" + shape,
                 lambda: [normal(*a), uniform(0.5, 2, *b) if op == "div" else normal(*b)], function)
    case("neg/plain", lambda: [normal(4, 5)], torch.neg)
    case("affine/plain", lambda: [normal(4, 5)], lambda x: -1.5 * x + 2, "{scale: -1.5, shift: 2}")


def functions():
    wide = lambda: [normal(5, 13, scale=3)]
    positive = lambda: [uniform(0.01, 10, 5, 13)]
    case("exp/plain", wide, torch.exp)
    case("log/plain", positive, torch.log)
    case("sqrt/plain", positive, torch.sqrt)
    case("square/plain", wide, torch.square)
    for exponent in (3, 2, 0.5, -1, 2.3):
        case("pow/%s" % exponent, positive, lambda x: x ** exponent, "{exponent: %s}" % exponent)
    case("pow/negative_base", wide, lambda x: x ** 3, "{exponent: 3}")
    case("relu/plain", wide, torch.relu)
    case("relu/at_0", lambda: [torch.tensor([-1.0, 0.0, 1.0, 0.0])], torch.relu)
    case("leaky_relu/plain", wide, F.leaky_relu)
    case("leaky_relu/steep", wide, lambda x: F.leaky_relu(x, 0.3), "{negative_slope: 0.3}")
    case("leaky_relu/at_0", lambda: [torch.tensor([-1.0, 0.0, 1.0])], F.leaky_relu)
    case("sigmoid/plain", wide, torch.sigmoid)
    case("sigmoid/far", lambda: [uniform(-60, 60, 40)], torch.sigmoid)
    case("tanh/plain", wide, torch.tanh)
    case("tanh/near_0", lambda: [normal(40, scale=1e-3)], torch.tanh)
    case("gelu/plain", wide, F.gelu)
    case("gelu/tail", lambda: [uniform(-6, -3, 40)], F.gelu)
    tanh = lambda x: F.gelu(x, approximate="tanh")
    case("gelu/tanh", wide, tanh, "{approximate: tanh}")


def reductions():
    for op, function in (("sum", torch.sum), ("mean", torch.mean), ("max", torch.amax)):
        x = lambda: [normal(3, 4, 5)]
        case(op + "/all", x, lambda x: function(x, dim=(0, 1, 2)))
        case(op + "/first", x, lambda x: function(x, dim=(0,)), "{axes: 0}")
        case(op + "/last", x, lambda x: function(x, dim=(-1,)), "{axes: -1}")
        case(op + "/middle_kept", x, lambda x: function(x, dim=(1,), keepdim=True),
             "{axes: [1], keepdims: true}")
        case(op + "/outer_two", x, lambda x: function(x, dim=(0, 2)), "{axes: [2, 0]}")
        case(op + "/long_rows", lambda: [normal(2, 700)], lambda x: function(x, dim=(1,)),
             "{axes: 1}")
        case(op + "/many_rows", lambda: [normal(700, 2)], lambda x: function(x, dim=(0,)),
             "{axes: 0}")
    # Ties share the gradient equally.
    case("max/ties", lambda: [torch.tensor([[1.0, 3, 3, 2], [5, 5, 5, 5], [0, -1, -2, -3]])],
         lambda x: torch.amax(x, dim=1), "{axes: 1}")
    case("sum_to/row", lambda: [normal(2, 3, 4)], lambda x: x.sum_to_size(4), "{shape: [4]}")
    case("sum_to/mixed", lambda: [normal(2, 3, 4)], lambda x: x.sum_to_size(2, 1, 4),
         "{shape: [2, 1, 4]}")
    case("broadcast_to/plain", lambda: [normal(3, 1)], lambda x: x.expand(2, 3, 4),
         "{shape: [2, 3, 4]}")


def shapes():
    x = lambda: [normal(3, 4, 5)]
    case("reshape/plain", x, lambda x: x.reshape(5, 12), "{shape: [5, 12]}")
    case("reshape/unknown", x, lambda x: x.reshape(2, -1, 3), "{shape: [2, -1, 3]}")
    case("permute/reverse", x, lambda x: x.permute(2, 1, 0))
    case("permute/channels_last", lambda: [normal(2, 3, 4, 5)], lambda x: x.permute(0, 2, 3, 1),
         "{axes: [0, 2, 3, 1]}")
    case("permute/large", lambda: [normal(35, 67)], lambda x: x.t(), second=False)
    case("slice/plain", x, lambda x: x[1:3, :2], "{start: [1, 0], stop: [3, 2]}")
    case("slice/steps", x, lambda x: x[:, 1::2, :-1:3],
         "{axes: [1, 2], start: [1, 0], stop: [99, -1], step: [2, 3]}")
    case("slice/backward", x, lambda x: x.flip(2)[:, :, ::2], "{axes: [-1], step: [-2]}")
    three = lambda: [normal(2, 3), normal(2, 1), normal(2, 4)]
    case("concat/last", three, lambda *x: torch.cat(x, -1), "{axis: -1}")
    case("concat/first", lambda: [normal(2, 3), normal(1, 3)], lambda *x: torch.cat(x))


arithmetic()
functions()
reductions()
shapes()
golden.write()
