"""Where mutants are made and tried: one build, in which a changed source costs its own compilation and one
link, since all tests take the library as a shared object; and what each test runs through, seen with a second
library."""

import concurrent.futures
import hashlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

UNITS = {"core", "ops", "optim", "models"}
LIBRARY = re.compile(r"libnorma(\.so\.[\d.]+|\.a|_rare\.a|_long\.a|-command\.a)\.p/")
CHECKED = "-fsanitize=address,undefined"
# Lines of what is run through; nothing is inlined, so that a function's beginning tells.
TRACED = ["-g1", "-fno-inline", "-fsanitize-coverage=trace-pc"]
SECONDS = 20  # a test that takes longer in the traced library is not used
MEMORY = 3000  # MB of a test
TEST_MAIN = re.compile(r"TEST_MAIN\(([^)]*)\)")


def run(words, **options):
    return subprocess.run(words, capture_output=True, text=True, check=False, **options)


def must(words, **options):
    done = run(words, **options)
    if done.returncode:
        sys.exit(f"{shlex.join(words)}\n{done.stdout}{done.stderr}")
    return done.stdout


class Workshop:
    """The build of a copy of the sources, in which nothing is changed."""

    def __init__(self, folder, jobs):
        self.folder, self.jobs = folder, jobs
        self.source, self.build = os.path.join(folder, "source"), os.path.join(folder, "build")
        self.set_up()
        with open(os.path.join(self.build, "compile_commands.json"), encoding="utf-8") as file:
            rows = json.load(file)
        self.compiling = {row["output"]: row for row in rows}  # by object
        self.library = [output for output in self.compiling if LIBRARY.match(output)]
        self.programs = self.names_of_programs()
        self.objects = {name: next(o for o in self.compiling if o.startswith(name + ".p/")) for name in self.programs}
        self.make()

    def set_up(self):
        if not os.path.exists(os.path.join(self.build, "build.ninja")):
            # Nothing is hidden, so that tests find it all. All is linked with the sanitizers, as ./dev test has
            # them, but they are in the source that changes alone: what is not changed is fast.
            must(["meson", "setup", self.build, self.source, "-Doptimization=1", "-Ddebug=false",
                  "-Dc_args=-fvisibility=default", f"-Dc_link_args={CHECKED}", "-Db_ndebug=false",
                  "-Db_lundef=false"])

    def names_of_programs(self):
        rows = json.loads(must(["meson", "introspect", "--tests", self.build]))
        return sorted({os.path.relpath(row["cmd"][0], self.build) for row in rows
                       if UNITS & {s.split(":")[-1] for s in row["suite"]}})

    # ---- Building ----

    def make(self):
        own = [o for o in self.compiling if o.startswith("norma.p/")]
        must(["ninja", "-C", self.build, f"-j{self.jobs}", *self.library, *self.objects.values(), *own,
              "tests/libtest_helpers.a"])
        for o in self.objects.values():
            if '"tests/malloc_count.h"' in self.text_of(o):  # it counts in another way beside the sanitizer
                self.compile(o, self.source, os.path.join(self.build, o), [CHECKED])
        self.made = os.path.join(self.folder, "made")  # NORMA_BUILD of the tests
        os.makedirs(os.path.join(self.made, "tests"), exist_ok=True)
        self.link_library(self.made, {})
        self.traced = self.make_traced()
        programs = {"norma": own, **{name: [o, "tests/libtest_helpers.a"] for name, o in self.objects.items()}}
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            list(pool.map(lambda item: self.link_program(*item), programs.items()))
        if self.passes(next(self.tests()), self.folder, SECONDS):
            sys.exit("the tests take another library than the one they are given")

    def make_traced(self):
        """The folder of a library that keeps what is run through."""
        folder = os.path.join(self.folder, "traced")
        os.makedirs(folder, exist_ok=True)
        reach = os.path.join(folder, "reach.o")
        must(["cc", "-O2", "-fPIC", "-c", os.path.join(self.source, "tests/mutate/reach.c"), "-o", reach])
        objects = {o: os.path.join(folder, o.replace("/", "+")) for o in self.library}
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            made = list(pool.map(lambda o: self.compile(o, self.source, objects[o], TRACED), objects))
        if not all(made) or self.link_library(folder, objects, [reach]).returncode:
            sys.exit("the library does not compile with " + " ".join(TRACED))
        return folder

    def flags(self, *packages):
        return shlex.split(must(["pkg-config", "--libs", *packages])) + ["-lm", "-ldl", "-pthread"]

    def link_library(self, to, changed, others=()):
        """libnorma.so, of which some objects are `changed`."""
        objects = [changed.get(o, o) for o in self.library]
        return run(["cc", "-shared", CHECKED, "-Wl,-Bsymbolic-functions,-soname,libnorma.so", "-o",
                    os.path.join(to, "libnorma.so"), *objects, *others, *self.flags("yaml-0.1", "zlib")], cwd=self.build)

    def link_program(self, name, objects):
        target = os.path.join(self.made, name)
        if os.path.exists(target) and all(
                os.stat(target).st_mtime > os.stat(os.path.join(self.build, o)).st_mtime for o in objects):
            return
        must(["cc", CHECKED, "-o", target, *objects, os.path.join(self.made, "libnorma.so"),
              *self.flags("check", "yaml-0.1", "zlib")], cwd=self.build)

    def including(self, name):
        """The library's objects that are made of this source, or with this header."""
        if name.endswith(".c"):
            return [o for o in self.library if self.source_of(o) == name]
        told = must(["ninja", "-C", self.build, "-t", "deps", *self.library])
        found, current = [], None
        for line in told.splitlines():
            if line and not line.startswith(" "):
                current = line.split(":")[0]
            elif line.strip().endswith("/" + name):
                found.append(current)
        return found

    def source_of(self, output):
        return os.path.relpath(os.path.join(self.build, self.compiling[output]["file"]), self.source)

    def text_of(self, output):
        with open(os.path.join(self.source, self.source_of(output)), encoding="utf-8") as file:
            return file.read()

    def compile(self, output, overlay, target, flags):
        """An object with the overlay's sources in place of ours."""
        words = shlex.split(self.compiling[output]["command"])
        own = os.path.join(overlay, self.source_of(output))
        words[-1] = own if os.path.exists(own) else words[-1]
        words[words.index("-o") + 1] = target
        for option in "-MQ", "-MF":
            at = words.index(option)
            del words[at:at + 2]
        words.remove("-MD")
        words[-4:-4] = flags
        words.insert(next(i for i, w in enumerate(words) if w.startswith("-I")), "-I" + overlay)
        return run(words, cwd=self.build).returncode == 0

    # ---- Tests ----

    def tests(self):
        """Every (program, test)."""
        for program in self.programs:
            main = TEST_MAIN.search(self.text_of(self.objects[program]))
            for case in main.group(1).split(",")[1:]:
                yield program, case.strip()

    def passes(self, test, library, seconds, reached=None):
        """Within these seconds of a processor. Waiting, not computing, it may take ten times as long."""
        program, case = test
        environment = dict(os.environ, NORMA_SOURCE=self.source, NORMA_BUILD=self.made, CC="cc", CK_FORK="no",
                           CK_RUN_CASE=case, LD_LIBRARY_PATH=library,
                           # Tests count blocks themselves.
                           ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1:quarantine_size_mb=8:"
                                        f"hard_rss_limit_mb={MEMORY}",
                           UBSAN_OPTIONS="halt_on_error=1")
        if reached:
            environment["NORMA_REACHED"] = reached
        null = subprocess.DEVNULL
        words = ["sh", "-c", f'ulimit -t {int(seconds)} && exec "$0"', os.path.join(self.made, program)]
        with subprocess.Popen(words, cwd=self.made, env=environment, stdin=null, stdout=null, stderr=null,
                              start_new_session=True) as test:
            try:
                return test.wait(10 * seconds) == 0
            except subprocess.TimeoutExpired:
                os.killpg(test.pid, signal.SIGKILL)  # with the commands that it began
                return False

    def measure(self):
        """{(program, test): (seconds, the blocks that it runs through)}, of those that pass without a change."""
        kept = os.path.join(self.folder, "reached.json")
        sum_of_all = self.sum_of_sources()
        if os.path.exists(kept):
            with open(kept, encoding="utf-8") as file:
                found = json.load(file)
            if found["sources"] == sum_of_all:
                return {(p, c): (s, set(o)) for p, c, s, o in found["tests"]}
        with concurrent.futures.ThreadPoolExecutor(self.jobs) as pool:
            measured = list(pool.map(self.measure_one, enumerate(self.tests())))
        out = [f"{os.path.basename(p)}/{c}" for p, c, s, o in measured if s is None]
        if out:
            print("not used, since slow or failing without a change:", *out, flush=True)
        used = [row for row in measured if row[2] is not None]
        lines = self.lines_of({o for row in used for o in row[3]})
        used = [(p, c, s, sorted({line for o in at for line in lines[o]})) for p, c, s, at in used]
        with open(kept, "w", encoding="utf-8") as file:
            json.dump({"sources": sum_of_all, "tests": used}, file)
        return {(p, c): (s, set(o)) for p, c, s, o in used}

    def measure_one(self, task):
        number, (program, case) = task
        path = os.path.join(self.folder, f"reached-{number}")
        begin = time.monotonic()
        fine = self.passes((program, case), self.traced, SECONDS, path)
        seconds = time.monotonic() - begin if fine else None
        offsets = []
        if os.path.exists(path):
            with open(path, "rb") as file:
                offsets = [m.start() for m in re.finditer(b"\1", file.read())]
            os.remove(path)
        return program, case, seconds, offsets

    def lines_of(self, offsets):
        """{offset: ["core/pool.c:12", ...]}: where that is, and where it was inlined."""
        asked = sorted(offsets)
        told = run(["addr2line", "-a", "-i", "-e", os.path.join(self.traced, "libnorma.so")],
                   input="\n".join(f"{o - 1:x}" for o in asked)).stdout
        lines, current = {}, None
        for line in told.splitlines():
            if line.startswith("0x"):
                current = lines.setdefault(int(line, 16) + 1, [])
            elif ":" in line:
                path, number = line.split(" ")[0].rsplit(":", 1)
                name = os.path.relpath(os.path.realpath(os.path.join(self.build, path)), self.source)
                current.append(f"{name}:{number}")
        return lines

    def sum_of_sources(self):
        total = hashlib.sha256()
        for folder, folders, names in os.walk(self.source):
            folders.sort()
            for name in sorted(names):
                if name.endswith((".c", ".h", ".build", ".yaml")):
                    with open(os.path.join(folder, name), "rb") as file:
                        total.update(file.read())
        return total.hexdigest()
