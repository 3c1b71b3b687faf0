#!/usr/bin/env python3
"""Norma beside other libraries for small networks, in turn, in one go: a table as Markdown.

usage: peers.py BUILD [--kann FOLDER] [--genann FOLDER] [--python PATH] [--rounds N] [--seconds S]
                [--write FILE]

BUILD is a folder in which Norma was built for release. Compared is what is found: FANN and dlib where
their headers are (Debian: libfann-dev, libdlib-dev), KANN and genann by the folders of their sources, ONNX
Runtime where the Python has onnx and onnxruntime. Each does the same perceptrons, as near as it can come
(tests/bench/peers), at its best of one and two threads; KANN and dlib by OpenBLAS where it is there. A
figure is the median over the rounds of a row's best. Norma chooses its threads itself. For PyTorch and
JAX: ./dev bench compare. --write replaces what stands in FILE between <!-- peers --> and <!-- /peers -->.
"""
import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(FOLDER)))
TINY, SMALL, LARGE = "2-64-64-2", "784-256-128-10", "784-512-256-10"

# (what a peer is asked for, units of the layers, batch, whether another program keeps one core busy)
ROWS = [("train", SMALL, 128, False), ("train", LARGE, 128, False), ("train", SMALL, 128, True)] + \
       [("train", TINY, batch, False) for batch in (1, 4, 16, 32, 100)] + \
       [("predict", TINY, 1, False)] + [("predict", LARGE, batch, False) for batch in (1, 16, 128)] + \
       [("int8", LARGE, batch, False) for batch in (1, 16, 128)] + [("start", TINY, 1, False)]
STARTS = 30  # processes of which the fastest counts


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build")
    parser.add_argument("--kann", metavar="FOLDER")
    parser.add_argument("--genann", metavar="FOLDER")
    parser.add_argument("--python", metavar="PATH", default="/usr/bin/python3")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--write", metavar="FILE")
    return parser.parse_args()


# ---- Peers ----

class Peer:
    """A program, and what it can be asked for."""

    def __init__(self, name, command, threads, rows):
        self.name, self.command, self.threads, self.rows = name, command, threads, rows


def compiles(command):
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
    return done.returncode == 0


def has(header):
    return subprocess.run(["cc", "-E", "-x", "c++", "-include", header, "/dev/null"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def build_peers(arguments):
    """What is found, Norma first."""
    to = os.path.join(arguments.build, "peers")
    os.makedirs(to, exist_ok=True)
    fast = ["-O3", "-march=native"]
    blas = has("cblas.h") and os.path.exists(f"/usr/lib/{platform.machine()}-linux-gnu/libopenblas.so")
    library = os.path.join(os.path.abspath(arguments.build), "libnorma.so")
    wanted = [("Norma", "norma.c", ["cc", "-O2", "-I" + ROOT], [library, "-Wl,-rpath," + os.path.dirname(library)], [0])]
    if arguments.kann:
        wanted.append(("KANN" + " + OpenBLAS" * blas, "kann.c",
                       ["cc", *fast, "-DHAVE_PTHREAD", "-I" + arguments.kann] + ["-DHAVE_CBLAS"] * blas,
                       [os.path.join(arguments.kann, name) for name in ("kann.c", "kautodiff.c")] +
                       ["-lopenblas"] * blas + ["-lpthread"], [1, 2]))
    if arguments.genann:
        wanted.append(("genann", "genann.c", ["cc", *fast, "-I" + arguments.genann],
                       [os.path.join(arguments.genann, "genann.c")], [1]))
    if has("fann.h"):
        wanted.append(("FANN", "fann.c", ["cc", "-O2"], ["-lfann"], [1]))
    if has("dlib/dnn.h"):
        wanted.append(("dlib" + " + OpenBLAS" * blas, "dlib.cc",
                       ["c++", "-std=c++17", *fast] + ["-DDLIB_USE_BLAS"] * blas,
                       ["-ldlib"] + ["-lopenblas"] * blas, [1, 2]))
    peers = []
    for name, source, compiler, rest, threads in wanted:
        program = os.path.join(to, source.split(".")[0])
        if compiles([*compiler, "-o", program, os.path.join(FOLDER, source), *rest, "-lm"]):
            peers.append(Peer(name, [program], threads, [row for row in ROWS if row[0] != "int8" or name == "Norma"]))
    if subprocess.run([arguments.python, "-c", "import onnx, onnxruntime"], stderr=subprocess.DEVNULL).returncode == 0:
        peers.append(Peer("ONNX Runtime", [arguments.python, os.path.join(FOLDER, "onnx_runtime.py")], [1, 2],
                          [row for row in ROWS if row[0] in ("predict", "int8")]))
    return peers


# ---- Measuring ----

def environment(threads):
    """OpenBLAS is told of threads by a variable; what would make it mistake the processor is taken away."""
    variables = {key: value for key, value in os.environ.items()
                 if not key.startswith(("OPENBLAS", "OMP_", "GOMP_"))}
    if threads:
        variables["OPENBLAS_NUM_THREADS"] = str(threads)
    return variables


def time_row(peer, row, threads, seconds):
    """Microseconds of a step; None where it cannot."""
    what, sizes, batch, _ = row
    command = [*peer.command, what, sizes, str(batch), str(seconds), str(threads)]
    if what != "start":
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              env=environment(threads))
        return json.loads(done.stdout)["us"] if done.returncode == 0 and done.stdout else None
    best = 1e30
    for _ in range(STARTS):
        begin = time.perf_counter()
        if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          env=environment(threads)).returncode:
            return None
        best = min(best, time.perf_counter() - begin)
    return 1e6 * best


