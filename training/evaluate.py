"""Measures how good a model is, through the preprocessing and the engines that serve it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from emotion_streams.emotions import EMOTIONS
from training import metrics, plots
from training.crops import UNREADABLE, Crop, crops
from training.datasets import AMBIGUOUS, Entry, InvalidDataError
from training.datasets.entry import warn
from training.metrics import Indices
from training.run_folder import RUN, RunFolder
from worker.inference.detect import Detector
from worker.inference.engines import Engine
from worker.model import release
from worker.model.card import ModelCard

_T = TypeVar("_T")


@dataclass(frozen=True)
class Predictions:
    """The output of an engine for the labelled faces of a data set.

    `logits` is float64 (n, 8), the log probabilities at temperature 1, in the order of `labels`.
    `truth` is int64 (n,), the index of each face's label in it. `left_out` counts the faces without
    a prediction, by reason.
    """

    labels: tuple[str, ...]
    logits: NDArray[np.float64]
    truth: Indices
    names: tuple[str, ...]
    left_out: dict[str, int]

    @property
    def predicted(self) -> Indices:
        """Return the index of the most probable label per face, int64 (n,)."""
        return np.asarray(self.logits.argmax(axis=1), np.int64)

    def matrix(self) -> Indices:
        """Return the confusion matrix: a row per true label, a column per prediction."""
        return metrics.confusion(self.predicted, self.truth, len(self.labels))


def locate(model: str) -> Path:
    """Return the release folder of a run (its last finished stage), of a name, or of a path.

    Raises InvalidDataError or InvalidReleaseError.
    """
    if (Path(model) / RUN).is_file():
        return RunFolder.open(Path(model)).last_stage()
    return release.locate(model)


def predict(
    engine: Engine, card: ModelCard, entries: Iterable[Entry], detector: Detector | None
) -> Predictions:
    """Classify every face that is not ambiguous. Raises InvalidDataError if none is left."""
    left_out: Counter[str] = Counter()
    labelled = (entry for entry in entries if entry.label != AMBIGUOUS)

    def leave_out(reason: str, entry: Entry) -> None:
        left_out.update([reason])
        if reason == UNREADABLE:
            warn(f"skipped, {reason}: {entry.name}")

    return classify(engine, card, crops(labelled, card, detector, leave_out), left_out)


def classify(
    engine: Engine, card: ModelCard, found: Iterable[Crop], left_out: Counter[str]
) -> Predictions:
    """Run an engine on prepared crops.

    `left_out` is read when `found` is exhausted. Raises InvalidDataError if there is no crop.
    """
    names, labels = [], []
    probabilities: list[NDArray[np.float32]] = []
    # As many as the instances take, because a data set may not fit into memory.
    with ThreadPoolExecutor(engine.instances) as threads:
        for part in _batches(found, engine.max_batch * engine.instances):
            batches = _batches((crop.picture for crop in part), engine.max_batch)
            probabilities += threads.map(engine.classify, map(np.stack, batches))
            names += [crop.entry.name for crop in part]
            labels += [_in_order(crop.entry.label, card) for crop in part]
    if not names:
        raise InvalidDataError(f"no face to score: {dict(left_out) or 'all are ambiguous'}")
    logits = np.log(np.concatenate(probabilities).astype(np.float64) + 1e-30) * card.temperature
    return Predictions(
        card.labels, logits, np.array(labels, np.int64), tuple(names), dict(left_out)
    )


def report(predictions: Predictions, temperature: float) -> dict[str, Any]:
    """Return the scores as `--json` prints them.

    `macro_f1` is the mean over the emotions that occur in the truth. `ece` is the expected
    calibration error with the model's temperature, `ece_before` without. Intervals are 95 % by
    bootstrap.
    """
    truth, labels = predictions.truth, predictions.labels
    matrix = predictions.matrix()
    before, after = (metrics.softmax(predictions.logits, t) for t in (1.0, temperature))
    return {
        "count": len(truth),
        "left_out": predictions.left_out,
        "accuracy": round(metrics.accuracy(matrix), 4),
        "accuracy_interval": _interval(metrics.accuracy, matrix),
        "macro_f1": round(metrics.macro_f1(matrix), 4),
        "macro_f1_interval": _interval(metrics.macro_f1, matrix),
        "ece": round(metrics.expected_calibration_error(after, truth), 4),
        "ece_before": round(metrics.expected_calibration_error(before, truth), 4),
        "temperature": temperature,
        "per_class": metrics.as_table(labels, matrix),
        "confusion": {"labels": list(labels), "rows": matrix.tolist()},
    }


def as_text(scores: Mapping[str, Any]) -> str:
    """Return the scores as text for people."""
    low, high = scores["accuracy_interval"]
    f1_low, f1_high = scores["macro_f1_interval"]
    lines = [
        f"{scores['model']['name']} {scores['model']['version']} on {scores['data']['path']}, "
        f"split {scores['data']['split']}, engine {scores['engine']}, "
        f"detector {scores['detector']}",
        f"{scores['count']} pictures; left out: {scores['left_out'] or 'none'}",
        f"accuracy {scores['accuracy']:.4f}  (95 % {low:.4f} to {high:.4f})",
        f"macro F1 {scores['macro_f1']:.4f}  (95 % {f1_low:.4f} to {f1_high:.4f})",
        f"calibration error {scores['ece_before']:.4f} before temperature "
        f"{scores['temperature']}, {scores['ece']:.4f} after",
    ]
    if "accuracy_as_they_are" in scores:
        lines += [
            f"accuracy {scores['accuracy_as_they_are']:.4f}  without detecting, same ones",
            f"accuracy {scores['accuracy_missed_as_wrong']:.4f}  with a face not found as wrong",
        ]
    lines.append(f"{'':<12}{'precision':>10}{'recall':>8}{'F1':>8}  {'F1, 95 %':<16}{'count':>6}")
    for name, row in scores["per_class"].items():
        numbers = f"{row['precision']:>10.3f}{row['recall']:>8.3f}{row['f1']:>8.3f}"
        low, high = row["f1_interval"]
        lines.append(f"{name:<12}{numbers}  {f'{low:.3f} to {high:.3f}':<16}{row['count']:>6}")
    for name, value in scores["robustness"].items():
        lines.append(f"{name:<30}{value:.4f}")
    return "\n".join(lines)


def write_plots(predictions: Predictions, temperature: float, folder: Path) -> None:
    """Write confusion.png and reliability.png into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    plots.confusion(predictions.matrix(), predictions.labels, folder / "confusion.png")
    before, after = (
        metrics.reliability(metrics.softmax(predictions.logits, t), predictions.truth)
        for t in (1.0, temperature)
    )
    plots.reliability(before, after, folder / "reliability.png")


def _interval(score: Callable[[Indices], float], matrix: Indices) -> list[float]:
    found = metrics.bootstrap(score, matrix)
    return [round(found.low, 4), round(found.high, 4)]


def _in_order(label: int, card: ModelCard) -> int:
    """Return a label's index among the card's labels, whose order may differ from EMOTIONS."""
    return card.labels.index(EMOTIONS[label])


def _batches(found: Iterable[_T], size: int) -> Iterator[list[_T]]:
    iterator = iter(found)
    while batch := list(islice(iterator, size)):
        yield batch
