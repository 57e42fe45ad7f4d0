"""Command-line options of `emotion-streams analyse`."""

import argparse
import importlib.util
from pathlib import Path

from service.parser import Parser


def build_parser(description: str | None) -> argparse.ArgumentParser:
    """Make the parser. An invalid command line exits with one line and code 2."""
    parser = Parser(prog="emotion-streams analyse", description=description, allow_abbrev=False)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="a video file")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="gets a folder for each file"
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument(
        "--resume", action="store_true", help="keep what is done, and go on with the rest"
    )
    again.add_argument("--overwrite", action="store_true", help="replace earlier results")
    parser.add_argument("--blur", action="store_true", help="blur the faces of annotated.mp4")
    parser.add_argument(
        "--show-faces", action="store_true", help="show faces in report.html [they are blurred]"
    )
    parser.add_argument(
        "--parquet",
        action="store_true",
        help="write the tables as Parquet too; needs the package pyarrow",
    )
    parser.add_argument("--model", help="a released model: its name, or its folder")
    parser.add_argument(
        "--engine", choices=("auto", "keras", "openvino", "mnn"), help="what runs the model [auto]"
    )
    parser.add_argument("--detector-model", help="YuNet's file, if it cannot be downloaded")
    return parser


def parse(parser: argparse.ArgumentParser, argv: list[str] | None) -> argparse.Namespace:
    """Parse the command line. Exits with one line and code 2 if it is invalid."""
    arguments = parser.parse_args(argv)
    if arguments.parquet and importlib.util.find_spec("pyarrow") is None:
        parser.error("--parquet needs the package pyarrow: pip install pyarrow")
    if arguments.out.exists() and not arguments.out.is_dir():
        parser.error(f"--out {arguments.out}: not a folder")
    return arguments


def worker_options(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the options that are passed on to the worker."""
    names = ("model", "engine", "detector_model")
    return {
        f"--{name.replace('_', '-')}": value
        for name in names
        if (value := getattr(arguments, name))
    }


def result_options(arguments: argparse.Namespace) -> dict[str, str]:
    """Return the options that the results depend on: the worker's, and what is written."""
    names = ("blur", "show_faces", "parquet")
    flags = {f"--{name.replace('_', '-')}": "yes" for name in names if getattr(arguments, name)}
    return {**worker_options(arguments), **flags}
