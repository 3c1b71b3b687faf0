#!/usr/bin/env python3
"""Changes one thing in core or ops at a time and tells whether the tests of the units notice.

usage: tests/mutate/mutate.py FOLDER COUNT FIRST [JOBS]

FOLDER gets a copy of the sources and a build of it. A change is drawn by its seed, FIRST and up: an
operator, a constant, or a statement that is left out. It is noticed if a test fails, crashes or takes
too long. Of a function that changed, those tests are run that run through it (seen once, without a
change), the nearest by name first, until one fails. No mutant is what does not compile, and what the
compiler makes the same code of: the next seed is drawn.
"""

import concurrent.futures
import filecmp
import os
import random
import re
import shutil
import subprocess
import sys

from workshop import CHECKED, Workshop

BUDGET = 120  # seconds, without a change: of a change that more tests come by, the slowest are not run
PATIENCE = 5  # a test that takes so many times its time, and as many seconds, never ends

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
    return [name for name in names if os.path.isfile(name)]


def copy(names, to):
    """What differs is copied: what stayed is not built again."""
    for name in names:
        target = os.path.join(to, name)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.exists(target) or not filecmp.cmp(name, target, shallow=False):
            shutil.copy(name, target)


# ---- Changes ----


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


def function_around(lines, number):
    """The lines of the function that has this one, counted from 1; none for what is outside of all."""
    begin = depth = 0
    for at, line in enumerate(lines):
        if depth == 0 and (not line.strip() or line.startswith(("#", "}"))):
            begin = at + 1
        depth += line.count("{") - line.count("}")
        if depth == 0 and line.startswith("}") and at >= number:
            return range(begin + 1, at + 2) if begin <= number and line == "}" else range(0)
    return range(0)


# ---- Trying ----


def words(name):
    return set(re.split(r"[/_.]", name)) - {"test", "c", "h", "tests"}


def places(change, lines, tests):
    """Where the blocks begin that the changed line can be in: what stands last before it in its function, and what
    follows it soon, since an expression has several lines. `tests` know of blocks that are run through. Of what is
    outside of all functions, or in one without blocks that is inlined by force, every block of the file."""
    name, number = change[:2]
    known = {line for line in range(1, len(lines) + 1)
             if any(f"{name}:{line}" in reached for _, reached in tests.values())}
    around = function_around(lines, number)
    within = known & set(around)
    if not around or not within and "NM_INLINE" in "\n".join(lines[around.start - 1:around.stop - 1]):
        return {f"{name}:{line}" for line in known}
    before = max((line for line in within if line <= number + 1), default=0)
    return {f"{name}:{line}" for line in within if line == before or number < line <= number + 4}


def to_be_run(change, lines, tests):
    """The tests that run through what changes, the nearest by name first, then the quickest."""
    at = places(change, lines, tests)
    reaching = [test for test, (_, reached) in tests.items() if at & reached]
    if not reaching and not function_around(lines, change[1]):
        reaching = tests  # a file of nothing but tables
    mine = words(change[0])
    order = sorted(reaching, key=lambda test: (-len(mine & words(test[0])), tests[test][0]))
    left, chosen = BUDGET, set()
    for test in sorted(order, key=lambda test: tests[test][0]):
        left -= tests[test][0]
        if left > 0 or mine & words(test[0]):
            chosen.add(test)
    return [test for test in order if test in chosen]


def build(change, lines, shop, folder):
    """A library with the change in `folder`; None if it does not compile, False if nothing changes."""
    name, number, _, after = change
    changed, same = {}, True
    for kind, text in ("before", lines), ("after", lines[:number] + [after] + lines[number + 1:]):
        path = os.path.join(folder, "overlay", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(text))
        for i, output in enumerate(shop.including(name)):
            target = os.path.join(folder, f"{kind}-{i}.o")
            if not shop.compile(output, os.path.join(folder, "overlay"), target, ["-O2"]):
                return None
            if kind == "after":
                same = same and same_bytes(target, os.path.join(folder, f"before-{i}.o"))
                changed[output] = os.path.join(folder, f"new-{i}.o")
    if same:
        return False
    made = all([shop.compile(o, os.path.join(folder, "overlay"), target, [CHECKED]) for o, target in changed.items()])
    return True if made and shop.link_library(folder, changed).returncode == 0 else None


def same_bytes(one, other):
    with open(one, "rb") as a, open(other, "rb") as b:
        return a.read() == b.read()


def try_one(change, lines, shop, tests, folder):
    """"noticed by ...", "survived ...", "equal" or "does not compile"."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    try:
        built = build(change, lines, shop, folder)
        if not built:
            return "does not compile" if built is None else "equal"
        order = to_be_run(change, lines, tests)
        for test in order:
            if not shop.passes(test, folder, PATIENCE * (1 + tests[test][0])):
                return f"noticed by {os.path.basename(test[0])}/{test[1]}"
        return f"survived {len(order)} tests"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def tell(seed, change, result):
    name, number, before, after = change
    print(f"{seed} {name}:{number + 1}: {result}", flush=True)
    if result.startswith("survived"):
        print(f"    - {before.strip()}\n    + {after.strip()}", flush=True)


def files_to_change():
    files = []
    for name in sources():
        if re.match(r"(core|ops)/.*\.c$|ops/kernels/.*\.h$", name):
            with open(name, encoding="utf-8") as file:
                files.append((name, file.read().split("\n")))
    return files


def play(files, shop, tests, count, seed):
    """As many at a time as there are jobs, until there are `count`, or more that were begun before. Returns how many
    came to what, and the next seed."""
    def one(number):
        change = draw(number, files)
        return number, change, try_one(change, dict(files)[change[0]], shop, tests,
                                       os.path.join(shop.folder, f"mutant-{number}"))

    ends, waiting = {"noticed": 0, "survived": 0, "equal": 0, "does": 0}, set()
    with concurrent.futures.ThreadPoolExecutor(shop.jobs) as pool:
        while waiting or ends["noticed"] + ends["survived"] < count:
            while len(waiting) < min(shop.jobs, count - ends["noticed"] - ends["survived"]):
                waiting.add(pool.submit(one, seed))
                seed += 1
            done, waiting = concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED)
            for number, change, result in (future.result() for future in done):
                tell(number, change, result)
                ends[result.split(" ")[0]] += 1
    return ends, seed


def main():
    folder, count, seed = os.path.abspath(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    jobs = int(sys.argv[4]) if len(sys.argv) > 4 else os.cpu_count()
    copy(sources(), os.path.join(folder, "source"))
    shop = Workshop(folder, jobs)
    tests = shop.measure()
    print(f"{len(tests)} tests", flush=True)
    ends, following = play(files_to_change(), shop, tests, count, seed)
    print(f"seeds {seed} to {following - 1}: {ends['noticed']} noticed, {ends['survived']} survived; "
          f"{ends['equal']} are the same code, {ends['does']} do not compile")


if __name__ == "__main__":
    main()
