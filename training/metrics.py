"""Scores of a classifier, from its probabilities and the true labels, with numpy only.

`probabilities` and `logits` are float (n, 8), `truth` int64 (n,) indices of labels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32] | NDArray[np.float64]
Indices = NDArray[np.int64]

BINS: Final = 15
"""As in Guo et al., "On Calibration of Modern Neural Networks" (arXiv:1706.04599)."""
RESAMPLES: Final = 1000
TEMPERATURES: Final = np.geomspace(0.2, 5.0, 321)


@dataclass(frozen=True)
class ClassScore:
    """The scores of one class; `count` is its pictures, `predicted` its predictions."""

    precision: float
    recall: float
    f1: float
    count: int
    predicted: int


@dataclass(frozen=True)
class Interval:
    """A 95 % bootstrap percentile interval (Efron, 1979)."""

    low: float
    high: float


@dataclass(frozen=True)
class ReliabilityBin:
    """The pictures whose highest probability is in one bin: mean confidence and accuracy."""

    confidence: float
    accuracy: float
    count: int


def confusion(predicted: Indices, truth: Indices, classes: int) -> Indices:
    """Return the confusion matrix, int64 (classes, classes): row truth, column prediction."""
    flat = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return np.asarray(flat.reshape(classes, classes), np.int64)


def accuracy(matrix: Indices) -> float:
    """Return the share on a confusion matrix's diagonal."""
    return float(np.trace(matrix) / max(matrix.sum(), 1))


def class_scores(matrix: Indices) -> list[ClassScore]:
    """Return the scores per class from a confusion matrix; undefined scores are 0."""
    scores = []
    for k in range(len(matrix)):
        hits, count, predicted = matrix[k, k], matrix[k].sum(), matrix[:, k].sum()
        precision, recall = hits / max(predicted, 1), hits / max(count, 1)
        f1 = 2 * hits / max(count + predicted, 1)
        scores.append(
            ClassScore(float(precision), float(recall), float(f1), int(count), int(predicted))
        )
    return scores


def macro_f1(matrix: Indices) -> float:
    """Return the mean F1 of the classes that occur in the truth.

    A class that is only predicted already costs the recall of others and is not a class of the
    data; scikit-learn counts it as 0.
    """
    present = [score.f1 for score in class_scores(matrix) if score.count]
    return float(np.mean(present)) if present else 0.0


def bootstrap(score: Callable[[Indices], float], matrix: Indices) -> Interval:
    """Return the interval of a score of the confusion matrix over resampled pictures."""
    (interval,) = bootstrap_all(lambda cells: [score(cells)], matrix)
    return interval


def bootstrap_all(scores: Callable[[Indices], list[float]], matrix: Indices) -> list[Interval]:
    """Return the interval of each of several scores.

    The cells of a resampled confusion matrix are multinomially distributed.
    """
    rng, count = np.random.default_rng(0), matrix.sum()
    drawn = rng.multinomial(count, matrix.ravel() / count, RESAMPLES)
    found = [scores(cells.reshape(matrix.shape)) for cells in drawn]
    lows, highs = np.percentile(found, (2.5, 97.5), axis=0)
    return [Interval(float(low), float(high)) for low, high in zip(lows, highs, strict=True)]


def reliability(probabilities: Floats, truth: Indices, bins: int = BINS) -> list[ReliabilityBin]:
    """Return the bins of equal width of the reliability diagram that are not empty."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == truth
    number = np.minimum((confidence * bins).astype(int), bins - 1)
    members = [number == k for k in range(bins)]
    return [
        ReliabilityBin(float(confidence[m].mean()), float(right[m].mean()), int(m.sum()))
        for m in members
        if m.any()
    ]


def expected_calibration_error(probabilities: Floats, truth: Indices) -> float:
    """Return the mean gap between confidence and accuracy over the bins.

    Bins are weighted by their pictures. Source: Guo et al. (see BINS).
    """
    found = reliability(probabilities, truth)
    return sum(b.count * abs(b.confidence - b.accuracy) for b in found) / max(len(truth), 1)


def softmax(logits: Floats, temperature: float) -> NDArray[np.float64]:
    """Return the probabilities, float64 (n, 8), of logits divided by the temperature."""
    scaled = np.asarray(logits, np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float64)


def fit_temperature(logits: Floats, truth: Indices) -> float:
    """Return the temperature with the highest likelihood of the truth.

    It is searched from 0.2 to 5 in steps of 1 %. Source: Guo et al. (see BINS).
    """
    rows = np.arange(len(truth))
    losses = [-np.log(softmax(logits, t)[rows, truth] + 1e-12).mean() for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def crossfitted_error(logits: Floats, truth: Indices) -> float:
    """Return the calibration error with cross-fitted temperature scaling.

    Each half of the pictures is scaled by the temperature that was fitted on the other half.
    """
    halves = np.random.default_rng(0).permutation(len(truth)) % 2
    calibrated = np.empty((len(truth), logits.shape[1]))
    for half in (0, 1):
        temperature = fit_temperature(logits[halves != half], truth[halves != half])
        calibrated[halves == half] = softmax(logits[halves == half], temperature)
    return expected_calibration_error(calibrated, truth)


def halves(truth: Indices) -> NDArray[np.bool_]:
    """Return a mask of the second half of the pictures: random, each class divided evenly."""
    rng, second = np.random.default_rng(0), np.zeros(len(truth), bool)
    order = rng.permutation(len(truth))
    by_class = order[np.argsort(truth[order], kind="stable")]
    second[by_class[1::2]] = True
    return second


def as_table(labels: Sequence[str], matrix: Indices) -> dict[str, dict[str, Any]]:
    """Return each class's scores by label, rounded, as JSON contains them.

    Intervals are 95 % by bootstrap.
    """
    recalls = _class_intervals(matrix, lambda score: score.recall)
    f1s = _class_intervals(matrix, lambda score: score.f1)
    return {
        label: {
            "precision": round(score.precision, 4),
            "recall": round(score.recall, 4),
            "recall_interval": recall,
            "f1": round(score.f1, 4),
            "f1_interval": f1,
            "count": score.count,
            "predicted": score.predicted,
        }
        for label, score, recall, f1 in zip(labels, class_scores(matrix), recalls, f1s, strict=True)
    }


def _class_intervals(matrix: Indices, score: Callable[[ClassScore], float]) -> list[list[float]]:
    """Return the two ends of the interval of a score, per class."""
    found = bootstrap_all(lambda cells: [score(s) for s in class_scores(cells)], matrix)
    return [[round(interval.low, 4), round(interval.high, 4)] for interval in found]
