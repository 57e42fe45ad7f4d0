"""Scores of a classifier, from its probabilities and what is true. numpy alone.

`probabilities` and `logits` are float (n, 8), `truth` int (n,) indices into the labels.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32] | NDArray[np.float64]
Indices = NDArray[np.int64]

BINS: Final = 15
"""As Guo et al., "On Calibration of Modern Neural Networks" (arXiv:1706.04599)."""
RESAMPLES: Final = 1000
TEMPERATURES: Final = np.geomspace(0.2, 5.0, 321)


@dataclass(frozen=True)
class ClassScore:
    """One emotion's scores; `count` pictures show it, `predicted` were taken for it."""

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
    """The pictures whose highest probability lies in one bin: how sure, and how often right."""

    confidence: float
    accuracy: float
    count: int


def confusion(predicted: Indices, truth: Indices, classes: int) -> Indices:
    """int64 (classes, classes): row is the truth, column what it was taken for."""
    flat = np.bincount(truth * classes + predicted, minlength=classes * classes)
    return np.asarray(flat.reshape(classes, classes), np.int64)


def accuracy(matrix: Indices) -> float:
    """The share on a confusion matrix's diagonal."""
    return float(np.trace(matrix) / max(matrix.sum(), 1))


def class_scores(matrix: Indices) -> list[ClassScore]:
    """Per class, from a confusion matrix; what is undefined (nothing predicted) counts 0."""
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
    """The mean F1 of the classes that occur in the truth. One that is only predicted costs the
    recall of others, and is not a class of the data (scikit-learn counts it, as 0)."""
    present = [score.f1 for score in class_scores(matrix) if score.count]
    return float(np.mean(present)) if present else 0.0


def bootstrap(score: Callable[[Indices], float], matrix: Indices) -> Interval:
    """The interval of a score of the confusion matrix, over pictures drawn with replacement."""
    (interval,) = bootstrap_all(lambda cells: [score(cells)], matrix)
    return interval


def bootstrap_all(scores: Callable[[Indices], list[float]], matrix: Indices) -> list[Interval]:
    """The interval of each of several scores: the cells of a draw are multinomial."""
    rng, count = np.random.default_rng(0), matrix.sum()
    drawn = rng.multinomial(count, matrix.ravel() / count, RESAMPLES)
    found = [scores(cells.reshape(matrix.shape)) for cells in drawn]
    lows, highs = np.percentile(found, (2.5, 97.5), axis=0)
    return [Interval(float(low), float(high)) for low, high in zip(lows, highs, strict=True)]


def reliability(probabilities: Floats, truth: Indices, bins: int = BINS) -> list[ReliabilityBin]:
    """The reliability diagram's bins of equal width that hold a picture."""
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
    """The mean gap between confidence and accuracy over the bins, weighed by their pictures."""
    found = reliability(probabilities, truth)
    return sum(b.count * abs(b.confidence - b.accuracy) for b in found) / max(len(truth), 1)


def softmax(logits: Floats, temperature: float) -> NDArray[np.float64]:
    """Probabilities of logits divided by the temperature."""
    scaled = np.asarray(logits, np.float64) / temperature
    exponentials = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=1, keepdims=True), np.float64)


def fit_temperature(logits: Floats, truth: Indices) -> float:
    """The temperature, 0.2 to 5 in steps of 1 %, under which the truth is likeliest."""
    rows = np.arange(len(truth))
    losses = [-np.log(softmax(logits, t)[rows, truth] + 1e-12).mean() for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def crossfitted_error(logits: Floats, truth: Indices) -> float:
    """The calibration error after temperature scaling where no picture is judged by a temperature
    that it helped to fit: each half is scaled by the other's."""
    halves = np.random.default_rng(0).permutation(len(truth)) % 2
    calibrated = np.empty((len(truth), logits.shape[1]))
    for half in (0, 1):
        temperature = fit_temperature(logits[halves != half], truth[halves != half])
        calibrated[halves == half] = softmax(logits[halves == half], temperature)
    return expected_calibration_error(calibrated, truth)


def halves(truth: Indices) -> NDArray[np.bool_]:
    """Which pictures are of the second half: drawn at random, each class divided evenly."""
    rng, second = np.random.default_rng(0), np.zeros(len(truth), bool)
    order = rng.permutation(len(truth))
    by_class = order[np.argsort(truth[order], kind="stable")]
    second[by_class[1::2]] = True
    return second


def as_table(labels: Sequence[str], matrix: Indices) -> dict[str, dict[str, Any]]:
    """Each class's scores by label, rounded, as JSON carries them. The intervals are 95 % by
    bootstrap."""
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
    """Per class, the interval's ends."""
    found = bootstrap_all(lambda cells: [score(s) for s in class_scores(cells)], matrix)
    return [[round(interval.low, 4), round(interval.high, 4)] for interval in found]
