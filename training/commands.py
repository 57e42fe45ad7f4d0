"""What the commands do: read, compute, print."""

import argparse
import json
import os
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from training import backend, metrics, plots, recipe
from training.backend import BackendUnavailableError
from training.datasets import (
    DataSet,
    Entry,
    Faces,
    InvalidDataError,
    open_data,
    read_faces,
    target_shares,
)
from training.evaluate import Predictions, as_text, locate, predict, report, write_plots
from training.export import export as write_release
from training.export import measure_crops, quantize_release
from training.geometry import available_detectors, build_detector, measure
from training.inspect_data import counts, write_sheet
from training.logit_adjustment import adjust, refuse_adjusted
from training.progress import say
from training.quantize import Int8UnavailableError
from training.quiet import stdout_to_stderr
from training.robustness import robustness
from training.run_config import InvalidConfigError, Pace, RunConfig, Stage
from training.run_folder import CHECKPOINT, RunFolder
from training.trained_on import recorded_shares, trained_on, warn_of_seen
from worker.inference.detect import Detector
from worker.inference.detect.choose import DetectorUnavailableError
from worker.inference.engines import Engine
from worker.inference.engines.choose import EngineUnavailableError, build_engine
from worker.model import release
from worker.model.card import InvalidReleaseError, ModelCard, read_card
from worker.model.int8 import INT8_FILE

Options = argparse.Namespace

WRONG: Final = (
    InvalidDataError,
    InvalidConfigError,
    InvalidReleaseError,
    BackendUnavailableError,
    DetectorUnavailableError,
    EngineUnavailableError,
    Int8UnavailableError,
)
"""What says in a line what is wrong, where, and what to do."""


def inspect(options: Options) -> None:
    """Counts per emotion and split, and a contact sheet of the first split."""
    plots.require()
    data = open_data(options.data)
    card = read_card(release.locate("released"))
    splits = {split: read_faces(data.entries(split), card) for split in data.splits()}
    print(f"{options.data}: {data.layout}")
    print(counts(splits))
    options.sheet.parent.mkdir(parents=True, exist_ok=True)
    write_sheet(next(iter(splits.values())), options.sheet)
    print(f"contact sheet: {options.sheet}")


def train(options: Options) -> None:
    """Train until the end, or until SIGTERM or SIGINT, which leave a checkpoint."""
    say("loading Keras ...")
    backend.require()
    plots.require()
    from training.train import Training

    pace = Pace(options.checkpoint_minutes, options.workers)
    data = open_data(options.data)
    split = data.split("train")
    config = RunFolder.open(options.out).config if options.resume else _config(options)
    card = RunFolder(options.out, config, {}).card(config.stages[0].side)
    say(f"reading {options.data} ...")
    faces, valid = read_faces(data.entries(split), card), _valid(data, card)
    about = {
        "path": str(options.data.resolve()),
        "layout": data.layout,
        "split": split,
        "pictures": len(faces),
        "sha256": faces.sha256(),
        "target_shares": target_shares(faces.targets),
    }
    if options.resume:
        folder = RunFolder.open(options.out)
        if folder.data["sha256"] != about["sha256"]:
            raise InvalidDataError(
                f"{options.data}: not the data that {options.out} was begun with"
            )
        if not (options.out / CHECKPOINT).is_file():
            folder.check_start()
    else:
        folder = RunFolder.create(options.out, config, about)
    say(f"training on {len(faces):,} pictures, {config.steps:,} steps; curves in {options.out}")
    with folder.locked():
        training = Training(faces, valid, folder, pace)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: training.stop.set())
        finished = training.run(options.resume)
    command = "python -m training"
    if finished:
        print(f"{options.out}: finished")
        print(f"next: {command} export {options.out} --out NAME")
    else:
        print(f"{options.out}: stopped")
        print(f"next: {command} train {options.data} --out {options.out} --resume")


def evaluate(options: Options) -> None:
    """Scores, as text or as JSON, and plots if a folder for them is given."""
    backend.choose()
    folder = locate(options.model)
    model = release.load(str(folder))
    data = open_data(options.data)
    split = data.split(options.split) if options.split else _likeliest_split(data)
    entries = data.entries(split)
    warn_of_seen(model.card, data, entries)
    if options.plots:  # before the work whose result it is to hold
        plots.require()
        options.plots.mkdir(parents=True, exist_ok=True)
    detector = _detector(options)
    with stdout_to_stderr():
        engine = build_engine(options.engine, model, os.cpu_count() or 1)
        predictions = predict(engine, model.card, entries, detector)
        whole = _as_they_are(engine, model.card, entries, predictions) if detector else None
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
    if whole is not None:
        judged = scores["count"] + predictions.left_out.get("not detected", 0)
        scores["accuracy_as_they_are"] = whole
        scores["accuracy_missed_as_wrong"] = round(scores["accuracy"] * scores["count"] / judged, 4)
    if options.plots:
        write_plots(predictions, model.card.temperature, options.plots)
    print(json.dumps(scores, indent=2) if options.json else as_text(scores))


