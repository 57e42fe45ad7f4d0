"""Which detector a worker runs, and where YuNet's file comes from."""

import hashlib
import http.client
import logging
import os
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final

import cv2

from worker.inference.detect import Detector
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
"""All of it: a network that hands out a byte at a time must not hold a worker's start."""
_MAX_DOWNLOAD: Final = 1 << 20
"""The file has 232,589 bytes; whatever is longer is something else."""

log = logging.getLogger(__name__)


class NoDetector(RuntimeError):
    """The detector asked for cannot be had: why, and what to do."""


def choose_detector(
    name: str, model: Path | None, *, side: int = DETECT_SIDE, threads: int | None = None
) -> Callable[[], Detector]:
    """Return a factory of detectors, one per thread.

    `name` is `yunet`, `haar`, or `auto` for YuNet if its file is available, else Haar. `model` is
    YuNet's file; without it, the file is taken from the cache or downloaded into it. `side`: the
    longer side in pixels that YuNet sees pictures at; Haar has a size of its own. `threads` may
    detect at once; without it, one per core. Raises NoDetector.
    """
    if name == "haar":
        return Haar
    try:
        # The bytes that were checked are the bytes that run: the file may be replaced meanwhile.
        weights = _read_checked(model) if model else fetch_yunet(cache_folder(), YUNET_URL)
        return fastest_yunet(weights, threads or len(os.sched_getaffinity(0)), side)
    except (OSError, cv2.error, ValueError) as error:
        if name == "yunet" or model:
            raise NoDetector(
                f"YuNet cannot be had: {error}. Give its file with --detector-model, "
                "or take --detector haar"
            ) from error
        log.warning(
            "YuNet cannot be had, so the Haar cascade runs instead: several times slower, and it "
            "misses about one face in four. Give YuNet's file with --detector-model",
            extra={"reason": str(error)},
        )
        return Haar


def cache_folder() -> Path:
    """Return where downloads are kept: XDG_CACHE_HOME/emotion-streams, else ~/.cache.

    Raises OSError if there is no home folder, as for a user without an entry in /etc/passwd.
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

    It is checked by its sha256. Raises OSError if it is not available, ValueError if it is another
    file.
    """
    path = folder / YUNET_FILE
    if path.is_file():
        return _read_checked(path)
    blob = _download(url)
    _check(blob, url)
    folder.mkdir(parents=True, exist_ok=True)
    # Under another name first: workers that start together must not read half a file.
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as part:
        part.write(blob)
    Path(part.name).replace(path)
    return blob


def _download(url: str) -> bytes:
    """What stands at `url`, at most _MAX_DOWNLOAD bytes. Raises OSError."""
    deadline = time.monotonic() + _DOWNLOAD_WITHIN_S
    blob = bytearray()
    try:
        with urllib.request.urlopen(url, timeout=_DOWNLOAD_TIMEOUT_S) as reply:  # noqa: S310 - https
            while len(blob) < _MAX_DOWNLOAD and (part := reply.read1(1 << 16)):
                blob += part
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{url}: not downloaded within {_DOWNLOAD_WITHIN_S} s")
    # What is no HTTP, as of a network that asks for a login first; a redirect to no URL.
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
