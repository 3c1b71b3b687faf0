"""ONNX Runtime in the way of peer.h's programs: predict SIZES BATCH SECONDS THREADS, prints the best time.

The model is made here; it needs the Python packages onnx and onnxruntime. With "int8" for "predict" its
weights are quantized (dynamically, by rows where the package can)."""
import json
import os
import sys
import tempfile
import time

import numpy
import onnxruntime
from onnx import TensorProto, checker, helper, numpy_helper, save

what, sizes, batch, seconds, threads = sys.argv[1], [int(s) for s in sys.argv[2].split("-")], *map(float, sys.argv[3:6])
draw = numpy.random.default_rng(1)


def perceptron(path):
    nodes, tensors, at = [], [], "x"
    for i, (a, b) in enumerate(zip(sizes[:-1], sizes[1:])):
        last = i == len(sizes) - 2
        weight = (draw.standard_normal((a, b)) * a ** -0.5).astype("f4")
        tensors += [numpy_helper.from_array(weight, f"w{i}"), numpy_helper.from_array(numpy.zeros(b, "f4"), f"b{i}")]
        nodes.append(helper.make_node("Gemm", [at, f"w{i}", f"b{i}"], ["y" if last else f"d{i}"]))
        if not last:
            nodes.append(helper.make_node("Relu", [f"d{i}"], [f"r{i}"]))
            at = f"r{i}"
    value = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "perceptron", [value("x", TensorProto.FLOAT, ["n", sizes[0]])],
                              [value("y", TensorProto.FLOAT, ["n", sizes[-1]])], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    checker.check_model(model)
    save(model, path)


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "model.onnx")
    perceptron(path)
    if what == "int8":
        from onnxruntime.quantization import QuantType, quantize_dynamic

        quantize_dynamic(path, path + ".8", weight_type=QuantType.QInt8, per_channel=True)
        path += ".8"
    run = session(path)
bound = run.io_binding()
of_numpy = onnxruntime.OrtValue.ortvalue_from_numpy
bound.bind_ortvalue_input("x", of_numpy(draw.standard_normal((int(batch), sizes[0])).astype("f4")))
bound.bind_ortvalue_output("y", of_numpy(numpy.zeros((int(batch), sizes[-1]), "f4")))
best, each, end = 1e30, 1, time.perf_counter() + seconds
while time.perf_counter() < end:
    begin = time.perf_counter()
    for _ in range(each):
        run.run_with_iobinding(bound)
    taken = time.perf_counter() - begin
    best = min(best, taken / each)
    each = 2 * each if taken < 2.5e-3 else each
print(json.dumps({"us": 1e6 * best}))
