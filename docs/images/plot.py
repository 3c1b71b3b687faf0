#!/usr/bin/env python3
"""Trains the perceptron of the zoo with batch norm, with weight norm and without either, and plots the
test accuracy by epoch.

usage: docs/images/plot.py NORMA [EPOCHS] > docs/images/training.svg      (NORMA: the built command)
"""
import json
import os
import subprocess
import sys
import tempfile

NORMA, EPOCHS = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 10
ZOO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "models", "zoo")
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 380, 56, 24, 150, 44
COLOURS = {"batch norm": "#d9480f", "weight norm": "#1971c2", "neither": "#868e96"}


def plain(text):
    """The network without its batch norm."""
    return text.replace("  - batch_norm\n", "").replace(", bias: false", "")


def accuracies(path, folder):
    command = [NORMA, "train", path, "--out", folder, "--json", "--quiet",
               "--set", "train.epochs=%d" % EPOCHS]
    lines = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    return [row["test_metric"] for row in rows if row["event"] == "epoch"]


def measure():
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(ZOO, "fashion_mnist_mlp_bn.yaml"), encoding="utf-8") as file:
            text = plain(file.read())
        bare = os.path.join(folder, "plain.yaml")
        with open(bare, "w", encoding="utf-8") as file:
            file.write(text)
        paths = {"batch norm": os.path.join(ZOO, "fashion_mnist_mlp_bn.yaml"),
                 "weight norm": os.path.join(ZOO, "fashion_mnist_mlp_wn.yaml"), "neither": bare}
        return {name: accuracies(path, os.path.join(folder, name.replace(" ", "_")))
                for name, path in paths.items()}


def draw(curves):
    low = int(100 * min(min(curve) for curve in curves.values()))
    high = int(100 * max(max(curve) for curve in curves.values())) + 1

    def x(epoch):
        return LEFT + (WIDTH - LEFT - RIGHT) * epoch / (EPOCHS - 1)

    def y(percent):
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - percent) / (high - low)

    print('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" '
          'font-size="13">' % (WIDTH, HEIGHT))
    print("<style>text{fill:#495057}.line{stroke:#adb5bd;stroke-width:.6}@media "
          "(prefers-color-scheme:dark){text{fill:#ced4da}.line{stroke:#495057}}</style>")
    for percent in range(low, high + 1):
        print('<line class="line" x1="%d" x2="%d" y1="%.1f" y2="%.1f"/>'
              % (LEFT, WIDTH - RIGHT, y(percent), y(percent)))
        print('<text x="%d" y="%.1f" text-anchor="end">%d %%</text>'
              % (LEFT - 8, y(percent) + 4, percent))
    for epoch in range(EPOCHS):
        print('<text x="%.1f" y="%d" text-anchor="middle">%d</text>'
              % (x(epoch), HEIGHT - BOTTOM + 20, epoch + 1))
    print('<text x="%d" y="%d" text-anchor="middle">epoch</text>'
          % ((LEFT + WIDTH - RIGHT) // 2, HEIGHT - 6))
    labels = sorted(((y(100 * curve[-1]), name) for name, curve in curves.items()))
    for i in range(1, len(labels)):  # labels that would overlap move down
        labels[i] = (max(labels[i][0], labels[i - 1][0] + 17), labels[i][1])
    for name, curve in curves.items():
        points = " ".join("%.1f,%.1f" % (x(i), y(100 * value)) for i, value in enumerate(curve))
        print('<polyline fill="none" stroke="%s" stroke-width="2.2" stroke-linejoin="round" '
              'points="%s"/>' % (COLOURS[name], points))
    for place, name in labels:
        print('<text x="%d" y="%.1f" style="fill:%s">%s %.1f %%</text>'
              % (WIDTH - RIGHT + 8, place + 4, COLOURS[name], name, 100 * curves[name][-1]))
    print("</svg>")


draw(measure())
