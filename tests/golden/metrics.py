"""Reference values for metrics: scikit-learn's (Debian's python3-sklearn, beside python3-torch).

Cases of classes hold outputs [samples, width] and labels [samples], cases of values outputs and
values [samples, width]. Of each metric, under its name in Norma, there is one number, and for
those that have them "<metric>/parts" [width]: of every class, or of every number predicted. NaN
stands for a class that occurs neither among the labels nor among the predictions. The expected
calibration error, which scikit-learn does not have, is computed here as Guo et al. 2017 define it.

    <case>/outputs, <case>/labels or <case>/values
    <case>/<metric>, <case>/<metric>/parts
"""

import warnings

import numpy
import sklearn.metrics as sk
import torch

from common import Golden, integers, normal, seed

golden = Golden("metrics")


def put(case, metric, value, parts=None):
    golden.add("%s/%s" % (case, metric), torch.tensor([value], dtype=torch.float64))
    if parts is not None:
        golden.add("%s/%s/parts" % (case, metric), torch.tensor(parts, dtype=torch.float64))


def calibration_error(x, y, bins=15):
    p = numpy.exp(x.astype(float) - x.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    confidence, right, error = p.max(1), x.argmax(1) == y, 0
    for begin, end in zip(numpy.arange(bins) / bins, numpy.arange(1, bins + 1) / bins):
        of = (confidence > begin) & (confidence <= end)
        if of.any():
            error += of.mean() * abs(right[of].mean() - confidence[of].mean())
    return error


def classes(case, outputs, labels):
    golden.add(case + "/outputs", outputs)
    golden.add(case + "/labels", labels)
    x, y = outputs.numpy(), labels.numpy()
    width, predicted = x.shape[1], x.argmax(1)
    occurs = numpy.isin(range(width), numpy.union1d(y, predicted))
    put(case, "accuracy", sk.accuracy_score(y, predicted))
    for k in range(1, width):
        top = predicted == y if width == 2 else None  # which scikit-learn wants as one column
        value = top.mean() if width == 2 else sk.top_k_accuracy_score(y, x, k=k, labels=range(width))
        put(case, "top_%d_accuracy" % k, value)
    put(case, "expected_calibration_error", calibration_error(x, y))
    recalls = sk.recall_score(y, predicted, labels=range(width), average=None, zero_division=0)
    put(case, "balanced_accuracy", sk.balanced_accuracy_score(y, predicted),
        numpy.where(numpy.isin(range(width), y), recalls, numpy.nan))
    for name, score in (("precision", sk.precision_score), ("recall", sk.recall_score),
                        ("f1", sk.f1_score)):
        each = score(y, predicted, labels=range(width), average=None, zero_division=0)
        put(case, name, score(y, predicted, average="macro", zero_division=0),
            numpy.where(occurs, each, numpy.nan))


def root_mean_squared_error(y, x, multioutput=None):  # scikit-learn has it from 1.4 on
    roots = numpy.sqrt(sk.mean_squared_error(y, x, multioutput="raw_values"))
    return roots if multioutput == "raw_values" else roots.mean()


def values(case, outputs, targets):
    golden.add(case + "/outputs", outputs)
    golden.add(case + "/values", targets)
    x, y = outputs.numpy(), targets.numpy()
    for name, score in (("r2", sk.r2_score), ("mean_absolute_error", sk.mean_absolute_error),
                        ("root_mean_squared_error", root_mean_squared_error)):
        put(case, name, score(y, x), score(y, x, multioutput="raw_values"))


def outputs_near(labels, width, strength):
    """Outputs that are often right, in which no two of a row are equal."""
    return normal(len(labels), width) + strength * torch.nn.functional.one_hot(labels, width)


warnings.simplefilter("ignore")  # balanced accuracy: of a class that is predicted but not there
seed("plain")
y = integers(4, 60)
classes("plain", outputs_near(y, 4, 1.5), y)
seed("rare")  # 1 of 20, and a network that seldom says so
y = (torch.arange(200) % 20 == 0).long()
classes("rare", outputs_near(y, 2, 0.5) + torch.tensor([1.5, 0.0]), y)
seed("missing")  # of 6: 1 has no samples, 4 is never predicted, 5 is neither
y = integers(3, 50)
y = torch.where(y == 1, 3, y)
y[:5] = 4
classes("missing", outputs_near(y, 6, 1.0) + torch.tensor([0, 0, 0, 0, -20.0, -20]), y)
seed("right")
y = integers(3, 20)
classes("right", outputs_near(y, 3, 50), y)

seed("one")
t = normal(40, 1, scale=3, shift=7)
values("one", t + normal(40, 1), t)
seed("three")  # of different sizes
t = normal(50, 3) * torch.tensor([1, 100, 0.01]) + torch.tensor([0, 500, -2])
values("three", t + normal(50, 3) * torch.tensor([0.5, 80, 0.02]), t)
seed("constant")  # missed, and hit
values("constant", torch.tensor([[2.0, 5], [3, 5], [2, 5]]), torch.tensor([[3.0, 5], [3, 5], [3, 5]]))
seed("worse")  # than the mean
t = normal(30, 2)
values("worse", -t, t)
golden.write()
