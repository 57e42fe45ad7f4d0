"""`emotion-streams probe SOURCE`: open a camera, and report what it delivers or why it fails."""

import argparse
import contextlib
import json
import os
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from emotion_streams.redaction import redact, redact_url
from producer.config import parse_camera, read_cameras
from producer.native import NativeStderr, limit_memory
from producer.probe import ProbeResult, probe
from producer.settings import CameraSettings
from producer.source import SourceUnavailableError
from service.parser import Parser, exit_with_error
from service.settings_file import InvalidSettingsError

_GRACE_S: Final = 2.0
_LONGEST_S: Final = 3600.0


def main(argv: list[str]) -> int:
    """Probe a source and print the result.

    The exit code is 0, 1 if the source delivers no frames, and 2 if the arguments are invalid.
    """
    arguments = vars(_parser().parse_args(argv))
    seconds, picture = arguments.pop("seconds"), arguments.pop("picture")
    as_json = arguments.pop("json")
    try:
        camera = _camera(arguments.pop("config", None), arguments)
    except InvalidSettingsError as error:
        exit_with_error("probe", str(error))
    limit_memory()
    native = NativeStderr()
    native.take_over()
    results: list[ProbeResult | SourceUnavailableError] = []
    probing = threading.Thread(
        target=lambda: results.append(probe(camera, native, seconds, picture)), daemon=True
    )
    probing.start()
    limit_s = camera.open_timeout_s + camera.read_timeout_s + seconds + _GRACE_S
    probing.join(limit_s)
    code = _print_result(results, camera, limit_s, as_json=as_json)
    sys.stdout.flush()
    sys.stderr.flush()
    # Do not return: the thread may be in native code, which must not be unwound.
    os._exit(code)


def _camera(config: Path | None, given: Mapping[str, Any]) -> CameraSettings:
    """Return the settings of the given source, or of the camera that `config` names so.

    Raises InvalidSettingsError.
    """
    if config is None:
        return parse_camera(given, os.environ)
    if others := sorted(given.keys() - {"source"}):
        names = ", ".join(f"--{name.replace('_', '-')}" for name in others)
        raise InvalidSettingsError(f"{names}: {config} defines the camera; set it there")
    cameras = read_cameras(config)
    if given["source"] not in cameras:
        raise InvalidSettingsError(
            f"{config}: has no camera {given['source']!r} (but {', '.join(cameras)})"
        )
    return cameras[given["source"]]


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
        print(f"probe: {reason}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="emotion-streams probe",
        description="Open a source and report what it delivers, or why it fails.",
        argument_default=argparse.SUPPRESS,
    )
    about = {name: field.description for name, field in CameraSettings.model_fields.items()}
    parser.add_argument("source", metavar="SOURCE", help=about["source"])
    parser.add_argument(
        "--config", type=Path, metavar="FILE",
        help="a file of cameras; SOURCE is then the name of one of them",
    )  # fmt: skip
    parser.add_argument("--transport", help="transport of RTSP: tcp or udp [tcp]")
    parser.add_argument(
        "--no-tls-verify", dest="tls_verify", action="store_false",
        help="accept any certificate (https, rtsps)",
    )  # fmt: skip
    parser.add_argument("--open-timeout-s", help="time limit for opening [5]")
    parser.add_argument("--read-timeout-s", help="time limit between frames [5]")
    for name in ("fps", "width", "roi", "rotate", "mask"):
        parser.add_argument(f"--{name}", metavar=name.upper(), help=about[name])
    parser.add_argument(
        "--picture", default=None, type=Path, metavar="FILE",
        help="store the last frame there, as the JPEG that would be published: rotated, cropped, "
        "masked",
    )  # fmt: skip
    parser.add_argument("--seconds", default=3.0, type=_seconds, help="duration of the measurement")
    parser.add_argument("--json", action="store_true", default=False, help="print JSON")
    return parser


def _seconds(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 < (seconds := float(text)) <= _LONGEST_S:
            return seconds
    raise argparse.ArgumentTypeError(f"{text}: must be above 0 and at most {_LONGEST_S:.0f}")
