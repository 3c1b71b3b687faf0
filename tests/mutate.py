#!/usr/bin/env python3
"""Changes one thing in core or ops at a time and tells whether the tests of the units notice.

usage: tests/mutate.py FOLDER COUNT FIRST

FOLDER gets a copy of the sources and a build of it. A change is drawn by its seed, FIRST and up: an
operator, a constant, or a statement that is left out. It is noticed if a test fails, crashes or takes
too long; a change that does not compile is none, and the next seed is drawn. The tests nearest to the
file by name run first, then all others.
"""

import concurrent.futures
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time

NEAR = 10  # programs that are tried before all
SLOW = {"models_test_zoo"}  # as slow as all others together: not tried
SECONDS = 60  # a program's time, where it takes a few
MEMORY = 3000  # MB of a program

OPERATORS = {
    " < ": (" <= ", " > "), " <= ": (" < ",), " > ": (" >= ", " < "), " >= ": (" > ",), " == ": (" != ",),
    " != ": (" == ",), " && ": (" || ",), " || ": (" && ",), " + ": (" - ",), " - ": (" + ",), " * ": (" + ",),
    " / ": (" * ",), " += ": (" -= ",), " -= ": (" += ",), "++": ("--",), "!": ("",), "true": ("false",),
    "false": ("true",),
}
PLACE = re.compile("|".join(re.escape(o) for o in OPERATORS) + r"|(?<![\w.])\d+(?![\w.])")
STATEMENT = re.compile(r"^\s+(?!return|break|continue|goto|case|default|static|const|typedef|struct|\.)[\w*(].*;$")
# A name or a type before a name: left out, it does not compile.
DECLARATION = re.compile(r"^\s+[a-zA-Z_][\w ]*[ *]+\w+(\[.*\])?( =.*|, .*)?;$")


def sources():
    names = subprocess.run(["git", "ls-files"], check=True, capture_output=True, text=True).stdout.split("\n")
    return [name for name in names if name]


