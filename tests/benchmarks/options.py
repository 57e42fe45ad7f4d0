"""Options that several benchmarks share, and how their values are read."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.benchmarks.machine import cores
from tests.benchmarks.material import CLIP, detector_options
from worker.inference.engines.choose import ENGINES


def whole(least: int) -> Callable[[str], int]:
    """A whole number that is `least` or more."""

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least}")
        return int(text)

    return number


count: Final = whole(1)
"""A number of things, of which there is one at least."""


def counts(text: str) -> list[int]:
    """Several of them, as in 1,2."""
    return [count(part) for part in text.split(",")]


def at_least(least: float) -> Callable[[str], float]:
    """A finite number that is `least` or more."""

    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value < math.inf:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least:g}")
        return value

    return number


def some_of(*names: str) -> Callable[[str], list[str]]:
    """Some of these names, each once, with commas between them."""

    def chosen(text: str) -> list[str]:
        parts = text.split(",")
        if not set(parts) <= set(names) or len(set(parts)) < len(parts):
            raise argparse.ArgumentTypeError(f"{text!r} is not some of {','.join(names)}")
        return parts

    return chosen


def add_model(parser: argparse.ArgumentParser) -> None:
    """Which release, at which size."""
    parser.add_argument("--model", default="simpnet-v2", help="a release: its name or its folder")
    parser.add_argument(
        "--input-size", type=count, help="measure its weights at another input size, in pixels"
    )


def add_worker(parser: argparse.ArgumentParser) -> None:
    """What the worker runs, on which pictures."""
    add_model(parser)
    parser.add_argument("--clip", type=Path, default=CLIP)
    parser.add_argument("--width", type=count, help="resize the clip to this width")
    parser.add_argument("--detector", default="yunet", choices=("yunet", "haar"))
    parser.add_argument("--engine", default="auto", choices=("auto", *ENGINES))
    parser.add_argument("--threads", type=count, default=cores())
    parser.add_argument("--in-flight", type=count, help="frames in flight; the worker's default")


def of_worker(arguments: argparse.Namespace, model: str) -> list[str]:
    """The worker's command line for these arguments."""
    in_flight = ["--in-flight", str(arguments.in_flight)] if arguments.in_flight else []
    return [
        *("--model", model, "--engine", arguments.engine, "--threads", str(arguments.threads)),
        *detector_options(arguments.detector),
        *in_flight,
    ]
