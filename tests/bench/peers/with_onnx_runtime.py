"""ONNX Runtime in the way of kept.py. Models are made here: perceptrons, cnn_bn as it is for predictions, and
those with "int8" quantized (dynamically, by rows where the package can).

usage: with_onnx_runtime.py THREADS     needs the Python packages onnx and onnxruntime"""
import os
import sys
import tempfile

import numpy
import onnxruntime
from onnx import TensorProto, checker, helper, numpy_helper, save

import kept

DRAW = numpy.random.default_rng(1)


class Maker:
    """Nodes of a model, one after the other."""

    def __init__(self):
        self.nodes, self.tensors, self.at = [], [], "x"

    def tensor(self, *shape, value=None):
        """A name: of normal numbers, or of one value."""
        name = f"t{len(self.tensors)}"
        numbers = DRAW.standard_normal(shape) * 0.05 if value is None else numpy.full(shape, value)
        self.tensors.append(numpy_helper.from_array(numbers.astype("f4"), name))
        return name

    def node(self, kind, *tensors, **attributes):
        to = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [self.at, *tensors], [to], **attributes))
        self.at = to

    def save(self, path, shape):
        value = helper.make_tensor_value_info
        graph = helper.make_graph(self.nodes, "network", [value("x", TensorProto.FLOAT, ["n", *shape])],
                                  [value(self.at, TensorProto.FLOAT, ["n", None])], self.tensors)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        checker.check_model(model)
        save(model, path)


def perceptron(m, sizes):
    for before, after in zip(sizes[:-1], sizes[1:]):
        if m.nodes:
            m.node("Relu")
        m.node("Gemm", m.tensor(before, after), m.tensor(after))
    return (sizes[0],)


def cnn_bn(m):
    for before, after in ((1, 32), (32, 64)):
        m.node("Conv", m.tensor(after, before, 3, 3), m.tensor(after), pads=[1] * 4)
        m.node("BatchNormalization", m.tensor(after, value=1), m.tensor(after), m.tensor(after),
               m.tensor(after, value=1))
        m.node("Relu")
        m.node("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
    m.node("Flatten")
    m.node("Gemm", m.tensor(64 * 49, 10), m.tensor(10))
    return 1, 28, 28


def session(path, int8):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(sys.argv[1])
    if int8:
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(path, path + ".8", weight_type=QuantType.QInt8, per_channel=True)
        path += ".8"
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def ways(what, network, batch):
    with tempfile.TemporaryDirectory() as folder:
        path, maker = os.path.join(folder, "model.onnx"), Maker()
        sizes = [10] if network == "cnn_bn" else [int(size) for size in network.split("-")]
        shape = cnn_bn(maker) if network == "cnn_bn" else perceptron(maker, sizes)
        maker.save(path, shape)
        run = session(path, what == "int8")
    of_numpy = onnxruntime.OrtValue.ortvalue_from_numpy
    bound = run.io_binding()
    bound.bind_ortvalue_input("x", of_numpy(DRAW.standard_normal((batch, *shape)).astype("f4")))
    bound.bind_ortvalue_output(maker.at, of_numpy(numpy.zeros((batch, sizes[-1]), "f4")))
    yield "", lambda: run.run_with_iobinding(bound)


kept.serve(ways)
