"""Reference values for the ops, computed by PyTorch (Debian's python3-torch).

A script beside this one lists cases; running it writes a file of the same name:

    golden = Golden("basic")
    golden.case("sigmoid/plain", [normal(3, 5)], torch.sigmoid)
    golden.case("softmax/axis_0", [normal(3, 5)], lambda x: x.softmax(0), "{axis: 0}")
    golden.write()

    /usr/bin/python3 tests/golden/basic.py      writes tests/golden/basic.safetensors

tests/ops/test_golden.c walks the file: it calls the op by name with the option text, in f32, and
compares what it finds under these names (a case is called "<op>/<what it shows>"); a file of f64 is
called in f64:

    <case>/in0, in1, ...       the inputs, f32 or i32; a missing number is an absent optional input
    <case>/out0, out1, ...     the op's outputs; a missing number is not compared
    <case>/gout0, ...          random output gradients; a missing number is zero
    <case>/gin0, ...           the gradients of sum_j <gout_j, out_j> in the inputs; only the inputs
                               that have one require a gradient
    <case>/v0, ...             second order: random weights of the gradients, and the
    <case>/second_in0, ...     gradients of sum_i <v_i, gin_i> in the inputs
    <case>/second_gout0, ...   and in the output gradients
    metadata "<case>/options"  the option text; missing: the defaults

The values are computed in double precision from inputs that were rounded to f32, so that they are
exact to the last bit stored. Two numbers agree if they differ by at most 1e-5 of the reference plus
1e-6 of the largest element of the tensor. A file of kind f64 may be tried in both types; in f64 they
agree within 1e-12 of either. Every case draws its random numbers from a generator
seeded by its name: a new case leaves the others as they were.
"""

import json
import os
import struct
import zlib

import torch

INPUTS = torch.Generator()
TYPES = {torch.float64: "F64", torch.float32: "F32", torch.int32: "I32"}


def _rounded(x):
    return x.float().double()


def seed(name):
    """Seeds the generator of normal() and uniform(); case() does it for its own random numbers."""
    INPUTS.manual_seed(zlib.crc32(name.encode()))


def normal(*shape, scale=1.0, shift=0.0):
    return _rounded(torch.randn(shape, generator=INPUTS, dtype=torch.float64) * scale + shift)


def uniform(low, high, *shape):
    x = torch.rand(shape, generator=INPUTS, dtype=torch.float64)
    return _rounded(low + (high - low) * x)


# ---- Inputs as a case of one line has them: made when the case is, from a generator of its own ----

def N(*shape, scale=1.0, shift=0.0):
    return lambda: normal(*shape, scale=scale, shift=shift)


def U(low, high, *shape):
    return lambda: uniform(low, high, *shape)


def I(below, *shape):
    return lambda: integers(below, *shape)


def V(*values):
    return lambda: torch.tensor(values, dtype=torch.float64)


def integers(below, *shape):
    return torch.randint(0, below, shape, generator=INPUTS)


def _is_float(x):
    return x is not None and x.is_floating_point()


def _gradients(outputs, weights, inputs, create_graph=False):
    pairs = [(y, w) for y, w in zip(outputs, weights) if w is not None and y.requires_grad]
    if not pairs:
        return [torch.zeros_like(x) for x in inputs]
    grads = torch.autograd.grad([y for y, _ in pairs], inputs, [w for _, w in pairs],
                                create_graph=create_graph, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for g, x in zip(grads, inputs)]


class Golden:
    def __init__(self, name, kind=torch.float32):
        self.kind = kind
        self.path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".safetensors")
        self.tensors = {}
        self.metadata = {}
        seed(name)

    def add(self, name, tensor, real=None):
        """Adds a tensor of its own, of type `real` (the file's, unless it is given) or i32."""
        assert name not in self.tensors, name
        kind = (real or self.kind) if tensor.is_floating_point() else torch.int32
        self.tensors[name] = tensor.detach().to(kind).contiguous()

    def __call__(self, name, function, *inputs, options=None, **more):
        """A case of one line: golden("softplus/beta", lambda x: F.softplus(x, 2), N(5, 13),
        options="{beta: 2}"). Inputs: N(), U(), I(), V() or None."""
        seed(name + " inputs")
        self.case(name, [x and x() for x in inputs], function, options, **more)

    def case(self, name, inputs, function, options=None, no_gin=(), no_gout=(), second=True):
        """Adds a case: `function` takes the inputs (None: absent) and returns the outputs (None:
        not compared). `no_gin`, `no_gout`: numbers of inputs and outputs without a gradient."""
        random = torch.Generator().manual_seed(zlib.crc32(name.encode()))

        def like(x):
            return _rounded(torch.randn(x.shape, generator=random, dtype=torch.float64))

        inputs = [_rounded(x).clone() if _is_float(x) else x for x in inputs]
        smooth = [i for i, x in enumerate(inputs) if _is_float(x) and i not in no_gin]
        for i in smooth:
            inputs[i].requires_grad_(True)
        outputs = function(*inputs)
        outputs = list(outputs) if isinstance(outputs, (tuple, list)) else [outputs]
        weights = [like(y).requires_grad_(True) if _is_float(y) and j not in no_gout else None
                   for j, y in enumerate(outputs)]
        self._add_all(name, "in", inputs)
        self._add_all(name, "out", outputs)
        if options is not None:
            self.metadata[name + "/options"] = options
        if smooth and any(w is not None for w in weights):
            self._add_gradients(name, inputs, smooth, outputs, weights, like, second)

    def _add_gradients(self, name, inputs, smooth, outputs, weights, like, second):
        at = [inputs[i] for i in smooth]
        first = _gradients(outputs, weights, at, create_graph=second)
        self._add_all(name, "gout", weights)
        self._add_all(name, "gin", first, smooth)
        if not second:
            return
        again = [like(x) for x in at]
        weighted = [j for j, w in enumerate(weights) if w is not None]
        variables = at + [weights[j] for j in weighted]
        result = _gradients(first, again, variables)
        self._add_all(name, "v", again, smooth)
        self._add_all(name, "second_in", result[:len(at)], smooth)
        self._add_all(name, "second_gout", result[len(at):], weighted)

    def _add_all(self, name, kind, tensors, numbers=None):
        for i, x in zip(numbers or range(len(tensors)), tensors):
            if x is not None:
                self.add("%s/%s%d" % (name, kind, i), x)

    def write(self):
        """Writes the file: the length of a JSON header, the header, the elements."""
        header, data = {"__metadata__": self.metadata}, b""
        for name, x in sorted(self.tensors.items()):
            elements = x.numpy(force=True).tobytes()
            header[name] = {"dtype": TYPES[x.dtype],
                            "shape": list(x.shape),
                            "data_offsets": [len(data), len(data) + len(elements)]}
            data += elements
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        with open(self.path, "wb") as file:
            file.write(struct.pack("<Q", len(text)) + text + data)
