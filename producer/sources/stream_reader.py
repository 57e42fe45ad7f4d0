"""Reads a video stream, and decodes no more of it than is needed."""

import logging
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from producer.source import Format, Picture
from producer.sources.ffmpeg import FfmpegReader
from producer.sources.key_frames import KeyFrames, scan
from producer.sources.video_capture import KEY_FRAMES_ONLY, decode_on

_DEVICES: Final = {"auto": ("cuda", "vaapi", "qsv")}
_SCAN_SHARE: Final = 0.8
_SHORTEST_S: Final = 0.2
# Key frames are not punctual, as other frames are not.
_TOLERANCE: Final = 1.1
# One lost key frame does not mean that all frames have to be decoded.
_MAX_GROWTH: Final = 2.5
# An encoder that refreshes pictures bit by bit sends no key frames.
_NO_KEY_FRAME_S: Final = 60.0
# A camera whose key frames take longer than this share of its read timeout would look silent.
_OF_READ_TIMEOUT: Final = 0.8
# Two intervals are examined while the camera is opened.
_OF_OPEN_TIMEOUT: Final = _SCAN_SHARE / 2

_log = logging.getLogger(__name__)


class Decoding(NamedTuple):
    """How a stream is decoded.

    `fps`: frames per second that are needed, None for all. `key_frames`: decode key frames only, if
    they suffice for `fps`. `hwaccel`: kind of device that decodes, as in CameraOptions.
    """

    fps: float | None = None
    key_frames: bool = False
    hwaccel: str = "none"


class StreamReader:
    """An FfmpegReader that decodes as `decoding` asks.

    Whether key frames suffice is found out when the stream is first opened, over a connection of
    its own on which nothing is decoded. `live`: frames must be decoded as soon as they arrive.
    """

    def __init__(self, decoding: Decoding, *, live: bool) -> None:
        self._decoding = decoding
        self._live = live
        self._reader = FfmpegReader()
        self._seen = KeyFrames()
        self._suffice: bool | None = None if decoding.key_frames else False
        self._has_warned = not decoding.key_frames
        self._has_warned_of_device = decoding.hwaccel == "none"
        self._longest_s = 0.0
        self._connection: tuple[str, float, float, Mapping[str, str]] = ("", 0.0, 0.0, {})

    @property
    def only_key_frames(self) -> bool:
        """Whether only key frames are decoded."""
        return bool(self._suffice)

    @property
    def key_frame_interval_s(self) -> float | None:
        """The longest interval between key frames that was seen, None if unknown or if all are."""
        return None if self._seen.are_all and not self._suffice else self._seen.interval_s

    def open(
        self, url: str, open_s: float, read_s: float, options: Mapping[str, str]
    ) -> Format | None:
        """As FfmpegReader.open."""
        self.close()
        started = time.monotonic()
        if self._suffice is None and not self._examine(url, open_s, read_s, options):
            return None
        if self._decoding.hwaccel != "none":
            kinds = _DEVICES.get(self._decoding.hwaccel, (self._decoding.hwaccel,))
            options = {**options, **decode_on(*kinds)}
        left_s = max(_SHORTEST_S, open_s - (time.monotonic() - started))
        self._connection = (url, left_s, read_s, options)
        return self._open()

    def grab(self) -> bool:
        """As FfmpegReader.grab."""
        started = time.monotonic()
        if not self._reader.grab():
            if self._suffice and self._live:
                self._suffice = None  # the key frames may be further apart by now
            return False
        self._seen.observe(self._reader.position_s(), is_key=self._reader.is_key_frame())
        if self._suffice and self._live and self._came_apart(time.monotonic() - started):
            self._suffice = False
            return self._open() is not None and self._reader.grab()
        if not (self._suffice or self._has_warned or self._seen.are_all):
            self._explain()
        return True

    def position_s(self) -> float:
        """As FfmpegReader.position_s."""
        return self._reader.position_s()

    def frame_count(self) -> int:
        """As FfmpegReader.frame_count."""
        return self._reader.frame_count()

    def retrieve(self) -> Picture:
        """As FfmpegReader.retrieve."""
        return self._reader.retrieve()

    def close(self) -> None:
        """As FfmpegReader.close."""
        self._reader.close()

    def _open(self) -> Format | None:
        url, open_s, read_s, options = self._connection
        if self._suffice:
            options = {**options, **KEY_FRAMES_ONLY}
        self._seen = KeyFrames()
        opened = self._reader.open(url, open_s, read_s, options)
        if opened and not (self._has_warned_of_device or self._reader.passes_jpegs):
            self._warn_of_no_device()
        return opened

    def _examine(self, url: str, open_s: float, read_s: float, options: Mapping[str, str]) -> bool:
        """Decide whether key frames suffice. Return False if there is no video."""
        self._longest_s = _TOLERANCE / self._decoding.fps if self._decoding.fps else 0.0
        if self._live:
            limits_s = (read_s * _OF_READ_TIMEOUT, open_s * _OF_OPEN_TIMEOUT)
            self._longest_s = min(self._longest_s, *limits_s)
        timeouts_s = (open_s * _SCAN_SHARE, min(read_s, open_s * _OF_OPEN_TIMEOUT))
        found = scan(url, timeouts_s, options, self._longest_s, live=self._live)
        if found is None:
            return False
        is_delayed = self._live and not found.in_order
        self._suffice = found.are_within(self._longest_s) and not is_delayed
        if is_delayed and found.are_within(self._longest_s):
            self._warn("the stream has B frames, which delay key frames")
        return True

    def _came_apart(self, waited_s: float) -> bool:
        """Return whether the camera sends key frames less often than it did at first.

        `waited_s`: the time until the newest one arrived. If it is short, the camera's clock was
        set.
        """
        interval_s = self._seen.newest_interval_s
        if interval_s <= self._longest_s * _MAX_GROWTH or waited_s <= self._longest_s:
            return False
        self._explain()
        return True

    def _explain(self) -> None:
        """Log why all frames are decoded, once it is known."""
        interval_s = self._seen.interval_s
        if interval_s is None and self._seen.waited_s > _NO_KEY_FRAME_S:
            self._warn(f"no key frame came in {_NO_KEY_FRAME_S:.0f} s")
        elif interval_s is not None and not self._longest_s:
            self._warn(f"a key frame comes every {interval_s:.1f} s, and fps is not limited")
        elif interval_s is not None:
            needed = f"one in {self._longest_s:.1f} s is needed"
            self._warn(f"a key frame comes every {interval_s:.1f} s, and {needed}")

    def _warn(self, why: str) -> None:
        if self._has_warned:
            return
        self._has_warned = True
        _log.warning("decode keyframes: all frames are decoded: %s", why)

    def _warn_of_no_device(self) -> None:
        self._has_warned_of_device = True
        if not self._reader.uses_hardware():
            _log.warning(
                "hwaccel %s: no such device, or this build of OpenCV does not support it; "
                "frames are decoded on the CPU",
                self._decoding.hwaccel,
            )
