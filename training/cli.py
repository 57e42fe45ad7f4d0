"""The command line: parse the arguments and run the command.

Commands are imported when they run: help needs nothing but the client, and only training Keras."""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any, Final, get_args

from training import recipe
from training.run_config import Pace, RunConfig

BAD_INPUT: Final = 2
"""argparse's own exit code for it."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Wrong input is one line on stderr and exit code 2."""
    options = _parser().parse_args(arguments)
    try:
        from training import commands

        try:
            getattr(commands, options.command)(options)
        except commands.WRONG as error:
            return _refuse(str(error))
    except ImportError as error:
        return _refuse(f"{error}: install 'emotion-streams[training]'")
    except OSError as error:  # a folder that is none, a disk that is full
        where = f"{error.filename}: " if error.filename else ""
        return _refuse(f"{where}{error.strerror or error}")
    return 0


def _refuse(reason: str) -> int:
    print(f"error: {' '.join(reason.split())}", file=sys.stderr)
    return BAD_INPUT


class _Help(argparse.HelpFormatter):
    """Shows the default of each option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        shown = action.default not in (None, False, argparse.SUPPRESS)
        return f"{action.help} (default: %(default)s)" if shown else action.help


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training",
        description="SimpNet V2: from labelled faces to a released model.",
    )
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")

    def add(name: str, text: str) -> argparse.ArgumentParser:
        return subparsers.add_parser(name, help=text, formatter_class=_Help)

    _inspect(add("inspect", "count a data set's pictures and show some"))
    _train(add("train", "train a model, or continue a run"))
    _evaluate(add("evaluate", "score a model on a data set"))
    _export(add("export", "make a run's model a release"))
    _quantize(add("quantize", "make a release's int8 file, again if it has one"))
    _geometry(add("geometry", "find how a detector's boxes lie on faces"))
    add("summary", "print SimpNet V2's table")
    return parser


def _data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data", type=Path, metavar="DATA", help="FER+, AffectNet or a folder per emotion; or a zip"
    )


def _inspect(parser: argparse.ArgumentParser) -> None:
    _data(parser)
    parser.add_argument(
        "--sheet",
        type=Path,
        default=Path("contact-sheet.png"),
        metavar="PNG",
        help="where to draw some pictures of each emotion",
    )


def _train(parser: argparse.ArgumentParser) -> None:
    _data(parser)
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="the run's folder")
    parser.add_argument("--resume", action="store_true", help="continue RUN as it was configured")
    parser.add_argument(
        "--recipe",
        metavar="NAME",
        help=f"repeat a run: {', '.join(recipe.names())}, or that of a YAML file; options given "
        "beside it take precedence",
    )
    parser.add_argument(
        "--stage",
        dest="stages",
        action="append",
        metavar="SIDE:STEPS:BATCH:RATE",
        help="a part of the run at one input size; repeat for more, in order",
    )
    for setting in settings(RunConfig):
        _setting(parser, setting, argparse.SUPPRESS)
    for setting in settings(Pace):
        _setting(parser, setting, setting.default)


def settings(config: type[RunConfig | Pace]) -> Iterator[Field[Any]]:
    """The fields of a configuration that are options of `train`."""
    return (field for field in fields(config) if "help" in field.metadata)


def _setting(parser: argparse.ArgumentParser, setting: Field[Any], default: object) -> None:
    """An option for a field. Without a default here, only one that is given is in the result."""
    choices = get_args(setting.type)
    if type(None) in choices:  # `str | None`
        choices = ()
    text = setting.metadata["help"]
    if default is argparse.SUPPRESS and setting.default not in (None, MISSING):
        text += f" (default: {setting.default})"
    parser.add_argument(
        f"--{setting.name.replace('_', '-')}",
        type=setting.type if setting.type in (int, float) else str,
        choices=choices or None,
        default=default,
        metavar=None if choices else setting.metadata["metavar"],
        help=text,
    )


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
        help="valid if not given, or the only one that there is; data that is not divided is "
        "judged as a whole whichever is given",
    )
    parser.add_argument("--json", action="store_true", help="print all scores as JSON")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="write PNG plots there")
    parser.add_argument("--robustness", action="store_true", help="score corrupted pictures too")
    parser.add_argument(
        "--engine", choices=_engines(), default="auto", metavar="ENGINE", help=_engine_help()
    )
    _detector(parser, ("none", "yunet", "haar"))


def _engines() -> tuple[str, ...] | None:
    """The worker's engines, None if what they import is not installed: help works without."""
    try:
        from worker.inference.engines.choose import ENGINES
    except ImportError:
        return None
    return ("auto", *ENGINES)


def _engine_help() -> str:
    return f"what runs the model: {', '.join(_engines() or ('one that is installed',))}"


def _export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="RUN", help="a run, or one of its stages")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="the release's folder, and its name"
    )
    parser.add_argument(
        "--data", type=Path, help="what it is scored on; a run's own data if not given"
    )
    parser.add_argument("--version", default="1.0.0", metavar="VERSION", help="in the card")
    parser.add_argument(
        "--logit-adjust",
        default="0",
        metavar="TAU",
        help="0 to 1, or `auto`. 0: name the likeliest emotion; 1: rare ones count as much as "
        "frequent ones; auto: the best for accuracy and macro F1, scored by halves of the data of "
        "which each is judged with the other's choice",
    )
    _detector_model(parser)


def _quantize(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="a release's folder or name")
    _data(parser)
    parser.description = (
        "NNCF's post-training quantization: ranges from the training pictures, scores from the "
        "validation pictures. It is refused where it costs more than half a point of accuracy."
    )


def _geometry(parser: argparse.ArgumentParser) -> None:
    _data(parser)
    parser.add_argument(
        "--split", choices=("train", "valid", "test"), default="train", help="whose pictures"
    )
    parser.add_argument("--every", type=int, default=10, metavar="N", help="take each Nth picture")
    _detector(parser, ("yunet", "haar"))


def _detector(parser: argparse.ArgumentParser, names: tuple[str, ...]) -> None:
    parser.add_argument("--detect", choices=names, default=names[0], help="cut faces by a detector")
    _detector_model(parser)


def _detector_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--detector-model",
        type=Path,
        metavar="ONNX",
        help="YuNet's file; from the cache, or downloaded, if not given",
    )
