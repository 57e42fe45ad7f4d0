"""Probe a camera: open it, and measure what it delivers or find out why it fails."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from emotion_streams.printable import printable
from emotion_streams.redaction import redact_url
from producer.filters import LateFrameFilter
from producer.native import NativeStderr
from producer.opencv import cv2
from producer.picture import FrameTransform, decode, encode
from producer.settings import CameraSettings
from producer.source import (
    EndOfSourceError,
    Format,
    NoNewFrameError,
    Picture,
    Pixels,
    Source,
    SourceUnavailableError,
    UndecodableFrameError,
)
from producer.sources import make_source

_EXAMINE_EVERY_S: Final = 0.5
_CASCADE: Final = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"
_DETECT_WIDTH: Final = 320


@dataclass(frozen=True)
class ProbeResult:
    """Result of a probe.

    `fps`: measured frames per second, None for a source that is not live, which has no rate of its
    own. `first_frame_s`: seconds from the start of opening to the first frame. `damaged_frames`:
    frames that could not be decoded, among those that were decoded to look for a face.
    `key_frame_interval_s`: the longest interval between two key frames, None if fewer than two were
    seen, or if the codec has none. `picture`: the file that has the last frame as it would be
    published, empty if none was requested.
    """

    source: str
    width: int
    height: int
    codec: str
    nominal_fps: float
    fps: float | None
    first_frame_s: float
    damaged_frames: int
    face_seen: bool
    key_frame_interval_s: float | None = None
    picture: str = ""

    def __str__(self) -> str:
        measured = "as fast as requested" if self.fps is None else f"{self.fps:.1f} measured"
        interval_s = self.key_frame_interval_s
        key_frames = (f"key frames   every {interval_s:.1f} s",) if interval_s else ()
        return "\n".join(
            (
                f"source       {printable(self.source)}",
                f"resolution   {self.width}x{self.height}",
                f"codec        {printable(self.codec)}",
                f"fps          {measured}, {self.nominal_fps:.1f} nominal",
                *key_frames,
                f"first frame  after {self.first_frame_s:.2f} s",
                f"damaged      {self.damaged_frames} frames",
                f"face seen    {'yes' if self.face_seen else 'no'}",
                *([f"picture      {printable(self.picture)}"] if self.picture else []),
            )
        )


def probe(
    camera: CameraSettings, native: NativeStderr, seconds: float, picture: Path | None = None
) -> ProbeResult | SourceUnavailableError:
    """Probe the camera for `seconds`, and store its last frame as the JPEG `picture`.

    Return the result, or the error for any kind of failure.
    """
    source = make_source(camera, native)
    name = redact_url(camera.source)
    try:
        return _Probe(source, name, camera, picture).run(seconds)
    except SourceUnavailableError as error:
        return error
    except Exception as error:  # every error is reported in one line
        text = " ".join(str(error).split())
        return SourceUnavailableError(f"{name}: {type(error).__name__}: {text}")
    finally:
        source.close()


class _Probe:
    """One measurement of a source. As `probe`."""

    def __init__(
        self, source: Source, name: str, camera: CameraSettings, picture: Path | None
    ) -> None:
        self._source = source
        self._name = name
        self._camera = camera
        self._path = picture
        self._detector = cv2.CascadeClassifier(str(_CASCADE))
        self._last: Picture | None = None
        self._valid = self._damaged = 0
        self._fault = ""
        self._face = False

    def run(self, seconds: float) -> ProbeResult:
        """Measure for `seconds`. Raises SourceUnavailableError."""
        started = time.monotonic()
        opened = self._source.open()
        self._source.grab()
        first = time.monotonic()
        fps = self._measure(first, seconds)
        if not self._valid:
            raise SourceUnavailableError(
                f"{self._name}: none of its frames can be sent: {self._fault}"
            )
        return self._result(opened, fps, first - started)

    def _measure(self, first: float, seconds: float) -> float | None:
        """Read frames for `seconds`. Return their rate, None if the source has none of its own."""
        late_frames = LateFrameFilter()
        frames, examine_at, counted_from = 0, first, first
        while True:
            now = time.monotonic()
            # Face detection takes longer than a frame interval. Only some frames are examined, so
            # that the measured rate is not reduced.
            wanted = not self._face or self._path is not None
            if wanted and (now >= examine_at or not self._source.live):
                self._examine()
                examine_at = time.monotonic() + _EXAMINE_EVERY_S
            if now - first >= seconds:
                break
            try:
                position_s = self._source.grab()
            except EndOfSourceError:
                break
            except NoNewFrameError:
                continue
            frames += 1
            now = time.monotonic()
            live = self._source.live
            if live and position_s is not None and not late_frames.allows(now, position_s):
                frames, counted_from = 0, now
        return frames / (time.monotonic() - counted_from) if self._source.live else None

    def _examine(self) -> None:
        try:
            picture = self._source.retrieve()
            self._face = self._face or _has_face(self._detector, picture)
        except UndecodableFrameError as error:
            self._damaged, self._fault = self._damaged + 1, str(error)
        else:
            self._valid, self._last = self._valid + 1, picture

    def _result(self, opened: Format, fps: float | None, first_frame_s: float) -> ProbeResult:
        return ProbeResult(
            source=self._name,
            width=opened.width,
            height=opened.height,
            codec=opened.codec,
            nominal_fps=opened.fps,
            fps=fps,
            first_frame_s=first_frame_s,
            damaged_frames=self._damaged,
            face_seen=self._face,
            key_frame_interval_s=getattr(self._source, "key_frame_interval_s", None),
            picture=self._store_picture(),
        )

    def _store_picture(self) -> str:
        """Store the last frame as it would be published, and return the file's name."""
        if self._path is None or self._last is None:
            return ""
        camera = self._camera
        transform = FrameTransform(camera.width, camera.rotate, camera.roi, camera.mask or ())
        try:
            self._path.write_bytes(encode(transform(self._last), camera.quality).jpeg)
        except OSError as error:
            raise SourceUnavailableError(f"{self._path}: {error.strerror or error}") from None
        except UndecodableFrameError as error:
            raise SourceUnavailableError(f"{self._name}: {error}") from None
        return str(self._path)


def _has_face(detector: "cv2.CascadeClassifier", picture: Picture) -> bool:
    pixels: Pixels = decode(picture) if isinstance(picture, bytes) else picture
    scale = min(1.0, _DETECT_WIDTH / pixels.shape[1])
    grey = cv2.cvtColor(cv2.resize(pixels, None, fx=scale, fy=scale), cv2.COLOR_BGR2GRAY)
    return len(detector.detectMultiScale(grey, 1.1, 4)) > 0
