"""A folder of pictures as a camera."""

import contextlib
from pathlib import Path
from typing import Final

import numpy as np

from producer.opencv import cv2
from producer.source import (
    EndOfSource,
    Format,
    NoSuchSource,
    Pixels,
    UndecodableFrame,
)

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


class FolderSource:
    """The pictures of a folder by name, `fps` a second; orientation in EXIF is honoured."""

    live = False

    def __init__(self, folder: Path, fps: float, loop: bool) -> None:
        self._folder = folder
        self._fps = fps
        self._loop = loop
        self._pictures: list[Path] = []
        self._index = -1

    def open(self) -> Format:
        """List the folder. Raises NoSuchSource where it has no picture."""
        try:
            self._pictures = sorted(
                path for path in self._folder.iterdir() if path.suffix.lower() in SUFFIXES
            )
        except OSError as error:
            raise NoSuchSource(f"{self._folder}: {error.strerror or error}") from None
        if not self._pictures:
            raise NoSuchSource(
                f"{self._folder}: no picture in this folder (of {', '.join(sorted(SUFFIXES))})"
            )
        self._index = -1
        for path in self._pictures:
            with contextlib.suppress(UndecodableFrame):
                height, width = _read(path).shape[:2]
                return Format(width, height, self._fps, "pictures")
        raise NoSuchSource(f"{self._folder}: none of its pictures can be decoded")

    def grab(self) -> float:
        """Advance to the next picture; from the last to the first where it loops."""
        self._index += 1
        if self._index >= len(self._pictures) and not self._loop:
            raise EndOfSource
        return self._index / self._fps

    def retrieve(self) -> Pixels:
        """The picture, decoded."""
        return _read(self._pictures[self._index % len(self._pictures)])

    def close(self) -> None:
        """Forget the list."""
        self._pictures = []


def _read(path: Path) -> Pixels:
    try:
        pixels = cv2.imread(str(path))
    except cv2.error as error:  # as for more pixels than we allow
        raise UndecodableFrame(f"{path}: {error.err}") from error
    if pixels is None:
        raise UndecodableFrame(f"{path}: not a picture")
    return np.asarray(pixels, np.uint8)
