"""The commands that are run, the folders that they run in, and what they come to without a fault."""

import hashlib
import os
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time

PATIENCE = float(os.environ.get("NORMA_PATIENCE", 60))  # seconds for what takes one; more where a machine is busy

NETWORK = """data:
  train: {csv: {path: samples.csv, target: class}}
  test: {csv: {path: samples.csv, target: class}}
  validation: 0.2
  batch: 20
model:
  - dense: {units: 8}
  - batch_norm: {}
  - relu: {}
  - dropout: {p: 0.1}
  - dense: {units: 2}
loss: cross_entropy
train:
  epochs: 3
  seed: 1
  checkpoint_every_steps: 4
  optimizer: {sgd: {rate: 0.1, momentum: 0.9}}
"""

STUDY = """title: A rate against another
about: How fast it learns.
base:
  data: {train: {csv: {path: samples.csv, target: class}}, validation: 0.2, batch: 20}
  model: [{dense: {units: 8}}, relu, {dense: {units: 2}}]
  loss: cross_entropy
  train: {epochs: 1, optimizer: {sgd: {rate: $rate}}}
variants:
  slow: {rate: 0.01}
  fast: {rate: 0.1}
seeds: 2
measures:
  loss: {history: validation_loss}
claims:
  - claim: The larger rate is better.
    measure: loss
    of: {variant: slow}
    than: {variant: fast}
    source: none
"""

# ---- What is run ----


class Scenario:
    """A command, the files that it begins with, and those that it makes."""

    def __init__(self, name, words, results, again=None, starts_with=None, undo=None, may_say=None,
                 once=False):
        self.once = once  # it does not do again what is done
        self.name = name
        self.may_say = may_say  # a result that says this is one for what could not be had
        self.words = words
        self.results = results  # files that are the same bits whenever it finishes; "-": what it prints
        self.again = again or [words]  # ways to get there after a fault; the first that does is enough
        self.undo = undo  # what takes back what it did, before it is done again
        self.starts_with = starts_with  # a folder of the reference that is copied to "run"
        self.start = {}  # the sums of all files that it begins with
        self.calls = {}  # how often it makes each call, and at the end, blocks of memory held
        self.expected = {}  # the results' sums
        self.before = {}  # theirs where the command began


TRAIN = ["train", "net.yaml", "--out", "run"]
RESUME = TRAIN + ["--resume"]
FOLDS = ["train", "net.yaml", "--folds", "2", "--out", "split", "--quiet"]
RUN_FILES = ["run/best.safetensors", "run/checkpoint.safetensors", "run/network.yaml"]

SCENARIOS = [
    Scenario("train", TRAIN, RUN_FILES, again=[RESUME, TRAIN]),
    Scenario("resume", RESUME, RUN_FILES, starts_with="half"),
    Scenario("predict", ["predict", "run", "x.npy", "--out", "y.csv"], ["y.csv"], starts_with="whole"),
    Scenario("calibrate", ["calibrate", "run"], ["run/best.safetensors"], starts_with="whole",
             undo=["calibrate", "run", "--undo"]),
    Scenario("statistics", ["calibrate", "run", "--statistics"], ["run/best.safetensors"],
             starts_with="whole"),
    Scenario("eval", ["eval", "run", "--out", "confusion.csv"], ["confusion.csv"], starts_with="whole"),
    Scenario("op", ["op", "relu", "--in", "x.npy", "--out", "z.npy"], ["z.npy"]),
]

# Of these there is less to be had by chance: with --every alone.
MORE = [
    Scenario("check", ["check", "net.yaml"], ["-"]),
    Scenario("check_saved", ["check", "run/best.safetensors"], ["-"], starts_with="whole"),
    Scenario("quantize", ["quantize", "run", "--out", "small.safetensors"], ["small.safetensors"],
             starts_with="whole"),
    Scenario("gradcheck", ["gradcheck", "net.yaml"], ["-"]),
    Scenario("find_rate", ["find-rate", "net.yaml", "--steps", "20"], ["-"]),
    Scenario("report", ["report", "run", "--out", "page.html"], ["page.html"], starts_with="whole",
             may_say=": left out. "),
    Scenario("plot", ["plot", "run", "--svg", "figure.svg"], ["figure.svg"], starts_with="whole"),
    Scenario("folds", FOLDS, ["split/predictions.csv"], again=[[*FOLDS, "--resume"], FOLDS]),
    Scenario("study", ["study", "study.yaml", "--out", "lab", "--quiet"], []),
    Scenario("new", ["new", "op", "soft", "--out", "soft"], ["soft/soft.c"], once=True),
    Scenario("help", ["help", "batch_norm"], ["-"]),
    Scenario("ops", ["ops"], ["-"]),
    Scenario("completion", ["completion"], ["-"]),
    Scenario("bench", ["bench", "sgd", "--seconds", "0"], []),
]


def sum_of(path):
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except FileNotFoundError:
        return None


def says(path, text):
    with open(path, encoding="utf-8", errors="replace") as file:
        return text in file.read()


def sums_of(house, place, names):
    """By their names; "-" is what the last run printed."""
    return {name: sum_of(house.path("stdout") if name == "-" else os.path.join(place, name)) for name in names}


def sums_below(place):
    """Of everything that is there."""
    return {os.path.relpath(os.path.join(folder, name), place): sum_of(os.path.join(folder, name))
            for folder, _, files in os.walk(place) for name in files}


