"""Command-line options of `emotion-streams run`, validated before any process starts."""

import argparse
import os
from collections.abc import Callable
from typing import Final

from emotion_streams import keys
from emotion_streams.redis_url import parse_url
from service.parser import Parser

MAX_FPS: Final = 240
"""The maximum that a producer accepts."""


def build_parser(description: str | None) -> argparse.ArgumentParser:
    """Make the parser. An invalid command line exits with one line and code 2."""
    parser = Parser(prog="emotion-streams run", description=description)
    parser.add_argument(
        "--source",
        default=os.environ.get("SOURCE", "demo"),
        help="demo, 0, /dev/video0, rtsp://..., or a file; default: the variable SOURCE, which "
        "other users cannot read, unlike a command line",
    )
    parser.add_argument(
        "--camera",
        type=_checked(_camera),
        action="append",
        default=[],
        metavar="NAME[=SOURCE]",
        help="name of the source's camera [derived from the source]; with =SOURCE another camera; "
        "may be repeated",
    )
    parser.add_argument("--loop", action="store_true", help="restart a file at its end")
    parser.add_argument("--model", help="name or folder of a released model")
    parser.add_argument(
        "--blur-faces", action="store_true", help="pixelate every face on the live page"
    )
    parser.add_argument(
        "--redis",
        type=_checked(_redis_url),
        help="a running server [one is started]",
    )
    parser.add_argument(
        "--fps",
        type=_checked(_fps),
        default="10",
        help="maximum frames per second of a camera [10]",
    )
    parser.add_argument(
        "--port",
        type=_checked(_port),
        help="port of the live page [8080, or a free one]",
    )
    parser.add_argument(
        "--sinks",
        default=os.environ.get("SINKS") or None,
        metavar="FILE",
        help="a YAML file with sinks, to which records are delivered (docs/sinks.md); SINKS in the "
        "environment otherwise",
    )
    parser.add_argument("--detector-model", help="YuNet's file, if it cannot be downloaded")
    return parser


def _checked(check: Callable[[str], str]) -> Callable[[str], str]:
    """Adapt a check for argparse, which does not show the text of a ValueError."""

    def convert(text: str) -> str:
        try:
            return check(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def _camera(text: str) -> str:
    name, separator, source = text.partition("=")
    keys.check_camera(name)
    if separator and not source:
        raise ValueError(f"{text!r}: no source after the =")
    return text


def _redis_url(url: str) -> str:
    parse_url(url)
    return url


def _fps(text: str) -> str:
    if not text.replace(".", "", 1).isdecimal() or not 0 < float(text) <= MAX_FPS:
        raise ValueError(f"{text!r}: must be above 0 and at most {MAX_FPS}")
    return text


def _port(text: str) -> str:
    if not text.isdecimal() or not 0 < int(text) < 1 << 16:
        raise ValueError(f"{text!r}: must be from 1 to 65535")
    return text
