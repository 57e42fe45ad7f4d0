"""A folder of pictures as a camera."""

import contextlib
import logging
import os
from pathlib import Path
from typing import Final

import numpy as np

from emotion_streams.jpeg import MAX_SCANS
from emotion_streams.printable import printable
from producer.opencv import cv2
from producer.source import (
    EndOfSourceError,
    Format,
    NoSuchSourceError,
    Pixels,
    UndecodableFrameError,
)

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})

_JPEG: Final = b"\xff\xd8"
_SCAN: Final = b"\xff\xda"

_MAX_MIB: Final = 256
"""Larger files are not read: 36 megapixels with 16 bits a colour take 206 MiB."""

# Maximum number of damaged pictures that one warning names.
_NAMED: Final = 5

_log = logging.getLogger(__name__)


class FolderSource:
    """The pictures of a folder in order of name, `fps` a second. EXIF orientation is applied."""

    live = False

    def __init__(self, folder: Path, fps: float, loop: bool) -> None:
        self._folder = folder
        self._fps = fps
        self._loop = loop
        self._pictures: list[Path] = []
        self._index = -1
        self._damaged: dict[Path, str] = {}

    def open(self) -> Format:
        """List the folder. Raises NoSuchSourceError if no picture in it can be decoded."""
        shown = printable(str(self._folder))
        try:
            # Regular files only: reading a FIFO that is named like a picture would block.
            self._pictures = sorted(
                path
                for path in self._folder.iterdir()
                if path.suffix.lower() in SUFFIXES and path.is_file()
            )
        except OSError as error:
            raise NoSuchSourceError(f"{shown}: {error.strerror or error}") from None
        if not self._pictures:
            raise NoSuchSourceError(
                f"{shown}: no picture in this folder (of {', '.join(sorted(SUFFIXES))})"
            )
        self._index, self._damaged = -1, {}
        for path in self._pictures:
            with contextlib.suppress(UndecodableFrameError):
                height, width = _read(path).shape[:2]
                return Format(width, height, self._fps, "pictures")
        raise NoSuchSourceError(f"{shown}: none of its pictures can be decoded")

    def grab(self) -> float:
        """Advance to the next picture, and if `loop` is set from the last to the first.

        Return its timestamp in seconds. Raises EndOfSourceError.
        """
        self._index += 1
        if self._index == len(self._pictures):
            self._warn_of_damaged()
        if self._index >= len(self._pictures) and not self._loop:
            raise EndOfSourceError
        return self._index / self._fps

    def retrieve(self) -> Pixels:
        """Return the decoded picture. Raises UndecodableFrameError."""
        path = self._pictures[self._index % len(self._pictures)]
        try:
            return _read(path)
        except UndecodableFrameError as error:
            self._damaged[path] = str(error)
            raise

    def close(self) -> None:
        """Clear the list of pictures."""
        self._pictures = []

    def _warn_of_damaged(self) -> None:
        if not self._damaged:
            return
        named = ", ".join(list(self._damaged.values())[:_NAMED])
        more = f" and {len(self._damaged) - _NAMED} more" if len(self._damaged) > _NAMED else ""
        _log.warning(
            "%d of %d pictures cannot be decoded: %s%s",
            len(self._damaged),
            len(self._pictures),
            named,
            more,
        )


def _read(path: Path) -> Pixels:
    shown = printable(str(path))
    try:
        # imread crashes on names that are not UTF-8, and fails on the orientation of a TIFF.
        content = _content(path)
        # Decoding it would take minutes; read_header has the same limit.
        if content.startswith(_JPEG) and (scans := content.count(_SCAN)) > MAX_SCANS:
            raise UndecodableFrameError(f"{shown}: has {scans} scans, the limit is {MAX_SCANS}")
        pixels = (
            cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
        )
    except OSError as error:
        raise UndecodableFrameError(f"{shown}: {error.strerror or error}") from error
    except MemoryError:
        raise UndecodableFrameError(
            f"{shown}: takes more memory than a camera's process may use"
        ) from None
    except cv2.error as error:  # for example if it exceeds the limit of pixels
        raise UndecodableFrameError(f"{shown}: {error.err}") from error
    if pixels is None:
        raise UndecodableFrameError(f"{shown}: not a picture")
    return np.asarray(pixels, np.uint8)


def _content(path: Path) -> bytes:
    """Return the bytes of the file. Raises OSError, MemoryError and UndecodableFrameError."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        # One byte more, because the file may grow.
        content = file.read(size + 1) if size <= _MAX_MIB << 20 else b""
    if max(size, len(content)) > _MAX_MIB << 20:
        raise UndecodableFrameError(f"{printable(str(path))}: larger than {_MAX_MIB} MiB")
    return content
