"""The command `evaluate`."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from training import backend, metrics, plots
from training.datasets import DataSet, Entry, open_data
from training.evaluate import Predictions, as_text, locate, predict, report, write_plots
from training.geometry import build_detector
from training.progress import say
from training.robustness import robustness
from training.trained_on import warn_if_trained_on
from worker.inference.detect import Detector
from worker.inference.engines import Engine
from worker.inference.engines.choose import build_engine
from worker.model import release
from worker.model.card import ModelCard


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Send to stderr what native libraries print to file descriptor 1 in the meantime.

    MNN prints its device there, but `--json` must print nothing but JSON.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def evaluate(options: argparse.Namespace) -> None:
    """Print a model's scores on a data set, and write the plots if a folder is given for them."""
    backend.choose()
    model = release.load(str(locate(options.model)))
    data = open_data(options.data)
    split = data.split(options.split) if options.split else _default_split(data)
    entries = data.entries(split)
    warn_if_trained_on(model.card, data, entries)
    if options.plots:  # before the scoring, so that a wrong folder is reported at once
        plots.require()
        options.plots.mkdir(parents=True, exist_ok=True)
    detector = _detector(options)
    with stdout_to_stderr():
        engine = build_engine(options.engine, model, os.cpu_count() or 1)
        predictions = predict(engine, model.card, entries, detector)
        corrupted = robustness(engine, model.card, entries, say) if options.robustness else {}
        scores: dict[str, Any] = {
            "model": {
                "name": model.card.name,
                "version": model.card.version,
                "weights_sha256": model.card.weights_sha256,
                "input_size": model.card.input_size,
            },
            "data": {"path": str(options.data), "layout": data.layout, "split": split},
            "engine": engine.name,
            "detector": options.detect,
            **report(predictions, model.card.temperature),
            "robustness": corrupted,
        }
        if detector:
            whole = _as_they_are(engine, model.card, entries, predictions)
            scores |= _detection_scores(scores, predictions, whole)
    if options.plots:
        write_plots(predictions, model.card.temperature, options.plots)
    print(json.dumps(scores, indent=2) if options.json else as_text(scores))


def _default_split(data: DataSet) -> str:
    """Return the split to score if none is given: `valid`, or the only one."""
    splits = data.splits()
    return "valid" if "valid" in splits or len(splits) > 1 else splits[0]


def _as_they_are(
    engine: Engine, card: ModelCard, entries: list[Entry], detected: Predictions
) -> float:
    """Return the accuracy without the detector, on the pictures in which it found a face.

    The difference to the accuracy with it is the cost of detecting and cropping.
    """
    names = frozenset(detected.names)
    same = [entry for entry in entries if entry.name in names]
    return round(metrics.accuracy(predict(engine, card, same, None).matrix()), 4)


def _detection_scores(
    scores: Mapping[str, Any], detected: Predictions, whole: float
) -> dict[str, float]:
    """Return the scores that only an evaluation through a detector has."""
    count = scores["count"]
    total = count + detected.left_out.get("not detected", 0)
    return {
        "accuracy_as_they_are": whole,
        "accuracy_missed_as_wrong": round(scores["accuracy"] * count / total, 4),
    }


def _detector(options: argparse.Namespace) -> Detector | None:
    if options.detect == "none":
        return None
    return build_detector(options.detect, options.detector_model)
