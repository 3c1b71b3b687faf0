#!/usr/bin/env python3
"""No two files of the library and the command need each other, directly or by a detour.

What a file needs is told by its object: the symbols it refers to, and the objects that define them.
What two files need of each other belongs in a third, below both (docs/architecture.md). A circle that
is meant stands in MEANT; one there that is none any more fails, too.
"""

import json
import os
import shlex
import subprocess
import sys
import tempfile

SOURCE = os.environ["NORMA_SOURCE"]
BUILD = os.environ["NORMA_BUILD"]
FLOORS = ("core/", "ops/", "optim/", "models/")

# Circles that are meant, each as the set of its files.
MEANT = [
    {"ops/norm/batch_norm.c", "ops/norm/batch_norm_grad.c"},  # each is the other's derivative
    {"ops/norm/normalize.c", "ops/norm/normalize_grad.c"},  # the same
]


def objects():
    """From each source to its object, in the libraries and the command."""
    with open(os.path.join(BUILD, "compile_commands.json"), encoding="utf-8") as file:
        commands = json.load(file)
    found = {}
    if any("-DNM_COVERAGE" in command["command"] for command in commands):
        print("built for coverage: objects have functions that none of their own calls")
        sys.exit(77)
    for command in commands:
        source = os.path.relpath(os.path.join(command["directory"], command["file"]), SOURCE)
        path = os.path.join(command["directory"], command["output"])
        if source.startswith(FLOORS) and os.path.exists(path):
            found.setdefault(source, path)
    return found


def symbols(paths):
    """Of each object, the symbols that it defines and those that it refers to, of others."""
    listed = subprocess.run([os.environ.get("NM", "nm"), "-g", "-P", "-A", *paths],
                            stdout=subprocess.PIPE, check=True, text=True).stdout
    found = {path: (set(), set()) for path in paths}
    for line in listed.splitlines():
        path, _, row = line.partition(": ")
        symbol, kind = row.split()[:2]
        found[path][kind in "Uwv"].add(symbol)
    return found


def needs_of(files):
    """{file: {another: the symbols of that one that it refers to}}"""
    listed = symbols(list(files.values()))
    both = {name: listed[path] for name, path in files.items()}
    home = {symbol: name for name, (defined, _) in both.items() for symbol in defined}
    needs = {name: {} for name in files}
    for name, (_, wanted) in both.items():
        for symbol in sorted(wanted):
            other = home.get(symbol, name)
            if other != name:
                needs[name].setdefault(other, []).append(symbol)
    return needs


def reached(needs, start):
    seen, left = set(), [start]
    while left:
        for other in needs[left.pop()]:
            if other not in seen:
                seen.add(other)
                left.append(other)
    return seen


def circles_of(needs):
    """The sets of files in which each needs each."""
    reach = {name: reached(needs, name) for name in needs}
    circles = []
    for name in sorted(needs):
        circle = {other for other in reach[name] if name in reach[other]}
        if circle and circle not in circles:
            circles.append(circle)
    return circles


def told(needs, circle):
    lines = [f"  {name} needs {other}: {', '.join(needs[name][other])}"
             for name in sorted(circle) for other in sorted(needs[name]) if other in circle]
    return "\n".join(lines)


def finds_a_circle():
    """Whether one of three files is found, which the compiler is given."""
    texts = {"a": "int b(void); int a(void) { return b(); }",
             "b": "int c(void); int b(void) { return c(); }",
             "c": "int a(void); int d(void); int c(void) { return a() + d(); }",
             "d": "int d(void) { return 1; }"}
    with tempfile.TemporaryDirectory() as folder:
        files = {}
        for name, text in texts.items():
            files[name] = os.path.join(folder, name + ".o")
            command = shlex.split(os.environ.get("CC", "cc"))
            subprocess.run(command + ["-xc", "-c", "-o", files[name], "-"], input=text, check=True,
                           text=True)
        return circles_of(needs_of(files)) == [{"a", "b", "c"}]


def main():
    files = objects()
    needs = needs_of(files)
    circles = circles_of(needs)
    failures = []
    if len(files) < 200:
        failures.append(f"only {len(files)} objects are there; build first")
    if not finds_a_circle():
        failures.append("a circle of three small files is not found")
    failures += ["a circle; put what they need of each other into a file below them:\n" +
                 told(needs, circle) for circle in circles if circle not in MEANT]
    failures += [f"no circle any more; remove it from MEANT: {sorted(circle)}"
                 for circle in MEANT if circle not in circles]
    for failure in failures:
        print("FAILED:", failure)
    checks = len(files) + len(MEANT) + 1
    print(f"{100 * (checks - len(failures)) // checks}%: Checks: {checks}, "
          f"Failures: {len(failures)}, Errors: 0")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
