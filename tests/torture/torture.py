#!/usr/bin/env python3
"""Torture: runs the command with one fault each, and looks at what is left.

    tests/torture/torture.py BUILD [--minutes M | --rounds N] [--first N]
    tests/torture/torture.py BUILD --every [--only SCENARIO] [--jobs N] [--first N] [--rounds N]

A round is a scenario (training, resuming, predicting, ...) and a fault, both drawn by the round's seed:
a call of the C library that fails once or from there on, half a write, a kill before or after a call, a
signal, a folder taken away, a clock set back, little memory, few descriptors, small files, or a power
cut, after which only what was synced is on the disk and of the rest anything. What must hold:

1. It ends by itself: finished, with the results that it has without a fault; or with exit code 1 or 2
   and words on standard error; or by the signal that was sent.
2. What it was to replace is as it was, or whole and new: never a part, never another content.
   Of two that want the same folder, one of which has a fault, this holds for each.
3. After it, without faults, the same command reaches the same results, bit for bit: by --resume, or,
   where nothing was kept yet, from the beginning.

A round that fails is printed with its seed, by which it can be repeated: --first SEED --rounds 1.

With --every, rounds are not drawn: each call that a scenario makes, requests for memory too, fails once,
and then with all later ones. A seed is a round's number there. After a fault no more memory may be held
at the end than without one.
"""

import argparse
import errno
import hashlib
import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

PATIENCE = 60  # seconds for what takes one

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
    Scenario("gradcheck", ["gradcheck", "net.yaml"], ["-"]),
    Scenario("find_rate", ["find-rate", "net.yaml", "--steps", "20"], ["-"]),
    Scenario("report", ["report", "run", "--out", "page.html"], ["page.html"], starts_with="whole",
             may_say=": left out. "),
    Scenario("plot", ["plot", "run", "--svg", "figure.svg"], ["figure.svg"], starts_with="whole"),
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
        variables = dict(os.environ, OMP_NUM_THREADS="1", OMP_WAIT_POLICY="passive", LC_ALL="C.UTF-8")
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
    import struct

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


# ---- Faults ----

ERRORS = {
    "open": [errno.EACCES, errno.EMFILE, errno.ENOSPC, errno.EIO, errno.EROFS, errno.ENOMEM],
    "read": [errno.EIO, errno.EINTR, errno.ESTALE],
    "pread": [errno.EIO, errno.ESTALE],
    "write": [errno.ENOSPC, errno.EIO, errno.EINTR, errno.EDQUOT, errno.EFBIG],
    "fflush": [errno.ENOSPC, errno.EIO],
    "fsync": [errno.EIO, errno.ENOSPC, errno.EINTR, errno.EINVAL],
    "close": [errno.EIO, errno.EINTR, errno.ENOSPC],
    "rename": [errno.EACCES, errno.ENOSPC, errno.EIO, errno.EXDEV, errno.EROFS],
    "unlink": [errno.EACCES, errno.EIO],
    "mkdir": [errno.EACCES, errno.ENOSPC, errno.EROFS],
    "stat": [errno.EACCES, errno.EIO, errno.ENOMEM],
    "flock": [errno.EINTR, errno.ENOLCK, errno.EWOULDBLOCK],
    "ftruncate": [errno.EIO, errno.ENOSPC],
    "fchmod": [errno.EPERM, errno.EIO],
    "mmap": [errno.ENOMEM],
    "opendir": [errno.EACCES, errno.EMFILE, errno.ENOMEM],
    "thread": [errno.EAGAIN],
    "memory": [errno.ENOMEM],
}
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGSTOP, signal.SIGWINCH]


