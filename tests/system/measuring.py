#!/usr/bin/env python3
"""What ./dev bench does besides measuring: it finds who can be asked, shares the time, draws, and writes tables into
documents. Times are looked at by nobody here, and other libraries need not be there."""

import argparse
import contextlib
import io
import os
import sys
import tempfile
import xml.etree.ElementTree

SOURCE = os.path.abspath(os.environ["NORMA_SOURCE"])
NORMA = os.path.join(os.path.abspath(os.environ["NORMA_BUILD"]), "norma")
BENCH = os.path.join(SOURCE, "tests", "bench")
sys.dont_write_bytecode = True
sys.path[1:1] = [BENCH, os.path.join(BENCH, "peers")]
import found  # noqa: E402
import growth  # noqa: E402
import onednn  # noqa: E402
import peers  # noqa: E402
import threads  # noqa: E402
import turns  # noqa: E402

passed = failed = 0


def claim(text, holds, why=""):
    global passed, failed
    passed, failed = passed + bool(holds), failed + (not holds)
    if not holds:
        print("FAILED: %s\n%s" % (text, why))


def ends(function, *arguments):
    """What a function says when it ends the program; None if it does not."""
    try:
        function(*arguments)
    except SystemExit as end:
        return str(end)
    return None


# ---- Documents ----

def documents(folder):
    path = os.path.join(folder, "document.md")
    with open(path, "w", encoding="utf-8") as file:
        file.write("before\n<!-- a -->\nold\n\\1 old\n<!-- /a -->\n<!-- a b -->\nother\n<!-- /a b -->\nafter\n")
    turns.put(path, "a", "new \\1\nlines")
    with open(path, encoding="utf-8") as file:
        text = file.read()
    claim("a table stands between its marks, and all else as it was", text ==
          "before\n<!-- a -->\nnew \\1\nlines\n<!-- /a -->\n<!-- a b -->\nother\n<!-- /a b -->\nafter\n", text)
    claim("a document without marks is named", path in (ends(turns.put, path, "c", "") or ""))
    claim("times have three digits or all before the point",
          [turns.figure(t) for t in (None, 1.234, 12.34, 1234.5)] == ["", "1.23", "12.3", "1,234"])
    with open(os.path.join(SOURCE, "docs", "performance.md"), encoding="utf-8") as file:
        text = file.read()
    for mark in (*peers.TABLES, "growth", "onednn", "threads"):
        claim(f"docs/performance.md has room for {mark}", f"<!-- {mark} -->\n" in text and f"<!-- /{mark} -->" in text)


# ---- Who can be asked ----

KEPT = """
import sys, time
sys.path.insert(1, %r)
import kept
def ways(what, network, batch):
    print("libraries talk")
    if what == "train":
        yield "slow", lambda: time.sleep(0.02)
        yield "broken", lambda: 1 / 0
        yield "fast", lambda: time.sleep(0.001)
kept.serve(ways)
"""


def kept_programs(folder):
    path = os.path.join(folder, "library.py")
    with open(path, "w", encoding="utf-8") as file:
        file.write(KEPT % os.path.join(BENCH, "peers"))
    asker = found.Kept([sys.executable, path], 2, folder, lambda row: row.what != "start")
    asker.make_ready(found.Row("train", "2-2", 1, False))
    answers = [asker.ask(found.Row(what, "2-2", 1, False), 0.01) for what in ("train", "train", "predict", "start")]
    asker.close()
    claim("the fastest way is kept", answers[1] and answers[1]["way"] == "fast" and answers[1]["ways"] == 1, answers)
    claim("its time is in microseconds", answers[1] and 1000 <= answers[1]["us"] <= answers[1]["mean"] < 1e6, answers)
    claim("what a library cannot do has no time", answers[2:] == [None, None], answers)
    claim("a program that ended has none either", asker.ask(found.Row("train", "2-2", 1, False), 0.01) is None)


def nobody_there(folder):
    found.programs = lambda *_: []
    found.build_norma = lambda *_: found.Peer("Norma", [])
    nothing = argparse.Namespace(build=folder, alone=False, python="/no/such/python")
    some, missing = found.find(nothing)
    claim("who is not found is named, and nothing fails", [peer.name for peer in some] == ["Norma"] and
          missing == list(found.HOW), missing)
    claim("a program that cannot be started for a network has no time",
          found.Program(["false"], 1, folder).ask(found.Row("train", "mlp_bn", 128, False), 0) is None)
    claim("nor has one that fails",
          found.Program(["false"], 1, folder).ask(found.Row("train", "2-2", 1, False), 0) is None)
    claim("a network's file and sizes are told to a program that reads it",
          found.Program([], 1, "/f", reads_networks=True).network("cnn_bn") == "/f/cnn_bn.yaml=784-10")
    claim("what mistakes the processor is taken away", not any(
        name.startswith("OPENBLAS_CORE") for name in found.environment(1, folder)))


