"""How Norma's time and memory grow with batch, width, depth, threads and data, as two pictures.

usage: growth.py NORMA [--folder FOLDER] [--seconds S] [--rounds N] [--write FILE]

Writes FOLDER/growth_time.svg and growth_memory.svg (docs/images), and with --write the table of exponents
into FILE, between <!-- growth --> and <!-- /growth -->. Each panel varies one size of a perceptron of dense,
batch_norm and relu, and doubles it from point to point; the dashed line is the power law that fits the upper
half of the points best. Where the batch varies there is no batch norm, which needs two samples. The solid line is this machine's limit: the step's multiply-adds, as they are done in
registers (`norma bench`), by as many threads. A time is the best of the rounds.
"""
import argparse
import json
import math
import os
import struct
import subprocess
import sys
import tempfile
import time

from turns import put

BATCH, WIDTH, DEPTH, INPUTS = 128, 256, 4, 256
SMALLEST = {}  # what a process needs for next to nothing, in MB


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("norma", type=os.path.abspath)
    parser.add_argument("--folder", default="docs/images")
    parser.add_argument("--seconds", type=float, default=0.3, help="for each point")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--write", metavar="FILE")
    return parser.parse_args()


# ---- Measuring ----

def network(width, depth, norm="batch_norm, "):
    return ("model:\n  input: [%d]\n  layers:\n"
            "    - repeat: {times: %d, body: [{dense: {units: %d, bias: false}}, %srelu]}\n"
            "    - dense: {units: 10}\n" % (INPUTS, depth, width, norm))


def train_step(arguments, folder, batch=BATCH, width=WIDTH, depth=DEPTH, threads=0):
    """Milliseconds of a step, the process's peak memory in MB beyond a tiny network's, and the milliseconds that
    the step's multiply-adds take in registers."""
    path = os.path.join(folder, "network.yaml")
    with open(path, "w", encoding="ascii") as file:
        file.write(network(width, depth, "batch_norm, " if batch == BATCH else ""))
    # By a shell's child: a peak that begins with this program's own would hide small ones.
    command = ["sh", "-c", '"$@"; exit $?', "sh", arguments.norma, "bench", path, "--batch", str(batch), "--seconds", str(arguments.seconds),
               "--json"] + (["--threads", str(threads)] if threads else [])
    row = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return row["us_best"] / 1000, row["peak_mb"] - SMALLEST.get("step", 0), row["us_median"] * row["share"] / 1000


