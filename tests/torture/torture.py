#!/usr/bin/env python3
"""Torture: runs the command with one fault each, and looks at what is left.

    tests/torture/torture.py BUILD [--minutes M | --rounds N] [--first N]
    tests/torture/torture.py BUILD --every [--only SCENARIO] [--jobs N] [--first N] [--rounds N] [--each N]

A round is a scenario (training, resuming, predicting, ...) and a fault, both drawn by the round's seed:
a call of the C library that fails once or from there on, half a write, a kill before or after a call, a
signal, a folder taken away, a clock set back, little memory, few descriptors, small files, or a power
cut, after which only what was synced is on the disk and of the rest anything. What must hold:

1. It ends by itself: finished, with the results that it has without a fault; or with exit code 1 or 2
   and words on standard error; or by the signal that was sent.
2. What it was to replace is as it was, or whole and new: never a part, never another content.
   Of two that want the same folder, one of which has a fault, this holds for each.
3. After it, without faults, the same command reaches the same results, bit for bit: by --resume, or,
   where nothing was kept yet, from the beginning.

A round that fails is printed with its seed, by which it can be repeated: --first SEED --rounds 1.

With --every, rounds are not drawn: each call that a scenario makes, requests for memory too, fails once,
and then with all later ones. A seed is a round's number there. After a fault no more memory may be held
at the end than without one.
"""
import argparse
import errno
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import threading
import time

from disk import Disk
from fault import ERRORS, Fault
from house import MORE, PATIENCE, SCENARIOS, House, begin, prepare, prepare_scenario, read_counts, says, sums_below, sums_of

# ---- A round ----


def judge_end(scenario, fault, code, words):
    """Claim 1: nothing, or what is wrong."""
    if code is None:
        return f"it did not end within {PATIENCE} s"
    if "Sanitizer" in words or "runtime error" in words:
        return f"a sanitizer speaks: {words[:3000]}"
    if code < 0:
        return None if -code in [int(number) for number in fault.sent] else f"signal {-code}"
    if code > 128:
        return None if code - 128 in [int(number) for number in fault.sent] else f"exit code {code}"
    if code == 127 and fault.limits and "error while loading shared libraries" in words:
        return None  # not ours yet
    if code not in (0, 1, 2):
        return f"exit code {code}"
    return f"exit code {code} without a word" if code and not words.strip() else None


def judge_files(house, scenario, place, code, is_gone):
    """Claim 2, and of a run that finished its results."""
    for name, found in sums_of(house, place, scenario.results).items():
        expected = scenario.expected[name]
        if code == 0 and found != expected and scenario.may_say and says(os.path.join(place, name), scenario.may_say):
            continue
        if code == 0 and found != expected and not is_gone:
            return f"exit code 0, but {name} differs from what it is without a fault"
        if scenario.name in ("train", "resume") or name == "-" or found in (expected, scenario.before[name]):
            continue  # a run's files change on the way: resuming will tell
        return f"{name} is neither the old nor the new file"
    return None


def judge_afterwards(house, scenario, place):
    """Claim 3. Where nothing has changed there is nothing to see."""
    done = scenario.once and sums_of(house, place, scenario.results) == scenario.expected
    if done or sums_below(place) == scenario.start:
        return None
    said = []
    if scenario.undo:
        house.run(scenario.undo, place)
    for words in scenario.again:
        code, text = house.run(words, place)
        said.append(f"{' '.join(words)}: {code} {text.strip()[-400:]}")
        if code == 0:
            break
        if code not in (1, 2):
            return "afterwards: " + said[-1]
    else:
        return "afterwards nothing goes on:\n    " + "\n    ".join(said)
    for name, found in sums_of(house, place, scenario.results).items():
        if found != scenario.expected[name]:
            return f"afterwards {name} is another than without the fault ({said[-1]})"
    left = [name for _, _, files in os.walk(place) for name in files if name.endswith(".tmp")]
    return f"afterwards {left[0]} is left" if left else None


def judge_memory(house, scenario, fault):
    """What a fault lets lie about: nothing that would not be there without."""
    held = read_counts(house).get("live", 0)
    if fault.sent or held <= scenario.calls["live"]:
        return None
    return f"{held} blocks of memory are held at the end, {scenario.calls['live']} without a fault"


def play(house, seed):
    """A round: nothing, or what went wrong."""
    draw = random.Random(seed)
    if draw.random() < 0.1:
        return play_two(house, draw)
    scenario = draw.choice(SCENARIOS)
    return play_fault(house, scenario, Fault().drawn(house, scenario, draw), draw)


