"""The commands about data: `inspect` and `geometry`."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from emotion_streams.emotions import EMOTIONS
from training import plots
from training.datasets import AMBIGUOUS, Faces, open_data, read_faces
from training.geometry import build_detector, measure
from training.run_config import InvalidConfigError
from worker.model import release
from worker.model.card import read_card

PER_EMOTION: Final = 12
"""Maximum number of pictures of each emotion on the contact sheet."""


def inspect(options: argparse.Namespace) -> None:
    """Print the counts per emotion and split, and draw a contact sheet of the first split."""
    plots.require()
    data = open_data(options.data)
    card = read_card(release.locate(release.DEFAULT_RELEASE))
    splits = {split: read_faces(data.entries(split), card) for split in data.splits()}
    print(f"{options.data}: {data.layout}")
    print(counts(splits))
    options.sheet.parent.mkdir(parents=True, exist_ok=True)
    write_sheet(next(iter(splits.values())), options.sheet)
    print(f"contact sheet: {options.sheet}")


def geometry(options: argparse.Namespace) -> None:
    """Print a detector's crop geometry, measured on a data set."""
    if options.every < 1:
        raise InvalidConfigError("--every is 1 or more")
    detector = build_detector(options.detect, options.detector_model)
    entries = open_data(options.data).entries(options.split)[:: options.every]
    found = measure(entries, detector)
    crop = found.geometry
    print(
        f"{detector.name}: scale {crop.scale:g} (spread {found.spread:g}), "
        f"shift_x {crop.shift_x:g}, shift_y {crop.shift_y:g}; "
        f"{found.detected} of {found.pictures} faces found"
    )


def counts(splits: Mapping[str, Faces]) -> str:
    """Return a table of picture counts: a row per label, a column per split.

    Ambiguous pictures are counted separately: their votes are training targets, but accuracy is
    not measured on them.
    """
    rows = [("", *splits)]
    for index, emotion in enumerate(EMOTIONS):
        rows.append((emotion, *(f"{(f.labels == index).sum():,}" for f in splits.values())))
    rows.append(("ambiguous", *(f"{(f.labels == AMBIGUOUS).sum():,}" for f in splits.values())))
    rows.append(("pictures", *(f"{len(f):,}" for f in splits.values())))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    )


def write_sheet(faces: Faces, path: Path, seed: int = 0) -> None:
    """Write a PNG file with up to PER_EMOTION pictures of each emotion, chosen at random."""
    rng = np.random.default_rng(seed)
    rows = []
    for index, emotion in enumerate(EMOTIONS):
        which = np.flatnonzero(faces.labels == index)
        rows.append((emotion, faces.pictures[rng.permutation(which)[:PER_EMOTION]]))
    plots.contact_sheet(rows, path)