class Fault:
    """One of the following, or drawn by a round's random numbers."""

    def __init__(self, order=None):
        self.environment, self.limits, self.sent, self.cuts = {}, [], [], False
        if order:
            self.order(*order)

    def drawn(self, house, scenario, draw):
        kinds = ["error"] * 8 + ["kill", "cut"] * 3 + ["cut_at_end", "late", "short", "signal", "gone", "clock", "files", "size"]
        kind = draw.choice(kinds + ["memory"] * (not house.sanitized))
        getattr(self, kind)(house, scenario, draw)
        return self

    def order(self, call, number, what):
        self.text = f"{call}:{number}:{what}"
        self.environment["NORMA_FAULT"] = self.text

    def anywhere(self, scenario, draw, what):
        self.order("any", draw.randint(1, scenario.calls["any"]), what)

    def error(self, house, scenario, draw):
        call = draw.choice([name for name in ERRORS if scenario.calls[name]])
        number = draw.randint(1, scenario.calls[call])
        self.order(call, number, f"{draw.choice(ERRORS[call])}{draw.choice(['', '+'])}")
        if f":{errno.EINTR}+" in self.text:  # nobody gets out of that
            self.order(call, number, errno.EINTR)

    def short(self, house, scenario, draw):
        call = draw.choice([name for name in ("read", "pread", "write") if scenario.calls[name]])
        self.order(call, draw.randint(1, scenario.calls[call]), draw.choice(["short", "short+"]))

    def kill(self, house, scenario, draw):
        self.anywhere(scenario, draw, "kill")
        self.sent = [signal.SIGKILL]

    def late(self, house, scenario, draw):
        self.anywhere(scenario, draw, "late")
        self.sent = [signal.SIGKILL]

    def cut(self, house, scenario, draw):
        self.kill(house, scenario, draw)
        self.keep_journal(house)

    def cut_at_end(self, house, scenario, draw):
        self.text = "at the end:"
        self.keep_journal(house)

    def keep_journal(self, house):
        self.cuts = True
        self.journal = house.path("journal")
        self.environment["NORMA_FAULT_JOURNAL"] = self.journal
        shutil.rmtree(self.journal, ignore_errors=True)
        os.mkdir(self.journal)

    def signal(self, house, scenario, draw):
        number = draw.choice(SIGNALS)
        self.anywhere(scenario, draw, f"signal-{int(number)}")
        self.sent = [number]

    def gone(self, house, scenario, draw):
        self.environment["NORMA_FAULT_FOLDER"] = house.path("place", "run")
        self.anywhere(scenario, draw, "gone")

    def clock(self, house, scenario, draw):
        self.anywhere(scenario, draw, "clock")

    def memory(self, house, scenario, draw):
        self.limit(resource.RLIMIT_AS, draw.randint(20, 140) << 20)

    def files(self, house, scenario, draw):
        self.limit(resource.RLIMIT_NOFILE, draw.randint(3, 12))

    def size(self, house, scenario, draw):
        self.limit(resource.RLIMIT_FSIZE, draw.randint(0, 12000))

    def limit(self, which, value):
        names = {resource.RLIMIT_AS: "memory", resource.RLIMIT_NOFILE: "descriptors",
                 resource.RLIMIT_FSIZE: "file size"}
        self.text = f"{names[which]} {value}"
        self.limits = [(which, value)]


# ---- Power cuts ----


class Disk:
    """What may be on the disk after a power cut, by the journal of what was synced.

    Names change in order: those before the last sync of a folder have arrived, of the later ones
    some first part. A file holds what it was last synced with; what came later arrived wholly, in
    part, as zeros, or not."""

    def __init__(self, journal, start, place, draw):
        self.draw = draw
        self.place = place
        self.names = {}  # path: a file's number, or None for a folder
        self.synced, self.journal = {}, journal
        for folder, folders, files in os.walk(start):
            base = os.path.normpath(os.path.join(place, os.path.relpath(folder, start)))
            for name in folders:
                self.names[os.path.join(base, name)] = None
            for name in files:
                self.names[os.path.join(base, name)] = self.new(os.path.join(folder, name))
        self.replay()

    def new(self, content):
        number = len(self.synced)
        self.synced[number] = content  # a path to read it from; None: never synced
        return number

    def replay(self):
        lines = []
        if os.path.exists(os.path.join(self.journal, "journal")):
            with open(os.path.join(self.journal, "journal"), encoding="utf-8") as file:
                lines = [line.rstrip("\n").split("\t") for line in file]
        last_sync = max([i for i, line in enumerate(lines) if line[0] == "folder"], default=-1)
        arrived = self.draw.randint(last_sync + 1, len(lines))
        live = dict(self.names)  # as the program saw it: syncs name files by what they are called then
        for i, (what, path, *more) in enumerate(lines):
            on_disk = i < arrived
            if what == "create":
                live[path] = self.new(None)
            elif what == "mkdir":
                live[path] = None
            elif what == "rename":
                live[more[0]] = live.pop(path, None)
            elif what == "unlink":
                live.pop(path, None)
            elif what == "sync" and live.get(path) is not None:
                self.synced[live[path]] = os.path.join(self.journal, more[0])
            if on_disk:
                self.names = dict(live)
        self.live = live

    def make(self, folder):
        """Writes it there."""
        os.makedirs(folder)
        for path, number in sorted(self.names.items(), key=lambda item: len(item[0])):
            relative = os.path.relpath(path, self.place)
            if relative.startswith(".."):
                continue
            target = os.path.join(folder, relative)
            if number is None:
                os.makedirs(target, exist_ok=True)
                continue
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "wb") as file:
                file.write(self.content(number))

    def content(self, number):
        synced = b""
        if self.synced[number]:
            with open(self.synced[number], "rb") as file:
                synced = file.read()
        now = [path for path, other in self.live.items() if other == number]
        try:
            with open(now[0], "rb") as file:
                latest = file.read()
        except (IndexError, FileNotFoundError, IsADirectoryError):
            return synced
        if latest == synced:
            return synced
        part = self.draw.randint(0, len(latest))
        return self.draw.choice([synced, latest, latest[:part], latest[:part] + bytes(len(latest) - part)])


