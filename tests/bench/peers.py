#!/usr/bin/env python3
"""Norma beside other libraries, in turn, in one go: two tables as Markdown.

usage: peers.py BUILD [--kann FOLDER] [--genann FOLDER] [--ggml FOLDER] [--python PATH]
                [--minutes M] [--rounds N] [--at HH:MM] [--only TEXT] [--alone] [--write FILE]

BUILD is a folder in which Norma was built for release. Compared is what is found: FANN and dlib where
their headers are (Debian: libfann-dev, libdlib-dev), KANN and genann by the folders of their sources, ggml
by the folder of its sources in which it was built, PyTorch, JAX and ONNX Runtime where the Python has them.
What is not found is named. Each does the same networks, as near as it can come (tests/bench/peers), at its
best of its ways and of one and two threads, by OpenBLAS where it can; Norma chooses its threads itself. The
ways are made ready before anything is measured, and tried; --minutes are shared among what is measured then. A figure is the
median over the rounds of a row's best, or, where another program keeps one core busy, of its mean. --at
measures from that time of the day on, when the machine is free. --only keeps the rows whose name has the
text, --alone leaves the others away. --write replaces what stands in FILE between <!-- peers --> and
<!-- /peers -->, and <!-- peers networks --> and <!-- /peers networks -->.
"""
import argparse
import os
import statistics
import sys

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers"))
from found import HOW, NETWORKS, Row, find  # noqa: E402
from turns import OneCoreBusy, figure, processor, put, used_by_others, wait_until  # noqa: E402

TINY, SMALL, LARGE = "2-64-64-2", "784-256-128-10", "784-512-256-10"
TRIAL = 0.06  # seconds for each way before

SMALL_ROWS = [Row("train", SMALL, 128, False), Row("train", LARGE, 128, False), Row("train", SMALL, 128, True)] + \
             [Row("train", TINY, batch, False) for batch in (1, 4, 16, 32, 100)] + \
             [Row("predict", TINY, 1, False)] + [Row("predict", LARGE, batch, False) for batch in (1, 16, 128)] + \
             [Row("int8", LARGE, batch, False) for batch in (1, 16, 128)] + [Row("start", TINY, 1, False)]
NETWORK_ROWS = [row for busy in (False, True) for row in
                [Row(what, name, NETWORKS[name][0], busy) for what in ("train", "train_bf16") for name in NETWORKS] +
                [Row("predict", name, batch, busy) for name in (LARGE, "cnn_bn") for batch in (1, 16, 128)]]
TABLES = {"peers": SMALL_ROWS, "peers networks": NETWORK_ROWS}


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build")
    for name in ("--kann", "--genann", "--ggml"):
        parser.add_argument(name, metavar="FOLDER")
    parser.add_argument("--python", metavar="PATH", default="/usr/bin/python3")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at", metavar="HH:MM")
    parser.add_argument("--only", metavar="TEXT", default="")
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--write", metavar="FILE")
    return parser.parse_args()


# ---- Names ----

def label(row):
    what, network, batch, busy = row
    if what == "start":
        return f"a whole process: {network}, two steps, 1,000 predictions"
    whats = {"train": "a step", "train_bf16": "a step in bf16", "predict": "a prediction",
             "int8": "a prediction with weights of 8 bits"}
    return f"{whats[what]}, {network}, batch {batch}" + (", one core busy with another program" if busy else "")


# ---- Measuring ----

def make_all_ready(peers, rows):
    """At the same time: nothing is timed yet."""
    askers = [asker for peer in peers for asker in peer.askers]
    for row in dict.fromkeys(row._replace(busy=False) for row in rows):
        for asker in askers:
            asker.make_ready(row)
    for asker in askers:
        asker.wait()


def try_all(peers, rows):
    """{(row, peer's name, number of its asker): answer}, of those that have one: what is measured."""
    asked = {}
    for row in rows:
        for peer in peers:
            for number, asker in enumerate(peer.askers):
                answer = asker.ask(row, TRIAL)
                if answer:
                    asked[row, peer.name, number] = answer
    return asked


def costs(answer, seconds):
    """Seconds of a question; its answer was had before."""
    return answer.get("ways", 1) * max(seconds, 2e-6 * answer["us"]) + 0.03  # a program has to start


