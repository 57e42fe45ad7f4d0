"""OpenCV's FFmpeg backend, which the sources for files, RTSP and HTTP share."""

import os
from collections.abc import Mapping
from typing import Final

import numpy as np

from emotion_streams.jpeg import MAX_PIXELS, MAX_SIDE
from producer.opencv import cv2
from producer.picture import decode, jpeg_header, retrieve_frame, retrieve_packet
from producer.source import Format, Picture, Pixels, UndecodableFrameError

_OPTIONS: Final = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_MAX_ASPECT: Final = 8.0
"""Largest pixel aspect ratio that is believed. A larger one is a mistake in the file."""


class FfmpegReader:
    """A cv2.VideoCapture on FFmpeg, with square pixels.

    A frame of an MJPEG stream is the camera's own JPEG if that JPEG is the whole picture. Every
    other frame is pixels.
    """

    def __init__(self) -> None:
        self._capture: cv2.VideoCapture | None = None
        self._raw = False
        self._size = (0, 0)
        self._has_first = False

    def open(
        self,
        url: str,
        open_timeout_s: float,
        read_timeout_s: float,
        options: Mapping[str, str],
    ) -> Format | None:
        """Open a URL or path with FFmpeg's `options`, and grab its first frame.

        Return None if FFmpeg finds no video there, or no frame in it. FFmpeg reports the reason on
        standard error only.
        """
        self.close()
        # OpenCV reads the variable at each open. This process has no other source.
        os.environ[_OPTIONS] = "|".join(f"{name};{value}" for name, value in options.items())
        limits = (open_timeout_s, read_timeout_s)
        capture = _connect(url, *limits)
        if capture is None:
            return None
        codec = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=True)
        self._size = (
            int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
            int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
        )
        # OpenCV and `_resize` apply the container's rotation and pixel aspect to pixels only.
        self._raw = (
            codec.upper() == b"MJPG"
            and capture.get(cv2.CAP_PROP_ORIENTATION_META) == 0
            and _aspect(capture) == 1.0
            and bool(capture.set(cv2.CAP_PROP_FORMAT, -1))
        )
        self._has_first = capture.grab()
        if self._raw and self._has_first and not _is_whole(capture, self._size):
            # Interlaced: a packet has two fields, and its first JPEG has every second line only.
            capture.release()
            self._raw = False
            capture = _connect(url, *limits)
            if capture is None:
                return None
            self._has_first = capture.grab()
        self._capture = capture
        if not self._has_first:
            self.close()
            return None
        width, height = self._square(self._size)
        return Format(
            width=width,
            height=height,
            fps=_plausible_fps(capture.get(cv2.CAP_PROP_FPS)),
            codec=codec.decode("ascii", "replace").strip("\0 ").lower(),
        )

    def grab(self) -> bool:
        """Advance to the next frame. Return False at the end, on an error and on a timeout."""
        if self._has_first:
            self._has_first = False
            return True
        return self._capture is not None and self._capture.grab()

    def position_s(self) -> float:
        """Return the timestamp of the grabbed frame in seconds."""
        return 0.0 if self._capture is None else self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000

    def frame_count(self) -> int:
        """Return the container's number of frames, 0 or less if it names none."""
        return 0 if self._capture is None else int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))

    def retrieve(self) -> Picture:
        """Return the grabbed frame. Raises UndecodableFrameError."""
        picture = retrieve_frame(self._capture, self._raw, "FFmpeg could not decode a frame")
        if not isinstance(picture, bytes):
            return self._resize(picture)
        header = jpeg_header(picture)
        if (header.width, header.height) == self._size:
            return picture
        # FFmpeg's decoder also scales a picture whose size differs from the stream's.
        return self._resize(decode(picture), self._size)

    def close(self) -> None:
        """Release the capture."""
        if self._capture is not None:
            self._capture.release()
            self._capture = None
        self._has_first = False

    def _resize(self, pixels: Pixels, size: tuple[int, int] | None = None) -> Pixels:
        own = (pixels.shape[1], pixels.shape[0])
        wanted = self._square(size or own)
        if wanted == own:
            return pixels
        return np.asarray(cv2.resize(pixels, wanted, interpolation=cv2.INTER_LINEAR), np.uint8)

    def _square(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the size with square pixels. The side that has too few pixels grows."""
        aspect = 1.0 if self._capture is None else _aspect(self._capture)
        width, height = size
        wanted = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
        fits = max(wanted) <= MAX_SIDE and wanted[0] * wanted[1] <= MAX_PIXELS
        return wanted if fits else size


def _connect(url: str, open_s: float, read_s: float) -> "cv2.VideoCapture | None":
    capture = cv2.VideoCapture(
        url,
        cv2.CAP_FFMPEG,
        [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            round(open_s * 1000),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            round(read_s * 1000),
            # With several threads, FFmpeg delays the output by one frame per thread.
            cv2.CAP_PROP_N_THREADS,
            1,
        ],
    )
    if capture.isOpened():
        return capture
    capture.release()
    return None


def _aspect(capture: "cv2.VideoCapture") -> float:
    """Return the width of a pixel over its height in the displayed picture, 1 if unknown."""
    across, down = capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN)
    if across <= 0 or down <= 0:
        return 1.0
    aspect = across / down
    if not 1 / _MAX_ASPECT <= aspect <= _MAX_ASPECT:
        return 1.0
    turned = capture.get(cv2.CAP_PROP_ORIENTATION_META) % 180 == 90  # OpenCV has rotated them
    return 1 / aspect if turned else aspect


def _is_whole(capture: "cv2.VideoCapture", size: tuple[int, int]) -> bool:
    try:
        header = jpeg_header(retrieve_packet(capture))
    except UndecodableFrameError:
        return True  # a damaged frame does not describe the others
    return (header.width, header.height) == size


def _plausible_fps(fps: float) -> float:
    # A stream without a rate reports its time base instead, which is 90000 for RTP.
    return fps if 0 < fps <= 1000 else 0.0
