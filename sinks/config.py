"""The sinks to run, from a settings file that can be reloaded."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from service import settings as service
from service.parser import build_parser, exit_with_error
from service.settings_file import InvalidSettingsError, expand, read_yaml, values_for
from sinks.options import TYPES, AnyOptions
from sinks.settings import SinkSettings

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
_REFERENCE: Final = re.compile(r"\$\{[^}]*\}")
# The texts that pydantic reads as False; values in a file are text.
_NO: Final = ("false", "no", "off", "n", "f", "0")


@dataclass(frozen=True)
class Config:
    """Configuration of the process. `path`: the file that names the sinks."""

    process: SinkSettings
    sinks: Mapping[str, AnyOptions]
    path: Path

    def sinks_now(self) -> Mapping[str, AnyOptions]:
        """Read the sinks from the current file. Raises InvalidSettingsError."""
        return read_sinks(self.path)


def load(argv: list[str]) -> Config:
    """Load the configuration, or print one line and end the process with exit code 2."""
    parser = build_parser(
        SinkSettings,
        "sink",
        "Deliver episodes, minutes and camera states to MQTT, webhooks and databases, as the file "
        "of --config says under `sinks`; see docs/sinks.md.",
    )
    given = vars(parser.parse_args(argv))
    config = given.pop("config", None) or os.environ.get("EMOTION_CONFIG")
    try:
        if not config:
            raise InvalidSettingsError("--config is required: a file with `sinks`")
        path = Path(config)
        process = service.resolve(
            SinkSettings, given, values_for(read_yaml(path), path, "sink"), path
        )
        return Config(process, read_sinks(path), path)
    except InvalidSettingsError as error:
        exit_with_error("sink", str(error))


def read_sinks(path: Path, environ: Mapping[str, str] = os.environ) -> dict[str, AnyOptions]:
    """Read the sinks of a file.

    Raises InvalidSettingsError, which names the file, the sink and the key.
    """
    section = read_yaml(path).get("sinks") or {}
    if not isinstance(section, dict):
        raise InvalidSettingsError(f"{path}: sinks: not a mapping")
    if not section:
        raise InvalidSettingsError(f"{path}: sinks: there is none in it")
    sinks = {}
    for name, values in section.items():
        where = f"{path}: sinks.{name}"
        if not _NAME.fullmatch(name):
            raise InvalidSettingsError(
                f"{where}: a name has up to 63 letters, digits, '_', '.' and '-'"
            )
        if not isinstance(values, dict):
            raise InvalidSettingsError(f"{where}: not a mapping, as in {{type: mqtt, url: ...}}")
        sinks[name] = parse_sink(values, environ, f"{where}.")
    return sinks


def parse_sink(values: Mapping[str, Any], environ: Mapping[str, str], where: str) -> AnyOptions:
    """Parse the options of a sink, with each `${NAME}` taken from the environment.

    A variable of a disabled sink may be unset. Raises InvalidSettingsError, with `where` before
    each key.
    """
    kind = TYPES.get(str(values.get("type")))
    if kind is None:
        raise InvalidSettingsError(f"{where}type: one of {', '.join(TYPES)}")
    if "url" not in values:
        raise InvalidSettingsError(f"{where}url is required")
    try:
        expanded = {key: _expand(key, value, environ, where) for key, value in values.items()}
    except InvalidSettingsError:
        if str(values.get("enabled", True)).lower() not in _NO:
            raise
        expanded = dict(values)
    try:
        return kind.model_validate(expanded)
    except ValidationError as error:
        lines = service.explain(error, lambda key, _: f"{where}{key}")
        raise InvalidSettingsError("; ".join(lines)) from None


def _expand(key: str, value: Any, environ: Mapping[str, str], where: str) -> Any:
    if isinstance(value, dict):
        return {name: _expand(key, item, environ, where) for name, item in value.items()}
    if not isinstance(value, str):
        return value
    try:
        if key == "url":
            return expand(value, environ)
        # Only in a URL does a value need encoding.
        return _REFERENCE.sub(lambda match: expand(match[0], environ), value)
    except ValueError as error:
        raise InvalidSettingsError(f"{where}{key}: {error}") from None
