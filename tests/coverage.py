#!/usr/bin/env python3
"""How much of the library and the command the tests have run through, from what a build with
-Db_coverage=true left behind: the share of lines and branches, then the lines that nothing reached.

usage: tests/coverage.py BUILD [--branches]
       --branches: also lines of which some branch was never taken

A line of a header counts as reached where any of its includers got there. By gcov's own JSON.
"""

import collections
import json
import os
import subprocess
import sys

FLOORS = ("core/", "ops/", "optim/", "models/")


def notes(build):
    """Of each source, one file with the counts of a run (.gcda), or without (.gcno)."""
    found = {}
    for folder, _, names in os.walk(build):
        for name in names:
            stem, ending = os.path.splitext(name)
            if ending == ".gcno" and not os.path.relpath(folder, build).startswith("tests"):
                counts = os.path.join(folder, stem + ".gcda")
                found[os.path.join(folder, stem)] = \
                    counts if os.path.exists(counts) else os.path.join(folder, name)
    return sorted(found.values())


def reports(build, paths):
    """gcov's report of each of them."""
    told = subprocess.run(["gcov", "--json-format", "--stdout", "--branch-probabilities", *paths],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True,
                          cwd=build).stdout
    return [json.loads(line) for line in told.splitlines() if line.startswith("{")]


def gather(build):
    """({file: {line: times}}, {file: {(line, branch): times}})"""
    lines = collections.defaultdict(collections.Counter)
    branches = collections.defaultdict(collections.Counter)
    build = os.path.abspath(build)
    paths = [os.path.abspath(path) for path in notes(build)]
    if not paths:
        sys.exit(f"{build} was not built with -Db_coverage=true")
    for report in reports(build, paths):
        for file in report["files"]:
            path = os.path.join(report.get("current_working_directory", build), file["file"])
            name = os.path.relpath(os.path.realpath(path))
            if not name.startswith(FLOORS):
                continue
            for line in file["lines"]:
                lines[name][line["line_number"]] += line["count"]
                for i, branch in enumerate(line.get("branches", [])):
                    branches[name][line["line_number"], i] += branch["count"]
    return lines, branches


def ranges(numbers):
    """[3, 4, 5, 9] as 3-5, 9."""
    runs = []
    for number in sorted(numbers):
        if runs and runs[-1][1] == number - 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def rate(what, counts):
    """"lines 98.4 % (31000 of 31500)" """
    every = [count for file in counts.values() for count in file.values()]
    reached = sum(count > 0 for count in every)
    share = 100 * reached / len(every) if every else 0
    return f"{what} {share:.1f} % ({reached} of {len(every)})"


def unreached(counts):
    """{file: lines}, what was missed most first."""
    missed = {name: {key[0] if isinstance(key, tuple) else key
                     for key, count in file.items() if not count} for name, file in counts.items()}
    return sorted(((name, found) for name, found in missed.items() if found),
                  key=lambda row: (-len(row[1]), row[0]))


def main():
    arguments = [word for word in sys.argv[1:] if not word.startswith("--")]
    if len(arguments) != 1:
        sys.exit(__doc__)
    lines, branches = gather(arguments[0])
    for name, found in unreached(lines):
        print(f"{name}: {ranges(found)}")
    if "--branches" in sys.argv:
        print("\nBranches never taken, of lines that were reached:")
        for name, found in unreached(branches):
            print(f"{name}: {ranges({line for line in found if lines[name][line]})}")
    print(f"\n{rate('lines', lines)}, {rate('branches', branches)}")


if __name__ == "__main__":
    main()