# ---- A round ----


def judge_end(scenario, fault, code, words):
    """Claim 1: nothing, or what is wrong."""
    if code is None:
        return f"it did not end within {PATIENCE} s"
    if "Sanitizer" in words or "runtime error" in words:
        return f"a sanitizer speaks: {words[:3000]}"
    if code < 0:
        return None if -code in [int(number) for number in fault.sent] else f"signal {-code}"
    if code > 128:
        return None if code - 128 in [int(number) for number in fault.sent] else f"exit code {code}"
    if code == 127 and fault.limits and "error while loading shared libraries" in words:
        return None  # not ours yet
    if code not in (0, 1, 2):
        return f"exit code {code}"
    return f"exit code {code} without a word" if code and not words.strip() else None


def judge_files(house, scenario, place, code, is_gone):
    """Claim 2, and of a run that finished its results."""
    for name, found in sums_of(house, place, scenario.results).items():
        expected = scenario.expected[name]
        if code == 0 and found != expected and scenario.may_say and says(os.path.join(place, name), scenario.may_say):
            continue
        if code == 0 and found != expected and not is_gone:
            return f"exit code 0, but {name} differs from what it is without a fault"
        if scenario.name in ("train", "resume") or name == "-" or found in (expected, scenario.before[name]):
            continue  # a run's files change on the way: resuming will tell
        return f"{name} is neither the old nor the new file"
    return None


def judge_afterwards(house, scenario, place):
    """Claim 3. Where nothing has changed there is nothing to see."""
    done = scenario.once and sums_of(house, place, scenario.results) == scenario.expected
    if done or sums_below(place) == scenario.start:
        return None
    said = []
    if scenario.undo:
        house.run(scenario.undo, place)
    for words in scenario.again:
        code, text = house.run(words, place)
        said.append(f"{' '.join(words)}: {code} {text.strip()[-400:]}")
        if code == 0:
            break
        if code not in (1, 2):
            return "afterwards: " + said[-1]
    else:
        return "afterwards nothing goes on:\n    " + "\n    ".join(said)
    for name, found in sums_of(house, place, scenario.results).items():
        if found != scenario.expected[name]:
            return f"afterwards {name} is another than without the fault ({said[-1]})"
    left = [name for _, _, files in os.walk(place) for name in files if name.endswith(".tmp")]
    return f"afterwards {left[0]} is left" if left else None


def judge_memory(house, scenario, fault):
    """What a fault lets lie about: nothing that would not be there without."""
    held = read_counts(house).get("live", 0)
    if fault.sent or held <= scenario.calls["live"]:
        return None
    return f"{held} blocks of memory are held at the end, {scenario.calls['live']} without a fault"


def play(house, seed):
    """A round: nothing, or what went wrong."""
    draw = random.Random(seed)
    if draw.random() < 0.1:
        return play_two(house, draw)
    scenario = draw.choice(SCENARIOS)
    return play_fault(house, scenario, Fault().drawn(house, scenario, draw), draw)


def play_two(house, draw):
    """Two that want the same folder, one of them with a fault: the other one finishes or says why not."""
    scenario = draw.choice(SCENARIOS[:2])
    place = begin(house, scenario)
    fault = Fault()
    draw.choice([fault.error, fault.kill, fault.late, fault.short, fault.signal])(house, scenario, draw)
    pause = draw.choice([0, 0.003, 0.01, 0.02, 0.04])
    other = house.beside("other")
    second = {}

    def run_other():
        time.sleep(pause)
        second["end"] = other.run(draw.choice(scenario.again), place)

    thread = threading.Thread(target=run_other)
    thread.start()
    code, words = house.run(scenario.words, place, fault.environment)
    thread.join()
    code_of_other, words_of_other = second["end"]
    what = (judge_end(scenario, fault, code, words) or judge_end(scenario, Fault(), code_of_other, words_of_other) or
            judge_afterwards(house, scenario, place))
    kind = "two finished" if code == code_of_other == 0 else "one of two finished" if 0 in (code, code_of_other) else "none of two"
    return f"two of {scenario.name}", fault.text, kind, what, words + words_of_other


