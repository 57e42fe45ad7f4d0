"""The data that a model was trained on: found again, and kept from judging it unnoticed."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from training.datasets import DataSet, Entry, InvalidDataError, open_data, read_faces, target_shares
from training.datasets.entry import warn
from training.datasets.folders import WHOLE
from training.run_folder import RUN, RunFolder
from worker.model.card import ModelCard


def trained_on(model: Path) -> DataSet:
    """The data of a run, or of the run that a stage is of. InvalidDataError where it is gone."""
    run = model if (model / RUN).is_file() else model.resolve().parent
    try:
        return open_data(Path(RunFolder.open(run).data["path"]))
    except InvalidDataError as error:
        raise InvalidDataError(
            f"the data that {model} was trained on is needed, and not to be had: {error}"
        ) from error


def recorded_shares(card: ModelCard, own: Callable[[], DataSet]) -> dict[str, float]:
    """Each emotion's share of the targets that a model was trained on: from its card, or read from
    its own data where the run was begun before they were recorded."""
    recorded: dict[str, float] | None = card.training.get("data", {}).get("target_shares")
    if recorded:
        return recorded
    return target_shares(np.array([entry.target for entry in own().entries("train")], np.float32))


def warn_of_seen(card: ModelCard, data: DataSet, entries: Sequence[Entry]) -> None:
    """Say on stderr where a model is judged by the very pictures that it was trained on. Only data
    that is not divided is read for it: elsewhere the split's name says so."""
    seen = card.training.get("data", {})
    if data.splits() != [WHOLE] or len(entries) < seen.get("pictures", math.inf):
        return
    if read_faces(entries, card, lambda _: None).sha256() == seen["sha256"]:
        warn(
            f"warning: {card.name} was trained on these very pictures of {data.path}: "
            "its scores say nothing of others"
        )
