"""What a data set holds: counts by emotion and split, and a sheet of its pictures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from emotion_streams.emotions import EMOTIONS
from training.datasets import NO_WINNER, Faces
from training.plots import contact_sheet

PER_EMOTION: Final = 12


def counts(splits: Mapping[str, Faces]) -> str:
    """A table: a row per emotion, a column per split, of pictures with that winner; then those
    without a winner, which train with the shares of their votes but are not judged."""
    rows = [("", *splits)]
    for index, emotion in enumerate(EMOTIONS):
        rows.append((emotion, *(f"{(f.winners == index).sum():,}" for f in splits.values())))
    rows.append(("no winner", *(f"{(f.winners == NO_WINNER).sum():,}" for f in splits.values())))
    rows.append(("pictures", *(f"{len(f):,}" for f in splits.values())))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip()
        for row in rows
    )


def write_sheet(faces: Faces, path: Path, seed: int = 0) -> None:
    """A PNG with up to PER_EMOTION pictures of each emotion, drawn at random."""
    rng = np.random.default_rng(seed)
    rows = []
    for index, emotion in enumerate(EMOTIONS):
        which = np.flatnonzero(faces.winners == index)
        rows.append((emotion, faces.pictures[rng.permutation(which)[:PER_EMOTION]]))
    contact_sheet(rows, path)
