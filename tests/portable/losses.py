#!/usr/bin/env python3
"""Compares the losses of two runs of one network: what `norma train --json` printed.

usage: losses.py REFERENCE OTHER

Prints the largest relative difference. Fails where that is above the tolerance, where one has an epoch
or a loss that the other has not, and where a loss is not finite.
"""

import json
import math
import sys

# On one machine, other kernels and numbers of threads differ by 1e-6 after the network's 100 steps; a
# learning rate 0.1 % higher by 4e-2.
TOLERANCE = 1e-5
LOSSES = ("train_loss", "test_loss")


def read(path):
    """{(epoch, name of the loss): loss} of every epoch."""
    with open(path, encoding="utf-8") as file:
        rows = [json.loads(line) for line in file if line.startswith("{")]
    return {(row["epoch"], name): row[name] for row in rows if row.get("event") == "epoch"
            for name in LOSSES}


def fail(text):
    print(text)
    sys.exit(1)


def difference(a, b):
    if not (isinstance(a, float) and isinstance(b, float) and math.isfinite(a) and math.isfinite(b)):
        return math.inf
    return abs(a - b) / max(abs(a), abs(b), sys.float_info.min)


def main():
    if len(sys.argv) != 3:
        fail(__doc__)
    reference, other = read(sys.argv[1]), read(sys.argv[2])
    if not reference or reference.keys() != other.keys():
        fail("the runs have %d and %d losses" % (len(reference), len(other)))
    worst = max(reference, key=lambda key: difference(reference[key], other[key]))
    largest = difference(reference[worst], other[worst])
    if not largest <= TOLERANCE:
        fail("%s of epoch %d: %r, not %r" % (worst[1], worst[0], other[worst], reference[worst]))
    print("losses within %.0e" % largest if largest else "losses equal")


main()
