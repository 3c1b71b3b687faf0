#!/usr/bin/env python3
"""Compiles the files whose names come on standard input, with warnings as errors, and keeps nothing.

usage: git ls-files -m | tests/look_for_warnings.py BUILD

How a source is compiled, BUILD/compile_commands.json says; a header, as the first source that is
named as it is or stands in its folder. What neither is known of is left out, and said.
"""

import json
import os
import shlex
import subprocess
import sys


def commands(build):
    """{source: its command}"""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        rows = json.load(file)
    known = {}
    for row in rows:
        source = os.path.relpath(os.path.join(row["directory"], row["file"]))
        known.setdefault(source, (row["directory"], row["command"]))
    return known


def source_of(path, known):
    """The source to compile for a file; None: not known."""
    if not path.endswith(".h"):
        return path if path in known else None
    same = os.path.splitext(path)[0] + ".c"
    beside = sorted(source for source in known if os.path.dirname(source) == os.path.dirname(path))
    return same if same in known else (beside or [None])[0]


def checked(source, known):
    """Whether it compiles without a warning; the compiler says what is wrong."""
    folder, command = known[source]
    words = shlex.split(command)
    words = words[words.index("ccache") + 1:] if "ccache" in words else \
        [word for word in words if os.path.basename(word) != "ccache"]
    end = words.index("-o")
    words = words[:end] + words[end + 2:] + ["-fsyntax-only", "-Werror"]
    dropped = {"-MD", "-c"}
    for option in ("-MF", "-MQ"):
        if option in words:
            at = words.index(option)
            del words[at:at + 2]
    return subprocess.call([word for word in words if word not in dropped], cwd=folder) == 0


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    known = commands(sys.argv[1])
    fine, done = True, set()
    for path in (line.strip() for line in sys.stdin):
        source = source_of(path, known)
        if source is None:
            print(f"{path}: no source that {sys.argv[1]} knows; not compiled")
        elif source not in done:
            done.add(source)
            fine = checked(source, known) and fine
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
