"""Writes a video: raw frames with their times into a pipe, H.264 in MP4 out of ffmpeg."""

import contextlib
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np

from producer.source import Pixels

_ENCODERS: Final = {
    "libx264": ("-preset", "veryfast", "-crf", "22"),
    "libopenh264": ("-b:v", "4M"),
    "libvpx-vp9": ("-deadline", "realtime", "-cpu-used", "8", "-crf", "32", "-b:v", "0"),
}
"""By preference. Browsers play all of them in MP4; VP9 is several times slower to make."""

_LONGEST_WAIT_S: Final = 600.0

# Element ids of Matroska (RFC 9559). A length of all ones means "until the end".
_UNKNOWN: Final = b"\x01" + b"\xff" * 7
_MILLISECOND_NS: Final = 1_000_000
_VIDEO: Final = 1
_KEYFRAME: Final = b"\x81\x00\x00\x80"


class VideoFailedError(Exception):
    """The video cannot be written; the text gives the reason."""


class VideoWriter:
    """Writes frames of one size, each with its time. Use it as a context manager.

    Raises VideoFailedError, at the start if there is no ffmpeg with a usable encoder.
    """

    def __init__(self, path: Path, width: int, height: int) -> None:
        ffmpeg, encoder = find_encoder()
        self._size = (width, height)
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self._process = subprocess.Popen(  # noqa: S603 - ffmpeg from PATH, no shell
            [
                ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-y",
                *("-f", "matroska", "-i", "pipe:0"),
                *("-fps_mode", "passthrough", "-enc_time_base", "1:1000"),
                # H.264 with half the colours needs even sides.
                *("-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p"),
                *("-c:v", encoder, *_ENCODERS[encoder]),
                *("-movflags", "+faststart", "-f", "mp4", str(path.absolute())),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            start_new_session=True,  # Ctrl-C on a terminal would end it
        )  # fmt: skip
        self._write(_header(width, height))

    def add(self, position_ms: int, pixels: Pixels) -> None:
        """Add a frame of the video's size, at this time; times increase."""
        assert pixels.shape == (self._size[1], self._size[0], 3)
        self._write(_cluster(position_ms, np.ascontiguousarray(pixels).tobytes()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        try:
            if kind is not None:
                self._process.kill()
            with contextlib.suppress(OSError):
                self._process.stdin.close()
            if self._process.wait(_LONGEST_WAIT_S) and kind is None:
                raise VideoFailedError(self._last_words())
        finally:
            self._process.kill()
            self._process.wait()
            self._errors.close()

    def _write(self, content: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(content)
        except OSError as failed:
            self._process.wait(_LONGEST_WAIT_S)
            raise VideoFailedError(self._last_words()) from failed

    def _last_words(self) -> str:
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        return f"ffmpeg: {lines[-1]}" if lines else "ffmpeg failed without a word"


def find_encoder() -> tuple[str, str]:
    """Return ffmpeg's path and the encoder to use. Raises VideoFailedError if there is none."""
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        raise VideoFailedError("no ffmpeg on PATH; on Debian: apt install ffmpeg")
    listed = subprocess.run(  # noqa: S603 - ffmpeg from PATH, no shell
        [ffmpeg, "-hide_banner", "-encoders"], capture_output=True, text=True, check=False
    ).stdout.split()
    for encoder in _ENCODERS:
        if encoder in listed:
            return ffmpeg, encoder
    raise VideoFailedError(f"{ffmpeg} has none of the encoders {', '.join(_ENCODERS)}")


def _header(width: int, height: int) -> bytes:
    """Return the head of a Matroska file with one track of raw BGR pictures."""
    versions = _number("4286", 1) + _number("42F7", 1) + _number("42F2", 4) + _number("42F3", 8)
    kind = _element("4282", b"matroska") + _number("4287", 4) + _number("4285", 2)
    application = b"emotion-streams"
    info = _number("2AD7B1", _MILLISECOND_NS)
    info += _element("4D80", application) + _element("5741", application)
    size = _number("B0", width) + _number("BA", height) + _element("2EB524", b"BGR\x18")
    track = _number("D7", _VIDEO) + _number("73C5", _VIDEO) + _number("83", _VIDEO)
    track += _element("86", b"V_UNCOMPRESSED") + _element("E0", size)
    return (
        _element("1A45DFA3", versions + kind)
        + bytes.fromhex("18538067")
        + _UNKNOWN
        + _element("1549A966", info)
        + _element("1654AE6B", _element("AE", track))
    )


def _cluster(position_ms: int, content: bytes) -> bytes:
    """Return a cluster of one picture."""
    return _element("1F43B675", _number("E7", position_ms) + _element("A3", _KEYFRAME + content))


def _number(element: str, value: int) -> bytes:
    return _element(element, value.to_bytes(8))


def _element(element: str, content: bytes) -> bytes:
    return bytes.fromhex(element) + (len(content) | 1 << 56).to_bytes(8) + content
