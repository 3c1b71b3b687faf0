"""The libraries that are found on this machine, as things that can be asked how long they take for a row."""
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from typing import NamedTuple

FOLDER = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(FOLDER)))
STARTS = 60  # processes for a second of time; the fastest counts


class Row(NamedTuple):
    what: str      # train, train_bf16, predict, int8 or start
    network: str   # a perceptron's sizes, 784-100-10, or a name of NETWORKS
    batch: int
    busy: bool     # another program keeps one core busy meanwhile


# ---- Networks, as Norma reads them ----

PERCEPTRON = "[{dense: {units: 512%s}}, %srelu, {dense: {units: 256%s}}, %srelu, {dense: {units: 10}}]"
CNN = ("[{conv2d: {channels: 32, kernel: 3, padding: 1%s}}, %srelu, {max_pool2d: {kernel: 2}},"
       " {conv2d: {channels: 64, kernel: 3, padding: 1%s}}, %srelu, {max_pool2d: {kernel: 2}}, flatten,"
       " {dense: {units: 10}}]")
WITH_BN, WITH_WN = ("", "batch_norm, ") * 2, (", weight_norm: {axis: 0}", "") * 2


def resnet20():
    """The zoo's layers, without the data and the training."""
    with open(os.path.join(ROOT, "models/zoo/resnet20.yaml"), encoding="utf-8") as file:
        return "\n" + file.read().split("model:\n")[1].split("\ndata:")[0]


# name: batch, a sample's shape, layers
NETWORKS = {
    "mlp_bn_paper": (60, "[784]", "[{repeat: {times: 3, body: [{dense: {units: 100}}, batch_norm, sigmoid]}},"
                                  " {dense: {units: 10}}]"),
    "mlp_bn": (128, "[784]", PERCEPTRON % WITH_BN),
    "mlp_wn": (128, "[784]", PERCEPTRON % WITH_WN),
    "cnn_bn": (64, "[28, 28, 1]", CNN % WITH_BN),
    "cnn_wn": (64, "[28, 28, 1]", CNN % WITH_WN),
    "resnet20_bn": (128, "[32, 32, 3]", resnet20()),
}


def write_networks(folder):
    for name, (_, shape, layers) in NETWORKS.items():
        with open(os.path.join(folder, name + ".yaml"), "w", encoding="utf-8") as file:
            file.write(f"model:\n  input: {shape}\n  layers: {layers}\n")


def environment(threads, folder):
    """OpenBLAS is told of threads by a variable; what would make it mistake the processor is taken away. What
    PyTorch compiled is kept in the folder."""
    variables = {key: value for key, value in os.environ.items()
                 if not key.startswith(("OPENBLAS", "OMP_", "GOMP_"))}
    variables["TORCHINDUCTOR_CACHE_DIR"] = os.path.join(folder, "inductor")
    if threads:
        variables["OPENBLAS_NUM_THREADS"] = str(threads)
    return variables


# ---- Who is asked ----

class Program:
    """A program in the way of peer.h, started for each question."""

    def __init__(self, command, threads, folder, whats=("train", "predict", "start"), reads_networks=False):
        self.command, self.threads, self.folder = command, threads, folder
        self.whats, self.reads_networks = whats, reads_networks

    def network(self, name):
        if name not in NETWORKS:
            return name
        inputs = math.prod(json.loads(NETWORKS[name][1]))
        return f"{self.folder}/{name}.yaml={inputs}-10"

    def ask(self, row, seconds):
        """{"us": the best time of a step, "mean": of all, ...}, in microseconds; None where it cannot."""
        if row.what not in self.whats or (row.network in NETWORKS and not self.reads_networks):
            return None
        command = [*self.command, row.what, self.network(row.network), str(row.batch), str(seconds),
                   str(self.threads)]
        variables = environment(self.threads, self.folder)
        if row.what == "start":
            return self.start(command, variables, max(1, round(STARTS * seconds)))
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              env=variables, check=False)
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout else None

    @staticmethod
    def start(command, variables, count):
        best = math.inf
        for _ in range(count):
            begin = time.perf_counter()
            if subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=variables,
                              check=False).returncode:
                return None
            best = min(best, time.perf_counter() - begin)
        return {"us": 1e6 * best}

    def make_ready(self, row):
        pass

    def wait(self):
        pass

    def close(self):
        pass


