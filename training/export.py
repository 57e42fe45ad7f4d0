"""A trained stage made into a release: calibrated, scored, described."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from training import metrics
from training.datasets import Entry, InvalidDataError
from training.datasets.entry import warn
from training.evaluate import predict, report
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
    chosen_for: Shares | None = None,
) -> ModelCard:
    """Write the release folder `out`, named after it: weights.npz, card.json, MODEL_CARD.md, and
    int8.npz, for which `train` gives the faces that the model was trained on; stderr hears why
    where it has to go without. `about` says in the card's scores what `valid` is of: layout and
    split.

    The temperature is fitted on all of `valid`; the card holds the calibration error with it, and
    cross-fitted, where no picture is judged by a temperature that it helped to fit. With
    `chosen_for`, each emotion's share of the training targets, tau of the logit adjustment is
    chosen on `valid`, and the scores are cross-fitted in the same way.
    """
    card = trained.card
    engine = build_engine("auto", trained, threads)
    say(f"scoring {len(valid):,} pictures ...")
    predictions = predict(engine, card, valid, None)
    judged, about_choice = predictions, {}
    if chosen_for is not None:
        shares = log_shares(card, chosen_for)
        found = crossfit(predictions.logits, predictions.truth, shares)
        judged = replace(predictions, logits=found.held_out)
        predictions = replace(predictions, logits=predictions.logits - found.tau * shares)
        about_choice = {RECORD: {"tau": found.tau, "halves": list(found.halves)}}
        if found.tau:
            trained = adjust(trained, chosen_for, found.tau)
            engine = build_engine("auto", trained, threads)
    temperature = round(metrics.fit_temperature(predictions.logits, predictions.truth), 4)
    scores = {"data": dict(about), **report(judged, temperature), **about_choice}
    crossfitted = metrics.crossfitted_error(judged.logits, judged.truth)
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


def quantize_release(
    folder: Path, train: Sequence[Entry], valid: Sequence[Entry], threads: int
) -> ModelCard:
    """Make the int8 file of a release that stands in `folder`, anew where it has one. Raises
    InvalidReleaseError, InvalidDataError, EngineUnavailableError, and Int8UnavailableError where it
    loses too much: the release is then left as it was."""
    model = replace(release.load(str(folder)), int8=None)
    float32 = predict(build_engine("auto", model, threads), model.card, valid, None)
    card = add_int8(folder, model, train, valid, float32, threads)
    (folder / MODEL_CARD).write_text(render(card))
    return card


def measure_crops(
    trained: Release, train: Sequence[Entry], detectors: Iterable[Detector]
) -> Release:
    """The model with each detector's crop geometry, measured on the pictures that it was trained
    on; its card's `training` says under `crop` how well. InvalidDataError where none can be."""
    found: dict[str, Measurement] = {}
    for detector in detectors:
        say(f"measuring how {detector.name} frames the training pictures ...")
        try:
            found[detector.name] = measure(sample(train), detector)
        except InvalidDataError as error:
            warn(f"no crop for {detector.name}: {error}")
    if not found:
        raise InvalidDataError("no detector finds the faces that the model was trained on")
    told = {
        name: {"pictures": m.pictures, "detected": m.detected, "spread": m.spread}
        for name, m in found.items()
    }
    card = replace(
        trained.card,
        crop={name: m.geometry for name, m in found.items()},
        training={**trained.card.training, "crop": told},
    )
    return Release(card, trained.weights)
