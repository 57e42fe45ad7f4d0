"""A trained stage made into a release: calibrated, scored, described."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from training import metrics
from training.datasets import Entry, InvalidDataError
from training.datasets.entry import warn
from training.evaluate import predict, report
from training.geometry import Measurement, measure, sample
from training.model_card import render
from training.quantize import Int8UnavailableError, add_int8
from training.robustness import robustness
from training.run_config import InvalidConfigError
from worker.inference.detect import Detector
from worker.inference.engines.choose import EngineUnavailableError, build_engine
from worker.model import release
from worker.model.card import ModelCard
from worker.model.release import Release

MODEL_CARD: Final = "MODEL_CARD.md"


def export(
    trained: Release,
    valid: Sequence[Entry],
    about: Mapping[str, str],
    out: Path,
    version: str,
    threads: int,
    train: Callable[[], Sequence[Entry]],
) -> ModelCard:
    """Write the release folder `out`, named after it: weights.npz, card.json, MODEL_CARD.md, and
    int8.npz, for which `train` gives the faces that the model was trained on; stderr hears why
    where it has to go without. `about` says in the card's scores what `valid` is of: layout and
    split.

    The temperature is fitted on all of `valid`; the card holds the calibration error with it, and
    cross-fitted, where no picture is judged by a temperature that it helped to fit.
    """
    card = replace(trained.card, name=out.name, version=version)
    engine = build_engine("auto", Release(card, trained.weights), threads)
    predictions = predict(engine, card, valid, None)
    temperature = round(metrics.fit_temperature(predictions.logits, predictions.truth), 4)
    scores = {"data": dict(about), **report(predictions, temperature)}
    crossfitted = metrics.crossfitted_error(predictions.logits, predictions.truth)
    scores["ece_crossfitted"] = round(crossfitted, 4)
    scores["robustness"] = robustness(engine, card, valid)
    card = replace(card, temperature=temperature, scores=scores)
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


def favour_rare(
    trained: Release, shares: Callable[[], Mapping[str, float]], strength: float
) -> Release:
    """The model with `strength` times the logarithm of each emotion's share of the training
    targets taken off its logit (logit adjustment after training, arXiv:2007.07314).

    At 0 it names the likeliest emotion; at 1 the one whose likelihood rose most above its share,
    so that each emotion counts the same however rare. One without a target is left as it is. The
    card's `training` says `favour_rare`; InvalidConfigError where it does already.
    """
    if "favour_rare" in trained.card.training:
        raise InvalidConfigError(f"{trained.card.name}: rare emotions are favoured already")
    share_of = shares()
    shift = np.log([share_of[label] or 1.0 for label in trained.card.labels])
    bias = trained.weights["dense/bias"] - strength * shift
    return Release(
        replace(trained.card, training={**trained.card.training, "favour_rare": strength}),
        {**trained.weights, "dense/bias": bias.astype(np.float32)},
    )


def measure_crops(
    trained: Release, train: Sequence[Entry], detectors: Iterable[Detector]
) -> Release:
    """The model with each detector's crop geometry, measured on the pictures that it was trained
    on; its card's `training` says under `crop` how well. InvalidDataError where none can be."""
    found: dict[str, Measurement] = {}
    for detector in detectors:
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
