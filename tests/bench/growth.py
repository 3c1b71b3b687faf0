"""How Norma's time and memory grow with batch, width, depth and data, as two pictures.

usage: growth.py NORMA [FOLDER]     writes FOLDER/growth_time.svg and growth_memory.svg (docs/images)

Each panel varies one size of a perceptron of dense, batch_norm and relu, and doubles it from point
to point; the line is the power law that fits the upper half of the points best.
"""
import json
import math
import os
import struct
import subprocess
import sys
import tempfile

SECONDS = "0.4"  # for each point
BATCH, WIDTH, DEPTH, INPUTS = 128, 256, 4, 256
SMALLEST = {}  # what a process needs for next to nothing, in MB


# ---- Measuring ----

def network(width, depth):
    return ("model:\n  input: [%d]\n  layers:\n"
            "    - repeat: {times: %d, body: [{dense: {units: %d, bias: false}}, batch_norm, relu]}\n"
            "    - dense: {units: 10}\n" % (INPUTS, depth, width))


def train_step(norma, folder, batch=BATCH, width=WIDTH, depth=DEPTH):
    """Milliseconds of a step, and the process's peak memory in MB, beyond a tiny network's."""
    path = os.path.join(folder, "network.yaml")
    with open(path, "w", encoding="ascii") as file:
        file.write(network(width, depth))
    output = subprocess.run([norma, "bench", path, "--batch", str(batch), "--seconds", SECONDS,
                             "--json"], check=True, stdout=subprocess.PIPE, text=True).stdout
    row = json.loads(output)
    return row["us_best"] / 1000, row["peak_mb"] - SMALLEST.get("step", 0)


def write_npy(path, kind, shape, rows):
    header = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (kind, shape)
    header += " " * (63 - (len(header) + 10) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        for row in rows:
            file.write(row)


def train_epoch(norma, folder, count):
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
        clock = os.times().elapsed
        child = subprocess.Popen([norma, "train", path, "--quiet", "--out",
                                  os.path.join(folder, "run%d-%d" % (count, attempt))],
                                 stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            sys.exit("norma train failed on %d samples" % count)
        best, peak = min(best, (os.times().elapsed - clock) * 1000), usage.ru_maxrss / 1024
    return best, peak - SMALLEST.get("epoch", 0)


def doublings(first, last):
    sizes = [first]
    while sizes[-1] < last:
        sizes.append(2 * sizes[-1])
    return sizes


def measure_all(norma, folder):
    """For each panel its title and its points: size, milliseconds, MB."""
    smallest_step = train_step(norma, folder, batch=2, width=16, depth=1)[1]
    SMALLEST["epoch"] = train_epoch(norma, folder, 2)[1]
    SMALLEST["step"] = smallest_step
    panels = []
    for title, name, sizes in (("batch", "batch", doublings(16, 4096)),
                               ("width", "width", doublings(64, 2048)),
                               ("depth", "depth", doublings(2, 128))):
        panels.append((title, [(size, *train_step(norma, folder, **{name: size}))
                               for size in sizes]))
    panels.append(("samples", [(size, *train_epoch(norma, folder, size))
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
         "stroke-dasharray:5 4}.point{fill:#d9480f}.head{font-weight:600;font-size:14px}"
         "@media (prefers-color-scheme:dark){text{fill:#ced4da}.grid{stroke:#495057}"
         ".fit{stroke:#74c0fc}.point{fill:#ffa94d}}</style>")
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
        ys = [p[1] for p in points]
        self.y = (min(ys) / 1.6, max(ys) * 1.6)

    def place(self, x, y):
        across = math.log(x / self.x[0]) / math.log(self.x[1] / self.x[0])
        up = math.log(y / self.y[0]) / math.log(self.y[1] / self.y[0])
        return self.left + across * WIDE, self.top + (1 - up) * HIGH

    def draw(self, title, unit, points):
        right, bottom = self.left + WIDE, self.top + HIGH
        exponent, factor = fit(points)
        parts = ['<text class="head" x="%d" y="%d">%s grows as %s<tspan dy="-5" font-size="11">'
                 "%.2f</tspan></text>" % (self.left, self.top - 12, unit[0], title, exponent)]
        for y in ticks(*self.y):
            at = self.place(self.x[0], y)[1]
            parts.append('<line class="grid" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>'
                         '<text x="%d" y="%.1f" text-anchor="end">%s</text>' %
                         (self.left, right, at, at, self.left - 6, at + 4, label(y)))
        for x in [p[0] for p in points][::2]:
            parts.append('<text x="%.1f" y="%d" text-anchor="middle">%s</text>' %
                         (self.place(x, self.y[0])[0], bottom + 18, label(x)))
        parts.append('<text x="%d" y="%d" text-anchor="middle">%s</text>' %
                     (self.left + WIDE // 2, bottom + 36, title))
        parts.append('<text x="%d" y="%d" text-anchor="middle" transform="rotate(-90 %d %d)">%s'
                     "</text>" % (self.left - 46, self.top + HIGH // 2, self.left - 46,
                                  self.top + HIGH // 2, unit[1]))
        upper = points[len(points) // 2:]
        ends = [self.place(p[0], factor * p[0] ** exponent) for p in (upper[0], upper[-1])]
        parts.append('<line class="fit" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>' %
                     (*ends[0], *ends[1]))
        parts += ['<circle class="point" r="3.6" cx="%.1f" cy="%.1f"/>' % self.place(*p[:2])
                  for p in points]
        return parts


def picture(panels, unit):
    width, height = 2 * (WIDE + GAP) + 30, 2 * (HIGH + GAP) - 40
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" '
             'font-size="12">' % (width, height), STYLE]
    for number, (title, points) in enumerate(panels):
        parts += Axes(number % 2, number // 2, points).draw(title, unit, points)
    return "\n".join(parts + ["</svg>", ""])


def column_of(points, column):
    """Sizes and one of their figures; memory that is lost in the noise of a process is left out."""
    return [(p[0], p[column]) for p in points if column == 1 or p[column] > 0.3]


def main():
    norma = os.path.abspath(sys.argv[1])
    target = sys.argv[2] if len(sys.argv) > 2 else "docs/images"
    with tempfile.TemporaryDirectory() as folder:
        panels = measure_all(norma, folder)
    print("| grows | exponent of time | exponent of memory |\n| --- | --- | --- |")
    for title, points in panels:
        memory = column_of(points, 2)
        print("| %s, %s to %s | %.2f | %.2f |" % (title, label(points[0][0]), label(points[-1][0]),
                                                 fit(points)[0], fit(memory)[0]))
    for name, unit, column in (("time", ("time", "milliseconds"), 1),
                               ("memory", ("memory", "MB, beyond an empty process"), 2)):
        chosen = [(title, column_of(points, column)) for title, points in panels]
        with open(os.path.join(target, "growth_%s.svg" % name), "w", encoding="ascii") as file:
            file.write(picture(chosen, unit))


main()
