"""Options of `train`, derived from the dataclasses of its configuration."""

import argparse
from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from typing import Any, get_args

from training.run_config import RunConfig, RuntimeOptions


class HelpFormatter(argparse.HelpFormatter):
    """Shows the default of each option that has one."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        shown = action.default not in (None, False, argparse.SUPPRESS)
        return f"{action.help} (default: %(default)s)" if shown else action.help


def settings(config: type[RunConfig | RuntimeOptions]) -> Iterator[Field[Any]]:
    """Return the fields of a configuration that are options of `train`."""
    return (field for field in fields(config) if "help" in field.metadata)


def add_setting(parser: argparse.ArgumentParser, setting: Field[Any], default: object) -> None:
    """Add the option of a field.

    If `default` is argparse.SUPPRESS, the parsed options contain it only if it is given; help shows
    the field's default.
    """
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
