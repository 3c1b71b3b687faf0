#!/usr/bin/env python3
"""Pages and pictures are well-formed, need nothing else, and say what they show.

Two small networks are trained, one on pictures, one on a table whose names are hostile; their reports
and plots are read by Python's parsers.
"""

import base64
import html.parser
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import xml.dom.minidom
import zlib

NORMA = os.path.join(os.environ["NORMA_BUILD"], "norma")
HOSTILE = "<script>alert(1)</script>&'\""
VOID = {"meta", "img", "br", "hr", "link", "input"}
FAILURES = []
CHECKS = [0]


def claim(text, holds, details=""):
    CHECKS[0] += 1
    if not holds:
        FAILURES.append(text)
        print(f"FAILED: {text} {details}")


def norma(*words):
    ran = subprocess.run([NORMA, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         timeout=300, check=False, text=True)
    if ran.returncode:
        print(f"norma {' '.join(words)}: {ran.returncode}: {ran.stderr}")
    return ran


# ---- Runs ----

def write_npy(path, kind, shape, data):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}"
    header += " " * (63 - (len(header) + 10) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)


def train(name, text):
    with open(f"{name}.yaml", "w", encoding="utf-8") as file:
        file.write(text)
    ran = norma("train", f"{name}.yaml", "--out", name, "--quiet")
    claim(f"{name} is trained", ran.returncode == 0)


