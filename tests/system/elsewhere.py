#!/usr/bin/env python3
"""Tests pass wherever they are started from: some of every kind, as Meson would, in an empty folder.

Newer Mesons and other runners may start them where they were called themselves. So what a test
reads or runs is named by a full path, in its arguments or its environment.
"""

import json
import os
import subprocess
import sys
import tempfile

# Not in it: what takes long, and goes by the same ways.
NAMES = ["context", "golden", "golden_sgd", "config", "precision", "peers", "command", "file",
         "fuzz_csv", "fuzz_model", "fuzz_safetensors", "structure", "manual", "kernels"]
SKIPPED = 77


def passes(test, folder):
    """Whether it does; says why not."""
    ran = subprocess.run(test["cmd"], cwd=folder, env={**os.environ, **test["env"]}, timeout=1200,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if ran.returncode in (0, SKIPPED):
        return True
    print(f"FAILED: {test['name']} passes in another folder\n{ran.stdout.decode(errors='replace')}")
    return False


def main():
    with open(os.path.join(os.environ["NORMA_BUILD"], "meson-info", "intro-tests.json"),
              encoding="utf-8") as file:
        tests = [test for test in json.load(file) if test["name"] in NAMES]
    failures = 0
    if len(tests) < 10:  # kernels are not built everywhere, and seeds of fuzzers are no tests
        sys.exit(f"only {len(tests)} of the tests are there: {[test['name'] for test in tests]}")
    for test in tests:
        with tempfile.TemporaryDirectory(prefix="norma-elsewhere-") as folder:
            failures += not passes(test, folder)
    print(f"{(len(tests) - failures) * 100 // len(tests)}%: Checks: {len(tests)}, "
          f"Failures: {failures}, Errors: 0")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
