"""What every layout of labelled faces is read into: entries, and then pictures in memory."""

import hashlib
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from importlib.resources.abc import Traversable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from emotion_streams.emotions import EMOTIONS
from emotion_streams.events import Box
from worker.inference.crop import Image, crop_face, preprocess
from worker.model.card import CropGeometry, ModelCard

NO_WINNER = -1
"""The winner of a picture whose annotators do not agree: it trains, but is not judged."""

AS_IT_IS = CropGeometry(scale=1.0)
"""A data set's own face box (or the whole picture, where it has none) is the crop."""


class InvalidDataError(Exception):
    """A data set that cannot be used: what is wrong, where, and what was expected."""


class UnreadablePictureError(Exception):
    """A file that is no picture, or not there: it is named and skipped."""


UNREADABLE: Final = (OSError, KeyError, zipfile.BadZipFile, zlib.error, RuntimeError, cv2.error)
"""A file that is not there, or damaged or encrypted in its zip."""


@dataclass(frozen=True)
class Entry:
    """A labelled face that is not read yet.

    `target` holds the eight emotions' shares in the order of EMOTIONS and sums to 1; `winner` is
    the index of the emotion that the picture is judged by, or NO_WINNER. `box` is the face in
    the picture's pixels, None where the picture is the face.
    """

    name: str
    file: Traversable
    target: tuple[float, ...]
    winner: int
    box: Box | None = None

    def read(self) -> Image:
        """The picture, uint8 BGR (height, width, 3); UnreadablePictureError names what cannot
        be."""
        try:
            blob = self.file.read_bytes()
            data = np.frombuffer(blob, np.uint8)
            picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if blob else None
        except UNREADABLE as error:
            raise UnreadablePictureError(f"{self.name}: {error}") from error
        if picture is None:
            raise UnreadablePictureError(f"{self.name}: not a picture that OpenCV can decode")
        return np.asarray(picture, np.uint8)

    def face(self, picture: Image) -> Image:
        """The square of the picture that is the labelled face: uint8 BGR (side, side, 3)."""
        height, width = picture.shape[:2]
        return crop_face(picture, self.box or Box(0, 0, width, height), AS_IT_IS)


@dataclass(frozen=True)
class Faces:
    """Labelled faces of one split, small and in memory.

    `pictures` is uint8 (n, side, side) grey or (n, side, side, 3) BGR; `targets` float32 (n, 8)
    and `winners` int64 (n,) are as in Entry.
    """

    names: tuple[str, ...]
    pictures: NDArray[np.uint8]
    targets: NDArray[np.float32]
    winners: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)

    def take(self, where: NDArray[np.int64] | NDArray[np.bool_]) -> "Faces":
        """The faces at these indices, or where this mask is true."""
        names = np.array(self.names, dtype=object)[where]
        return Faces(tuple(names), self.pictures[where], self.targets[where], self.winners[where])

    def judged(self) -> "Faces":
        """Those with a winner: the ones that accuracy is measured on."""
        return self.take(self.winners != NO_WINNER)

    def sha256(self) -> str:
        """Identifies the data that a run was trained on: pictures and targets, in order."""
        digest = hashlib.sha256(np.ascontiguousarray(self.pictures).data.cast("B"))
        digest.update(np.ascontiguousarray(self.targets).data.cast("B"))
        return digest.hexdigest()


def target_shares(targets: NDArray[np.float32]) -> dict[str, float]:
    """Each emotion's share of targets (n, 8)."""
    shares = targets.mean(axis=0, dtype=np.float64)
    return {emotion: float(share) for emotion, share in zip(EMOTIONS, shares, strict=True)}


def hard_target(winner: int) -> tuple[float, ...]:
    """The target of a picture with one label."""
    return tuple(float(index == winner) for index in range(len(EMOTIONS)))


def warn(message: str) -> None:
    """Say on stderr what was skipped and why."""
    print(message, file=sys.stderr)


def read_faces(
    entries: Sequence[Entry], card: ModelCard, skipped: Callable[[str], None] = warn
) -> Faces:
    """Read every face at the card's `source_size` and colour, in the order of the entries; what is
    unreadable is reported to `skipped` by name and left out. InvalidDataError where nothing
    remains.

    Memory is taken once, for the pictures as they are kept.
    """
    side = (card.source_size, card.source_size)
    pictures = np.empty((len(entries), *side, *(() if card.colour == "grey" else (3,))), np.uint8)

    def read(index: int) -> str | None:
        entry = entries[index]
        try:
            pictures[index] = at_source_size(entry.face(entry.read()), card)
        except UnreadablePictureError as error:
            return f"skipped: {error}"
        return None

    kept: list[Entry] = []
    with ThreadPoolExecutor() as threads:  # OpenCV and zlib work without the GIL
        for part in _parts(len(entries)):
            for index, problem in zip(part, threads.map(read, part), strict=True):
                if problem:
                    skipped(problem)
                    continue
                pictures[len(kept)] = pictures[index]
                kept.append(entries[index])
    if not kept:
        raise InvalidDataError("no readable picture with an emotion among those asked for")
    return Faces(
        tuple(entry.name for entry in kept),
        pictures[: len(kept)],
        np.array([entry.target for entry in kept], np.float32),
        np.array([entry.winner for entry in kept], np.int64),
    )


def _parts(count: int, size: int = 1024) -> Iterator[range]:
    """0 to count - 1 in parts: what waits for a thread takes memory too."""
    return (range(first, min(first + size, count)) for first in range(0, count, size))


def at_source_size(crop: Image, card: ModelCard) -> Image:
    """A crop as it is kept in memory: uint8 (source_size, source_size), or BGR with a third axis.

    It is the first half of `worker.inference.crop.preprocess`, which later only scales it to the
    input size.
    """
    at_source = replace(card, input_size=card.source_size)
    prepared = preprocess(crop, at_source)
    return np.ascontiguousarray(
        prepared[:, :, 0] if card.colour == "grey" else prepared[:, :, ::-1]
    )