def play_two(house, draw):
    """Two that want the same folder, one of them with a fault: the other one finishes or says why not."""
    scenario = draw.choice(SCENARIOS[:2])
    place = begin(house, scenario)
    fault = Fault()
    draw.choice([fault.error, fault.kill, fault.late, fault.short, fault.signal])(house, scenario, draw)
    pause = draw.choice([0, 0.003, 0.01, 0.02, 0.04])
    other = house.beside("other")
    second = {}

    def run_other():
        time.sleep(pause)
        second["end"] = other.run(draw.choice(scenario.again), place)

    thread = threading.Thread(target=run_other)
    thread.start()
    code, words = house.run(scenario.words, place, fault.environment)
    thread.join()
    code_of_other, words_of_other = second["end"]
    what = (judge_end(scenario, fault, code, words) or judge_end(scenario, Fault(), code_of_other, words_of_other) or
            judge_afterwards(house, scenario, place))
    kind = "two finished" if code == code_of_other == 0 else "one of two finished" if 0 in (code, code_of_other) else "none of two"
    return f"two of {scenario.name}", fault.text, kind, what, words + words_of_other


def play_fault(house, scenario, fault, draw):
    place = begin(house, scenario)
    if fault.cuts:
        start = house.path("start")
        shutil.rmtree(start, ignore_errors=True)
        shutil.copytree(place, start)
    if os.path.exists(house.path("count")):
        os.remove(house.path("count"))
    code, words = house.run(scenario.words, place, dict(fault.environment, NORMA_FAULT_COUNT=house.path("count")),
                            fault.limits)
    what = judge_end(scenario, fault, code, words) or judge_memory(house, scenario, fault)
    gone = os.path.join(place, "run.gone")
    is_gone = os.path.exists(gone)
    if is_gone:
        shutil.rmtree(os.path.join(place, "run"), ignore_errors=True)
        os.rename(gone, os.path.join(place, "run"))
    if fault.cuts:
        Disk(fault.journal, house.path("start"), place, draw).make(place + ".disk")
        shutil.rmtree(place)
        os.rename(place + ".disk", place)
    what = what or judge_files(house, scenario, place, code, is_gone) or judge_afterwards(house, scenario, place)
    kind = "finished" if code == 0 else "stopped" if code is None or code < 0 or code > 2 else "an error"
    return scenario.name, fault.text + (" power cut" if fault.cuts else ""), kind, what, words


# ---- Every call ----


def every_fault(house, only):
    """Each call of each scenario that fails once, and with all later ones."""
    faults = []
    for scenario in SCENARIOS + MORE:
        if only and scenario.name != only:
            continue
        if scenario in MORE:
            prepare_scenario(house, scenario)
        for call, errors in ERRORS.items():
            for number in range(1, scenario.calls[call] + 1):
                code = errors[number % len(errors)]
                faults.append((scenario, (call, number, f"{code}")))
                if code != errno.EINTR:  # nobody gets out of that
                    faults.append((scenario, (call, number, f"{code}+")))
    return faults


def play_every(house, options):
    """A part of the rounds, in processes of their own, each in a house of its own."""
    faults = every_fault(house, options.only)
    last = min(len(faults), options.first - 1 + (options.rounds or len(faults)))
    seeds = range(options.first - 1, last, options.each)
    with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
        for seed, ended in pool.imap(play_one, ((house, faults[seed], seed) for seed in seeds), chunksize=8):
            yield seed + 1, ended


def play_one(task):
    house, (scenario, order), seed = task
    own = house.beside(f"of-{os.getpid()}")
    return seed, play_fault(own, scenario, Fault(order), random.Random(seed))


def play_drawn(house, options):
    stop = time.monotonic() + 60 * options.minutes if options.minutes else None
    seed = options.first
    while time.monotonic() < stop if stop else seed < options.first + (options.rounds or 100):
        yield seed, play(house, seed)
        seed += 1


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("build")
    options.add_argument("--minutes", type=float)
    options.add_argument("--rounds", type=int)
    options.add_argument("--first", type=int, default=1, help="the first round's seed")
    options.add_argument("--every", action="store_true", help="each call of each scenario, in order")
    options.add_argument("--only", help="with --every: of this scenario")
    options.add_argument("--each", type=int, default=1, help="with --every: each Nth of them alone")
    options.add_argument("--jobs", type=int, default=os.cpu_count())
    options = options.parse_args()
    bad, ends, rounds = 0, {}, 0
    with tempfile.TemporaryDirectory(prefix="norma-torture-") as folder:
        house = House(os.path.abspath(options.build), folder)
        prepare(house)
        for seed, (name, fault, kind, what, words) in (play_every if options.every else play_drawn)(house, options):
            rounds, ends[kind] = rounds + 1, ends.get(kind, 0) + 1
            if what:
                bad += 1
                print(f"FAILED: seed {seed}: {name}, {fault}: {what}\n  it said: {words.strip()[-600:]}",
                      flush=True)
    seed = options.first + rounds * options.each
    if options.minutes:
        with open(os.path.join(options.build, "next_seed"), "w", encoding="ascii") as file:
            file.write(f"{seed}\n")
    print(f"seeds {options.first} to {seed - 1}: " +
          ", ".join(f"{count} {kind}" for kind, count in sorted(ends.items())))
    print(f"{100 * (rounds - bad) // max(rounds, 1)}%: Checks: {rounds}, Failures: {bad}, Errors: 0")
    return 1 if bad or not rounds else 0


if __name__ == "__main__":
    sys.exit(main())
