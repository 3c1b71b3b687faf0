#!/usr/bin/env python3
"""A header takes nothing from its includer: looked for in what the preprocessor makes of each one.

Of norma.h and every header that comes with it, in C and in C++: macros, types, functions, variables
and enum constants have Norma's prefix; no pragma stays on; and the system's headers that they
include are those that declare, and redefine no function.
"""

import os
import re
import shlex
import subprocess
import sys

SOURCE = os.environ["NORMA_SOURCE"]
PREFIX = re.compile(r"nm_|NM_|NORMA_")
SYSTEM = {"float.h", "inttypes.h", "limits.h", "math.h", "stdarg.h", "stdbool.h", "stddef.h",
          "stdint.h", "string.h"}
# So the search itself is known to work: some of every kind.
KNOWN = {"nm_open", "nm_softmax_with", "nm_softmax_options", "nm_tensor", "nm_row_fn", "NM_F32",
         "NM_PORT_INDEX", "nm_loss_mse", "nm_softmax", "NM_COUNT_OF", "nm_bytes"}

LANGUAGES = {
    "C": ["CC", "cc", "-std=c11", "-x", "c"],
    "C++": ["CXX", "c++", "-std=c++20", "-x", "c++"],
}


def installed():
    """The two headers for programs and what they include, and so on: what is installed."""
    headers = ["norma.h", "norma_command.h"]
    for header in headers:
        with open(os.path.join(SOURCE, header), encoding="utf-8") as file:
            headers += sorted(set(re.findall(r'^#include "(.*)"', file.read(), re.M)) - set(headers))
    return headers


def preprocess(language, header):
    """The lines of Norma's own headers with its macros' definitions, and the system's headers that
    they include."""
    variable, default, *flags = LANGUAGES[language]
    command = shlex.split(os.environ.get(variable, default)) + flags + [
        "-E", "-dD", "-I" + SOURCE, os.path.join(SOURCE, header)]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.decode()
    own, lines, system = False, [], set()
    for line in text.splitlines():
        marker = re.match(r'# \d+ "([^"]*)"(.*)', line)
        if marker:
            path, was_own = marker.group(1), own
            own = path.startswith(SOURCE + os.sep)
            if was_own and not own and path[0] != "<" and " 1" in marker.group(2): # clang's <built-in>
                system.add(re.sub(r".*/include/", "", path))
        elif own:
            lines.append(line)
    return lines, system


def without_bodies(text):
    """The declarations alone: what a struct or an enum holds goes, a function's body ends it."""
    text = re.sub(r'extern "C(\+\+)?" \{', "", text)
    kind = re.compile(r"(\b(?:struct|union|enum)\b[^;{}()]*)?\{[^{}]*\}")
    while True:
        shorter = kind.sub(lambda body: (body.group(1) or "") + (" " if body.group(1) else ";"), text)
        if shorter == text:
            return text.replace("}", "")
        text = shorter


def declared(text):
    """All names that a text of declarations brings into its includer's scope."""
    text = re.sub(r'"(\\.|[^"\\])*"', '""', text.replace('extern "C" {', ""))
    text = re.sub(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)|__extension__", "", text)
    names = set(re.findall(r"\b(?:struct|union|enum)\s+(\w+)", text))
    for constants in re.findall(r"\benum\b[^;{}()]*\{([^{}]*)\}", text):
        names |= set(re.findall(r"(?:^|,)\s*(\w+)", constants))
    text = re.sub(r"template\s*<[^;{}()]*?>", "", without_bodies(text))
    for declaration in text.split(";"):
        if re.match(r"\s*(struct|union|enum)(\s+\w+)?\s*$", declaration):
            continue
        declaration = re.sub(r"=.*", "", declaration, flags=re.S)
        found = (re.search(r"^[^(]*\(\s*\*\s*(\w+)", declaration) or re.search(r"(\w+)\s*\(", declaration)
                 or re.search(r"(\w+)\s*(?:\[[^]]*\]\s*)*$", declaration))
        if found:
            names.add(found.group(1))
    return names - {"static_assert", "_Static_assert"}


def left(lines):
    """The pragmas that stay on: not those between a push and its pop."""
    pushed = []
    for line in [line for line in lines if line.startswith("#pragma")]:
        if line.endswith("diagnostic push"):
            pushed.append([])
        elif line.endswith("diagnostic pop") and pushed:
            pushed.pop()
        elif pushed:
            pushed[-1].append(line)
        else:
            yield line
    yield from (line for lines in pushed for line in ["a push without its pop"] + lines)


def complaints(language, header):
    """What is wrong with the header, and the names that it declares."""
    lines, system = preprocess(language, header)
    macros = {re.match(r"#define (\w+)", line).group(1) for line in lines
              if line.startswith("#define ")}
    names = macros | declared("\n".join(line for line in lines if not line.startswith("#")))
    wrong = [f"it has the name {name}" for name in sorted(names) if not PREFIX.match(name)]
    wrong += [f"it leaves a pragma: {line}" for line in left(lines)]
    wrong += [f"it has: {line}" for line in lines if line.startswith("#undef")]
    if language == "C":  # those of C++ include what they want
        wrong += [f"it includes {name}" for name in sorted(system - SYSTEM)]
    return wrong, names


def main():
    headers, failures, all_names = installed(), 0, set()
    for language in LANGUAGES:
        for header in headers:
            wrong, names = complaints(language, header)
            all_names |= names
            if wrong:
                failures += 1
                print(f"FAILED: {header}, in {language}, takes nothing from its includer")
                print("\n".join(wrong))
    if KNOWN - all_names:
        failures += 1
        print("FAILED: names are found; not these:", ", ".join(sorted(KNOWN - all_names)))
    checks = len(headers) * len(LANGUAGES) + 1
    print(f"{(checks - failures) * 100 // checks}%: Checks: {checks}, Failures: {failures}, Errors: 0")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
