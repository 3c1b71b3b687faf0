#!/usr/bin/env python3
"""The binary interface is what abi.txt says: the functions and variables that the library exports, the sizes of
public structs with the places of their members, the numbers of enums.

A change is made on purpose: `tests/system/abi.py --update` writes the list anew. Where a struct or an enum that
was there is another, NM_ABI must be raised with it, since programs and plugins that were compiled before would
read the wrong memory.
"""

import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
LIST = os.path.join(HERE, "abi.txt")
SOURCE = os.environ["NORMA_SOURCE"]
BUILD = os.environ["NORMA_BUILD"]
COMPILER = shlex.split(os.environ.get("CC", "cc")) + ["-std=gnu11", "-I" + SOURCE]


def preprocessed():
    """norma.h and all that it includes of ours, as the compiler sees it, without attributes."""
    command = COMPILER + ["-E", os.path.join(SOURCE, "norma.h")]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()
    ours, kept = False, []
    for line in text.splitlines():
        marker = re.match(r'# \d+ "(.*?)"', line)
        if marker:
            ours = os.path.abspath(marker.group(1)).startswith(os.path.abspath(SOURCE) + os.sep)
        elif ours:
            kept.append(line)
    text = re.sub(r"__extension__|__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)", "", "\n".join(kept))
    return re.sub(r"\s+", " ", text)


def closing(text, at):
    """Where the brace closes that opens at `at`."""
    depth = 0
    for i in range(at, len(text)):
        depth += (text[i] == "{") - (text[i] == "}")
        if depth == 0:
            return i
    raise ValueError("a brace stays open")


def definitions(text, word):
    """(name, body) of each struct or enum that has a name."""
    for found in re.finditer(r"(typedef )?\b%s (nm_\w+)? ?\{" % word, text):
        end = closing(text, found.end() - 1)
        name = re.match(r" ?(nm_\w+) ?;", text[end + 1:end + 80])
        kind = name.group(1) if found.group(1) and name else found.group(2)
        if kind:
            yield (kind if found.group(1) else "struct " + kind), text[found.end():end]


def flat(body):
    """The body with what stands in inner braces taken out."""
    while "{" in body:
        at = body.index("{")
        body = body[:at] + body[closing(body, at) + 1:]
    return body


def members(body):
    """Names of members; those of unions and structs without a name are left out, the size has them."""
    for declaration in flat(body).split(";"):
        pointer = re.search(r"\(\* ?(?:const )?(\w+)\)", declaration)
        if pointer:
            yield pointer.group(1)
            continue
        for part in re.sub(r"\[[^]]*\]", "", declaration).split(","):
            words = re.findall(r"\w+", part)
            if words and not re.fullmatch(r" ?(const )?(struct|union) ?", declaration):
                yield words[-1]


def layout_program(text):
    """Lines of C that print structs and enums."""
    lines = []
    for name, body in sorted(set(definitions(text, "struct"))):
        names = list(members(body))
        title = name.replace("struct ", "")
        lines.append('printf("struct %s %%zu:%s\\n", sizeof(%s)%s);' % (
            title, ",".join(" %s %%zu" % m for m in names), name,
            "".join(", offsetof(%s, %s)" % (name, m) for m in names)))
    for name, body in sorted(set(definitions(text, "enum"))):
        names = re.findall(r"(\bNM_\w+)", re.sub(r"=[^,]*", "", body))
        lines.append('printf("enum %s:%s\\n"%s);' % (
            name, ",".join(" %s %%d" % n for n in names), "".join(", (int)%s" % n for n in names)))
    return lines


def layouts():
    program = "#include <stdio.h>\n#include <norma.h>\nint main(void)\n{\nprintf(\"ABI %%d\\n\", NM_ABI);\n%s\n}\n"
    with tempfile.TemporaryDirectory() as folder:
        source, binary = os.path.join(folder, "abi.c"), os.path.join(folder, "abi")
        with open(source, "w", encoding="utf-8") as file:
            file.write(program.replace("%%", "%").replace("%s", "\n".join(layout_program(preprocessed()))))
        subprocess.run(COMPILER + ["-w", source, "-o", binary], check=True)
        return subprocess.run([binary], check=True, stdout=subprocess.PIPE).stdout.decode().splitlines()


def symbols():
    listed = subprocess.run(["nm", "-D", "--defined-only", os.path.join(BUILD, "libnorma.so")],
                            check=True, stdout=subprocess.PIPE).stdout.decode()
    found = [line.split()[1:] for line in listed.splitlines()]
    return sorted("%s %s" % ("function" if kind in "TtWwi" else "variable", name)
                  for kind, name in found if name.startswith("nm_"))


def check(now, then):
    """What is wrong, as texts."""
    key = lambda line: " ".join(line.split(":")[0].split()[:2])
    old, new = {key(l): l for l in then}, {key(l): l for l in now}
    faults = ["+ " + new[k] for k in new if k not in old]
    faults += ["- " + old[k] for k in old if k not in new]
    changed = [k for k in new if k in old and new[k] != old[k]]
    faults += ["- %s\n+ %s" % (old[k], new[k]) for k in changed]
    broken = [k for k in changed if not k.startswith("ABI")]
    broken += [k for k in old if k not in new and not k.startswith("ABI")]
    return faults, broken and now[0] == then[0]


def main():
    if platform.machine() != "x86_64" or sys.maxsize < 2 ** 32:
        print("skipped: the list is of x86-64")
        sys.exit(77)
    now = layouts() + symbols()
    if sys.argv[1:] == ["--update"]:
        with open(LIST, "w", encoding="utf-8") as file:
            file.write("\n".join(now) + "\n")
        return
    with open(LIST, encoding="utf-8") as file:
        then = file.read().splitlines()
    faults, silent = check(now, then)
    failed = 0
    if len(now) < 500:
        print("FAILED: the list has hundreds of lines\nit has %d" % len(now))
        failed += 1
    if faults:
        print("FAILED: the binary interface is what abi.txt says\n%s\nif that is meant: "
              "NORMA_SOURCE=. NORMA_BUILD=build/test tests/system/abi.py --update" % "\n".join(faults))
        failed += 1
    if silent:
        print("FAILED: what was there is as it was, or NM_ABI in core/registry.h is another")
        failed += 1
    print("%d%%: Checks: 3, Failures: %d, Errors: 0" % (100 * (3 - failed) // 3, failed))
    sys.exit(failed > 0)


main()
