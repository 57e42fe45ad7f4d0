"""A trained stage made into a release: calibrated, scored, described."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from training import metrics
from training.datasets import Entry
from training.evaluate import predict, report
from training.model_card import render
from training.robustness import robustness
from worker.engines.choose import build_engine
from worker.model import release
from worker.model.card import ModelCard
from worker.model.release import Release

MODEL_CARD: Final = "MODEL_CARD.md"


def export(
    trained: Release, valid: Sequence[Entry], out: Path, version: str, threads: int
) -> ModelCard:
    """Write the release folder `out`, named after it: weights.npz, card.json and MODEL_CARD.md.

    The temperature is fitted on all of `valid`; the card holds the calibration error with it, and
    cross-fitted, where no picture is judged by a temperature that it helped to fit.
    """
    card = replace(trained.card, name=out.name, version=version)
    engine = build_engine("auto", Release(card, trained.weights), threads)
    predictions = predict(engine, card, valid, None)
    temperature = round(metrics.fit_temperature(predictions.logits, predictions.truth), 4)
    scores = report(predictions, temperature)
    crossfitted = metrics.crossfitted_error(predictions.logits, predictions.truth)
    scores["ece_crossfitted"] = round(crossfitted, 4)
    scores["robustness"] = robustness(engine, card, valid)
    card = replace(card, temperature=temperature, scores=scores)
    card = release.save(out, card, trained.weights)
    (out / MODEL_CARD).write_text(render(card))
    return card
