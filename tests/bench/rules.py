#!/usr/bin/env python3
"""What each rule of ops/passes/fuse.c brings to training steps of the zoo's networks, as a table in Markdown.

usage: rules.py BUILD [--rounds N] [--seconds S] [--write FILE] [--names NAME...]

BUILD is a folder in which Norma was built for release. For each row of the table of rules, for those of one
fused op together, and for all, the command is linked once more so that they do nothing, into BUILD/rules, and
all of them run `norma bench` in turn, in one thread, by the processor's time, which work beside it disturbs
least. A figure is by how many percent a step takes longer without: the median over the rounds of the ratio of
the best times. It is empty where the rule finds nothing in the network. --write replaces what stands in FILE
between <!-- rules --> and <!-- /rules -->.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RULES, CLOCK = "ops/passes/fuse.c", "models/command/bench/time.c"
ROW = r"(?m)^    \{&nm_op_(\w+), NM_BEHIND_(\w+), .*?(\w+)\},$"
LEFT_OUT = """
#include <stdio.h>
static nm_status left_out(const nm_match *m)
{
    fputs("left out\\n", stderr);
    return m ? NM_OK : NM_ERROR_INPUT;
}
"""
# Rows whose fused op is one op.
TOGETHER = {"batch_norm, add or activation": ("batch_norm, add", "batch_norm, activation",
                                              "batch_norm_activation, activation")}
STEPS = ("fashion_mnist_bn_paper fashion_mnist_mlp_bn fashion_mnist_mlp_wn fashion_mnist_cnn_bn fashion_mnist_cnn_wn "
         "fashion_mnist_fast fashion_mnist_resnet resnet20_bn spirals").split()


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--names", nargs="+", default=STEPS, metavar="NAME", help="rows of `norma bench`")
    parser.add_argument("--write", metavar="FILE")
    return parser.parse_args()


# ---- Commands without a rule ----

def command_for(build, target):
    """What Ninja would run last to make `target`, as a list of words."""
    lines = subprocess.run(["ninja", "-C", build, "-t", "commands", "-s", target], stdout=subprocess.PIPE, text=True,
                           check=True).stdout.splitlines()
    return lines[-1].split()


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def compile_again(build, target, text, to):
    """The object `target` of Ninja's from another text."""
    source = os.path.abspath(to) + ".c"
    with open(source, "w", encoding="utf-8") as file:
        file.write(text)
    command = [word.replace("'", "") for word in command_for(build, target)]
    subprocess.run(command[:command.index("-MD")] + ["-Wno-unused", "-o", os.path.abspath(to), "-c", source],
                   cwd=build, check=True)


def link(build, rules, to):
    """The command with `rules` for the source of the rules. Of the archives only what is asked for is taken, so
    that their own of the same names is not."""
    os.makedirs(to, exist_ok=True)
    objects = [os.path.join(os.path.abspath(to), name) for name in ("fuse.o", "time.o")]
    compile_again(build, "libnorma_rare.a.p/ops_passes_fuse.c.o", rules, objects[0])
    compile_again(build, "libnorma-command.a.p/models_command_bench_time.c.o",
                  read(CLOCK).replace("CLOCK_MONOTONIC", "CLOCK_PROCESS_CPUTIME_ID"), objects[1])
    command = [word for word in command_for(build, "norma") if "whole-archive" not in word]
    at = command.index("-o")
    command[at + 1:at + 2] = [os.path.join(os.path.abspath(to), "norma"), *objects]
    subprocess.run(command, cwd=build, check=True)


def without(text, rows):
    """The source with nothing done by these rows."""
    head = text.index("/* ---- The table")
    for row in reversed(rows):
        text = text[:row.start(3)] + "left_out" + text[row.end(3):]
    return text[:head] + LEFT_OUT + text[head:]


def build_all(build):
    """{what is left out: its folder}; None: nothing is."""
    text = read(RULES)
    rows = {"%s, %s" % (row.group(1), row.group(2).lower()): row for row in re.finditer(ROW, text)}
    if not rows or not set().union(*TOGETHER.values()) <= set(rows):
        sys.exit("%s has no table of rules as this script knows it" % RULES)
    left_out = {name: [row] for name, row in rows.items()}
    left_out.update({name: [rows[one] for one in names] for name, names in TOGETHER.items()})
    left_out["all"] = list(rows.values())
    folders = {None: os.path.join(build, "rules/with-all")}
    link(build, text, folders[None])
    for name, taken in left_out.items():
        folders[name] = os.path.join(build, "rules", name.replace(", ", "-").replace(" ", "-"))
        link(build, without(text, taken), folders[name])
    return folders


# ---- Measuring ----

def run(folder, name, seconds):
    """Best microseconds of a step, and whether the rule would have done something."""
    ran = subprocess.run([os.path.join(folder, "norma"), "bench", "--json", "--seconds", str(seconds), "--threads", "1",
                          name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True)
    rows = [json.loads(line) for line in ran.stdout.splitlines() if line.startswith("{")]
    return next(row["us_best"] for row in rows if row["name"] == name), "left out" in ran.stderr


def measure(folders, name, arguments):
    """{rule: how much longer a step takes without it, in percent}, and the time with all."""
    used = [rule for rule in folders if rule is None or run(folders[rule], name, 0.01)[1]]
    rounds = [{rule: run(folders[rule], name, arguments.seconds)[0] for rule in used} for _ in range(arguments.rounds)]
    longer = {rule: 100 * (statistics.median(times[rule] / times[None] for times in rounds) - 1) for rule in used}
    return longer, min(times[None] for times in rounds)


def table(folders, arguments):
    rules = [rule for rule in folders if rule]
    lines = ["| a step of | all rules, us | " + " | ".join(rules) + " |", "|" + " --- |" * (len(rules) + 2)]
    for name in arguments.names:
        longer, time = measure(folders, name, arguments)
        lines.append("| %s | %.0f | " % (name, time) + " | ".join("%+.1f" % longer[rule] if rule in longer else "" for rule in rules) + " |")
        print(lines[-1], file=sys.stderr)
    return "\n".join(lines) + "\n"


def main():
    arguments = read_arguments()
    text = table(build_all(arguments.build), arguments)
    print(text, end="")
    if arguments.write:
        with open(arguments.write, encoding="utf-8") as file:
            old = file.read()
        new, count = re.subn(r"(?s)(<!-- rules -->\n).*?(<!-- /rules -->)", lambda m: m.group(1) + text + m.group(2), old)
        if count != 1:
            sys.exit(f"{arguments.write} has no lines <!-- rules --> and <!-- /rules -->")
        with open(arguments.write, "w", encoding="utf-8") as file:
            file.write(new)


main()