def copy(names, to):
    """What has another time is copied: what stayed is not built again."""
    for name in names:
        target = os.path.join(to, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.exists(target) or os.stat(target).st_mtime != os.stat(name).st_mtime:
            shutil.copy2(name, target)


def without_comments(lines):
    """Each line; an empty one for what is comment, preprocessor or text of help."""
    inside = continued = False
    for line in lines:
        begins, stays = inside or line.lstrip().startswith("/*"), continued
        inside = begins and "*/" not in line
        continued = line.endswith("\\")
        skip = begins or stays or line.startswith("#") or '"' in line or "__attribute__" in line
        yield "" if skip else line


def mutants(lines):
    """All single changes of a file: (line, what it becomes)."""
    depth = 0
    for number, line in enumerate(without_comments(lines)):
        code = line.split("/*")[0].rstrip()
        if depth > 0 or line.startswith((" ", "\t")):
            for place in PLACE.finditer(code):
                found = place.group()
                for other in OPERATORS.get(found, ()) or (str(int(found) + 1),):
                    yield number, code[:place.start()] + other + code[place.end():]
            if STATEMENT.match(code) and not DECLARATION.match(code):
                yield number, ""
        depth += line.count("{") - line.count("}")


def draw(seed, files):
    """(file, number of line, before, after) by the seed. Files count by their length."""
    choice = random.Random(seed)
    while True:
        name = choice.choices([f for f, _ in files], [len(lines) for _, lines in files])[0]
        lines = dict(files)[name]
        every = list(mutants(lines))
        if every:
            number, after = choice.choice(every)
            return name, number, lines[number], after


def words(name):
    return set(re.split(r"[/_.]", name)) - {"test", "c", "h", "tests"}


def by_nearness(name, programs):
    mine = words(name)
    return sorted(programs, key=lambda p: (-len(mine & words(p)), p))


def fails(program, build, source):
    environment = dict(os.environ, NORMA_SOURCE=source, NORMA_BUILD=build, CC="cc", CK_DEFAULT_TIMEOUT="60",
                       OMP_WAIT_POLICY="passive",
                       ASAN_OPTIONS=f"allocator_may_return_null=1:hard_rss_limit_mb={MEMORY}")
    try:
        return subprocess.run([os.path.join(build, program)], cwd=build, env=environment,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=SECONDS).returncode != 0
    except subprocess.TimeoutExpired:
        return True


def first_failing(programs, build, source):
    """The name of a program that fails, or None."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        waiting = {pool.submit(fails, program, build, source): program for program in programs}
        for done in concurrent.futures.as_completed(waiting):
            if done.result():
                pool.shutdown(wait=True, cancel_futures=True)
                return waiting[done]
    return None


def ninja(build, *targets):
    return subprocess.run(["ninja", "-C", build, *targets], capture_output=True, text=True)


def names_of_programs(build):
    listed = subprocess.run(["meson", "introspect", "--tests", build], check=True, capture_output=True, text=True)
    rows = json.loads(listed.stdout)
    units = {"core", "ops", "optim", "models"}
    return sorted({os.path.relpath(row["cmd"][0], build) for row in rows
                   if units & {s.split(":")[-1] for s in row["suite"]} and os.path.basename(row["cmd"][0]) not in SLOW})


def set_up(folder):
    source, build = os.path.join(folder, "source"), os.path.join(folder, "build")
    copy(sources(), source)
    if not os.path.exists(os.path.join(build, "build.ninja")):
        subprocess.run(["meson", "setup", build, source, "--buildtype=debugoptimized", "-Doptimization=1",
                        "-Dc_args=-g1", "-Db_ndebug=false", "-Db_lundef=false", "-Db_sanitize=address,undefined"],
                       check=True, stdout=subprocess.DEVNULL)
    programs = names_of_programs(build)
    made = ninja(build, *programs)
    if made.returncode:
        sys.exit(made.stdout)
    return source, build, programs


def try_one(change, source, build, programs):
    """"noticed by ...", "survived", or None where it does not compile."""
    name, number, _, after = change
    path = os.path.join(source, name)
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    lines[number] = after
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(lines))
    try:
        order = by_nearness(name, programs)
        for part in order[:NEAR], order[NEAR:]:
            if ninja(build, *part).returncode:
                return None
            found = first_failing(part, build, source)
            if found:
                return "noticed by " + os.path.basename(found)
        return "survived"
    finally:
        shutil.copy(name, path)  # with the time of now: to be built again


def usable(programs, build, source):
    """Those that pass without a change, and soon."""
    def seconds(program):
        begin = time.monotonic()
        return SECONDS if fails(program, build, source) else time.monotonic() - begin

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        taken = dict(zip(programs, pool.map(seconds, programs)))
    left_out = [program for program in programs if taken[program] > SECONDS / 3]
    if left_out:
        print("not used, since slow or failing without a change:", *left_out, flush=True)
    return [program for program in programs if program not in left_out]


def main():
    folder, count, seed = os.path.abspath(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    source, build, programs = set_up(folder)
    files = []
    for name in sources():
        if re.match(r"(core|ops)/.*\.c$|ops/kernels/.*\.h$", name):
            with open(name, encoding="utf-8") as file:
                files.append((name, file.read().split("\n")))
    programs = usable(programs, build, source)
    noticed = survived = 0
    while noticed + survived < count:
        change = draw(seed, files)
        result = try_one(change, source, build, programs)
        if result:
            name, number, before, after = change
            survived += result == "survived"
            noticed += result != "survived"
            print(f"{seed} {name}:{number + 1}: {result}", flush=True)
            if result == "survived":
                print(f"    - {before.strip()}\n    + {after.strip()}", flush=True)
        seed += 1
    print(f"{noticed} of {count} noticed, {survived} survived; next seed {seed}")


if __name__ == "__main__":
    main()
