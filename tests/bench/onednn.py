"""Training steps by `norma bench` of builds with and without oneDNN in turn, as a table in Markdown.

usage: onednn.py [--rounds N] [--seconds S] [--names NAME,...] [--write FILE] BUILD...

Each BUILD is a folder that has a program norma, and is called as its last part. The first one is what
the others are compared with, in f32 and in bf16 where the processor has that. A time is the median over the
rounds of a row's best; a ratio the median over the rounds of the first one's time by this one's: above 1, this
one is faster. --write replaces what stands in FILE between <!-- onednn --> and <!-- /onednn -->.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers"))
from found import NETWORKS, write_networks  # noqa: E402
from turns import processor, put, used_by_others  # noqa: E402


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("builds", nargs="+", metavar="BUILD")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--names", type=lambda text: text.split(","), default=list(NETWORKS),
                        help="of: " + ", ".join(NETWORKS))
    parser.add_argument("--write", metavar="FILE")
    return parser.parse_args()


def run(build, arguments, precision, folder):
    """{name: microseconds}, of those that this build does in this precision."""
    times = {}
    for name in arguments.names:
        ran = subprocess.run([os.path.join(build, "norma"), "bench", os.path.join(folder, name + ".yaml"), "--batch",
                              str(NETWORKS[name][0]), "--seconds", str(arguments.seconds), "--precision", precision,
                              "--json"], stdout=subprocess.PIPE, text=True, check=False)
        if ran.returncode != 0:
            sys.exit(ran.returncode)  # it has said why
        row = json.loads(ran.stdout)
        if row["precision"] == precision:
            times[name] = row["us_best"]
    return times


def cells(name, rounds, build, first):
    """A build's time, and its ratio unless it is the first."""
    if not all(name in times[build] for times in rounds):
        return " |" if build == first else " | |"
    time = statistics.median(times[build][name] for times in rounds)
    if build == first:
        return " %.0f |" % time
    if not all(name in times[first] for times in rounds):
        return " %.0f | |" % time
    return " %.0f | %.2f |" % (time, statistics.median(
        times[first][name] / times[build][name] for times in rounds))


def table(arguments, found):
    called = [os.path.basename(os.path.normpath(build)) for build in arguments.builds]
    lines = ["| step | %s, us |" % called[0] +
             "".join(" %s, us | %s / %s |" % (name, called[0], name) for name in called[1:]),
             "|" + " --- |" * (2 * len(called))]
    for precision, rounds in found.items():
        lines += ["| %s, %s |" % (name, precision) +
                  "".join(cells(name, rounds, build, arguments.builds[0]) for build in arguments.builds)
                  for name in arguments.names if any(name in times for times in rounds[0].values())]
    return "\n".join(lines)


def main():
    arguments = read_arguments()
    found = {"f32": [], "bf16": []}
    with tempfile.TemporaryDirectory() as folder:
        write_networks(folder)
        for number in range(arguments.rounds):
            print("round %d; others use %.0f %%" % (number + 1, 100 * used_by_others()), file=sys.stderr)
            for precision, rounds in found.items():
                rounds.append({build: run(build, arguments, precision, folder) for build in arguments.builds})
    text = processor() + ".\n\n" + table(arguments, found)
    print(text)
    if arguments.write:
        put(arguments.write, "onednn", text)


if __name__ == "__main__":
    main()
