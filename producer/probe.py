"""`python -m producer probe SOURCE`: open a camera, and report what it delivers or why it fails."""

import argparse
import contextlib
import json
import os
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from emotion_streams.redaction import redact, redact_url
from producer.config import parse_camera
from producer.filters import LateFrameFilter
from producer.native import NativeStderr, limit_memory
from producer.opencv import cv2
from producer.picture import decode
from producer.settings import CameraSettings
from producer.source import (
    EndOfSourceError,
    Picture,
    Pixels,
    Source,
    SourceUnavailableError,
    UndecodableFrameError,
)
from producer.sources import make_source
from producer.sources.file import FileSource
from producer.sources.network import NetworkSource
from service.parser import Parser, exit_with_error
from service.settings_file import InvalidSettingsError

_DETECT_EVERY_S: Final = 0.5
_CASCADE: Final = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"
_DETECT_WIDTH: Final = 320
_GRACE_S: Final = 2.0
_LONGEST_S: Final = 3600.0


@dataclass(frozen=True)
class ProbeResult:
    """Result of a probe.

    `fps`: measured frames per second, None for a source that is not live, which has no rate of its
    own. `first_frame_s`: seconds from the start of opening to the first frame. `damaged_frames`:
    frames that could not be decoded, among those that were decoded to look for a face.
    `key_frame_interval_s`: the longest interval between two key frames, None if fewer than two were
    seen, or if the codec has none.
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

    def __str__(self) -> str:
        measured = "as fast as requested" if self.fps is None else f"{self.fps:.1f} measured"
        interval_s = self.key_frame_interval_s
        key_frames = (f"key frames   every {interval_s:.1f} s",) if interval_s else ()
        return "\n".join(
            (
                f"source       {self.source}",
                f"resolution   {self.width}x{self.height}",
                f"codec        {self.codec}",
                f"fps          {measured}, {self.nominal_fps:.1f} nominal",
                *key_frames,
                f"first frame  after {self.first_frame_s:.2f} s",
                f"damaged      {self.damaged_frames} frames",
                f"face seen    {'yes' if self.face_seen else 'no'}",
            )
        )


def main(argv: list[str]) -> int:
    """Probe a source and print the result.

    The exit code is 0, 1 if the source delivers no frames, and 2 if the arguments are invalid.
    """
    arguments = _parser().parse_args(argv)
    names = ("source", "transport", "tls_verify", "open_timeout_s", "read_timeout_s")
    try:
        camera = parse_camera({name: getattr(arguments, name) for name in names}, os.environ)
    except InvalidSettingsError as error:
        exit_with_error("producer probe", str(error))
    limit_memory()
    native = NativeStderr()
    native.take_over()
    results: list[ProbeResult | SourceUnavailableError] = []
    probing = threading.Thread(
        target=lambda: results.append(probe(camera, native, arguments.seconds)), daemon=True
    )
    probing.start()
    limit_s = camera.open_timeout_s + camera.read_timeout_s + arguments.seconds + _GRACE_S
    probing.join(limit_s)
    code = _print_result(results, camera, limit_s, as_json=arguments.json)
    sys.stdout.flush()
    sys.stderr.flush()
    # Do not return: the thread may be in native code, which must not be unwound.
    os._exit(code)


def _print_result(
    results: "list[ProbeResult | SourceUnavailableError]",
    camera: CameraSettings,
    limit_s: float,
    *,
    as_json: bool,
) -> int:
    result = (
        results[0]
        if results
        else SourceUnavailableError(f"timed out: no response after {limit_s:.0f} s")
    )
    if isinstance(result, ProbeResult):
        print(json.dumps(asdict(result)) if as_json else result)
        return 0
    reason = redact(str(result))
    if as_json:
        print(json.dumps({"source": redact_url(camera.source), "error": reason}))
    else:
        print(f"producer probe: {reason}", file=sys.stderr)
    return 1


def probe(
    camera: CameraSettings, native: NativeStderr, seconds: float
) -> ProbeResult | SourceUnavailableError:
    """Probe the camera for `seconds`. Return the result, or the error for any kind of failure."""
    source = make_source(camera, native)
    try:
        return _measure(source, redact_url(camera.source), seconds)
    except SourceUnavailableError as error:
        return error
    except Exception as error:  # every error is reported in one line
        text = " ".join(str(error).split())
        return SourceUnavailableError(
            f"{redact_url(camera.source)}: {type(error).__name__}: {text}"
        )
    finally:
        source.close()


def _measure(source: Source, name: str, seconds: float) -> ProbeResult:
    started = time.monotonic()
    opened = source.open()
    source.grab()
    first = time.monotonic()
    detector = cv2.CascadeClassifier(str(_CASCADE))
    late_frames = LateFrameFilter()
    frames, damaged, valid, fault = 0, 0, 0, ""
    face, detect_at, counted_from = False, first, first
    while True:
        now = time.monotonic()
        # Face detection takes longer than a frame interval. Only some frames are examined, so that
        # the measured rate is not reduced.
        if not face and (now >= detect_at or not source.live):
            try:
                face = _has_face(detector, source.retrieve())
                valid += 1
            except UndecodableFrameError as error:
                damaged, fault = damaged + 1, str(error)
            detect_at = time.monotonic() + _DETECT_EVERY_S
        if now - first >= seconds:
            break
        try:
            position_s = source.grab()
        except EndOfSourceError:
            break
        frames += 1
        now = time.monotonic()
        if source.live and position_s is not None and not late_frames.allows(now, position_s):
            frames, counted_from = 0, now
    if not valid:
        raise SourceUnavailableError(f"{name}: none of its frames can be sent: {fault}")
    lasted_s = time.monotonic() - counted_from
    return ProbeResult(
        source=name,
        width=opened.width,
        height=opened.height,
        codec=opened.codec,
        nominal_fps=opened.fps,
        fps=frames / lasted_s if source.live else None,
        first_frame_s=first - started,
        damaged_frames=damaged,
        face_seen=face,
        key_frame_interval_s=(
            source.key_frame_interval_s if isinstance(source, FileSource | NetworkSource) else None
        ),
    )


def _has_face(detector: "cv2.CascadeClassifier", picture: Picture) -> bool:
    pixels: Pixels = decode(picture) if isinstance(picture, bytes) else picture
    scale = min(1.0, _DETECT_WIDTH / pixels.shape[1])
    grey = cv2.cvtColor(cv2.resize(pixels, None, fx=scale, fy=scale), cv2.COLOR_BGR2GRAY)
    return len(detector.detectMultiScale(grey, 1.1, 4)) > 0


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="producer probe",
        description="Open a source and report what it delivers, or why it fails.",
    )
    defaults = CameraSettings.model_fields
    parser.add_argument("source", metavar="SOURCE", help=defaults["source"].description)
    parser.add_argument("--transport", default="tcp", help="transport of RTSP: tcp or udp")
    parser.add_argument(
        "--no-tls-verify", dest="tls_verify", action="store_false",
        help="accept any certificate (https, rtsps)",
    )  # fmt: skip
    parser.add_argument("--open-timeout-s", default=5.0, type=float, help="time limit for opening")
    parser.add_argument(
        "--read-timeout-s", default=5.0, type=float, help="time limit between frames"
    )
    parser.add_argument("--seconds", default=3.0, type=_seconds, help="duration of the measurement")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (seconds := float(text)) <= _LONGEST_S:
            return seconds
    raise argparse.ArgumentTypeError(f"{text}: must be above 0 and at most {_LONGEST_S:.0f}")
