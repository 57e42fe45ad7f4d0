"""AffectNet in its two public layouts.

The first: Manually_Annotated_Images, at the top or as its archives unpack it, and training.csv and
validation.csv, at the top or in Manually_Annotated_file_lists. The later export: train_set and
val_set, each with images/N.jpg (or another suffix) and annotations/N_exp.npy.

Source: Mollahosseini et al., "AffectNet: A Database for Facial Expression, Valence, and Arousal
Computing in the Wild" (arXiv:1708.03985).
"""

import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import astuple
from importlib.resources.abc import Traversable
from pathlib import PurePath
from typing import Final

import numpy as np

from emotion_streams.emotions import EMOTIONS, Emotion
from emotion_streams.faces import Box
from training.datasets.entry import UNREADABLE, Entry, InvalidDataError, hard_target
from training.datasets.listing import path, rows

EXPRESSIONS: Final[tuple[Emotion, ...]] = (
    *("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt"),
)
"""The meaning of AffectNet's numbers 0 to 7. Pictures with 8 to 10 (none, uncertain, no face) are
skipped."""
LAST_EXPRESSION: Final = 10

IMAGES: Final = "Manually_Annotated_Images"
UNPACKED: Final = ("", "Manually_Annotated", "Manually_Annotated_compressed")
"""The folders that the archives of pictures unpack to."""
LISTS: Final = ("", "Manually_Annotated_file_lists")
LISTED: Final = {"train": "training.csv", "valid": "validation.csv"}
COLUMNS: Final = (
    *("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height", "expression"),
)

EXPORTED: Final = {"train": "train_set", "valid": "val_set"}
SUFFIX: Final = "_exp.npy"


def matches(root: Traversable) -> bool:
    """Return whether the folder is in one of the two layouts."""
    return bool(splits(root))


def splits(root: Traversable) -> list[str]:
    """Return the splits that exist."""
    listed = [split for split in LISTED if _listing(root, split)] if _images(root) else []
    return listed or [
        split for split, folder in EXPORTED.items() if (root / folder / "annotations").is_dir()
    ]


def missing(root: Traversable) -> str | None:
    """Return what the folder lacks to be AffectNet, or None if it contains nothing of it."""
    lists = " or ".join(LISTED.values())
    if _images(root):
        return f"{IMAGES} is here, but no {lists} beside it or in {LISTS[1]}"
    if any(_listing(root, split) for split in LISTED):
        return f"{lists} is here, but no folder {IMAGES} beside it"
    for folder in EXPORTED.values():
        if (root / folder).is_dir():
            return f"{folder} has no folder annotations"
    return None


def entries(root: Traversable, split: str) -> list[Entry]:
    """Return the split's pictures of the eight emotions. Raises InvalidDataError."""
    images, listing = _images(root), _listing(root, split)
    return list(
        _listed(images, listing) if images and listing else _exported(root / EXPORTED[split])
    )


def _images(root: Traversable) -> Traversable | None:
    """Return the folder of the first layout's pictures."""
    candidates = (root / folder / IMAGES for folder in UNPACKED if (root / folder).is_dir())
    return next((images for images in candidates if images.is_dir()), None)


def _listing(root: Traversable, split: str) -> Traversable | None:
    candidates = (root / folder / LISTED[split] for folder in LISTS if (root / folder).is_dir())
    return next((listing for listing in candidates if listing.is_file()), None)


def _listed(images: Traversable, listing: Traversable) -> Iterator[Entry]:
    lines = rows(listing, listing.name)
    header = next(lines, [])
    if missing := [column for column in COLUMNS if column not in header]:
        raise InvalidDataError(f"{listing.name}: no column {', '.join(missing)}")
    for number, cells in enumerate(lines, start=2):
        where, row = f"{listing.name} line {number}", dict(zip(header, cells, strict=False))
        if not row:
            continue
        label = _label(row.get("expression", ""), where)
        if label is None:  # such rows have no box either
            continue
        name = path(row["subDirectory_filePath"])
        yield Entry(name, images / name, hard_target(label), label, _box(row, where))


def _box(row: Mapping[str, str], where: str) -> Box:
    try:
        box = Box(*(float(row[column]) for column in COLUMNS[1:5]))
    except (KeyError, ValueError) as error:
        raise InvalidDataError(f"{where}: the face's box is four numbers") from error
    if not all(map(math.isfinite, astuple(box))) or min(box.width, box.height) <= 0:
        raise InvalidDataError(f"{where}: no face has a box of {astuple(box)}")
    return box


def _exported(folder: Traversable) -> Iterator[Entry]:
    annotations = {file.name: file for file in (folder / "annotations").iterdir()}
    images = folder / "images"
    pictures = {PurePath(f.name).stem: f for f in images.iterdir()} if images.is_dir() else {}
    for name in sorted(annotations):
        if not name.endswith(SUFFIX):
            continue
        where = f"{folder.name}/annotations/{name}"
        stem = name.removesuffix(SUFFIX)
        picture = pictures.get(stem, images / f"{stem}.jpg")
        if (label := _label(_expression(annotations[name], where), where)) is not None:
            yield Entry(f"{folder.name}/{picture.name}", picture, hard_target(label), label)


def _expression(file: Traversable, where: str) -> str:
    try:
        with io.BytesIO(file.read_bytes()) as blob:
            return str(np.load(blob, allow_pickle=False).item())
    except (ValueError, EOFError, *UNREADABLE) as error:
        raise InvalidDataError(f"{where}: not an array of one expression") from error


def _label(value: str, where: str) -> int | None:
    """Return the index in EMOTIONS of an expression number, None for those that are skipped."""
    try:
        number = float(value)
    except ValueError as error:
        raise InvalidDataError(f"{where}: expression {value!r} is not a number") from error
    if number not in range(LAST_EXPRESSION + 1):
        raise InvalidDataError(f"{where}: expression {value} is not 0 to {LAST_EXPRESSION}")
    return EMOTIONS.index(EXPRESSIONS[int(number)]) if number < len(EXPRESSIONS) else None
