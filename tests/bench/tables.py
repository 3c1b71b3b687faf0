#!/usr/bin/env python3
"""Real tables beside scikit-learn: the six that it ships, each from its file as it lies.

usage: tables.py NORMA [SEEDS]

Every table is split into three quarters to train on and a quarter to test on, five times (SEEDS), by
class where there are classes; both sides get the same rows. Norma gets a file of at most 12 lines
without one option of training. Beside it: StandardScaler with LogisticRegression or LinearRegression,
and with MLPClassifier or MLPRegressor. Prints the mean of accuracy, or of R2 over all targets.
Needs python3-sklearn.
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile
import warnings

import numpy
import sklearn
from sklearn import datasets, linear_model, metrics, model_selection, neural_network, pipeline
from sklearn import preprocessing

DATA = os.path.join(os.path.dirname(datasets.__file__), "data")

CLASSES = """model:
  - dense: {{units: 64}}
  - relu
  - dense: {{units: {width}}}
data:
  train: {{csv: {{path: train.csv}}}}
  test: {{csv: {{path: test.csv}}}}
loss: cross_entropy
"""
VALUES = """model:
  - dense: {{units: {width}}}
data:
  train: {{csv: {{path: train.csv, target_path: train_y.csv}}}}
  test: {{csv: {{path: test.csv, target_path: test_y.csv}}}}
loss: mse
"""

# name, scikit-learn's loader, the file of the samples, of the targets if they have one of their own,
# lines that are no rows
TABLES = [
    ("iris", datasets.load_iris, "iris.csv", None, 1),
    ("wine", datasets.load_wine, "wine_data.csv", None, 1),
    ("breast cancer", datasets.load_breast_cancer, "breast_cancer.csv", None, 1),
    ("digits", datasets.load_digits, "digits.csv.gz", None, 0),
    ("diabetes", datasets.load_diabetes, "diabetes_data_raw.csv.gz", "diabetes_target.csv.gz", 0),
    ("linnerud", datasets.load_linnerud, "linnerud_exercise.csv", "linnerud_physiological.csv", 1),
]


def lines_of(name):
    path = os.path.join(DATA, name)
    opened = gzip.open(path, "rt") if name.endswith(".gz") else open(path, encoding="utf-8")
    with opened as file:
        return file.read().splitlines()


def write_rows(folder, name, source, heading, rows):
    lines = lines_of(source)
    head = [line.replace(str(len(lines) - 1), str(len(rows)), 1) for line in lines[:heading]]
    chosen = head + [lines[heading + row] for row in rows]
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write("\n".join(chosen) + "\n")


def run(norma, folder, *words):
    done = subprocess.run([norma, *words], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"norma {' '.join(words)}: exit code {done.returncode}\n{done.stderr}")
    return done.stdout


def score_of_norma(norma, table, train, test, target, seed):
    _, _, samples, targets, heading = table
    labels = target.dtype.kind in "iu" and targets is None
    width = len(set(target)) if labels else (target.shape[1] if target.ndim > 1 else 1)
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in (("train", train), ("test", test)):
            write_rows(folder, name + ".csv", samples, heading, rows)
            if targets:
                write_rows(folder, name + "_y.csv", targets, heading, rows)
        with open(os.path.join(folder, "net.yaml"), "w", encoding="utf-8") as file:
            file.write((CLASSES if labels else VALUES).format(width=width))
        run(norma, folder, "train", "net.yaml", "--quiet", "--set", f"train.seed={seed}")
        printed = run(norma, folder, "predict", "runs/net", "test.csv", "--json")
        rows = [json.loads(line) for line in printed.splitlines()]
        if labels:
            return metrics.accuracy_score(target[test], [row["class"] for row in rows])
        return metrics.r2_score(target[test], [row["outputs"] for row in rows])


def score_of_sklearn(model, samples, target, train, test):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it did not converge
        fitted = pipeline.make_pipeline(preprocessing.StandardScaler(), model).fit(
            samples[train], target[train])
    return fitted.score(samples[test], target[test])


def peers(labels, seed):
    if labels:
        return (linear_model.LogisticRegression(max_iter=1000),
                neural_network.MLPClassifier(max_iter=1000, random_state=seed))
    return (linear_model.LinearRegression(),
            neural_network.MLPRegressor(max_iter=1000, random_state=seed))


def measure(norma, table, seeds):
    bunch = table[1]()
    labels = table[3] is None
    samples, target = bunch.data, bunch.target
    scores = []
    for seed in range(1, seeds + 1):
        rows = numpy.arange(len(samples))
        train, test = model_selection.train_test_split(
            rows, test_size=0.25, random_state=seed, stratify=target if labels else None)
        scores.append([score_of_norma(norma, table, train, test, target, seed)] + [
            score_of_sklearn(model, samples, target, train, test) for model in peers(labels, seed)])
    return numpy.mean(scores, axis=0), labels


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    norma = os.path.abspath(sys.argv[1])
    seeds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    print(f"scikit-learn {sklearn.__version__}, mean of {seeds} splits\n")
    print("| table | measure | Norma | linear | MLP | against the better one |")
    print("| --- | --- | --- | --- | --- | --- |")
    for table in TABLES:
        (ours, linear, mlp), labels = measure(norma, table, seeds)
        name, unit = ("accuracy", 100) if labels else ("R2", 1)
        digits = 1 if labels else 3
        print(f"| {table[0]} | {name} | {ours * unit:.{digits}f} | {linear * unit:.{digits}f} "
              f"| {mlp * unit:.{digits}f} | {(ours - max(linear, mlp)) * unit:+.{digits}f} |",
              flush=True)


if __name__ == "__main__":
    main()