def train_on_pictures():
    """Pictures of 6 x 6 of three kinds, with so much noise that mistakes are left."""
    pixels = bytes((i * 7919 % 251 + 60 * (i // 36 % 3)) % 256 for i in range(90 * 36))
    write_npy("x.npy", "|u1", "(90, 6, 6, 1)", pixels)
    write_npy("y.npy", "<i4", "(90,)", b"".join(struct.pack("<i", i * 31 % 97 % 3) for i in range(90)))
    train("pictures",
          "model: [flatten, {dense: {units: 8}}, {batch_norm: {name: bn1}}, relu, {dense: {units: 3}}]\n"
          "data: {train: {npy: {x: x.npy, y: y.npy}}, test: {npy: {x: x.npy, y: y.npy}}, batch: 30}\n"
          "loss: cross_entropy\ntrain: {epochs: 3, optimizer: {sgd: {rate: 0.1}}}\n")


def train_on_hostile_names():
    cell = '"' + HOSTILE.replace('"', '""') + '"'
    with open("t.csv", "w", encoding="utf-8") as file:
        file.write(f"a,{cell}\n" + "".join(f"{i % 7},{cell if i % 2 else 'b'}\n" for i in range(40)))
    train("hostile", "# </code><script>alert(2)</script>\n"
          "model: [{dense: {units: 4}}, relu, {dense: {units: 2}}]\n"
          "data: {train: {csv: {path: t.csv}}, validation: 0.25, batch: 10}\nloss: cross_entropy\n"
          "train: {epochs: 2, optimizer: adam}\n")


# ---- Reading ----

class Page(html.parser.HTMLParser):
    """What is open where an element ends is what it closes, and nothing leads out of the page."""

    def __init__(self, text):
        super().__init__()
        self.open, self.wrong, self.tags, self.ids, self.used = [], [], [], [], []
        self.feed(text)
        self.close()
        self.wrong += [f"<{tag}> is not closed" for tag in self.open]
        self.wrong += [f"no id {name}" for name in self.used if name not in self.ids]
        if len(self.ids) != len(set(self.ids)):
            self.wrong.append("an id comes twice")

    def handle_starttag(self, tag, attrs):
        self.look_at(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.look_at(tag, attrs)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()}")

    def look_at(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value)
            elif name == "aria-labelledby":
                self.used += value.split()
            elif name in ("href", "src") and value.startswith("#"):
                self.used.append(value[1:])
            elif name in ("href", "src", "action", "data") and not value.startswith("data:"):
                self.wrong.append(f"{name}={value}")
            elif name.startswith("on"):
                self.wrong.append(f"{tag} {name}={value}")


def read_page(path):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    page = Page(text)
    claim(f"{path} is well-formed and leads nowhere", not page.wrong, page.wrong[:5])
    claim(f"{path} has no script", "script" not in page.tags)
    outside = re.findall(r"url\((?!#)[^)]*\)|@import|https?://(?!www\.w3\.org/2000/svg)", text)
    claim(f"{path} names nothing elsewhere", not outside, outside[:5])
    pictures = re.findall(r"<svg.*?</svg>", text, re.S)
    for picture in pictures:
        read_picture(path, picture)
    claim(f"{path}: every figure has its data as a table",
          text.count("<summary>The data") == len(pictures) > 0)
    return text


def read_picture(path, text):
    """XML with a title and a description for each that is shown, and no number that is none."""
    document = xml.dom.minidom.parseString(text.encode())
    shown = [node for node in document.getElementsByTagName("*") if node.getAttribute("role") == "img"]
    ids = {node.getAttribute("id"): node for node in document.getElementsByTagName("*")}
    for node in shown:
        texts = [ids[name].firstChild for name in node.getAttribute("aria-labelledby").split()]
        claim(f"{path}: a figure says what it shows", len(texts) == 2 and
              all(part is not None and part.data.strip() for part in texts))
    claim(f"{path} shows something", bool(shown))
    drawn = " ".join(node.getAttribute("d") for node in document.getElementsByTagName("path"))
    claim(f"{path} has numbers only", not re.search("nan|inf", drawn))


def size_of_png(text):
    """Width and height; the checksums of all chunks are right, and the rows unpack to that size."""
    data, at, rows = base64.b64decode(text, validate=True), 8, b""
    width, height = struct.unpack(">II", data[16:24])
    while at < len(data):
        size = struct.unpack(">I", data[at:at + 4])[0]
        body = data[at + 4:at + 8 + size]
        if struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0] != zlib.crc32(body):
            return None
        rows += body[4:] if body[:4] == b"IDAT" else b""
        at += 12 + size
    channels = {0: 1, 2: 3, 6: 4}[data[25]]
    return (width, height) if len(zlib.decompress(rows)) == height * (1 + width * channels) else None


# ---- Claims ----

def check_pictures():
    claim("a report is written", norma("report", "pictures").stdout == "pictures/report.html\n")
    text = read_page("pictures/report.html")
    for part in ("Curves", "Results", "Worst mistakes", "Network", "Weights and scales",
                 "The file as used", "dense1.weight", "bn1.scale", "Rate"):
        claim(f"the report has {part}", f">{part}<" in text)
    images = re.findall(r'<img alt="([^"]+)" src="data:image/png;base64,([^"]+)"', text)
    claim("mistakes are shown as pictures", len(images) > 0)
    claim("they are PNG of the samples' size", all(size_of_png(data) == (6, 6) for _, data in images))
    claim("and say which class was taken for which", all("taken for" in alt for alt, _ in images))
    again = norma("report", "pictures")
    claim("a report is replaced by the next", again.returncode == 0)
    with open("pictures/report.html", encoding="utf-8") as file:
        claim("which has the same bytes", file.read() == text)


def check_hostile():
    norma("report", "hostile", "--on", "validation")
    text = read_page("hostile/report.html")
    claim("names of classes are text", "&lt;script&gt;" in text)
    norma("plot", "hostile", "--svg", "p.svg")
    with open("p.svg", encoding="utf-8") as file:
        read_picture("p.svg", file.read())


def check_without_data():
    os.rename("x.npy", "elsewhere.npy")
    ran = norma("report", "pictures")
    text = read_page("pictures/report.html")
    claim("a report needs no data", ran.returncode == 0 and "Layers, of one" in text)
    claim("and says what it leaves out", "The results on samples: left out." in text and
          "x.npy" in text)
    os.rename("elsewhere.npy", "x.npy")


def check_cut_off():
    """Without a network: the log alone, cut off within a line."""
    os.mkdir("cut")
    with open("pictures/log.jsonl", encoding="utf-8") as file:
        lines = file.read().splitlines(keepends=True)
    with open("cut/log.jsonl", "w", encoding="utf-8") as file:
        file.writelines(lines[:-1] + ['{"event": "ep'])
    ran = norma("report", "cut")
    text = read_page("cut/report.html")
    claim("a run that was cut off has a report", ran.returncode == 0 and ">was cut off<" in text)
    claim("which says that there is no network", "The results on samples: left out." in text)


def check_several():
    ran = norma("report", "pictures", "hostile", "--out", "both.html")
    text = read_page("both.html")
    claim("several runs have one page", ran.returncode == 0 and ">2 runs<" in text)
    claim("with a part for each", text.count(">The file as used<") == 2)


def check_files_of_others():
    with open("mine.html", "w", encoding="utf-8") as file:
        file.write("mine")
    ran = norma("report", "pictures", "--out", "mine.html")
    claim("a file of others stays", ran.returncode == 2 and "not written by norma" in ran.stderr)
    with open("mine.html", encoding="utf-8") as file:
        claim("as it was", file.read() == "mine")
    ran = norma("report", "nowhere")
    claim("what is no run is told", ran.returncode == 2 and "no folder of a run" in ran.stderr)


def check_probes():
    with open("pictures/probes.jsonl", "w", encoding="utf-8") as file:
        for step in range(0, 9, 3):
            for layer in ("relu1", "dense2"):
                file.write(json.dumps({"step": step, "probe": "activation_percentiles",
                                       "layer": layer, "p15": -1, "p50": 0, "p85": step}) + "\n")
                file.write(json.dumps({"step": step, "probe": "gradient_norms", "layer": layer,
                                       "norm": 10.0 ** -step}) + "\n")
        for i in range(9 + 4):  # a look, and one that was cut off
            file.write(json.dumps({"step": 4 + i // 9 * 4, "probe": "loss_surface", "x": i % 3 - 1,
                                   "y": i // 3 % 3 - 1, "loss": i * i}) + "\n")
    norma("report", "pictures")
    text = read_page("pictures/report.html")
    claim("percentiles are a line and a band", "Activations of relu1" in text and
          'class="band' in text)
    claim("what probes found is drawn by layer", ">Gradient norms: norm<" in text)
    claim("the loss on a square is a picture, and no curve",
          ">Loss around the parameters, step 4<" in text and ">Loss surface: loss<" not in text)
    surface = text[text.index(">Loss around the parameters, step 4<"):]
    cell = re.search(r'class="value" x="([\d.]+)"', surface)
    mark = re.search(r'class="middle" x="([\d.]+)"[^>]*>-1(?:\.0)?<', surface)
    claim("each loss stands where it was taken",
          cell and mark and abs(float(cell[1]) - float(mark[1])) < 0.1)
    claim("but not of a look that was cut off", "Loss around the parameters, step 8" not in text)


def main():
    with tempfile.TemporaryDirectory(prefix="norma-pages-") as folder:
        os.chdir(folder)
        train_on_pictures()
        train_on_hostile_names()
        for check in (check_pictures, check_hostile, check_without_data, check_cut_off,
                      check_several, check_files_of_others, check_probes):
            check()
        os.chdir("/")
    print(f"{(CHECKS[0] - len(FAILURES)) * 100 // CHECKS[0]}%: Checks: {CHECKS[0]}, "
          f"Failures: {len(FAILURES)}, Errors: 0")
    return 1 if FAILURES else 0


sys.exit(main())