def export(options: Options) -> None:
    """Calibrate, score and write a release."""
    backend.choose()
    tau = _tau(options.logit_adjust)
    trained = release.load(str(locate(options.model)))
    if tau != 0:
        refuse_adjusted(trained.card)
    own = partial(trained_on, Path(options.model))
    data = open_data(options.data) if options.data else own()
    if options.data is None and "valid" not in data.splits():
        raise InvalidDataError(
            f"{data.path} is not divided, and the run was trained on all of it: give --data, "
            "pictures that it has not seen"
        )
    chosen_for = None
    if tau != 0:
        shares = recorded_shares(trained.card, own)
        trained = adjust(trained, shares, tau) if tau else trained
        chosen_for = shares if tau is None else None
    if not trained.card.crop:
        detectors = available_detectors(options.detector_model)
        trained = measure_crops(trained, own().entries("train"), detectors)
    split = data.split("valid")
    valid = data.entries(split)
    warn_of_seen(trained.card, data, valid)
    options.out.mkdir(parents=True, exist_ok=True)
    about = {"layout": data.layout, "split": split}
    with stdout_to_stderr():
        named = replace(trained.card, name=options.out.resolve().name, version=options.version)
        trained = release.Release(named, trained.weights)
        threads = os.cpu_count() or 1
        card = write_release(
            trained,
            valid,
            about,
            options.out,
            threads,
            train=lambda: (data if "train" in data.splits() else own()).entries("train"),
            chosen_for=chosen_for,
        )
    size = (options.out / release.WEIGHTS_FILE).stat().st_size / 1e6
    print(
        f"{options.out}: accuracy {card.scores['accuracy']:.1%}, "
        f"macro F1 {card.scores['macro_f1']:.3f}, weights {size:.1f} MB"
    )
    print(f"next: python -m worker --model {options.out}")


def quantize(options: Options) -> None:
    """Make the int8 file of a release."""
    folder = release.locate(options.model)
    data = open_data(options.data)
    valid = data.entries(data.split("valid"))
    warn_of_seen(read_card(folder), data, valid)
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


def geometry(options: Options) -> None:
    """A detector's crop geometry on a data set."""
    detector = _detector(options)
    if detector is None or options.every < 1:
        raise InvalidConfigError("--every is 1 or more")
    entries = open_data(options.data).entries(options.split)[:: options.every]
    found = measure(entries, detector)
    crop = found.geometry
    print(
        f"{detector.name}: scale {crop.scale:g} (spread {found.spread:g}), "
        f"shift_x {crop.shift_x:g}, shift_y {crop.shift_y:g}; "
        f"{found.detected} of {found.pictures} faces found"
    )


def summary(_: Options) -> None:
    """SimpNet V2's table."""
    backend.require()
    from training.summary import summary as table

    print(table())


def _config(options: Options) -> RunConfig:
    """The recipe's configuration, or the defaults, with what was given."""
    given = {k: v for k, v in vars(options).items() if k in RunConfig.__dataclass_fields__}
    if options.stages:
        given["stages"] = tuple(Stage.parse(text) for text in options.stages)
    elif not options.recipe:
        names = ", ".join(recipe.names())
        raise InvalidConfigError(
            f"give --stage SIDE:STEPS:BATCH:RATE at least once, or --recipe {names}"
        )
    else:
        del given["stages"]
    return replace(recipe.read(options.recipe), **given) if options.recipe else RunConfig(**given)


def _tau(text: str) -> float | None:
    """What --logit-adjust says, None for auto."""
    if text == "auto":
        return None
    try:
        tau = float(text)
    except ValueError:
        tau = -1.0
    if not 0 <= tau <= 1:
        raise InvalidConfigError(f"--logit-adjust is 0 to 1, or auto, not {text!r}")
    return tau


def _valid(data: DataSet, card: ModelCard) -> Faces | None:
    """The judged pictures of the validation split, None where there are none."""
    if "valid" not in data.splits():
        return None
    judged = read_faces(data.entries("valid"), card).judged()
    return judged if len(judged) else None


def _likeliest_split(data: DataSet) -> str:
    """The one to judge by where none was named: `valid`, or all that there is."""
    there = data.splits()
    return "valid" if "valid" in there or len(there) > 1 else there[0]


def _as_they_are(
    engine: Engine, card: ModelCard, entries: list[Entry], detected: Predictions
) -> float:
    """The accuracy on the pictures that a detector found a face in, without it: what detecting
    and cropping costs is the difference."""
    names = frozenset(detected.names)
    same = [entry for entry in entries if entry.name in names]
    return round(metrics.accuracy(predict(engine, card, same, None).matrix()), 4)


def _detector(options: Options) -> Detector | None:
    if options.detect == "none":
        return None
    return build_detector(options.detect, options.detector_model)
