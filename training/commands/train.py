"""The commands about the model: `train` and `summary`."""

import argparse
import math
import signal
from dataclasses import replace
from typing import Any

from training import backend, plots, recipe
from training.datasets import DataSet, Faces, InvalidDataError, open_data, read_faces, target_shares
from training.memory import keep_freed_memory
from training.progress import say
from training.run_config import InvalidConfigError, RunConfig, RuntimeOptions, Stage
from training.run_folder import CHECKPOINT, RunFolder
from worker.model.architecture import ARCHITECTURES, INPUT_SIZE
from worker.model.card import ModelCard


def train(options: argparse.Namespace) -> None:
    """Train to the end of the run, or until SIGTERM or SIGINT, which leave a checkpoint."""
    keep_freed_memory()
    say("loading Keras ...")
    backend.require()
    plots.require()
    from training.train import Training

    runtime = RuntimeOptions(options.checkpoint_minutes, options.workers)
    data = open_data(options.data)
    split = data.split("train")
    config = RunFolder.open(options.out).config if options.resume else run_config(options)
    card = RunFolder(options.out, config, {}).card(config.stages[0].side)
    say(f"reading {options.data} ...")
    faces, valid = read_faces(data.entries(split), card), _valid(data, card)
    folder = _folder(options, config, _description(data, split, faces))
    say(f"training on {len(faces):,} pictures, {config.steps:,} steps; curves in {options.out}")
    with folder.locked():
        training = Training(faces, valid, folder, runtime)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: training.stop.set())
        finished = training.run(options.resume)
    if finished:
        print(f"{options.out}: finished")
        print(f"next: emotion-streams export {options.out} --out NAME")
    else:
        print(f"{options.out}: stopped")
        print(f"next: emotion-streams train {options.data} --out {options.out} --resume")


def summary(options: argparse.Namespace) -> None:
    """Print a network layer by layer, and the number of its parameters."""
    backend.require()
    from worker.model.simpnet import build

    model = build(input_size=INPUT_SIZE, blocks=ARCHITECTURES[options.architecture])
    print(f"{'layer':<14}{'output':<18}{'filters':>8}{'parameters':>13}")
    for layer in model.layers:
        shape = "x".join(map(str, layer.output.shape[1:]))
        filters = f"{layer.filters}" if hasattr(layer, "filters") else ""
        print(f"{layer.name:<14}{shape:<18}{filters:>8}{layer.count_params():>13,}")
    total = model.count_params()
    trainable = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    print(f"total {total:,}\ntrainable {trainable:,}\nnot trainable {total - trainable:,}")


def run_config(options: argparse.Namespace) -> RunConfig:
    """Return the configuration of the recipe, or the defaults, with the given options applied.

    Raises InvalidConfigError, and OSError if the recipe's file cannot be read.
    """
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


def _description(data: DataSet, split: str, faces: Faces) -> dict[str, Any]:
    """Return what run.json records about the training data."""
    return {
        "path": str(data.path.resolve()),
        "layout": data.layout,
        "split": split,
        "pictures": len(faces),
        "sha256": faces.sha256(),
        "target_shares": target_shares(faces.targets),
    }


def _folder(
    options: argparse.Namespace, config: RunConfig, description: dict[str, Any]
) -> RunFolder:
    """Create the run's folder, or open it to resume.

    Raises InvalidDataError if a run exists, or if the resumed run had other data or another start.
    """
    if not options.resume:
        return RunFolder.create(options.out, config, description)
    folder = RunFolder.open(options.out)
    if folder.data["sha256"] != description["sha256"]:
        raise InvalidDataError(f"{options.data}: not the data that {options.out} was started with")
    if not (options.out / CHECKPOINT).is_file():
        folder.check_start()
    folder.check_teacher()
    return folder


def _valid(data: DataSet, card: ModelCard) -> Faces | None:
    """Return the labelled pictures of the validation split, or None if there are none."""
    if "valid" not in data.splits():
        return None
    labelled = read_faces(data.entries("valid"), card).labelled()
    return labelled if len(labelled) else None