def write_npy(path, kind, shape, rows):
    header = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (kind, shape)
    header += " " * (63 - (len(header) + 10) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        for row in rows:
            file.write(row)


def watch(child):
    """The peak memory in MB of a program, which has ended then. What the system tells afterwards has this
    program's own in it, from before the other began."""
    peak = 0
    while child.poll() is None:
        try:
            with open("/proc/%d/status" % child.pid, encoding="ascii") as file:
                peak = max([peak] + [int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM")])
            child.wait(0.01)
        except (subprocess.TimeoutExpired, FileNotFoundError, ProcessLookupError):
            pass
    return peak


def train_epoch(arguments, folder, count):
    """Milliseconds of `norma train` for one epoch over `count` samples, reading them included."""
    write_npy(os.path.join(folder, "x.npy"), "|u1", (count, INPUTS),
              (bytes((i * 31 + k * 7) % 256 for k in range(INPUTS)) for i in range(count)))
    write_npy(os.path.join(folder, "y.npy"), "<i4", (count,),
              (struct.pack("<i", i % 10) for i in range(count)))
    path = os.path.join(folder, "train.yaml")
    with open(path, "w", encoding="ascii") as file:
        file.write(network(WIDTH, DEPTH) +
                   "data: {train: {npy: {x: %s/x.npy, y: %s/y.npy}}, batch: %d}\n"
                   "loss: cross_entropy\n"
                   "train: {epochs: 1, optimizer: {sgd: {rate: 0.01}}}\n" % (folder, folder, BATCH))
    best, peak = math.inf, 0
    for attempt in range(3):
        clock = time.perf_counter()
        said = open(os.path.join(folder, "said"), "w+", encoding="utf-8")  # that so little is not learned well
        child = subprocess.Popen([arguments.norma, "train", path, "--quiet", "--out",
                                  os.path.join(folder, "run%d-%d" % (count, attempt))],
                                 stdout=subprocess.DEVNULL, stderr=said)
        peak = watch(child)
        if child.returncode:
            said.seek(0)
            sys.exit("norma train failed on %d samples: %s" % (count, said.read()))
        best = min(best, (time.perf_counter() - clock) * 1000)
    return best, peak - SMALLEST.get("epoch", 0)


def doublings(first, last):
    sizes = [first]
    while sizes[-1] < last:
        sizes.append(2 * sizes[-1])
    return sizes


def least(points):
    """Each figure's least of the rounds."""
    return tuple(map(min, zip(*points)))


def measure_all(arguments, folder):
    """For each panel its title and its points: size, milliseconds, MB, milliseconds at the limit."""
    smallest_step = train_step(arguments, folder, batch=2, width=16, depth=1)[1]
    SMALLEST["epoch"] = train_epoch(arguments, folder, 2)[1]
    SMALLEST["step"] = smallest_step
    swept = [("batch", doublings(1, 4096)), ("width", doublings(8, 4096)), ("depth", doublings(2, 128)),
             ("threads", list(range(1, 9)))]
    rounds = {}
    for _ in range(arguments.rounds):
        for name, sizes in swept:
            for size in sizes:
                rounds.setdefault((name, size), []).append(train_step(arguments, folder, **{name: size}))
    panels = [(name, [(size, *least(rounds[name, size])) for size in sizes]) for name, sizes in swept]
    a_step = dict((point[0], point[3]) for point in panels[0][1])[BATCH]
    panels.insert(3, ("samples", [(size, *train_epoch(arguments, folder, size), a_step * size / BATCH)
                                  for size in doublings(2000, 64000)]))
    return panels


# ---- Fitting ----

def fit(points):
    """Exponent and factor of the power law through the upper half, by least squares of logs."""
    upper = points[len(points) // 2:]
    xs, ys = [math.log(p[0]) for p in upper], [math.log(p[1]) for p in upper]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    exponent = sum((a - x) * (b - y) for a, b in zip(xs, ys)) / sum((a - x) ** 2 for a in xs)
    return exponent, math.exp(y - exponent * x)


# ---- Drawing ----

STYLE = ("<style>text{fill:#495057}.grid{stroke:#dee2e6}.fit{stroke:#1c7ed6;stroke-width:1.6;"
         "stroke-dasharray:5 4}.limit{fill:none;stroke:#2b8a3e;stroke-width:1.6}.point{fill:#d9480f}"
         ".head{font-weight:600;font-size:14px}"
         "@media (prefers-color-scheme:dark){text{fill:#ced4da}.grid{stroke:#495057}"
         ".fit{stroke:#74c0fc}.limit{stroke:#8ce99a}.point{fill:#ffa94d}}</style>")
WIDE, HIGH, LEFT, TOP, GAP = 250, 180, 62, 40, 110


def ticks(low, high):
    """Powers of ten between, with 2 and 5 times them where there are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1,), (1, 3), (1, 2, 5)):
        found = [f * 10 ** p for p in powers for f in factors if low <= f * 10 ** p <= high]
        if len(found) >= 3:
            break
    return found


def label(value):
    return "%g k" % (value / 1000) if value >= 1000 and value % 1000 == 0 else "%g" % value


class Axes:
    """A panel: where a point of it stands in the picture."""

    def __init__(self, column, row, points):
        self.left = LEFT + column * (WIDE + GAP)
        self.top = TOP + row * (HIGH + GAP - 20)
        self.x = (points[0][0] / 1.3, points[-1][0] * 1.3)
        ys = [y for p in points for y in p[1:]]
        self.y = (min(ys) / 1.6, max(ys) * 1.6)

    def place(self, x, y):
        across = math.log(x / self.x[0]) / math.log(self.x[1] / self.x[0])
        up = math.log(y / self.y[0]) / math.log(self.y[1] / self.y[0])
        return self.left + across * WIDE, self.top + (1 - up) * HIGH

    def draw_axes(self, title, unit, points):
        right, bottom = self.left + WIDE, self.top + HIGH
        parts = []
        for y in ticks(*self.y):
            at = self.place(self.x[0], y)[1]
            parts.append('<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>'
                         '<text x="%d" y="%.1f" text-anchor="end">%s</text>' %
                         (self.left, right, at, at, self.left - 6, at + 4, label(y)))
        for x in [p[0] for p in points][::1 + len(points) // 7]:
            parts.append('<text x="%.1f" y="%d" text-anchor="middle">%s</text>' %
                         (self.place(x, self.y[0])[0], bottom + 18, label(x)))
        parts.append('<text x="%d" y="%d" text-anchor="middle">%s</text>' %
                     (self.left + WIDE // 2, bottom + 36, title))
        parts.append('<text x="%d" y="%d" text-anchor="middle" transform="rotate(-90 %d %d)">%s'
                     "</text>" % (self.left - 46, self.top + HIGH // 2, self.left - 46,
                                  self.top + HIGH // 2, unit))
        return parts

    def draw_fit(self, points, exponent, factor):
        upper = points[len(points) // 2:]
        ends = [self.place(p[0], factor * p[0] ** exponent) for p in (upper[0], upper[-1])]
        return '<line class="fit" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>' % (*ends[0], *ends[1])

    def draw_limit(self, points):
        places = " ".join("%.1f,%.1f" % self.place(p[0], p[2]) for p in points if len(p) > 2)
        return ['<polyline class="limit" points="%s"/>' % places] if places else []

    def draw(self, title, what, unit, points):
        exponent, factor = fit(points)
        grows = title != "threads"  # else it shrinks, up to as many as there are processors
        heading = '%s grows as %s<tspan dy="-5" font-size="11">%.2f</tspan>' % (
            what, title, exponent) if grows else "%s by %s" % (what, title)
        parts = ['<text class="head" x="%d" y="%d">%s</text>' % (self.left, self.top - 12, heading)]
        parts += self.draw_axes(title, unit, points)
        parts += [self.draw_fit(points, exponent, factor)] if grows else []
        parts += self.draw_limit(points)
        parts += ['<circle class="point" r="3.6" cx="%.1f" cy="%.1f"/>' % self.place(*p[:2])
                  for p in points]
        return parts


def picture(panels, what, unit):
    rows = (len(panels) + 1) // 2
    width, height = 2 * (WIDE + GAP) + 30, rows * (HIGH + GAP - 20)
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" '
             'font-size="12">' % (width, height), STYLE]
    for number, (title, points) in enumerate(panels):
        parts += Axes(number % 2, number // 2, points).draw(title, what, unit, points)
    return "\n".join(parts + ["</svg>", ""])


def times_of(points):
    """Sizes, milliseconds, and those at the limit."""
    return [(p[0], p[1], p[3]) for p in points]


def memory_of(points):
    """Sizes and MB; what is lost in the noise of a process is left out."""
    return [(p[0], p[2]) for p in points if p[2] > 0.3]


def table(panels):
    """Of the exponents, and of where times stand beside the limit."""
    lines = ["| grows | exponent of time | exponent of memory | of the limit, first, best and last |",
             "| --- | --- | --- | --- |"]
    for title, points in panels:
        share = [100 * p[3] / p[1] for p in points]
        ends = "%s, %s to %s" % (title, label(points[0][0]), label(points[-1][0]))
        exponents = "%.2f | %.2f" % (fit(points)[0], fit(memory_of(points))[0]) if title != "threads" else " | "
        lines.append("| %s | %s | %.0f, %.0f, %.0f %% |" % (ends, exponents, share[0], max(share), share[-1]))
    return "\n".join(lines)


def write_picture(arguments, name, text):
    with open(os.path.join(arguments.folder, "growth_%s.svg" % name), "w", encoding="ascii") as file:
        file.write(text)


def main():
    arguments = read_arguments()
    with tempfile.TemporaryDirectory() as folder:
        panels = measure_all(arguments, folder)
    print(table(panels))
    for title, points in panels:
        for size, us, mb, limit in points:
            print("%s %s: %.3f ms, %.1f MB, %.0f %% of the limit" % (title, label(size), us, mb, 100 * limit / us),
                  file=sys.stderr)
    write_picture(arguments, "time", picture([(title, times_of(points)) for title, points in panels], "time",
                                             "milliseconds"))
    write_picture(arguments, "memory", picture([(title, memory_of(points)) for title, points in panels
                                                if title != "threads"], "memory", "MB, beyond an empty process"))
    if arguments.write:
        put(arguments.write, "growth", table(panels))


if __name__ == "__main__":
    main()
