"""Options that several benchmarks share."""

import argparse
from pathlib import Path

from tests.benchmarks.machine import cores
from tests.benchmarks.material import CLIP, detector_options


def add_model(parser: argparse.ArgumentParser) -> None:
    """Which release, at which size."""
    parser.add_argument("--model", default="simpnet-v2", help="a release: its name or its folder")
    parser.add_argument(
        "--input-size", type=int, help="measure its weights at another input size, in pixels"
    )


def add_worker(parser: argparse.ArgumentParser) -> None:
    """What the worker runs, on which pictures."""
    add_model(parser)
    parser.add_argument("--clip", type=Path, default=CLIP)
    parser.add_argument("--width", type=int, help="resize the clip to this width")
    parser.add_argument("--detector", default="yunet", choices=("yunet", "haar"))
    parser.add_argument("--engine", default="mnn", choices=("mnn", "keras"))
    parser.add_argument("--threads", type=int, default=cores())
    parser.add_argument("--in-flight", type=int, help="frames in the works; the worker's default")


def of_worker(arguments: argparse.Namespace, model: str) -> list[str]:
    """The worker's command line for these arguments."""
    in_flight = ["--in-flight", str(arguments.in_flight)] if arguments.in_flight else []
    return [
        *("--model", model, "--engine", arguments.engine, "--threads", str(arguments.threads)),
        *detector_options(arguments.detector),
        *in_flight,
    ]
