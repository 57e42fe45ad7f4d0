"""The command line: parse the arguments and run the command.

Commands are imported when they run: help needs only the client, and only training needs Keras.
"""

import argparse
import sys
from pathlib import Path
from typing import Final

from emotion_streams.printable import printable
from training import recipe
from training.options import HelpFormatter, add_setting, settings
from training.run_config import RunConfig, RuntimeOptions
from worker.model.architecture import ARCHITECTURES, DEFAULT_ARCHITECTURE

BAD_INPUT: Final = 2
"""The exit code of argparse for wrong input."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code. Wrong input is one line on stderr and code 2."""
    options = parser().parse_args(arguments)
    try:
        from training import commands

        try:
            getattr(commands, options.command)(options)
        except commands.USER_ERRORS as error:
            return _refuse(str(error))
    except ImportError as error:
        return _refuse(f"{error}: pip install 'emotion-streams[training]'")
    except OSError as error:  # not a folder, disk full
        where = f"{error.filename}: " if error.filename else ""
        return _refuse(f"{where}{error.strerror or error}")
    return 0


def _refuse(reason: str) -> int:
    print(f"error: {printable(' '.join(reason.split()))}", file=sys.stderr)
    return BAD_INPUT


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(
        prog="emotion-streams training",
        description="Train, score and release SimpNet V2, a classifier of facial emotions.",
    )
    subparsers = top.add_subparsers(required=True, metavar="COMMAND", dest="command")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return subparsers.add_parser(name, help=text, formatter_class=HelpFormatter)

    _inspect(add("inspect", "count the pictures of a data set, and draw some"))
    _train(add("train", "train a model, or resume a run"))
    _evaluate(add("evaluate", "score a model on a data set"))
    _export(add("export", "write a run's model as a release"))
    _quantize(add("quantize", "write a release's int8 file"))
    _geometry(add("geometry", "measure the position of a detector's boxes on faces"))
    add("summary", "print a network layer by layer").add_argument(
        "--architecture", choices=tuple(ARCHITECTURES), default=DEFAULT_ARCHITECTURE, help="network"
    )
    return top


def _data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        help="FER+, AffectNet, or a folder per emotion; or a zip of one",
    )


def _inspect(parser: argparse.ArgumentParser) -> None:
    _data(parser)
    parser.add_argument(
        "--sheet",
        type=Path,
        default=Path("contact-sheet.png"),
        metavar="PNG",
        help="contact sheet: some pictures of each emotion",
    )


def _train(parser: argparse.ArgumentParser) -> None:
    _data(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="the run's folder")
    parser.add_argument("--resume", action="store_true", help="resume RUN as it was configured")
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        help=f"repeat a run: {', '.join(recipe.names())}, or that of a YAML file; options given "
        "with it take precedence",
    )
    parser.add_argument(
        "--stage",
        dest="stages",
        action="append",
        metavar="SIDE:STEPS:BATCH:RATE",
        help="a stage of the run, at one input size; repeat for more, in order",
    )
    for setting in settings(RunConfig):
        add_setting(parser, setting, argparse.SUPPRESS)
    for setting in settings(RuntimeOptions):
        add_setting(parser, setting, setting.default)


def _evaluate(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Accuracy, macro F1 (the mean over the emotions that the data shows), calibration, and "
        "scores per emotion, on pictures with a label."
    )
    parser.add_argument("model", metavar="MODEL", help="a run, or a release's folder or name")
    _data(parser)
    parser.add_argument(
        "--split",
        choices=("train", "valid", "test"),
        help="default: valid, or the only one; data without splits is always scored as a whole",
    )
    parser.add_argument("--json", action="store_true", help="print all scores as JSON")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write PNG plots there")
    parser.add_argument("--robustness", action="store_true", help="score corrupted pictures, too")
    parser.add_argument(
        "--engine", choices=_engines(), default="auto", metavar="ENGINE", help=_engine_help()
    )
    _detector(parser, ("none", "yunet", "haar"))


def _engines() -> tuple[str, ...] | None:
    """Return the names of the engines, or None if the packages that list them are missing."""
    try:
        from worker.inference.engines.choose import ENGINES
    except ImportError:
        return None
    return ("auto", *ENGINES)


def _engine_help() -> str:
    return f"the inference engine: {', '.join(_engines() or ('one that is installed',))}"


def _export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="RUN", help="a run, or one of its stages")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="the release's folder; its name is the release's name",
    )
    parser.add_argument("--data", type=Path, help="data to score it on; default: the run's own")
    parser.add_argument("--version", default="1.0.0", metavar="VERSION", help="version in the card")
    parser.add_argument(
        "--logit-adjust",
        default="0",
        metavar="TAU",
        help="0 to 1, or `auto`. 0: predict the most probable emotion; 1: rare emotions count as "
        "much as frequent ones; auto: the best for accuracy and macro F1, chosen on each half of "
        "the data for the other",
    )
    _detector_model(parser)


def _quantize(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a release's folder or name")
    _data(parser)
    parser.description = (
        "Quantize a release after training, with NNCF: ranges are measured on the training "
        "pictures, scores on the validation pictures. Refused if it costs over half a point of "
        "accuracy."
    )


def _geometry(parser: argparse.ArgumentParser) -> None:
    _data(parser)
    parser.add_argument(
        "--split",
        choices=("train", "valid", "test"),
        default="train",
        help="the pictures to measure on",
    )
    parser.add_argument("--every", type=int, default=10, metavar="N", help="use every Nth picture")
    _detector(parser, ("yunet", "haar"))


def _detector(parser: argparse.ArgumentParser, names: tuple[str, ...]) -> None:
    parser.add_argument("--detect", choices=names, default=names[0], help="detector that crops")
    _detector_model(parser)


def _detector_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--detector-model",
        type=Path,
        metavar="ONNX",
        help="YuNet's file; default: from the cache, or downloaded",
    )
