"""The data that a model was trained on, and a warning if it is scored on the same pictures."""

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
    """Return the data of a run or of a stage of it. Raises InvalidDataError if it is missing."""
    run = model if (model / RUN).is_file() else model.resolve().parent
    try:
        return open_data(Path(RunFolder.open(run).data["path"]))
    except InvalidDataError as error:
        raise InvalidDataError(
            f"the data that {model} was trained on is needed, but missing: {error}"
        ) from error


def recorded_shares(card: ModelCard, own: Callable[[], DataSet]) -> dict[str, float]:
    """Return each emotion's share of the targets that a model was trained on.

    It is in the card, or computed from `own` if the run started before it was recorded.
    """
    recorded: dict[str, float] | None = card.training.get("data", {}).get("target_shares")
    if recorded:
        return recorded
    return target_shares(np.array([entry.target for entry in own().entries("train")], np.float32))


def warn_if_trained_on(card: ModelCard, data: DataSet, entries: Sequence[Entry]) -> None:
    """Warn on stderr if a model is scored on the pictures that it was trained on.

    The pictures are only read if the data is not divided; otherwise the split's name shows it.
    """
    seen = card.training.get("data", {})
    if data.splits() != [WHOLE] or len(entries) < seen.get("pictures", math.inf):
        return
    if read_faces(entries, card, lambda _: None).sha256() == seen["sha256"]:
        warn(
            f"warning: {card.name} was trained on these very pictures of {data.path}: "
            "its scores say nothing of others"
        )
