"""Command-line options of `emotion-streams capacity`, validated before any process starts."""

import argparse
import math
from collections.abc import Callable
from typing import Final

from deploy.capacity.budget import LEAST_FRAMES, window_s
from deploy.capacity.layout import MAX_FACES, check_size
from deploy.capacity.search import most_cameras
from deploy.options import MAX_FPS
from emotion_streams.registry import MAX_CAMERAS
from service.parser import Parser

PROGRAM: Final = "capacity"
_WIDTHS: Final = (32, 8192)
"""The widths that a producer accepts."""


def parse(argv: list[str] | None, description: str | None) -> argparse.Namespace:
    """Return the options. An invalid command line exits with one line and code 2."""
    parser = Parser(prog=f"emotion-streams {PROGRAM}", description=description)
    for name, convert, default, about in (
        ("fps", _number(0, MAX_FPS), 5.0, "frames per second of each camera"),
        ("faces", _integer(0, MAX_FACES), 2, "faces in each frame"),
        ("width", _integer(*_WIDTHS), 640, "pixels of a frame's width; its shape is 16:9"),
        (
            "p99-ms",
            _number(0, 60_000),
            1000.0,
            "limit from capture to event, of 99 %% of the events",
        ),
        (
            "seconds",
            _number(0, 600),
            10.0,
            f"of each try, after it has settled; longer for {LEAST_FRAMES} frames",
        ),
        ("minutes", _number(0, 1440), 4.0, "that the command may take"),
        ("max-cameras", _integer(1, MAX_CAMERAS), 1024, "try no more"),
    ):
        parser.add_argument(
            f"--{name}", type=convert, default=default, help=f"{about} [{default:g}]"
        )
    parser.add_argument(
        "--gpus",
        default="",
        help="one worker per GPU: all, or their numbers as in 0,2 [one worker]",
    )
    parser.add_argument(
        "--processes",
        type=_integer(1, 64),
        default=1,
        help="workers on CPUs, which share the cores [1]",
    )
    parser.add_argument("--model", default="", help="a released model: its name, or its folder")
    parser.add_argument(
        "--detector-model", default="", help="YuNet's file, if it cannot be downloaded"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object, at the end")
    options = parser.parse_args(argv)
    try:
        check_size(options.width, options.faces)
        _check_time(options)
    except ValueError as error:
        parser.error(str(error))
    return options


def _check_time(options: argparse.Namespace) -> None:
    """Raise ValueError if a try with the most cameras takes more than half of the time."""
    most = most_cameras(options.max_cameras, options.processes)
    takes_s = window_s(most, options.fps, options.seconds)
    if takes_s <= 30 * options.minutes:
        return
    if takes_s > options.seconds:
        raise ValueError(
            f"--fps {options.fps:g} is too low: {LEAST_FRAMES} frames of {most} cameras take "
            f"{takes_s:.0f} s; take a higher --fps, more --minutes, or more --max-cameras"
        )
    raise ValueError(
        f"--seconds {options.seconds:g} is too long for --minutes {options.minutes:g}: "
        "half of them at most"
    )


def worker_options(options: argparse.Namespace) -> list[str]:
    """Return the worker's options; it validates their values itself."""
    return [
        part
        for name in ("gpus", "processes", "model", "detector_model")
        if (value := getattr(options, name))
        for part in (f"--{name.replace('_', '-')}", str(value))
    ]


def _number(above: float, most: float) -> Callable[[str], float]:
    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not above < value <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r}: a number above {above:g}, {most:g} at most"
            )
        return value

    return convert


def _integer(least: int, most: int) -> Callable[[str], int]:
    def convert(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
            raise argparse.ArgumentTypeError(f"{text!r}: a number from {least} to {most}")
        return int(text)

    return convert
