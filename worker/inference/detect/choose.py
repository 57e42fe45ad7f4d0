"""Chooses the detector of a worker, and gets YuNet's file."""

import hashlib
import http.client
import logging
import os
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import cv2

from worker.inference.detect import BatchDetector, Detector
from worker.inference.detect.haar import Haar
from worker.inference.detect.yunet import DETECT_SIDE
from worker.inference.detect.yunet_fastest import fastest_yunet

YUNET_FILE: Final = "face_detection_yunet_2023mar.onnx"
YUNET_SHA256: Final = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
YUNET_URL: Final = (
    "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models/"
    f"face_detection_yunet/{YUNET_FILE}"
)
_DOWNLOAD_TIMEOUT_S: Final = 5.0
_DOWNLOAD_WITHIN_S: Final = 20.0
"""Limit of the whole download, so that a slow network does not block the start of a worker."""
_MAX_DOWNLOAD: Final = 1 << 20
"""Limit in bytes. YuNet's file has 232,589 bytes, so a longer file is not YuNet's."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class DetectorUnavailableError(RuntimeError):
    """The requested detector is unavailable; the message says why and what to do."""


def choose_detector(
    name: str, model: Path | None, *, side: int = DETECT_SIDE, threads: int | None = None
) -> Callable[[], Detector]:
    """Return a factory of detectors, one per thread.

    `name` is `yunet`, `haar`, or `auto` for YuNet if its file is available, else Haar. `model` is
    YuNet's file. Without it, the file is read from the cache, or downloaded into the cache. `side`
    is the longer side in pixels to which pictures are reduced for YuNet; Haar has its own size.
    `threads` threads may detect at once, and none waits for another. Without `threads`, one thread
    may detect, and its results depend on the pictures alone. Raises DetectorUnavailableError.
    """
    if name == "haar":
        return Haar
    return _yunet(name, model, lambda weights: fastest_yunet(weights, threads, side)) or Haar


def choose_batch_detector(
    name: str, model: Path | None, *, side: int = DETECT_SIDE, threads: int = 1
) -> BatchDetector | None:
    """Return YuNet in Keras, or None if `name` is `auto` and YuNet's file is not available.

    `name` is `yunet` or `auto`; `model` and `side` are those of choose_detector. `threads` are for
    the backend's operations on the CPU. Raises DetectorUnavailableError.
    """

    def build(weights: bytes) -> BatchDetector:
        from worker.inference.detect.yunet_keras import YuNetKeras

        return YuNetKeras(weights, side, threads)

    return _yunet(name, model, build)


def _yunet(name: str, model: Path | None, build: Callable[[bytes], T]) -> T | None:
    """Return what `build` makes of YuNet's file, None if it is unavailable and not insisted on."""
    try:
        # Run the same bytes that were checked, because the file may be replaced meanwhile.
        return build(_read_checked(model) if model else fetch_yunet(cache_folder(), YUNET_URL))
    except (OSError, cv2.error, ValueError) as error:
        if name == "yunet" or model:
            raise DetectorUnavailableError(
                f"YuNet is unavailable: {error}. Give its file with --detector-model, "
                "or take --detector haar"
            ) from error
        log.warning(
            "YuNet is unavailable, so the Haar cascade runs instead: several times slower, and it "
            "misses about one face in four. Give YuNet's file with --detector-model",
            extra={"reason": str(error)},
        )
        return None


def cache_folder() -> Path:
    """Return the folder of downloads: emotion-streams in XDG_CACHE_HOME, else in ~/.cache.

    Raises OSError without a home folder, for example for a user who is not in /etc/passwd.
    """
    if base := os.environ.get("XDG_CACHE_HOME"):
        return Path(base) / "emotion-streams"
    try:
        return Path.home() / ".cache" / "emotion-streams"
    except RuntimeError as error:
        raise OSError(
            "no folder to keep it in: this user has no home folder; set XDG_CACHE_HOME"
        ) from error


def fetch_yunet(folder: Path, url: str) -> bytes:
    """Return the content of YuNet's file in `folder`, downloaded from `url` if it is missing.

    The sha256 of the content is checked. Raises OSError if the file is not available, ValueError if
    the sha256 is another one.
    """
    path = folder / YUNET_FILE
    if path.is_file():
        return _read_checked(path)
    blob = _download(url)
    _check(blob, url)
    folder.mkdir(parents=True, exist_ok=True)
    # The file gets its name last: workers that start together must not read half a file.
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as part:
        part.write(blob)
    # Temporary files are their owner's alone; root builds the image, another user runs the worker.
    Path(part.name).chmod(0o644)
    Path(part.name).replace(path)
    return blob


def _download(url: str) -> bytes:
    """Return the content of `url`, cut off soon after _MAX_DOWNLOAD bytes.

    Raises OSError.
    """
    deadline = time.monotonic() + _DOWNLOAD_WITHIN_S
    blob = bytearray()
    try:
        with urllib.request.urlopen(url, timeout=_DOWNLOAD_TIMEOUT_S) as reply:  # noqa: S310 - https
            while len(blob) < _MAX_DOWNLOAD and (part := reply.read1(1 << 16)):
                blob += part
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{url}: not downloaded within {_DOWNLOAD_WITHIN_S} s")
    # A reply that is not HTTP, for example from a network with a login page, or a redirect to an
    # invalid URL.
    except (http.client.HTTPException, ValueError) as error:
        raise OSError(f"{url}: {type(error).__name__}: {error}") from error
    return bytes(blob)


def _read_checked(path: Path) -> bytes:
    blob = path.read_bytes()
    _check(blob, str(path))
    return blob


def _check(blob: bytes, where: str) -> None:
    digest = hashlib.sha256(blob).hexdigest()
    if digest != YUNET_SHA256:
        raise ValueError(f"{where}: sha256 is {digest}, not YuNet's {YUNET_SHA256}")