# ---- Turns and tables ----

class Fixed:
    """One who always takes the same time."""

    def __init__(self, us, mean, threads=1, way=""):
        self.answer, self.threads = {"us": us, "mean": mean, "way": way}, threads

    def ask(self, row, _):
        return dict(self.answer) if row.what != "int8" else None


def tables():
    rows = [found.Row("train", "mlp_bn", 128, False), found.Row("int8", "2-2", 1, False)]
    some = [found.Peer("Norma", [Fixed(100, 110)]), found.Peer("PyTorch", [Fixed(300, 301), Fixed(250, 400, 2, "nhwc")])]
    with contextlib.redirect_stderr(io.StringIO()):
        asked = peers.try_all(some, rows)
        times, _ = peers.measure(some, rows, asked, argparse.Namespace(minutes=0, rounds=2))
    lines = peers.table(rows, times, some, ("PyTorch",))
    claim("a row has the best of all ways, which one, and its ratio",
          lines[2] == "| a step, mlp_bn, batch 128 | 100 | 250 | 2 threads, nhwc | 2.50 |", lines)
    claim("what nobody can do is empty", lines[3].replace("|", "").strip() == peers.label(rows[1]), lines)
    busy = rows[0]._replace(busy=True)
    best = peers.ask_all(some, busy, {(busy, "PyTorch", 0): 1, (busy, "PyTorch", 1): 1}, 0)
    claim("beside another program the mean counts", best["PyTorch"]["time"] == 301, best)
    answers = [{"us": 1e5, "ways": 3}, {"us": 10}]
    for minutes in (0.05, 0.5):
        seconds = peers.share_of(minutes, 2, answers)
        claim("the time is shared, and kept", 0.02 <= seconds <= 1 and
              2 * sum(peers.costs(answer, seconds) for answer in answers) <= 60 * minutes, seconds)
    claim("little time is not none", peers.share_of(0, 3, answers) < 0.03)
    one = found.Row("train", "mlp_bn", 1, True)
    line = threads.table({one: [[10, 12, 11], [22, 24, 11], [20, 20, 20]]}).split("\n")[-1]
    claim("threads that adapt stand beside those that do not",
          line == "| a step, mlp_bn, batch 128, beside a busy program | 11.0 | 22.0 | 20.0 | 2.00 |", line)
    builds = argparse.Namespace(builds=["x/none", "x/3.7"], names=["mlp_bn"])
    text = onednn.table(builds, {"f32": [{"x/none": {"mlp_bn": 200}, "x/3.7": {"mlp_bn": 100}}],
                                 "bf16": [{"x/none": {}, "x/3.7": {"mlp_bn": 50}}]}).split("\n")
    claim("a build is compared with the first", text[2:] == ["| mlp_bn, f32 | 200 | 100 | 2.00 |",
                                                              "| mlp_bn, bf16 | | 50 | |"], text)


# ---- Growth ----

def pictures(folder):
    points = [(size, 3 * size ** 1.5, 2.0, size / 4) for size in growth.doublings(8, 4096)]
    exponent, factor = growth.fit(growth.times_of(points))
    claim("a power law is found", abs(exponent - 1.5) < 1e-9 and abs(factor - 3) < 1e-6, (exponent, factor))
    drawn = growth.picture([("width", growth.times_of(points)), ("threads", growth.times_of(points))], "time", "ms")
    root = xml.etree.ElementTree.fromstring(drawn)
    classes = [part.get("class") for part in root.iter()]
    claim("every point is drawn, and the limit, and a law where something grows",
          (classes.count("point"), classes.count("limit"), classes.count("fit")) == (20, 2, 1), classes)
    claim("of the limit there is a place for every point",
          len([part for part in root.iter() if part.get("class") == "limit"][0].get("points").split()) == 10)
    width, height = map(float, root.get("viewBox").split()[2:])
    places = [(float(p.get("cx")), float(p.get("cy"))) for p in root.iter() if p.get("class") == "point"]
    claim("all in the picture", all(0 < x < width and 0 < y < height for x, y in places), places)
    arguments = argparse.Namespace(norma=NORMA, seconds=0.0)
    ms, mb, limit = growth.train_step(arguments, folder, batch=1, width=8, depth=1, threads=1)
    claim("a step has a time, memory and a limit", ms > 0 and mb > 0 and limit > 0, (ms, mb, limit))
    claim("the table has the share of the limit",
          growth.table([("width", points)]).endswith("| width, 8 to 4096 | 1.50 | 0.00 | 3, 3, 0 % |"),
          growth.table([("width", points)]))


def main():
    with tempfile.TemporaryDirectory() as folder:
        documents(folder)
        kept_programs(folder)
        nobody_there(folder)
        tables()
        pictures(folder)
    print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
