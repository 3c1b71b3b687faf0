#!/usr/bin/env python3
"""Runs a fuzz program on a folder of seeds: small files of the format that it reads, made here.

usage: seeds.py NAME PROGRAM [ARGUMENT...]

NAME is the entry's (fuzz_NAME.c); PROGRAM gets the folder as its last argument. A name that is not
in the table below gets the seeds of all formats.
"""

import gzip
import json
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent.parent


def npy(kind, shape, data, version=1, fortran=False):
    size = "<H" if version == 1 else "<I"
    header = f"{{'descr': '{kind}', 'fortran_order': {fortran}, 'shape': {shape}, }}"
    start = 8 + struct.calcsize(size)
    header = header.ljust(-(-(start + len(header) + 1) // 16) * 16 - start - 1) + "\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack(size, len(header)) + header.encode() + data


def npy_seeds():
    yield npy("<f4", (2, 3), struct.pack("<6f", 0, 1, -1, 0.5, 1e30, -0.0))
    yield npy("<i8", (3,), struct.pack("<3q", 0, 1, -1))
    yield npy("|u1", (), b"\x07")
    yield npy("<f8", (0, 4), b"")
    yield npy("<i4", (1, 1), struct.pack("<i", 5), version=2)
    yield npy(">i2", (2, 3), struct.pack(">6h", *range(6)), fortran=True)
    yield npy("|b1", (2, 1, 2), bytes([0, 1, 2, 255]), version=3, fortran=True)
    yield npy("<f2", (4,), struct.pack("<4e", 1, 6e-8, -65504, float("inf")))
    yield npy("<u8", (2,), struct.pack("<2Q", 1, 2**63 - 1))
    yield npy(">u8", (1,), struct.pack(">Q", 2**64 - 1))


def safetensors(tensors, metadata=None):
    header = {"__metadata__": metadata} if metadata else {}
    data = b""
    for name, (kind, shape, values) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape,
                        "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def safetensors_seeds():
    yield safetensors({})
    yield safetensors({"a": ("F32", [2], bytes(8)), "b": ("I64", [], bytes(8))}, {"step": "3"})
    yield safetensors({"\u00e9.weight": ("U8", [2, 0], b""), "x": ("BF16", [1, 1, 2], bytes(4))})
    yield safetensors({}).ljust(14)[:-4] + b"    "


def idx(kind, shape, data):
    return struct.pack(">HBB", 0, kind, len(shape)) + struct.pack(f">{len(shape)}I", *shape) + data


def idx_seeds():  # the entry's first byte: images, labels, or both
    yield b"\x00" + idx(8, (2, 2, 2), bytes(range(8)))
    yield b"\x01" + idx(8, (2,), bytes([0, 9]))
    yield b"\x02" + idx(8, (2,), bytes([0, 9]))
    yield b"\x00" + idx(0x0D, (1, 2), struct.pack(">2f", 0.5, -1))
    yield b"\x01" + idx(0x0C, (2,), struct.pack(">2i", 0, 9))
    yield b"\x01" + gzip.compress(idx(8, (2,), b"\x01\x02"), mtime=0)
    yield (b"\x00" + gzip.compress(idx(8, (2, 2), b"\x01"), mtime=0) + gzip.compress(bytes(3), mtime=0)
           + bytes(9))
    yield b"\x00" + gzip.compress(idx(8, (2, 2), bytes(99)), mtime=0)


def input_seeds():  # the entry's first bytes: what is declared, how long the header is
    packed = gzip.compress(b"a header, then the rest", mtime=0)
    yield b"\x0d\x00\x0a" + b"a header, then the rest"
    yield b"\x0d\x00\x0a" + packed
    yield b"\xff\xff\x00" + packed + packed + bytes(5)
    yield b"\x00\x00\x17" + packed + b"more"
    yield b"\x00\x40\x00" + gzip.compress(bytes(0x4000), mtime=0)


def csv_seeds():
    for options in range(16):  # the entry's first byte chooses options
        yield bytes([options]) + b"a,b,label\n1,2.5,0\n-3e2,.5,1\n"
    yield b"\x03" + b'"1","2"\r\n"3","4"\r\n'
    yield b"\x05" + b"1;2;0\n3;4;2\n"
    yield b"\x00" + b"5.1,3.5,Iris-setosa\n6.4,3.2,Iris-virginica\n5.0,3,Iris-setosa\n\n"
    yield b"\x08" + b"id,day,on,kind,y\n1,31.1.2020,yes,a,0\n2,1.2.2020,no,b,1\n3,?,yes,a,0\n4,,no,b,1\n"
    yield b"\x00" + b"sep=;\n# note\na;'b c';y\n1.234,5;'x''y';0\n-1,25;'z';1\n"
    yield b"\x00" + b"  1.5  2.25 3\n -1 2e1   4\r7 8 9\r"
    yield b"\x00" + b"2,2,setosa,virginica\n1,2,0\n3,4,1\n"
    yield b"\x09" + "a,b,a,y\n1,ä,2,x\n3,ö,4,y\n".encode("utf-16")
    yield b"\x00" + "größe;y\n1,5;ja\n2,5;nein\n".encode("latin-1")
    yield b"\x00" + 'share,price,y\n12.5%,"$1,200.50",1\n-3 %,($5),0\n.5%,- $7,1\n'.encode()
    yield b"\x00" + "a;y\n3,50 €;EUR 1\n€ 1.200;2 EUR\n".encode()
    yield b"\x0a" + b"2020-01-31 10:15:30.5,10:15 PM,1\nJan 31 2020,23:59,0\n1/31/20,0:00,1\n"


def yaml_seeds():
    yield b"train: {epochs: 3, rate: 0.1}\n"
    yield b"list: [1, -2.5e3, 0x1F, .inf, true, null, 'it''s', \"a\\n\"]\n"
    yield b"a: &x {b: [1, 2]}\nc: *x\nd:\n  - e: f\n  - |\n    text\n"
    yield b"{count: 2, rate: 0.5, name: n, mode: two, sizes: [1, 2], inner: {axis: -2, next: plain}}"
    yield b"name=x\n"
    yield b"choice: {nested: {axis: 1}}\nname: n\n"


def model_seeds():
    yield b"model:\n  input: [4]\n  layers:\n    - dense: {units: 3}\n    - relu\n    - batch_norm\n"
    yield (b"model:\n  input: [8, 8, 1]\n  layers:\n"
           b"    - conv2d: {channels: 2, kernel: 3, padding: 1, weight_norm: {axis: 0}}\n"
           b"    - repeat: {times: 2, body: [residual: {body: [batch_norm: {momentum: 0.2}]}]}\n"
           b"    - max_pool2d: {kernel: 2}\n    - flatten\n    - dense: {units: 3, bias: false}\n")
    yield (b"model: [dense: {units: 2}]\ndata: {train: {spirals: {points: 9}}, batch: 3}\n"
           b"loss: {cross_entropy: {label_smoothing: 0.1}}\n"
           b"train: {epochs: 1, optimizer: {sgd: {rate: 0.1}}, schedule: one_cycle}\n")


def saved_seeds():
    layers = b"norma: '0.1.0'\nmodel: [dense: {units: 3}]\n"
    yield (layers + b"sample: {shape: [2], mean: [1, 2], deviation: [3, 4], columns: [{name: a, kind: "
           b"number, fill: 7}, {name: b, kind: flag}]}\ntarget: {classes: 3, names: [x, y, z]}\n"
           b"loss: {cross_entropy: {ignore_index: 4}}\nmetric: accuracy\ntemperature: 2\n")
    yield (layers + b"sample: {shape: [2], columns: [{name: c, kind: category, categories: [x, y]}]}\n"
           b"target: {shape: [3], mean: [1, 2, 3], deviation: [1, 1, 2], names: [p, q, r]}\nloss: mse\n")
    yield layers + b"sample: {shape: [1, 2], bytes: true, scale: 0.00392}\ntarget: {classes: 3}\n"


def op_seeds():  # the entry's first two bytes choose the op
    for op in range(0, 330, 30):
        yield bytes([op >> 8, op & 255, 2, 0, 2, 2, 3, 1, 0, 2, 2, 3, 2]) + b"{axis: 1}"


def graph_seeds():  # vectors or images, then three bytes for each step
    yield bytes([0, 6, 0, 0, 9, 0, 0, 0, 0, 0, 4, 0, 0, 6, 0, 0])
    yield bytes([1, 7, 0, 0, 9, 0, 0, 0, 0, 0, 17, 0, 0, 20, 0, 0, 6, 0, 0, 9, 0, 0, 4, 0, 6, 0, 0, 0])
    yield bytes([1, 7, 0, 0, 10, 0, 0, 17, 0, 0, 21, 0, 0, 8, 0, 0, 12, 0, 0, 3, 0, 0])
    yield bytes([0, 16, 0, 0, 11, 0, 0, 15, 0, 0, 13, 0, 0, 5, 0, 1, 26, 0, 0, 2, 0, 0, 14, 0, 0])


def checkpoint_seeds():
    yield b"step=2\nepoch=0\nbatch=1"
    yield b"best_loss=nan\nwaited\n#99=34"


def run_folder_seeds():  # the first byte chooses the file
    yield b"\x00" + b'{"event": "epoch", "epoch": 1, "step": 3, "test_loss": null}\n'
    yield b"\x01" + b'{"step": 1, "probe": "saturation", "layer": "a", "dead": 1e-9}\n'
    yield b"\x02" + b"model: {input: [2], layers: [dense: {units: 2}]}\n"


SEEDS = {
    "op": op_seeds,
    "graph": graph_seeds,
    "checkpoint": checkpoint_seeds,
    "run_folder": run_folder_seeds,
    "saved": saved_seeds,
    "csv": csv_seeds,
    "idx": idx_seeds,
    "input": input_seeds,
    "npy": npy_seeds,
    "safetensors": safetensors_seeds,
    "value": yaml_seeds,
    "model": model_seeds,
}


def seeds(name):
    chosen = [SEEDS[name]] if name in SEEDS else SEEDS.values()
    return (seed for make in chosen for seed in make())


def run(command):
    """What a program that is no entry would not do: it says something, and succeeds."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as program:
        said = 0
        for line in program.stdout:
            said += sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()
    return program.returncode or (0 if said else f"{command[0]}: it says nothing")


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(prefix="norma-seeds-") as folder:
        for number, seed in enumerate(seeds(sys.argv[1])):
            Path(folder, f"{number:02}").write_bytes(seed)
        sys.exit(run([*sys.argv[2:], folder]))


if __name__ == "__main__":
    main()
