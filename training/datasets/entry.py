"""The form into which every layout of labelled faces is read: entries, and pictures in memory."""

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
from emotion_streams.faces import Box
from emotion_streams.printable import printable
from worker.inference.crop import Image, crop_face, preprocess
from worker.model.card import CropGeometry, ModelCard

AMBIGUOUS = -1
"""The label of a picture whose annotators do not agree. It is trained on, but not scored."""

AS_IT_IS = CropGeometry(scale=1.0)
"""The crop is the data set's own face box, or the whole picture if it has none."""


class InvalidDataError(Exception):
    """A data set cannot be used; the message says what is wrong, where, and what was expected."""


class UnreadablePictureError(Exception):
    """A file is missing or is not a picture. The caller reports and skips it."""


UNREADABLE: Final = (OSError, KeyError, zipfile.BadZipFile, zlib.error, RuntimeError, cv2.error)
"""The errors of a file that is missing, damaged, or encrypted in its zip."""


@dataclass(frozen=True)
class Entry:
    """A labelled face whose picture has not been read yet.

    `target` holds the shares of the eight emotions in the order of EMOTIONS and sums to 1. `label`
    is the index of the emotion that a prediction is compared with, or AMBIGUOUS. `box` is the face
    in the picture's pixels; None means that the whole picture is the face.
    """

    name: str
    file: Traversable
    target: tuple[float, ...]
    label: int
    box: Box | None = None

    def read(self) -> Image:
        """Return the picture, uint8 BGR (height, width, 3). Raises UnreadablePictureError."""
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
        """Return the square of the picture that is the labelled face: uint8 BGR (side, side, 3)."""
        height, width = picture.shape[:2]
        return crop_face(picture, self.box or Box(0, 0, width, height), AS_IT_IS)


@dataclass(frozen=True)
class Faces:
    """Labelled faces of one split, small and in memory.

    `pictures` is uint8 (n, side, side) grey or (n, side, side, 3) BGR. `targets` float32 (n, 8) and
    `labels` int64 (n,) are as in Entry.
    """

    names: tuple[str, ...]
    pictures: NDArray[np.uint8]
    targets: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.names)

    def take(self, where: NDArray[np.int64] | NDArray[np.bool_]) -> "Faces":
        """Return the faces at these indices, or those for which this mask is true."""
        names = np.array(self.names, dtype=object)[where]
        return Faces(tuple(names), self.pictures[where], self.targets[where], self.labels[where])

    def labelled(self) -> "Faces":
        """Return the faces that are not ambiguous: those that accuracy is measured on."""
        return self.take(self.labels != AMBIGUOUS)

    def sha256(self) -> str:
        """Return a digest of the pictures and targets in order, which identifies the data."""
        digest = hashlib.sha256(np.ascontiguousarray(self.pictures).data.cast("B"))
        digest.update(np.ascontiguousarray(self.targets).data.cast("B"))
        return digest.hexdigest()


def target_shares(targets: NDArray[np.float32]) -> dict[str, float]:
    """Return each emotion's share of the targets, float32 (n, 8)."""
    shares = targets.mean(axis=0, dtype=np.float64)
    return {emotion: float(share) for emotion, share in zip(EMOTIONS, shares, strict=True)}


def hard_target(label: int) -> tuple[float, ...]:
    """Return the target of a picture with one label."""
    return tuple(float(index == label) for index in range(len(EMOTIONS)))


def warn(message: str) -> None:
    """Print a message on stderr about something that was skipped, with its name escaped."""
    print(printable(message), file=sys.stderr)


def read_faces(
    entries: Sequence[Entry], card: ModelCard, skipped: Callable[[str], None] = warn
) -> Faces:
    """Read every face at the card's `source_size` and colour, in the order of the entries.

    An unreadable picture is reported to `skipped` by name and left out. Memory is allocated once,
    for the pictures in their final form. Raises InvalidDataError if no picture remains.
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
        np.array([entry.label for entry in kept], np.int64),
    )


def _parts(count: int, size: int = 1024) -> Iterator[range]:
    """Return 0 to count - 1 in parts, because pictures that wait for a thread need memory, too."""
    return (range(first, min(first + size, count)) for first in range(0, count, size))


def at_source_size(crop: Image, card: ModelCard) -> Image:
    """Return a crop as it is kept: uint8 (source_size, source_size), or BGR with a third axis.

    This is the first half of `worker.inference.crop.preprocess`, which then only scales it to the
    input size.
    """
    at_source = replace(card, input_size=card.source_size)
    prepared = preprocess(crop, at_source)
    return np.ascontiguousarray(
        prepared[:, :, 0] if card.colour == "grey" else prepared[:, :, ::-1]
    )
