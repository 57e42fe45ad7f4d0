"""Makes a release of a trained stage: calibrated, scored, described."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from training import metrics
from training.datasets import Entry, InvalidDataError
from training.datasets.entry import warn
from training.evaluate import Predictions, predict, report
from training.geometry import Measurement, measure, sample
from training.logit_adjustment import RECORD, adjust, crossfit, log_shares
from training.model_card import render
from training.progress import say
from training.quantize import Int8UnavailableError, add_int8
from training.robustness import robustness
from worker.inference.detect import Detector
from worker.inference.engines.choose import EngineUnavailableError, build_engine
from worker.model import release
from worker.model.card import ModelCard
from worker.model.release import Release

MODEL_CARD: Final = "MODEL_CARD.md"

Shares = Mapping[str, float]
"""Each emotion's share of the training targets."""


def export(
    trained: Release,
    valid: Sequence[Entry],
    about: Mapping[str, str],
    out: Path,
    threads: int,
    train: Callable[[], Sequence[Entry]],
    target_shares: Shares | None = None,
) -> ModelCard:
    """Write the release folder `out`: weights.npz, card.json, MODEL_CARD.md and int8.npz.

    `about` describes `valid` in the card: layout and split. `train` returns the faces that int8 is
    calibrated on; stderr says why if there is no int8 file.

    The temperature is fitted on all of `valid`. The card contains the calibration error with it,
    and a cross-fitted one, in which no picture is scored with a temperature that it helped to fit.
    If `target_shares` is given, tau of the logit adjustment is chosen on `valid`, and the scores
    are cross-fitted in the same way.

    Raises InvalidDataError if no picture of `valid` can be scored.
    """
    card = trained.card
    engine = build_engine("auto", trained, threads, full_precision=True)
    say(f"scoring {len(valid):,} pictures ...")
    predictions = predict(engine, card, valid, None)
    scored, choice = predictions, {}
    if target_shares is not None:
        found = crossfit(predictions.logits, predictions.truth, log_shares(card, target_shares))
        scored = replace(predictions, logits=found.held_out)
        choice = {RECORD: {"tau": found.tau, "halves": list(found.halves)}}
        trained, predictions = _adjusted(trained, predictions, target_shares, found.tau)
        engine = build_engine("auto", trained, threads, full_precision=True)
    temperature = round(metrics.fit_temperature(predictions.logits, predictions.truth), 4)
    scores = {"data": dict(about), **report(scored, temperature), **choice}
    crossfitted = metrics.crossfitted_error(scored.logits, scored.truth)
    scores["ece_crossfitted"] = round(crossfitted, 4)
    scores["robustness"] = robustness(engine, card, valid, say)
    card = replace(trained.card, temperature=temperature, scores=scores)
    card = release.save(out, card, trained.weights)
    try:
        card = add_int8(out, Release(card, trained.weights), train(), valid, predictions, threads)
    except (Int8UnavailableError, EngineUnavailableError, InvalidDataError) as error:
        warn(f"no int8 file: {error}")
    (out / MODEL_CARD).write_text(render(card))
    return card


def _adjusted(
    trained: Release, predictions: Predictions, target_shares: Shares, tau: float
) -> tuple[Release, Predictions]:
    """Return the model and its predictions after logit adjustment by tau, which may be 0."""
    if tau == 0:
        return trained, predictions
    shares = log_shares(trained.card, target_shares)
    logits = predictions.logits - tau * shares
    return adjust(trained, target_shares, tau), replace(predictions, logits=logits)


def quantize_release(
    folder: Path, train: Sequence[Entry], valid: Sequence[Entry], threads: int
) -> ModelCard:
    """Write the int8 file of the release in `folder`, replacing an existing one.

    Raises InvalidReleaseError, InvalidDataError, EngineUnavailableError, and Int8UnavailableError
    if it loses too much accuracy; the release is then unchanged.
    """
    model = replace(release.load(str(folder)), int8=None)
    float32 = predict(
        build_engine("auto", model, threads, full_precision=True), model.card, valid, None
    )
    card = add_int8(folder, model, train, valid, float32, threads)
    (folder / MODEL_CARD).write_text(render(card))
    return card


def measure_crops(
    trained: Release, train: Sequence[Entry], detectors: Iterable[Detector]
) -> Release:
    """Return the model with the crop geometry of each detector.

    It is measured on the pictures that the model was trained on. `crop` in the `training` part of
    the card contains the statistics. Raises InvalidDataError if no detector finds the faces.
    """
    found: dict[str, Measurement] = {}
    for detector in detectors:
        say(f"measuring how {detector.name} frames the training pictures ...")
        try:
            found[detector.name] = measure(sample(train), detector)
        except InvalidDataError as error:
            warn(f"no crop for {detector.name}: {error}")
    if not found:
        raise InvalidDataError("no detector finds the faces that the model was trained on")
    measured = {
        name: {"pictures": m.pictures, "detected": m.detected, "spread": m.spread}
        for name, m in found.items()
    }
    card = replace(
        trained.card,
        crop={name: m.geometry for name, m in found.items()},
        training={**trained.card.training, "crop": measured},
    )
    return Release(card, trained.weights)
