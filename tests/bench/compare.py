"""Norma, PyTorch and, where it is there, JAX in turn, in one go, and the ratios as Markdown.

usage: compare.py NORMA [--python PATH] [--rounds N] [--seconds S] [--bf16] [--write FILE] [FILTER]

--python names the Python that has what is compared with; else it is the system's, which has Debian's
PyTorch. A figure is the median over the rounds of a row's best time. PyTorch's is its best over one and
two threads, both layouts, eager and compiled, plain and fused SGD, and, where its BLAS is OpenBLAS, the
kernels that this one can be told to use, since it sometimes mistakes the processor for an older one.
JAX's is its best over one and two threads. Batch norm is compared with oneDNN's too, and with a copy of
as many bytes. --write replaces what stands in FILE between the lines `<!-- compare -->` and
`<!-- /compare -->`, or with --bf16 `<!-- compare bf16 -->` and `<!-- /compare bf16 -->`.
"""
import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

FOLDER = os.path.dirname(os.path.abspath(__file__))
BLAS_KERNELS = [None, "Haswell", "SkylakeX"]
SHAPES = ["128x32x32x16", "128x8x8x64", "64x14x14x64", "128x512"]

# A row of the table: Norma's, PyTorch's, and the ratio to reach.
STEPS = [("mlp_bn_paper", 3.5), ("mlp_bn", 2.2), ("mlp_wn", 2.2), ("cnn_bn", 2.2), ("cnn_wn", 2.2),
         ("resnet20_bn", 1.4)]
BF16_STEPS = [("mlp_bn", 1.6), ("mlp_wn", 1.6), ("cnn_bn", 1.7), ("cnn_wn", 1.7),
              ("resnet20_bn", 1.7)]
NORMS = [(kind + " " + shape, 3) for shape in SHAPES for kind in ("batch_norm", "batch_norm+grad")]


def read_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("norma")
    parser.add_argument("filter", nargs="?", default="")
    parser.add_argument("--python", metavar="PATH", default="/usr/bin/python3")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.7)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--write", metavar="FILE")
    return parser.parse_intermixed_args()


# ---- Running ----

def run(command, variables=None):
    """The rows that a program prints."""
    environment = {key: value for key, value in os.environ.items() if key != "OPENBLAS_CORETYPE"}
    environment.update(variables or {})
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            text=True, env=environment).stdout
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def ask(arguments, code):
    """What the other Python prints; None if it fails."""
    asked = subprocess.run([arguments.python, "-c", code], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True)
    return asked.stdout.strip() if asked.returncode == 0 else None


def find_peers(arguments):
    """Versions of PyTorch and JAX (None: it is not there), and how to call the former's BLAS."""
    arguments.torch = ask(arguments, "import torch; print(torch.__version__)")
    arguments.jax = None if arguments.bf16 else ask(arguments, "import jax; print(jax.__version__)")
    config = ask(arguments, "import torch; print(torch.__config__.show())") or ""
    arguments.blas = [None] if "BLAS_INFO=mkl" in config else BLAS_KERNELS
    if not arguments.torch:
        sys.exit("%s has no PyTorch; name another Python: --python PATH" % arguments.python)


def fastest(rows):
    """The fastest row of each name."""
    best = {}
    for row in rows:
        if "error" in row:
            print("%s, %s: %s" % (row["name"], way(row), row["error"]), file=sys.stderr)
        elif row["name"] not in best or row["us_best"] < best[row["name"]]["us_best"]:
            best[row["name"]] = row
    return best


def run_norma(arguments, threads, names):
    precision = ["--precision", "bf16"] if arguments.bf16 else []
    return fastest(run([arguments.norma, "bench", "--json", "--seconds", str(arguments.seconds),
                        "--threads", str(threads), *precision, *names]))


def run_pytorch(arguments, threads, blas, cache):
    precision = ["--bf16"] if arguments.bf16 else []
    variables = {"TORCHINDUCTOR_CACHE_DIR": cache}  # what is compiled is compiled once
    if blas:
        variables["OPENBLAS_CORETYPE"] = blas
    return run([arguments.python, os.path.join(FOLDER, "pytorch.py"), str(threads),
                str(arguments.seconds), arguments.filter, *precision], variables)


