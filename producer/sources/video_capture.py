"""Connections of cv2's FFmpeg backend, and what they report about their stream."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from producer.opencv import cv2

KEY_FRAMES_ONLY: Final = {"avdiscard": "nonkey"}
"""The option that makes FFmpeg's decoders skip all frames but key frames."""

_DEVICES: Final = "hw_decoders_any"
_OPTIONS: Final = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_MAX_ASPECT: Final = 8.0
"""Largest pixel aspect ratio that is believed. A larger one is a mistake in the file."""


def decode_on(*devices: str) -> dict[str, str]:
    """Return the options to decode on the first of these kinds of device that works, or on the CPU.

    The kinds have FFmpeg's names, such as vaapi.
    """
    return {_DEVICES: ",".join(devices)}


def connect(
    url: str, open_s: float, read_s: float, options: Mapping[str, str]
) -> "cv2.VideoCapture | None":
    """Open a URL or path with FFmpeg's `options`. Return None if FFmpeg finds no video there."""
    properties = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
        round(open_s * 1000),
        cv2.CAP_PROP_READ_TIMEOUT_MSEC,
        round(read_s * 1000),
        # With several threads, FFmpeg delays the output by one frame per thread.
        cv2.CAP_PROP_N_THREADS,
        1,
    ]
    if _DEVICES in options:
        properties += [cv2.CAP_PROP_HW_ACCELERATION, cv2.VIDEO_ACCELERATION_ANY]
    with _environ_options(options):
        capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, properties)
    if capture.isOpened():
        return capture
    capture.release()
    return None


@contextmanager
def _environ_options(options: Mapping[str, str]) -> Iterator[None]:
    """Set FFmpeg's options for what is opened here. OpenCV reads the variable at each open."""
    before = os.environ.get(_OPTIONS)
    os.environ[_OPTIONS] = "|".join(f"{name};{value}" for name, value in options.items())
    try:
        yield
    finally:
        # Left behind, they would apply to anything that this process opens next.
        if before is None:
            del os.environ[_OPTIONS]
        else:
            os.environ[_OPTIONS] = before


def codec(capture: "cv2.VideoCapture") -> str:
    """Return the container's four letters for the codec."""
    letters = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=True)
    return letters.decode("ascii", "replace").strip("\0 ").lower()


def position_s(capture: "cv2.VideoCapture") -> float:
    """Return the timestamp of the grabbed frame in seconds."""
    return capture.get(cv2.CAP_PROP_POS_MSEC) / 1000


def is_key_frame(capture: "cv2.VideoCapture") -> bool:
    """Return whether the newest packet that was read is a key frame."""
    return capture.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME) > 0


def plausible_fps(capture: "cv2.VideoCapture") -> float:
    """Return the nominal rate, 0 if unknown."""
    fps = capture.get(cv2.CAP_PROP_FPS)
    # A stream without a rate reports its time base instead, which is 90000 for RTP.
    return fps if 0 < fps <= 1000 else 0.0


def aspect(capture: "cv2.VideoCapture") -> float:
    """Return the width of a pixel over its height in the displayed picture, 1 if unknown."""
    across, down = capture.get(cv2.CAP_PROP_SAR_NUM), capture.get(cv2.CAP_PROP_SAR_DEN)
    if across <= 0 or down <= 0:
        return 1.0
    ratio = across / down
    if not 1 / _MAX_ASPECT <= ratio <= _MAX_ASPECT:
        return 1.0
    turned = capture.get(cv2.CAP_PROP_ORIENTATION_META) % 180 == 90  # OpenCV has rotated them
    return 1 / ratio if turned else ratio
