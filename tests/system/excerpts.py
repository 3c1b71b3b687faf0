#!/usr/bin/env python3
"""Code that the documentation quotes, in a block behind `<!-- from PATH -->`, stands so in that file."""

import glob
import os
import re
import sys

SOURCE = os.path.abspath(os.environ["NORMA_SOURCE"])
BLOCK = re.compile(r"<!-- from (\S+) -->\n```\w*\n(.*?)\n```$", re.DOTALL | re.MULTILINE)
passed = failed = 0


def read(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        return file.read()


def is_quoted(text, path):
    """Whole lines of it, in one piece."""
    return ("\n" + text + "\n") in "\n" + read(path)


def claim(text, holds):
    global passed, failed
    passed, failed = passed + bool(holds), failed + (not holds)
    if not holds:
        print("FAILED: " + text)


quoted = 0
for page in sorted(glob.glob(os.path.join(SOURCE, "docs/**/*.md"), recursive=True)):
    name = os.path.relpath(page, SOURCE)
    text = read(name)
    found = BLOCK.findall(text)
    claim("%s: each excerpt is a block" % name, len(found) == text.count("<!-- from "))
    for path, code in found:
        quoted += 1
        claim("%s quotes %s as it is:\n%s" % (name, path, code),
              os.path.exists(os.path.join(SOURCE, path)) and is_quoted(code, path))
        claim("%s: a changed line would be noticed" % path, not is_quoted(code + " ", path))
claim("something is quoted", quoted > 10)
for code in re.findall(r"^```(?:c|yaml)\n(.*?)\n```$", read("README.ko.md"), re.DOTALL | re.MULTILINE):
    claim("README.ko.md has the code of README.md:\n" + code, is_quoted(code, "README.md"))

print("%d%%: Checks: %d, Failures: %d, Errors: 0" % (100 * passed // (passed + failed), passed + failed, failed))
sys.exit(failed > 0)
