"""The commands that write a release: `export` and `quantize`."""

import argparse
import os
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from training import backend
from training.commands.evaluate import stdout_to_stderr
from training.datasets import DataSet, InvalidDataError, open_data
from training.evaluate import locate
from training.export import export as write_release
from training.export import measure_crops, quantize_release
from training.geometry import available_detectors
from training.logit_adjustment import adjust, refuse_adjusted
from training.run_config import InvalidConfigError
from training.trained_on import recorded_shares, trained_on, warn_if_trained_on
from worker.model import release
from worker.model.card import read_card
from worker.model.int8 import INT8_FILE


def export(options: argparse.Namespace) -> None:
    """Calibrate and score a run's model, and write it as a release."""
    backend.choose()
    tau = _tau(options.logit_adjust)
    trained = release.load(str(locate(options.model)))
    if tau != 0:
        refuse_adjusted(trained.card)
    own = partial(trained_on, Path(options.model))
    data = _scored_data(options, own)
    shares = recorded_shares(trained.card, own) if tau != 0 else None
    if shares and tau:
        trained = adjust(trained, shares, tau)
    if not trained.card.crop:
        detectors = available_detectors(options.detector_model)
        trained = measure_crops(trained, own().entries("train"), detectors)
    split = data.split("valid")
    valid = data.entries(split)
    warn_if_trained_on(trained.card, data, valid)
    options.out.mkdir(parents=True, exist_ok=True)
    named = replace(trained.card, name=options.out.resolve().name, version=options.version)
    with stdout_to_stderr():
        card = write_release(
            release.Release(named, trained.weights),
            valid,
            {"layout": data.layout, "split": split},
            options.out,
            os.cpu_count() or 1,
            train=lambda: (data if "train" in data.splits() else own()).entries("train"),
            target_shares=shares if tau is None else None,
        )
    size = (options.out / release.WEIGHTS_FILE).stat().st_size / 1e6
    print(
        f"{options.out}: accuracy {card.scores['accuracy']:.1%}, "
        f"macro F1 {card.scores['macro_f1']:.3f}, weights {size:.1f} MB"
    )
    print(f"next: emotion-streams worker --model {options.out}")


def quantize(options: argparse.Namespace) -> None:
    """Write a release's int8 file."""
    folder = release.locate(options.model)
    data = open_data(options.data)
    valid = data.entries(data.split("valid"))
    warn_if_trained_on(read_card(folder), data, valid)
    train = data.entries(data.split("train"))
    with stdout_to_stderr():
        card = quantize_release(folder, train, valid, os.cpu_count() or 1)
    assert card.int8 is not None
    scores = card.int8.scores
    size = (folder / INT8_FILE).stat().st_size / 1e6
    print(
        f"{folder}: int8 {size:.1f} MB; accuracy {scores['accuracy']:.1%} of float32's "
        f"{scores['accuracy_float32']:.1%}, macro F1 {scores['macro_f1']:.3f} of "
        f"{scores['macro_f1_float32']:.3f}, the same emotion for {scores['same_emotion']:.1%}"
    )


def _scored_data(options: argparse.Namespace, own: Callable[[], DataSet]) -> DataSet:
    """Return the data of --data, or the run's own if it has a validation split.

    Raises InvalidDataError.
    """
    if options.data:
        return open_data(options.data)
    data = own()
    if "valid" not in data.splits():
        raise InvalidDataError(
            f"{data.path} has no validation split, and the run was trained on all of it: give "
            "--data, pictures that it has not seen"
        )
    return data


def _tau(text: str) -> float | None:
    """Return the value of --logit-adjust, None for `auto`. Raises InvalidConfigError."""
    if text == "auto":
        return None
    try:
        tau = float(text)
    except ValueError:
        tau = -1.0
    if not 0 <= tau <= 1:
        raise InvalidConfigError(f"--logit-adjust is 0 to 1, or auto, not {text!r}")
    return tau
