"""`norma bench` of builds with and without oneDNN in turn, as a table in Markdown.

usage: onednn.py [--rounds N] [--seconds S] [--names NAME,...] BUILD...

Each BUILD is a folder that has a program norma, and is called as its last part. The first one is what
the others are compared with. A time is the median over the rounds of a row's best; a ratio the median
over the rounds of the first one's time by this one's: above 1, this one is faster.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

STEPS = "mlp_bn_paper,mlp_bn,mlp_wn,cnn_bn,cnn_wn,resnet20_bn"


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("builds", nargs="+", metavar="BUILD")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--names", type=lambda text: text.split(","), default=STEPS.split(","),
                        help="rows of `norma bench`")
    return parser.parse_args()


def run(build, arguments):
    """{name: microseconds} of one `norma bench`; a row that is not there is an error."""
    ran = subprocess.run(
        [os.path.join(build, "norma"), "bench", "--json", "--seconds", str(arguments.seconds),
         *arguments.names], stdout=subprocess.PIPE, text=True, check=False)
    if ran.returncode != 0:
        sys.exit(ran.returncode)  # it has said why
    rows = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    times = {row["name"]: row["us_best"] for row in rows}
    missing = [name for name in arguments.names if name not in times]
    if missing:
        sys.exit("norma bench has no row called %s; `norma bench --list` prints all" % missing[0])
    return times


def cells(name, rounds, build, first):
    """A build's time, and its ratio unless it is the first."""
    time = statistics.median(times[build][name] for times in rounds)
    if build == first:
        return " %.0f |" % time
    return " %.0f | %.2f |" % (time, statistics.median(
        times[first][name] / times[build][name] for times in rounds))


def main():
    arguments = read_arguments()
    builds = arguments.builds
    rounds = [{build: run(build, arguments) for build in builds} for _ in range(arguments.rounds)]
    called = [os.path.basename(os.path.normpath(build)) for build in builds]
    print("| step | %s, us |" % called[0] + "".join(" %s, us | ratio |" % name for name in called[1:]))
    print("|" + " --- |" * (2 * len(builds)))
    for name in arguments.names:
        print("| %s |" % name + "".join(cells(name, rounds, build, builds[0]) for build in builds))


main()