def best_of(peer, row, seconds):
    times = [time_row(peer, row, threads, seconds) for threads in peer.threads]
    return min((t for t in times if t is not None), default=None)


def measure(peers, arguments):
    """{row: {peer's name: median of its best times}}"""
    times = {}
    for _ in range(arguments.rounds):
        for row in ROWS:
            busy = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if row[3] else None
            try:
                for peer in peers:
                    taken = best_of(peer, row, arguments.seconds) if row in peer.rows else None
                    if taken is not None:
                        times.setdefault(row, {}).setdefault(peer.name, []).append(taken)
            finally:
                if busy:
                    busy.kill()
                    busy.wait()
    return {row: {name: statistics.median(list_) for name, list_ in of.items()} for row, of in times.items()}


# ---- The table ----

def label(row):
    what, sizes, batch, busy = row
    if what == "start":
        return f"a whole process: {sizes}, two steps, 1,000 predictions"
    whats = {"train": "a step", "predict": "a prediction", "int8": "a prediction with weights of 8 bits"}
    return f"{whats[what]}, {sizes}, batch {batch}" + \
        (", one core busy with another program" if busy else "")


def figure(microseconds):
    if microseconds is None:
        return ""
    return f"{microseconds:.2f}" if microseconds < 10 else f"{microseconds:.1f}" if microseconds < 100 else f"{microseconds:,.0f}"


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return re.search(r"model name\s*: (.*)", file.read()).group(1)


def write_table(peers, times):
    names = [peer.name for peer in peers]
    lines = [f"{processor()}, {os.cpu_count()} processors; microseconds.", "",
             "| | " + " | ".join(names) + " | the next one's over Norma's |",
             "| --- |" + " --- |" * (len(names) + 1)]
    for row, of in times.items():
        others = [value for name, value in of.items() if name != "Norma"]
        ratio = f"{min(others) / of['Norma']:.2f}" if others and "Norma" in of else ""
        lines.append(f"| {label(row)} | " + " | ".join(figure(of.get(name)) for name in names) + f" | {ratio} |")
    return "\n".join(lines)


def main():
    arguments = read_arguments()
    peers = build_peers(arguments)
    if [peer.name for peer in peers[:1]] != ["Norma"]:
        sys.exit("Norma's program could not be built (see above): is there a release build in " + arguments.build + "?")
    if len(peers) == 1:
        sys.exit("Nothing to compare with was found. Debian: libfann-dev, libdlib-dev; sources of KANN and genann by "
                 "--kann and --genann; ONNX Runtime by --python")
    table = write_table(peers, measure(peers, arguments))
    print(table)
    if arguments.write:
        with open(arguments.write, encoding="utf-8") as file:
            text = file.read()
        text, count = re.subn(r"(?s)(<!-- peers -->\n).*?(<!-- /peers -->)",
                              lambda match: match.group(1) + table + "\n" + match.group(2), text)
        if count != 1:
            sys.exit(f"{arguments.write} has no lines <!-- peers --> and <!-- /peers -->")
        with open(arguments.write, "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
