#!/usr/bin/env python3
"""What docs/normalization.md tells of the studies is what they found; and studies run, in a form of a few steps: those
that measure in other ways than the rest (a saved network, all that looks along the gradient, statistics of the set).
That every study has no mistake is tested with the command."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.path.abspath(os.environ["NORMA_SOURCE"])
NORMA = os.path.join(os.path.abspath(os.environ["NORMA_BUILD"]), "norma")
SET = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz"
passed = failed = 0


def claim(text, holds, why=""):
    global passed, failed
    passed, failed = passed + bool(holds), failed + (not holds)
    if not holds:
        print("FAILED: %s\n%s" % (text, why))


def check(folder):
    return subprocess.run([sys.executable, os.path.join(folder, "docs/studies/fill.py"), "--check"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def change(path, pattern, by):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    changed = re.sub(pattern, by, text, count=1)
    assert changed != text, "nothing in %s is %s" % (path, pattern)
    with open(path, "w", encoding="utf-8") as file:
        file.write(changed)


def try_change(temporary, what, path, pattern, by):
    """The check fails where the text, a result or a study's claim is another."""
    folder = os.path.join(temporary, "tree")
    for part in ("docs", "models/studies"):
        shutil.copytree(os.path.join(SOURCE, part), os.path.join(folder, part))
    change(os.path.join(folder, path), pattern, by)
    result = check(folder)
    claim("%s is noticed" % what, result.returncode == 1, result.stdout.decode())
    shutil.rmtree(folder)


def run_few_steps(temporary, name, changes):
    with open(os.path.join(SOURCE, "models/studies", name + ".yaml"), encoding="utf-8") as file:
        text = file.read()
    text = re.sub(r"(?m)^quick: .*$", "quick: {seeds: 1%s}" % changes, text)
    text = re.sub(r"(?m)^    limit: .*\n", "", text).replace("    normalize: auto\n",
                                                             "    normalize: auto\n    limit: 256\n")
    text = text.replace("limit: 0}", "}").replace(", }", "}")
    path = os.path.join(temporary, name + ".yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    out = os.path.join(temporary, name)
    result = subprocess.run([NORMA, "study", path, "--quick", "-j", "2", "--out", out, "--quiet"],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    claim("%s runs" % name, result.returncode == 0, result.stdout.decode())
    if result.returncode == 0:
        with open(os.path.join(out, "results.json"), encoding="utf-8") as file:
            arms = json.load(file)["arms"]
        empty = [(arm["arm"], key) for arm in arms for key, values in arm["measures"].items() if None in values]
        claim("%s measures all that it says" % name, not empty, str(empty))


with tempfile.TemporaryDirectory() as temporary:
    result = check(SOURCE)
    claim("the text says what the studies found", result.returncode == 0, result.stdout.decode())
    try_change(temporary, "a number of the text that is another", "docs/normalization.md",
               r"ratio 3\.\d+", "ratio 3.14")
    try_change(temporary, "a result that is another", "docs/studies/running_statistics.json",
               r'"value": 3\.', '"value": 4.')
    try_change(temporary, "a claim that is another", "models/studies/running_statistics.yaml",
               "claim: Moving averages are 3.24", "claim: Moving averages are 3")
    if os.path.exists(SET):
        run_few_steps(temporary, "evaluation_mode", ", set: {steps: 2}, axes: {batch: [16]}")
        run_few_steps(temporary, "not_covariate_shift", ", set: {steps: 2}")
        run_few_steps(temporary, "running_statistics", ", set: {steps: 2}")

print("%d%%: Checks: %d, Failures: %d, Errors: 0" % (100 * passed // (passed + failed), passed + failed, failed))
sys.exit(failed > 0)