class Kept:
    """A program in the way of kept.py, which stays and waits for questions."""

    def __init__(self, command, threads, folder, can):
        self.threads, self.can = threads, can
        self.waiting, self.ended = 0, False  # for answers; whether the program has
        self.log = tempfile.TemporaryFile("w+")
        self.program = subprocess.Popen([*command, str(threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True, env=environment(threads, folder))

    def make_ready(self, row):
        """Begins to; what is asked next waits for it."""
        if self.can(row):
            self.send(row, 0)

    def send(self, row, seconds):
        try:
            self.program.stdin.write(f"{row.what} {row.network} {row.batch} {seconds}\n")
            self.program.stdin.flush()
            self.waiting += 1
        except BrokenPipeError:
            pass  # it ended: receive() says so

    def receive(self):
        """The answer to what was sent last; earlier ones said that something is ready."""
        line = ""
        while self.waiting:
            line = self.program.stdout.readline()
            self.waiting = self.waiting - 1 if line else 0
        if not line:
            self.ended = True
            self.log.seek(0)
            print("ended:", self.log.read()[-1000:], file=sys.stderr)
        return json.loads(line) if line else {"us": None}

    def ask(self, row, seconds):
        if not self.can(row) or self.ended:
            return None
        self.send(row, seconds)
        told = self.receive()
        return told if told["us"] is not None else None

    def wait(self):
        """Until all is ready."""
        if self.waiting:
            self.receive()

    def close(self):
        self.ended = True
        self.program.stdin.close()
        self.program.wait()


class Peer(NamedTuple):
    name: str
    askers: list  # one for each number of threads and way


# ---- What is there ----

def compiles(command):
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
    return done.returncode == 0


def has(header):
    return subprocess.run(["cc", "-E", "-x", "c++", "-include", header, "/dev/null"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode == 0


def has_blas():
    return has("cblas.h") and os.path.exists(f"/usr/lib/{platform.machine()}-linux-gnu/libopenblas.so")


def libraries_of_ggml(folder):
    """Those that ggml's own build made below the folder; none where it was not built."""
    found = [os.path.join(path, name) for path, _, names in os.walk(folder) for name in names
             if name.startswith("libggml") and name.endswith((".a", ".so"))]
    return sorted(found)


FAST = ["-O3", "-march=native"]


def sources(arguments):
    """(name, what it is compiled by, its source, what follows, threads) of each program whose library is there."""
    blas = has_blas()
    with_blas = " + OpenBLAS" * blas
    if arguments.kann:
        yield ("KANN" + with_blas, ["cc", *FAST, "-DHAVE_PTHREAD", "-I" + arguments.kann] + ["-DHAVE_CBLAS"] * blas,
               "kann.c", [os.path.join(arguments.kann, name) for name in ("kann.c", "kautodiff.c")] +
               ["-lopenblas"] * blas + ["-lpthread"], [1, 2])
    if arguments.genann:
        yield ("genann", ["cc", *FAST, "-I" + arguments.genann], "genann.c",
               [os.path.join(arguments.genann, "genann.c")], [1])
    if has("fann.h"):
        yield "FANN", ["cc", "-O2"], "fann.c", ["-lfann"], [1]
    if has("dlib/dnn.h"):
        yield ("dlib" + with_blas, ["c++", "-std=c++17", *FAST] + ["-DDLIB_USE_BLAS"] * blas, "dlib.cc",
               ["-ldlib"] + ["-lopenblas"] * blas, [1, 2])
    libraries = libraries_of_ggml(arguments.ggml) if arguments.ggml else []
    if libraries:
        together = ["-Wl,--start-group", *libraries, "-Wl,--end-group"] + \
                   [f"-Wl,-rpath,{os.path.dirname(name)}" for name in libraries if name.endswith(".so")]
        own_blas = any("blas" in name for name in libraries)
        for flag in [[], ["-DPEER_BLAS"]] if own_blas else [[]]:
            yield ("ggml", ["c++", *FAST, *flag, "-I" + os.path.join(arguments.ggml, "include")], "ggml.cc",
                   together + ["-lopenblas"] * own_blas + ["-lgomp", "-lpthread", "-ldl"], [1, 2])


def build_norma(arguments, folder):
    library = os.path.join(os.path.abspath(arguments.build), "libnorma.so")
    program = os.path.join(folder, "norma")
    if not compiles(["cc", "-O2", "-I" + ROOT, "-o", program, os.path.join(FOLDER, "norma.c"), library,
                     "-Wl,-rpath," + os.path.dirname(library), "-lm"]):
        sys.exit(f"Norma's program could not be built (see above): is there a release build in {arguments.build}?")
    whats = ("train", "train_bf16", "predict", "int8", "start")
    return Peer("Norma", [Program([program], 0, folder, whats, True)])


def programs(arguments, folder):
    peers = {}
    for number, (name, compiler, source, rest, threads) in enumerate(sources(arguments)):
        program = os.path.join(folder, f"{source.split('.')[0]}{number}")
        if compiles([*compiler, "-o", program, os.path.join(FOLDER, source), *rest, "-lm"]):
            peers.setdefault(name, []).extend(Program([program], count, folder) for count in threads)
    return [Peer(*item) for item in peers.items()]


def by_python(arguments, folder):
    of_onnx = lambda row: row.what in ("predict", "int8") and row.network in ("cnn_bn",) or \
        row.what in ("predict", "int8") and row.network not in NETWORKS
    for name, script, modules, can in (
            ("PyTorch", "with_pytorch.py", "torch", lambda row: row.what != "start"),
            ("JAX", "with_jax.py", "jax", lambda row: row.what in ("train", "train_bf16", "predict")),
            ("ONNX Runtime", "with_onnx_runtime.py", "onnx, onnxruntime", of_onnx)):
        if shutil.which(arguments.python) and subprocess.run(
                [arguments.python, "-c", "import " + modules], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            command = [arguments.python, os.path.join(FOLDER, script)]
            yield Peer(name, [Kept(command, threads, folder, can) for threads in (1, 2)])


HOW = {"KANN": "--kann FOLDER of its sources", "genann": "--genann FOLDER of its sources",
       "FANN": "Debian: libfann-dev", "dlib": "Debian: libdlib-dev",
       "ggml": "--ggml FOLDER of its sources, in which it was built", "PyTorch": "--python PATH that has torch",
       "JAX": "--python PATH that has jax", "ONNX Runtime": "--python PATH that has onnx and onnxruntime"}


def find(arguments):
    """(Norma and what was found, names of what was not)."""
    folder = os.path.join(os.path.abspath(arguments.build), "peers")
    os.makedirs(folder, exist_ok=True)
    write_networks(folder)
    peers = [build_norma(arguments, folder)]
    if arguments.alone:
        return peers, []
    peers += [*programs(arguments, folder), *by_python(arguments, folder)]
    names = [peer.name.split(" +")[0] for peer in peers]
    return peers, [name for name in HOW if name not in names]