def run_jax(arguments, threads):
    return run([arguments.python, os.path.join(FOLDER, "jax_rows.py"), str(threads),
                str(arguments.seconds), arguments.filter])


def build_onednn(folder):
    """oneDNN's batch norm as a program; None where it cannot be built."""
    program = os.path.join(folder, "onednn_norm")
    built = subprocess.run(["gcc", "-O2", "-o", program, os.path.join(FOLDER, "onednn_norm.c"),
                            "-ldnnl"], stderr=subprocess.DEVNULL).returncode == 0
    return program if built else None


def run_onednn(arguments, program, threads):
    return run([program, str(arguments.seconds)], variables={"OMP_NUM_THREADS": str(threads)})


def check_precision(arguments, names, rows):
    """Ends where --bf16 would compare f32 with f32. Rows that come along, such as a single image's,
    may be in f32."""
    if arguments.bf16 and any(rows[name]["precision"] != "bf16" for name in names if name in rows):
        sys.exit("this processor has no units for bf16: nothing to compare")


def run_round(arguments, names, onednn, cache):
    """Norma, another in one of its ways, Norma, and so on: of each the best."""
    ours, theirs, onednns, jaxs = [], [], [], []
    for threads in (1, 2):
        for blas in arguments.blas:
            rows = run_norma(arguments, 2, names)
            check_precision(arguments, names, rows)
            ours += rows.values()
            theirs += [dict(row, blas=blas) for row in run_pytorch(arguments, threads, blas, cache)]
        if onednn:
            onednns += run_onednn(arguments, onednn, threads)
        if arguments.jax:
            ours += run_norma(arguments, 2, names).values()
            jaxs += run_jax(arguments, threads)
    return fastest(ours), fastest(theirs), fastest(onednns), fastest(jaxs)


# ---- The tables ----

def number(value):
    return ("%.3f" if value < 1 else "%.1f" if value < 100 else "%.0f") % value


def way(row):
    """How another got its figure."""
    words = ["%d %s" % (row["threads"], "thread" if row["threads"] == 1 else "threads"),
             row.get("layout"), row.get("way"), row.get("blas")]
    return ", ".join(word for word in words if word)


def middle(rounds, name):
    return statistics.median(round_[name]["us_best"] for round_ in rounds)


def middle_ratio(theirs, ours, name, our_name):
    """The median over the rounds of the ratio of times."""
    return statistics.median(b[name]["us_best"] / a[our_name]["us_best"]
                             for a, b in zip(ours, theirs))


def jax_columns(name, ours, jaxs):
    if not jaxs[0]:
        return ""
    if name not in jaxs[0]:
        return " | | |"
    return " %s | %s | %.2f |" % (number(middle(jaxs, name)), way(jaxs[0][name]),
                                  middle_ratio(jaxs, ours, name, name))


def ratio_table(goals, ours, theirs, jaxs):
    lines = ["| row | Norma, us | PyTorch, us | its best way | ratio | goal |" +
             " JAX, us | its best way | ratio |" * bool(jaxs[0]),
             "|" + " --- |" * (9 if jaxs[0] else 6)]
    for name, goal in goals:
        our_name = name.split(", optimized")[0]
        if our_name not in ours[0] or name not in theirs[0]:
            continue
        lines.append("| %s | %s | %s | %s | %.2f | %s |" % (
            name, number(middle(ours, our_name)), number(middle(theirs, name)),
            way(theirs[0][name]), middle_ratio(theirs, ours, name, our_name), goal) +
                     jax_columns(name, ours, jaxs))
    return lines if len(lines) > 2 else []


def norm_table(ours, onednns):
    """Batch norm beside oneDNN's, and beside y = x + 1 on an array of the same shape."""
    lines = ["| shape | forward, us | of a copy | backward, us | of a copy | oneDNN, us | ratio "
             "| both ways: oneDNN, us | ratio |", "|" + " --- |" * 9]
    for shape in SHAPES:
        names = ["batch_norm " + shape, "batch_norm+grad " + shape]
        if not all(name in ours[0] and name in onednns[0] for name in names):
            continue
        forward, both, copy, one, two = [statistics.median(values) for values in (
            [r[names[0]]["us_best"] for r in ours], [r[names[1]]["us_best"] for r in ours],
            [r["copy " + shape]["us_best"] for r in ours],
            [r[names[0]]["us_best"] for r in onednns], [r[names[1]]["us_best"] for r in onednns])]
        lines.append("| %s | %s | %.2f | %s | %.2f | %s | %.2f | %s | %.2f |" % (
            shape, number(forward), forward / copy, number(both - forward), (both - forward) / copy,
            number(one), one / forward, number(two), two / both))
    return [""] + lines if len(lines) > 2 else []


