"""Norma and PyTorch in turn, and the ratios. PyTorch's figure is its best over threads and layouts.

usage: compare.py BENCH [ROUNDS] [FILTER]       (BENCH: the built tests/bench/bench)
"""
import json
import os
import statistics
import subprocess
import sys

BENCH = sys.argv[1]
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 3
FILTER = sys.argv[3] if len(sys.argv) > 3 else ""
PYTORCH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pytorch.py")


# A processor type forced on OpenBLAS would slow PyTorch down.
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}


def rows(*command):
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True,
                            env=ENVIRONMENT).stdout
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def medians(results):
    """The best configuration's median, by name."""
    best = {}
    for row in results:
        best[row["name"]] = min(best.get(row["name"], float("inf")), row["us_median"])
    return best


ours, theirs = {}, {}
for number in range(ROUNDS):
    print("round %d of %d" % (number + 1, ROUNDS), file=sys.stderr)
    for name, us in medians(rows(BENCH, "--json", *([FILTER] if FILTER else []))).items():
        ours.setdefault(name, []).append(us)
    pytorch = []
    for threads in ("1", "2"):
        pytorch += rows("/usr/bin/python3", PYTORCH, threads, "1", FILTER)
    for name, us in medians(pytorch).items():
        theirs.setdefault(name, []).append(us)

print("| step | Norma, us | PyTorch, us | ratio |\n| --- | --- | --- | --- |")
for name, us in theirs.items():
    ratios = [t / o for t, o in zip(us, ours[name])]
    print("| %s | %.0f | %.0f | %.2f |" % (name, statistics.median(ours[name]),
                                         statistics.median(us), statistics.median(ratios)))
