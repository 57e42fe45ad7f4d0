"""The cameras to run: one from the command line, or many from a file that may change."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote

from pydantic import ValidationError

from emotion_streams import keys
from emotion_streams.connection import keep_secret
from emotion_streams.service import settings as service
from emotion_streams.service.settings import InvalidSettings
from producer.camera_settings import CameraOptions, CameraSettings
from producer.settings import ProducerSettings

_REFERENCE: Final = re.compile(r"\$\{([^}]*)\}")


@dataclass(frozen=True)
class Config:
    """What is to run. `path`: the file that names the cameras; None where the command line names
    the one."""

    process: ProducerSettings
    cameras: Mapping[str, CameraSettings]
    path: Path | None


def load(argv: list[str]) -> Config:
    """From command line, environment and file; ends the process with one line and exit code 2
    where that makes no sense."""
    parser = service.build_parser(
        ProducerSettings,
        "producer",
        "Cameras into frames streams: one by --source, or many by --config. "
        "`python -m producer probe SOURCE` tells what is wrong with a camera.",
    )
    given = vars(parser.parse_args(argv))
    config = given.pop("config", None) or os.environ.get("EMOTION_CONFIG")
    try:
        return _resolve(given, Path(config) if config else None)
    except InvalidSettings as error:
        service.end("producer", str(error))


def _resolve(given: Mapping[str, Any], path: Path | None) -> Config:
    from_file = service.read_file(path, "producer") if path else {}
    process = service.resolve(ProducerSettings, given, from_file)
    about_camera = {"camera", *CameraOptions.model_fields} & process.model_fields_set
    if path and "cameras" in service.read_yaml(path):
        if about_camera:
            names = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(about_camera))
            raise InvalidSettings(
                f"{names}: {path} names the cameras; say it there, under the camera or defaults"
            )
        return Config(process, read_cameras(path), path)
    if process.camera is None:
        raise InvalidSettings("--camera is missing (or --config with cameras)")
    values = {name: getattr(process, name) for name in about_camera if name != "camera"}
    defaults = _section(path, "defaults") if path else {}
    camera = parse_camera({**defaults, **values}, os.environ)
    return Config(process, {process.camera: camera}, None)


def read_cameras(path: Path, environ: Mapping[str, str] = os.environ) -> dict[str, CameraSettings]:
    """The cameras of a file: each by `defaults` and its own keys. Raises InvalidSettings, which
    names file, camera and key."""
    defaults = _section(path, "defaults")
    cameras: dict[str, CameraSettings] = {}
    for name, own in _section(path, "cameras").items():
        where = f"{path}: cameras.{name}"
        if not isinstance(own, dict):
            raise InvalidSettings(f"{where}: not a mapping of settings, as in {{source: demo}}")
        try:
            keys.check_camera(str(name))
            cameras[str(name)] = parse_camera({**defaults, **own}, environ)
        except InvalidSettings as error:
            raise InvalidSettings(f"{where}.{error}") from None
        except ValueError as error:
            raise InvalidSettings(f"{where}: {error}") from None
    return cameras


def parse_camera(values: Mapping[str, Any], environ: Mapping[str, str]) -> CameraSettings:
    """A camera's settings, with `${NAME}` taken from the environment. What came from there, and
    the password of a URL, is secret from now on. Raises InvalidSettings."""
    expanded: dict[str, Any] = {
        name: _expand(name, value, environ) if isinstance(value, str) else value
        for name, value in values.items()
    }
    source = expanded.get("source")
    if isinstance(source, str):
        _keep_password(source)
    try:
        return CameraSettings.model_validate(expanded)
    except ValidationError as error:
        raise InvalidSettings("; ".join(service.explain(error))) from None


def _expand(key: str, text: str, environ: Mapping[str, str]) -> str:
    alone = _REFERENCE.fullmatch(text) is not None

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in environ:
            raise InvalidSettings(f"{key}: ${{{name}}} is not set in the environment")
        keep_secret(environ[name])
        # Within a URL, an @ or / of a password would end it.
        inserted = environ[name] if alone else quote(environ[name], safe="")
        keep_secret(inserted)
        return inserted

    return _REFERENCE.sub(value, text)


def _keep_password(source: str) -> None:
    # Up to the last @: whoever writes a password plainly may have left an / or @ in it.
    rest = source.partition("://")[2].partition("?")[0]
    _, _, password = rest.rpartition("@")[0].partition(":")
    keep_secret(password)
    keep_secret(unquote(password))


def _section(path: Path, name: str) -> dict[str, Any]:
    content = service.read_yaml(path).get(name) or {}
    if not isinstance(content, dict):
        raise InvalidSettings(f"{path}: {name}: not a mapping")
    return content
