"""The command line of a process: an option for each setting, and one line about each mistake."""

import argparse
import sys
from typing import NoReturn

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

import emotion_streams
from emotion_streams.printable import printable
from emotion_streams.redaction import redact


def exit_with_error(section: str, reason: str) -> NoReturn:
    """Exit as a process with invalid settings does: one line, exit code 2."""
    print(f"{section}: {printable(redact(' '.join(reason.splitlines())))}", file=sys.stderr)
    sys.exit(2)


class Parser(argparse.ArgumentParser):
    """A parser that reports an invalid command line in one line.

    `prog` is the whole command, as in `emotion-streams worker`.
    """

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        section = self.prog.removeprefix("emotion-streams ")
        exit_with_error(section, f"{message} (--help lists the settings)")


def build_parser(kind: type[BaseModel], section: str, description: str) -> argparse.ArgumentParser:
    """Make a parser with one option per setting; the settings validate the values later."""
    parser = Parser(
        prog=f"emotion-streams {section}",
        description=description,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="FILE", help="YAML file with settings")
    parser.add_argument(
        "--version", action="version", version=f"emotion-streams {emotion_streams.__version__}"
    )
    for name, field in kind.model_fields.items():
        option = f"--{name.replace('_', '-')}"
        about = f"{field.description}{_default_of(field)}".replace("%", "%%")
        if field.annotation is bool:
            parser.add_argument(option, action=argparse.BooleanOptionalAction, help=about)
        else:
            parser.add_argument(option, metavar=name.upper(), help=about)
    return parser


def _default_of(field: FieldInfo) -> str:
    """Format the default for --help, if there is one.

    A default that is computed at start-up is in the setting's description.
    """
    return "" if field.default in (PydanticUndefined, None, "", ()) else f" [{field.default}]"
