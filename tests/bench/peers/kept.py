"""A library that takes seconds to start and to compile, as a program that stays beside the others.

    PROGRAM THREADS     reads lines: WHAT NETWORK BATCH SECONDS; answers each by a line of JSON:
                        {"us": the best time of a step, "mean": of all, "way": which of its ways,
                        "ways": how many there were}

The first time that something is asked for, all ways to do it are tried, and the fastest few are kept. A line
that cannot be answered is answered by {"us": null}.
"""
import json
import math
import os
import sys
import time

KEPT = 3          # ways
SLOW = 4          # seconds of a step that nobody waits for again
WORTHWHILE = 1.5  # a way that took so many times as long as the best is not kept


def time_steps(step, seconds):
    """Microseconds: the best mean of as many steps as take 2.5 ms, and the mean of all."""
    best, each, count = math.inf, 1, 0
    start = time.perf_counter()
    now = start
    while now < start + seconds or count == 0:
        begin = now
        for _ in range(each):
            step()
        now = time.perf_counter()
        best, count = min(best, (now - begin) / each), count + each
        each *= 2 if now - begin < 1.25e-3 else 1
    return {"us": 1e6 * best, "mean": 1e6 * (now - start) / count}


def try_way(way, step, seconds):
    """(its time, way, step); None where it fails or takes too long."""
    try:
        step()  # compiles
        begin = time.perf_counter()
        step()
        if time.perf_counter() - begin > SLOW:
            return None
        return time_steps(step, seconds)["us"], way, step
    except Exception as error:  # no compiler, an op that does not compile, ...
        print(way, " ".join(str(error).split())[:200], file=sys.stderr)
        return None


def choose(ways, seconds):
    """The best of what ways() yields, (way, step) each."""
    tried = sorted(filter(None, (try_way(way, step, seconds) for way, step in ways)), key=lambda one: one[0])
    return [(way, step) for us, way, step in tried[:KEPT] if us <= WORTHWHILE * tried[0][0]]


def answer(chosen, seconds):
    """The fastest of the chosen ways now, and how many those are."""
    times = [dict(time_steps(step, seconds), way=way) for way, step in chosen]
    return dict(min(times, key=lambda one: one["us"], default={"us": None}), ways=len(chosen))


def serve(ways_of):
    """ways_of(what, network, batch) yields the ways of a row: (a name, a step without arguments)."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    kept = {}
    for line in sys.stdin:
        what, network, batch, seconds = line.split()
        row = what, network, batch
        if row not in kept:
            kept[row] = choose(ways_of(what, network, int(batch)), float(seconds))
        answers.write(json.dumps(answer(kept[row], float(seconds))) + "\n")
        answers.flush()
