"""FER+ in its public layout.

It has folders FER2013Train, FER2013Valid and FER2013Test, each with a label.csv of the votes of ten
annotators, and exclude.txt with pictures that are in two splits.

Source: Barsoum et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced
Label Distribution" (arXiv:1608.01041).
"""

from importlib.resources.abc import Traversable
from typing import Final

from emotion_streams.emotions import EMOTIONS
from training.datasets.entry import AMBIGUOUS, Entry, InvalidDataError
from training.datasets.listing import path, rows

SPLITS: Final = {"train": "FER2013Train", "valid": "FER2013Valid", "test": "FER2013Test"}
LABELS: Final = "label.csv"
EXCLUDED: Final = "exclude.txt"

COLUMNS: Final[tuple[str, ...]] = (
    *("neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear", "contempt"),
    *("unknown", "NF"),
)
"""The columns of votes in label.csv, after the file's name and the face's box."""

HEADS: Final = ("image name", "image", "name", "file")
"""The first cell of a header, in lower case."""

LEAST_VOTES: Final = 2
"""A single annotator's vote is treated as an error, as in the paper."""

WINNING_VOTES: Final = 5
"""A picture is labelled with its most voted emotion if that has at least half of the ten votes."""


def matches(root: Traversable) -> bool:
    """Return whether the folder contains FER+ splits."""
    return bool(splits(root))


def splits(root: Traversable) -> list[str]:
    """Return the splits that exist."""
    there = _folders(root)
    return [name for name, folder in SPLITS.items() if folder.lower() in there]


def missing(root: Traversable) -> str | None:
    """Return what the folder lacks to be FER+, or None if it contains nothing of it."""
    if (root / LABELS).is_file():
        return (
            f"{LABELS} belongs into a folder {' or '.join(SPLITS.values())}; name the one above it"
        )
    named = {folder.lower() for folder in SPLITS.values()}
    for child in root.iterdir():
        if child.name.lower() in named and child.is_dir() and not (child / LABELS).is_file():
            return f"{child.name} has no {LABELS}"
    return None


def entries(root: Traversable, split: str) -> list[Entry]:
    """Return the split's pictures, without the excluded ones and those without an emotion.

    Raises InvalidDataError.
    """
    folder = _folders(root)[SPLITS[split].lower()]
    excluded = _excluded(root)
    found, columns = [], COLUMNS
    labels = f"{SPLITS[split]}/{LABELS}"
    for number, row in enumerate(rows(folder / LABELS, labels), start=1):
        where = f"{labels} line {number}"
        if not row:
            continue
        if number == 1 and row[0].strip().lower() in HEADS:
            columns = _columns(row, where)
            continue
        if len(row) != 2 + len(COLUMNS):
            raise InvalidDataError(f"{where}: {len(row)} columns, not {2 + len(COLUMNS)}")
        name = path(row[0])
        votes = _votes(row[2:], columns, where)
        if not name or f"{SPLITS[split]}/{name}" in excluded:
            continue
        if entry := _entry(f"{SPLITS[split]}/{name}", folder / name, votes):
            found.append(entry)
    return found


def label(votes: dict[str, int]) -> int:
    """Return the index in EMOTIONS of the emotion with the most votes, or AMBIGUOUS.

    It must have more votes than any other emotion, and at least WINNING_VOTES.
    """
    counted = [votes[emotion] for emotion in EMOTIONS]
    first, second = sorted(counted, reverse=True)[:2]
    return AMBIGUOUS if first < WINNING_VOTES or first == second else counted.index(first)


def _entry(name: str, file: Traversable, votes: dict[str, int]) -> Entry | None:
    counted = [votes[e] if votes[e] >= LEAST_VOTES else 0 for e in EMOTIONS]
    total = sum(counted)
    if total == 0 or max(votes["unknown"], votes["NF"]) > max(counted):
        return None
    return Entry(name, file, tuple(count / total for count in counted), label(votes))


def _folders(root: Traversable) -> dict[str, Traversable]:
    """Return the folders that contain a label.csv, by their names in lower case."""
    folders = (child for child in root.iterdir() if child.is_dir())
    return {child.name.lower(): child for child in folders if (child / LABELS).is_file()}


def _columns(header: list[str], where: str) -> tuple[str, ...]:
    """Return the columns of votes as the header names them.

    A header that only numbers them means the usual order.
    """
    names = [name.strip().lower() for name in header[2:]]
    if all(name.isdigit() for name in names):
        return COLUMNS
    by_name = {column.lower(): column for column in COLUMNS}
    if sorted(names) != sorted(by_name):
        raise InvalidDataError(f"{where}: the columns are {', '.join(COLUMNS)}, not {names}")
    return tuple(by_name[name] for name in names)


def _votes(cells: list[str], columns: tuple[str, ...], where: str) -> dict[str, int]:
    try:
        return dict(zip(columns, map(int, cells), strict=True))
    except ValueError as error:
        raise InvalidDataError(f"{where}: votes are whole numbers, not {cells}") from error


def _excluded(root: Traversable) -> frozenset[str]:
    listing = root / EXCLUDED
    if not listing.is_file():
        return frozenset()
    return frozenset(path(row[0]) for row in rows(listing, EXCLUDED) if row)