def share_of(minutes, rounds, answers):
    """How many seconds each question can have, from 0.02 to 1."""
    seconds = 1.0
    while seconds > 0.02 and rounds * sum(costs(answer, seconds) for answer in answers) > 60 * minutes:
        seconds *= 0.95
    return seconds


def ask_all(peers, row, asked, seconds):
    """{peer's name: its best answer now}"""
    best = {}
    for peer in peers:
        answers = [dict(asker.ask(row, seconds) or {}, threads=asker.threads)
                   for number, asker in enumerate(peer.askers) if (row, peer.name, number) in asked]
        by = "mean" if row.busy else "us"
        answers = [answer for answer in answers if by in answer]
        if answers:
            best[peer.name] = min(answers, key=lambda answer: answer[by])
            best[peer.name]["time"] = best[peer.name][by]
    return best


def measure(peers, rows, asked, arguments):
    """({row: {peer's name: its answers, one a round}}, the largest share that others used)"""
    seconds = share_of(arguments.minutes, arguments.rounds, asked.values())
    print(f"{seconds:.2f} seconds for each", file=sys.stderr)
    found, others = {row: {} for row in rows}, []
    for number in range(arguments.rounds):
        others.append(used_by_others())
        print(f"round {number + 1}; others use {100 * others[-1]:.0f} %", file=sys.stderr)
        for row in rows:
            with OneCoreBusy(row.busy):
                for name, answer in ask_all(peers, row, asked, seconds).items():
                    found[row].setdefault(name, []).append(answer)
    return found, max(others)


# ---- The tables ----

def middle(answers):
    """The answer whose time is the median."""
    return sorted(answers, key=lambda answer: answer["time"])[(len(answers) - 1) // 2]


def way(answer):
    """How another came to its time."""
    threads = f"{answer['threads']} thread" + "s" * (answer["threads"] > 1)
    return ", ".join(filter(None, [threads, answer.get("way")]))


def cells(row, found, names, with_ways):
    of = found[row]
    times = {name: statistics.median(answer["time"] for answer in answers) for name, answers in of.items()}
    others = [time_ for name, time_ in times.items() if name != "Norma"]
    ratio = f"{min(others) / times['Norma']:.2f}" if others and "Norma" in times else ""
    line = [label(row)]
    for name in names:
        line.append(figure(times.get(name)))
        if name in with_ways:
            line.append(way(middle(of[name])) if name in of else "")
    return "| " + " | ".join(line + [ratio]) + " |"


def table(rows, found, peers, with_ways=()):
    names = [peer.name for peer in peers if any(peer.name in found[row] for row in rows)]
    head = [column for name in names for column in [name] + ["its best way"] * (name in with_ways)]
    return ["| | " + " | ".join(head) + " | the next one's over Norma's |",
            "| --- |" + " --- |" * (len(head) + 1)] + [cells(row, found, names, with_ways) for row in rows]


def heading(missing, others, rounds):
    lines = [f"{processor()}, {os.cpu_count()} processors; microseconds; "
             f"{rounds} rounds, before which others used at most {100 * others:.0f} % of the processors."]
    if missing:
        lines.append("Not found: " + "; ".join(f"{name} ({HOW[name]})" for name in missing) + ".")
    return [" ".join(lines), ""]


def main():
    arguments = read_arguments()
    if arguments.write and arguments.only:
        sys.exit("--write writes all rows: leave --only away")
    peers, missing = find(arguments)
    for name in missing:
        print(f"Not found: {name}; {HOW[name]}", file=sys.stderr)
    tables = {mark: [row for row in rows if arguments.only in label(row)] for mark, rows in TABLES.items()}
    rows = [row for some in tables.values() for row in some]
    print("making ready", file=sys.stderr)
    make_all_ready(peers, rows)
    if arguments.at:
        wait_until(arguments.at)
    print("trying", file=sys.stderr)
    asked = try_all(peers, rows)
    found, others = measure(peers, rows, asked, arguments)
    for peer in peers:
        for asker in peer.askers:
            asker.close()
    for mark, some in tables.items():
        if not some:
            continue
        lines = heading(missing, others, arguments.rounds) + \
            table(some, found, peers, ("PyTorch",) if mark == "peers networks" else ())
        print("\n".join(lines) + "\n")
        if arguments.write:
            put(arguments.write, mark, "\n".join(lines))


if __name__ == "__main__":
    main()
