"""AffectNet in its two public layouts.

The first: Manually_Annotated_Images, with training.csv and validation.csv beside it (or in
Manually_Annotated_file_lists). The later export: train_set and val_set, each with images/N.jpg and
annotations/N_exp.npy.

Source: Mollahosseini et al., "AffectNet: A Database for Facial Expression, Valence, and Arousal
Computing in the Wild" (arXiv:1708.03985).
"""

import csv
import io
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from typing import Final

import numpy as np

from emotion_streams.emotions import EMOTIONS, Emotion
from emotion_streams.events import Box
from training.datasets.entry import Entry, InvalidData, hard_target

EXPRESSIONS: Final[tuple[Emotion, ...]] = (
    *("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"),
)
"""What AffectNet's numbers 0 to 7 mean; 8 to 10 (none, uncertain, no face) are left out."""
LAST_EXPRESSION: Final = 10

IMAGES: Final = "Manually_Annotated_Images"
LISTS: Final = ("", "Manually_Annotated_file_lists")
LISTED: Final = {"train": "training.csv", "valid": "validation.csv"}
COLUMNS: Final = (
    *("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height", "expression"),
)

EXPORTED: Final = {"train": "train_set", "valid": "val_set"}
SUFFIX: Final = "_exp.npy"


def recognises(root: Traversable) -> bool:
    """Whether the folder is in one of the two layouts."""
    return bool(splits(root))


def splits(root: Traversable) -> list[str]:
    """The splits that are there."""
    listed = [split for split in LISTED if _listing(root, split) is not None]
    return listed or [
        split for split, folder in EXPORTED.items() if (root / folder / "annotations").is_dir()
    ]


def entries(root: Traversable, split: str) -> list[Entry]:
    """The split's pictures of the eight emotions."""
    listing = _listing(root, split)
    return list(_listed(root, listing) if listing else _exported(root / EXPORTED[split]))


def _listing(root: Traversable, split: str) -> Traversable | None:
    if not (root / IMAGES).is_dir():
        return None
    candidates = (root / folder / LISTED[split] for folder in LISTS if (root / folder).is_dir())
    return next((listing for listing in candidates if listing.is_file()), None)


def _listed(root: Traversable, listing: Traversable) -> Iterator[Entry]:
    rows = csv.DictReader(listing.read_text(encoding="utf-8").splitlines())
    if missing := [column for column in COLUMNS if column not in (rows.fieldnames or ())]:
        raise InvalidData(f"{listing.name}: no column {', '.join(missing)}")
    for number, row in enumerate(rows, start=2):
        where = f"{listing.name} line {number}"
        winner = _winner(row["expression"], where)
        if winner is None:  # such rows have no box either
            continue
        try:
            x, y, width, height = (float(row[column]) for column in COLUMNS[1:5])
        except (TypeError, ValueError) as error:
            raise InvalidData(f"{where}: the face's box is four numbers") from error
        name = row["subDirectory_filePath"]
        box = Box(x, y, width, height)
        yield Entry(name, root / IMAGES / name, hard_target(winner), winner, box)


def _exported(folder: Traversable) -> Iterator[Entry]:
    annotations = {file.name: file for file in (folder / "annotations").iterdir()}
    for name in sorted(annotations):
        if not name.endswith(SUFFIX):
            continue
        where = f"{folder.name}/annotations/{name}"
        try:
            with io.BytesIO(annotations[name].read_bytes()) as file:
                value = str(np.load(file, allow_pickle=False).item())
        except (ValueError, EOFError, OSError) as error:
            raise InvalidData(f"{where}: not an array of one expression") from error
        picture = f"{name.removesuffix(SUFFIX)}.jpg"
        if (winner := _winner(value, where)) is not None:
            file_of_picture = folder / "images" / picture
            yield Entry(f"{folder.name}/{picture}", file_of_picture, hard_target(winner), winner)


def _winner(value: str | None, where: str) -> int | None:
    """The index in EMOTIONS of an expression's number, None for those that are left out."""
    try:
        number = int(value or "")
    except ValueError as error:
        raise InvalidData(f"{where}: expression {value!r} is no number") from error
    if not 0 <= number <= LAST_EXPRESSION:
        raise InvalidData(f"{where}: expression {number} is not 0 to {LAST_EXPRESSION}")
    return EMOTIONS.index(EXPRESSIONS[number]) if number < len(EXPRESSIONS) else None