def processor():
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
        text = file.read()
    model = re.search(r"model name\s*:\s*(.*)", text)
    flags = re.search(r"flags\s*:\s*(.*)", text)
    sets = [name for name in ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
            if flags and name in flags.group(1).split()]
    return "%s, %d processors, %s" % (model.group(1).strip() if model else "unknown processor",
                                      text.count("processor\t:"), " ".join(sets))


def describe(arguments):
    with open("/proc/meminfo", encoding="ascii") as file:
        memory = int(re.search(r"MemTotal:\s*(\d+)", file.read()).group(1)) / 2 ** 20
    norma = subprocess.run([arguments.norma, "version"], check=True, stdout=subprocess.PIPE,
                           text=True).stdout.strip()
    gcc = subprocess.run(["gcc", "-dumpfullversion"], check=True, stdout=subprocess.PIPE,
                         text=True).stdout.strip()
    peers = "PyTorch " + arguments.torch + (", JAX " + arguments.jax if arguments.jax else "")
    return "%s; %.0f GiB of memory; gcc %s; %s; %s." % (processor(), memory, gcc, peers, norma)


def peaks(arguments):
    """Peak resident memory of a training step of ResNet-20, each in a process of its own."""
    ours = run_norma(arguments, 2, ["resnet20_bn"])["resnet20_bn"]["peak_mb"]
    theirs = min(row["peak_mb"] for row in run(
        [arguments.python, os.path.join(FOLDER, "pytorch.py"), "2", "0.1", "resnet20_bn",
         "--eager"])[:1])
    return ["Peak resident memory of a process that trains resnet20_bn at batch 128: Norma %.0f MB, "
            "PyTorch %.0f MB." % (ours, theirs)]


def split_at_marks(path, mark):
    """What stands in a file up to and with one mark, and from the other on."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    begin, end = "<!-- %s -->\n" % mark, "<!-- /%s -->" % mark
    if begin not in text or end not in text.split(begin, 1)[1]:
        sys.exit("%s has no lines %s and %s" % (path, begin.strip(), end))
    head, rest = text.split(begin, 1)
    return head + begin, end + rest.split(end, 1)[1]


def main():
    arguments = read_arguments()
    find_peers(arguments)
    mark = "compare bf16" if arguments.bf16 else "compare"
    if arguments.write:
        split_at_marks(arguments.write, mark)  # before minutes are spent
    goals = BF16_STEPS if arguments.bf16 else STEPS + NORMS + [
        ("cnn_bn one image", 4), ("cnn_bn one image, optimized", 1.8), ("scalar_op", "")]
    goals = [goal for goal in goals if arguments.filter in goal[0]]
    names = sorted({name.split(", optimized")[0] for name, _ in goals})
    norms = [name for name in names if name.startswith("batch_norm")]
    copies = sorted({"copy " + name.split()[1] for name in norms})
    ours, theirs, onednns, jaxs = [], [], [], []
    with tempfile.TemporaryDirectory() as folder:
        onednn = build_onednn(folder) if norms else None
        for number_ in range(arguments.rounds):
            print("round %d of %d" % (number_ + 1, arguments.rounds), file=sys.stderr)
            for results, of in zip((ours, theirs, onednns, jaxs),
                                   run_round(arguments, names + copies, onednn, folder)):
                results.append(of)
    lines = [describe(arguments), ""] + ratio_table(goals, ours, theirs, jaxs) + norm_table(ours, onednns)
    if "resnet20_bn" in names and not arguments.bf16:
        lines += [""] + peaks(arguments)
    text = "\n".join(lines)
    print(text)
    if arguments.write:
        before, after = split_at_marks(arguments.write, mark)
        with open(arguments.write, "w", encoding="utf-8") as file:
            file.write(before + text + "\n" + after)


main()
