#!/usr/bin/env python3
"""What it brings and costs that Norma's threads make room for other programs, in turn, as a table in Markdown.

usage: threads.py BUILD [--rounds N] [--seconds S] [--write FILE]

BUILD is a folder in which Norma was built for release. The same program is linked twice to the library there: as it
is, and with all threads at work whoever else wants the processors (tests/bench/peers/fixed.c); the latter with one
thread, too. Each trains the same networks, alone and while another program keeps one core busy. A figure is the median
over the rounds of the mean time of a step; the last column is the median of the rounds' ratios. --write replaces what
stands in FILE between <!-- threads --> and <!-- /threads -->.
"""
import argparse
import os
import statistics
import sys

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers"))
from found import FOLDER, NETWORKS, ROOT, Program, Row, compiles, write_networks  # noqa: E402
from turns import OneCoreBusy, figure, processor, put, used_by_others  # noqa: E402

SMALL = "784-256-128-10"
ROWS = [Row("train", name, batch, busy) for busy in (False, True)
        for name, batch in ((SMALL, 128), ("mlp_bn", 128), ("cnn_bn", 64))]
WAYS = ("adapting", "all at work", "one thread")


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.4)
    parser.add_argument("--write", metavar="FILE")
    return parser.parse_args()


def programs(arguments):
    """In the order of WAYS."""
    folder = os.path.join(os.path.abspath(arguments.build), "peers")
    os.makedirs(folder, exist_ok=True)
    write_networks(folder)
    for name, more in (("adapting", []), ("fixed", [os.path.join(FOLDER, "fixed.c")])):
        if not compiles(["cc", "-O2", "-I" + ROOT, "-o", os.path.join(folder, name), os.path.join(FOLDER, "norma.c"),
                         *more, os.path.join(arguments.build, "libnorma.a"), "-lyaml", "-lz", "-lm",
                         "-ldl", "-pthread"]):
            sys.exit(f"The program could not be linked (see above): is there a release build in {arguments.build}?")
    return [Program([os.path.join(folder, name)], threads, folder, reads_networks=True)
            for name, threads in (("adapting", 0), ("fixed", 0), ("fixed", 1))]


def measure(ways, arguments):
    """{row: a list of times for each way}"""
    times = {row: [[] for _ in ways] for row in ROWS}
    for number in range(arguments.rounds):
        print(f"round {number + 1}; others use {100 * used_by_others():.0f} %", file=sys.stderr)
        for row in ROWS:
            with OneCoreBusy(row.busy):
                for taken, way in zip(times[row], ways):
                    taken.append(way.ask(row, arguments.seconds)["mean"])
    return times


def table(times):
    lines = [f"{processor()}, {os.cpu_count()} processors; microseconds.", "",
             "| | " + " | ".join(WAYS) + " | all at work over adapting |", "| --- |" + " --- |" * (len(WAYS) + 1)]
    for row, ways in times.items():
        batch = NETWORKS[row.network][0] if row.network in NETWORKS else row.batch
        where = "beside a busy program" if row.busy else "alone"
        ratio = statistics.median(all_ / adapting for adapting, all_ in zip(*ways[:2]))
        lines.append(f"| a step, {row.network}, batch {batch}, {where} | " +
                     " | ".join(figure(statistics.median(way)) for way in ways) + f" | {ratio:.2f} |")
    return "\n".join(lines)


def main():
    arguments = read_arguments()
    text = table(measure(programs(arguments), arguments))
    print(text)
    if arguments.write:
        put(arguments.write, "threads", text)


if __name__ == "__main__":
    main()