class House:
    """The programs, and the folder where everything happens."""

    def __init__(self, build, folder):
        self.norma = os.path.join(build, "norma")
        self.faults = os.path.join(build, "tests", "torture", "faults.so")
        self.with_memory = self.faults.replace("faults.so", "memory.so")
        self.folder = folder
        self.apart = ""  # a folder within, for one of several that work at a time
        for path in (self.norma, self.faults):
            if not os.path.exists(path):
                sys.exit(f"torture: {path} is not there; build it first (./dev torture)")
        with open(self.norma, "rb") as file:
            # Sanitizers take more memory for themselves than the limits leave.
            self.sanitized = b"__asan_init" in file.read()
        if os.path.exists(self.with_memory) and not self.sanitized:
            self.faults = self.with_memory

    def path(self, *names):
        return os.path.join(self.folder, self.apart, *names)

    def beside(self, name):
        """The same with a folder of its own for what it says."""
        other = House.__new__(House)
        other.__dict__.update(self.__dict__)
        other.apart = os.path.join(self.apart, name)
        os.makedirs(other.path(), exist_ok=True)
        return other

    def reference(self, name):
        """A run that scenarios begin with."""
        return os.path.join(self.folder, name, "run")

    def run(self, words, where, environment=None, limits=()):
        """Ends within PATIENCE; gives the exit code (negative: a signal) and what it says."""
        variables = dict(os.environ, OMP_NUM_THREADS="1", LC_ALL="C.UTF-8")
        if environment is not None:
            # The sanitizers' own library wants to be the first, which what fails calls cannot let it be.
            variables.update(environment, LD_PRELOAD=self.faults)
            variables["ASAN_OPTIONS"] = "verify_asan_link_order=0:detect_leaks=0"

        def set_limits():
            for name in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(name, signal.SIG_DFL)
            for which, value in limits:
                resource.setrlimit(which, (value, value))

        with open(self.path("stdout"), "wb") as out, open(self.path("stderr"), "wb") as err:
            child = subprocess.Popen([self.norma] + words, cwd=where, env=variables, stdout=out, stderr=err,
                                     stdin=subprocess.DEVNULL, preexec_fn=set_limits)
            code = self.wait(child)
        with open(self.path("stderr"), encoding="utf-8", errors="replace") as file:
            return code, file.read()

    def wait(self, child):
        """A child that stops itself is let go on."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            pid, status = os.waitpid(child.pid, os.WNOHANG | os.WUNTRACED)
            if pid and os.WIFSTOPPED(status):
                os.kill(child.pid, signal.SIGCONT)
            elif pid:
                child.returncode = os.waitstatus_to_exitcode(status)
                return child.returncode
            else:
                time.sleep(0.002)
        child.kill()
        child.wait()
        return None


def write_array(path, rows):
    """A .npy file of doubles, rows of two."""
    head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, 2), }}"
    head += " " * (63 - (10 + len(head)) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode())
        file.write(b"".join(struct.pack("<f", (i % 7 - 3) / 3) for i in range(2 * rows)))


def prepare(house):
    """The reference: what each scenario begins with and what it comes to; how often it calls what."""
    whole, half = house.path("whole"), house.path("half")
    for folder in (whole, half):
        os.mkdir(folder)
        lay_out(folder)
    expect(house, house.run(TRAIN, whole), 0)
    # One that stopped in its second epoch, at a step that no checkpoint is due at.
    expect(house, house.run(TRAIN, half, {"NORMA_FAULT": "write:75:kill"}), -signal.SIGKILL)
    if not os.path.exists(os.path.join(half, "run", "checkpoint.safetensors")):
        sys.exit("torture: the run was killed before its first checkpoint")
    for scenario in SCENARIOS:
        prepare_scenario(house, scenario)
    if SCENARIOS[0].expected != SCENARIOS[1].expected:
        sys.exit("torture: a resumed run differs from an uninterrupted one")


def prepare_scenario(house, scenario):
    place = begin(house, scenario)
    scenario.before = sums_of(house, place, [name for name in scenario.results if name != "-"])
    scenario.start = sums_below(place)
    code = house.run(scenario.words, place, {"NORMA_FAULT_COUNT": house.path("count")})
    expect(house, code, 0)
    scenario.expected = sums_of(house, place, scenario.results)
    scenario.calls = read_counts(house)
    if None in scenario.expected.values() or not scenario.calls["any"]:
        sys.exit(f"torture: {scenario.name} makes nothing: {scenario.expected}, {scenario.calls}")


def read_counts(house):
    try:
        with open(house.path("count"), encoding="ascii") as file:
            whole = [line.split() for line in file if line.endswith("\n")]  # it may be cut off
            return {words[0]: int(words[1]) for words in whole if len(words) == 2}
    except FileNotFoundError:
        return {}


def expect(house, ended, code):
    if ended[0] != code:
        sys.exit(f"torture: exit code {ended[0]} instead of {code} without a fault: {ended[1]}")


def lay_out(folder):
    with open(os.path.join(folder, "net.yaml"), "w", encoding="ascii") as file:
        file.write(NETWORK)
    with open(os.path.join(folder, "study.yaml"), "w", encoding="ascii") as file:
        file.write(STUDY)
    write_array(os.path.join(folder, "x.npy"), 40)
    draw = random.Random(1)
    with open(os.path.join(folder, "samples.csv"), "w", encoding="ascii") as file:
        file.write("left,right,class\n")
        for _ in range(240):
            left, right = draw.gauss(0, 1), draw.gauss(0, 1)
            name = "over" if left + right * right + draw.gauss(0, 0.5) > 0.5 else "under"
            file.write(f"{left:.3f},{right:.3f},{name}\n")


def begin(house, scenario):
    """A fresh folder in which the scenario can run."""
    place = house.path("place")
    shutil.rmtree(place, ignore_errors=True)
    shutil.rmtree(place + ".disk", ignore_errors=True)
    os.mkdir(place)
    lay_out(place)
    if scenario.starts_with:
        shutil.copytree(house.reference(scenario.starts_with), os.path.join(place, "run"))
    return place