def play_fault(house, scenario, fault, draw):
    place = begin(house, scenario)
    if fault.cuts:
        start = house.path("start")
        shutil.rmtree(start, ignore_errors=True)
        shutil.copytree(place, start)
    if os.path.exists(house.path("count")):
        os.remove(house.path("count"))
    code, words = house.run(scenario.words, place, dict(fault.environment, NORMA_FAULT_COUNT=house.path("count")),
                            fault.limits)
    what = judge_end(scenario, fault, code, words) or judge_memory(house, scenario, fault)
    gone = os.path.join(place, "run.gone")
    is_gone = os.path.exists(gone)
    if is_gone:
        shutil.rmtree(os.path.join(place, "run"), ignore_errors=True)
        os.rename(gone, os.path.join(place, "run"))
    if fault.cuts:
        Disk(fault.journal, house.path("start"), place, draw).make(place + ".disk")
        shutil.rmtree(place)
        os.rename(place + ".disk", place)
    what = what or judge_files(house, scenario, place, code, is_gone) or judge_afterwards(house, scenario, place)
    kind = "finished" if code == 0 else "stopped" if code is None or code < 0 or code > 2 else "an error"
    return scenario.name, fault.text + (" power cut" if fault.cuts else ""), kind, what, words


# ---- Every call ----


def every_fault(house, only):
    """Each call of each scenario that fails once, and with all later ones."""
    faults = []
    for scenario in SCENARIOS + MORE:
        if only and scenario.name != only:
            continue
        if scenario in MORE:
            prepare_scenario(house, scenario)
        for call, errors in ERRORS.items():
            for number in range(1, scenario.calls[call] + 1):
                code = errors[number % len(errors)]
                faults.append((scenario, (call, number, f"{code}")))
                if code != errno.EINTR:  # nobody gets out of that
                    faults.append((scenario, (call, number, f"{code}+")))
    return faults


def play_every(house, options):
    """A part of the rounds, in processes of their own, each in a house of its own."""
    faults = every_fault(house, options.only)
    last = min(len(faults), options.first - 1 + (options.rounds or len(faults)))
    seeds = range(options.first - 1, last)
    with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
        for seed, ended in pool.imap(play_one, ((house, faults[seed], seed) for seed in seeds), chunksize=8):
            yield seed + 1, ended


def play_one(task):
    house, (scenario, order), seed = task
    own = house.beside(f"of-{os.getpid()}")
    return seed, play_fault(own, scenario, Fault(order), random.Random(seed))


def play_drawn(house, options):
    stop = time.monotonic() + 60 * options.minutes if options.minutes else None
    seed = options.first
    while time.monotonic() < stop if stop else seed < options.first + (options.rounds or 100):
        yield seed, play(house, seed)
        seed += 1


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("build")
    options.add_argument("--minutes", type=float)
    options.add_argument("--rounds", type=int)
    options.add_argument("--first", type=int, default=1, help="the first round's seed")
    options.add_argument("--every", action="store_true", help="each call of each scenario, in order")
    options.add_argument("--only", help="with --every: of this scenario")
    options.add_argument("--jobs", type=int, default=os.cpu_count())
    options = options.parse_args()
    bad, ends, rounds = 0, {}, 0
    with tempfile.TemporaryDirectory(prefix="norma-torture-") as folder:
        house = House(os.path.abspath(options.build), folder)
        prepare(house)
        for seed, (name, fault, kind, what, words) in (play_every if options.every else play_drawn)(house, options):
            rounds, ends[kind] = rounds + 1, ends.get(kind, 0) + 1
            if what:
                bad += 1
                print(f"FAILED: seed {seed}: {name}, {fault}: {what}\n  it said: {words.strip()[-600:]}",
                      flush=True)
    seed = options.first + rounds
    if options.minutes:
        with open(os.path.join(options.build, "next_seed"), "w", encoding="ascii") as file:
            file.write(f"{seed}\n")
    print(f"seeds {options.first} to {seed - 1}: " +
          ", ".join(f"{count} {kind}" for kind, count in sorted(ends.items())))
    print(f"{100 * (rounds - bad) // max(rounds, 1)}%: Checks: {rounds}, Failures: {bad}, Errors: 0")
    return 1 if bad or not rounds else 0


if __name__ == "__main__":
    sys.exit(main())
