"""The command line: parse, and hand over to the command. Keras is imported by those that need it,
so that the others are instant, and run without."""

import argparse
import sys
from pathlib import Path
from typing import Final

from training import commands
from training.backend import BackendUnavailableError
from training.datasets import InvalidDataError
from training.quantize import Int8UnavailableError
from training.run_config import InvalidConfigError
from worker.inference.detect.choose import DetectorUnavailableError
from worker.inference.engines.choose import ENGINES, EngineUnavailableError
from worker.model.card import InvalidReleaseError

BAD_INPUT: Final = 2
"""argparse's own exit code for it."""

WRONG: Final = (
    InvalidDataError,
    InvalidConfigError,
    InvalidReleaseError,
    BackendUnavailableError,
    DetectorUnavailableError,
    EngineUnavailableError,
    Int8UnavailableError,
)
"""What says in a line what is wrong, where, and what to do."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; where its input is wrong, one line on stderr says how."""
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
    except WRONG as error:
        print(f"error: {error}", file=sys.stderr)
        return BAD_INPUT
    except OSError as error:  # a folder that is none, a disk that is full
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or error}", file=sys.stderr)
        return BAD_INPUT
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=main.__doc__)
    parser.description = "SimpNet V2: from labelled faces to a released model."
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")
    _inspect(subparsers.add_parser("inspect", help="count a data set's pictures and show some"))
    _train(subparsers.add_parser("train", help="train a model, or continue a run"))
    _evaluate(subparsers.add_parser("evaluate", help="score a model on a data set"))
    _export(subparsers.add_parser("export", help="make a run's model a release"))
    _quantize(subparsers.add_parser("quantize", help="make a release's int8 file anew"))
    _geometry(subparsers.add_parser("geometry", help="find how a detector's boxes lie on faces"))
    summary = subparsers.add_parser("summary", help="print SimpNet V2's table")
    summary.set_defaults(command=commands.summary)
    return parser


def _data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data", type=Path, metavar="DATA", help="FER+, AffectNet or a folder per emotion; or a zip"
    )


def _inspect(parser: argparse.ArgumentParser) -> None:
    _data(parser)
    parser.add_argument("--sheet", type=Path, default=Path("contact-sheet.png"), metavar="PNG")
    parser.set_defaults(command=commands.inspect)


def _train(parser: argparse.ArgumentParser) -> None:
    _data(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="the run's folder")
    parser.add_argument("--resume", action="store_true", help="continue RUN as it was configured")
    parser.add_argument(
        "--stage",
        dest="stages",
        action="append",
        metavar="SIDE:STEPS:BATCH:RATE",
        help="a part of the run at one input size; repeat for more, in order",
    )
    parser.add_argument("--start", metavar="MODEL", help="begin with this release's weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sampling", type=float, default=0.5, metavar="POWER")
    parser.add_argument("--mixup", type=float, default=0.0, metavar="ALPHA")
    parser.add_argument("--dropout", type=float, default=0.1)
    parser.add_argument("--weight-decay", type=float, default=0.01)
    parser.add_argument("--ema", type=float, default=0.995, metavar="DECAY")
    parser.add_argument("--colour", choices=("grey", "rgb"), default="grey")
    parser.add_argument("--source-size", type=int, default=48, metavar="PIXELS")
    parser.add_argument("--precision", choices=("float32", "mixed_bfloat16"), default="float32")
    parser.add_argument("--validations", type=int, default=4, metavar="N", help="per stage")
    parser.add_argument("--checkpoint-minutes", type=float, default=5.0, metavar="MINUTES")
    parser.add_argument("--workers", type=int, default=2, help="threads that prepare batches")
    parser.set_defaults(command=commands.train)


def _evaluate(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Accuracy, macro F1 (the mean over the emotions that the data shows), calibration, and "
        "scores per emotion, on pictures with a winner."
    )
    parser.add_argument(
        "model", metavar="MODEL", help="a run, a release's folder or name, or `released`"
    )
    _data(parser)
    parser.add_argument(
        "--split",
        choices=("train", "valid", "test"),
        help="valid where not given, or the only one that there is; data that is not divided is "
        "judged as a whole whichever is given",
    )
    parser.add_argument("--json", action="store_true", help="print all scores as JSON")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write PNG plots there")
    parser.add_argument("--robustness", action="store_true", help="score disturbed pictures too")
    parser.add_argument("--engine", choices=("auto", *ENGINES), default="auto")
    _detector(parser, ("none", "yunet", "haar"))
    parser.set_defaults(command=commands.evaluate)


def _export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="RUN", help="a run, or one of its stages")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument(
        "--data", type=Path, help="what it is scored on; a run's own data if not given"
    )
    parser.add_argument("--version", default="1.0.0")
    parser.add_argument(
        "--favour-rare",
        type=float,
        default=0.0,
        metavar="T",
        help="0 to 1. 0: name the likeliest emotion; 1: rare ones count as much as frequent ones",
    )
    _detector_model(parser)
    parser.set_defaults(command=commands.export)


def _quantize(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a release's folder or name")
    _data(parser)
    parser.description = (
        "NNCF's post-training quantization: ranges from the training pictures, scores from the "
        "validation pictures. It is refused where it costs more than half a point of accuracy."
    )
    parser.set_defaults(command=commands.quantize)


def _geometry(parser: argparse.ArgumentParser) -> None:
    _data(parser)
    parser.add_argument("--split", choices=("train", "valid", "test"), default="train")
    parser.add_argument("--every", type=int, default=10, metavar="N", help="take each Nth picture")
    _detector(parser, ("yunet", "haar"))
    parser.set_defaults(command=commands.geometry)


def _detector(parser: argparse.ArgumentParser, names: tuple[str, ...]) -> None:
    parser.add_argument("--detect", choices=names, default=names[0], help="cut faces by a detector")
    _detector_model(parser)


def _detector_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--detector-model", type=Path, metavar="ONNX", help="YuNet's file")
