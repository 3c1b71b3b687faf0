"""A library that takes seconds to start and to compile, as a program that stays beside the others.

    PROGRAM THREADS     reads lines: WHAT NETWORK BATCH SECONDS; answers each by a line of JSON:
                        {"us": the best time of a step, "mean": of all, "way": which of its ways,
                        "ways": how many there were}

With 0 SECONDS all ways are only made ready, and the answer says how many there are; the first time after that
all are tried, and the fastest few kept. A line that cannot be answered is answered by {"us": null}.
"""
import json
import math
import os
import sys
import time

KEPT = 3          # ways
SLOW = 2.5        # seconds of a step that nobody waits for again
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


def make_ready(ways):
    """What ways() yields, (way, step) each, without those that fail. The first step compiles."""
    ready = []
    for way, step in ways:
        try:
            step()
            ready.append((way, step))
        except Exception as error:  # no compiler, an op that does not compile, ...
            print(way, " ".join(str(error).split())[:200], file=sys.stderr)
    return ready


def choose(ready, seconds):
    """The best of them; none that nobody waits for."""
    tried = []
    for way, step in ready:
        begin = time.perf_counter()
        step()
        if time.perf_counter() - begin < SLOW:
            tried.append((time_steps(step, seconds)["us"], way, step))
    tried.sort(key=lambda one: one[0])
    return [(way, step) for us, way, step in tried[:KEPT] if us <= WORTHWHILE * tried[0][0]]


def answer(chosen, seconds):
    """The fastest of the chosen ways now, and how many those are."""
    times = [dict(time_steps(step, seconds), way=way) for way, step in chosen]
    return dict(min(times, key=lambda one: one["us"], default={"us": None}), ways=len(chosen))


def serve(ways_of):
    """ways_of(what, network, batch) yields the ways of a row: (a name, a step without arguments)."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    ready, chosen = {}, {}
    for line in sys.stdin:
        what, network, batch, seconds = line.split()
        row, seconds = (what, network, batch), float(seconds)
        if row not in ready:
            ready[row] = make_ready(ways_of(what, network, int(batch)))
        if seconds and row not in chosen:
            chosen[row] = choose(ready.pop(row), seconds)
            ready[row] = None  # what is not chosen is let go
        told = answer(chosen[row], seconds) if seconds else {"us": None, "ways": len(ready[row] or chosen.get(row, []))}
        answers.write(json.dumps(told) + "\n")
        answers.flush()
