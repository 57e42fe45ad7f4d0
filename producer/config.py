"""The cameras to run: one from the command line, or many from a file that can be reloaded."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import SettingsConfigDict

from emotion_streams import keys
from emotion_streams.redaction import register_secret
from producer.settings import CameraOptions, CameraSettings
from service import settings as service
from service.parser import build_parser, exit_with_error
from service.settings_file import InvalidSettingsError, expand, read_yaml, values_for

# The texts that pydantic reads as False; values in a file are text.
_NO: Final = ("false", "no", "off", "n", "f", "0")


class ProducerSettings(service.ServiceSettings, CameraOptions):
    """Settings of `emotion-streams producer`: those of the process, and those of one camera."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, coerce_numbers_to_str=True, env_prefix="EMOTION_PRODUCER_"
    )

    camera: str | None = Field(None, description="name of the camera in Redis")
    metrics_port: int = Field(
        9102, ge=0, le=65535, description="port of /metrics, /healthz, /readyz; 0 for a free one"
    )

    @field_validator("camera")
    @classmethod
    def _camera_is_a_name(cls, camera: str | None) -> str | None:
        return camera if camera is None else keys.check_camera(camera)


@dataclass(frozen=True)
class Config:
    """Configuration of a producer.

    `path`: the file that names the cameras; None if the command line names the only camera.
    `given`: the options of the command line.
    """

    process: ProducerSettings
    cameras: Mapping[str, CameraSettings]
    path: Path | None
    given: Mapping[str, Any]

    def cameras_now(self) -> Mapping[str, CameraSettings]:
        """Read the cameras from the current file, with the same checks as at the start.

        Raises InvalidSettingsError.
        """
        now = _resolve(self.given, self.path)
        if now.path is None:
            raise InvalidSettingsError(f"{self.path}: no cameras in the file any longer")
        return now.cameras


def load(argv: list[str]) -> Config:
    """Load the configuration from command line, environment and file.

    If the configuration is invalid, print one line and end the process with exit code 2.
    """
    parser = build_parser(
        ProducerSettings,
        "producer",
        "Publish cameras to frames streams: one by --source, or many by --config. "
        "`emotion-streams probe SOURCE` tests one camera, and `emotion-streams discover` finds "
        "those of the network.",
    )
    given = vars(parser.parse_args(argv))
    config = given.pop("config", None) or os.environ.get("EMOTION_CONFIG")
    try:
        return _resolve(given, Path(config) if config else None)
    except InvalidSettingsError as error:
        exit_with_error("producer", str(error))


def _resolve(given: Mapping[str, Any], path: Path | None) -> Config:
    content = read_yaml(path) if path else {}
    from_file = values_for(content, path, "producer") if path else {}
    process = service.resolve(ProducerSettings, given, from_file, path)
    about_camera = {"camera", *CameraOptions.model_fields} & process.model_fields_set
    if path and "cameras" in content:
        if about_camera:
            names = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(about_camera))
            raise InvalidSettingsError(
                f"{names}: {path} defines the cameras; set it there, under the camera or defaults"
            )
        return Config(process, _cameras(content, path, os.environ), path, given)
    if process.camera is None:
        missing = (
            f"{path}: cameras is missing (or --camera)"
            if path
            else ("--camera is missing (or --config with cameras)")
        )
        raise InvalidSettingsError(missing)
    values = {name: getattr(process, name) for name in about_camera if name != "camera"}
    defaults = _section(content, path, "defaults") if path else {}
    camera = parse_camera({**defaults, **values}, os.environ)
    return Config(process, {process.camera: camera}, None, given)


def read_cameras(path: Path, environ: Mapping[str, str] = os.environ) -> dict[str, CameraSettings]:
    """Read the cameras of a file. Each has the keys of `defaults` and its own.

    Raises InvalidSettingsError, which names the file, the camera and the key.
    """
    return _cameras(read_yaml(path), path, environ)


def _cameras(
    content: Mapping[str, Any], path: Path, environ: Mapping[str, str]
) -> dict[str, CameraSettings]:
    defaults = _section(content, path, "defaults")
    # Check the defaults alone first, so that their errors are not attributed to a camera. A
    # missing environment variable is an error only for an enabled camera that uses the default.
    parse_camera({**defaults, "enabled": False}, environ, f"{path}: defaults.")
    cameras: dict[str, CameraSettings] = {}
    for name, own in _section(content, path, "cameras").items():
        where = f"{path}: cameras.{name}"
        if not isinstance(own, dict):
            raise InvalidSettingsError(
                f"{where}: not a mapping of settings, as in {{source: demo}}"
            )
        try:
            keys.check_camera(name)
        except ValueError as error:
            raise InvalidSettingsError(f"{where}: {error}") from None
        cameras[name] = parse_camera({**defaults, **own}, environ, f"{where}.")
    if not cameras:
        raise InvalidSettingsError(f"{path}: cameras: the file contains no camera")
    return cameras


def parse_camera(
    values: Mapping[str, Any], environ: Mapping[str, str], where: str = ""
) -> CameraSettings:
    """Parse a camera's settings, with `${NAME}` taken from the environment.

    A variable of a disabled camera may be unset. The values of variables, and the password and
    query of a URL, are registered as secrets. Raises InvalidSettingsError, with `where` before each
    key.
    """
    expanded = dict(values)
    for key, value in values.items():
        if isinstance(value, str):
            try:
                expanded[key] = expand(value, environ)
            except ValueError as error:
                if str(values.get("enabled", True)).lower() not in _NO:
                    raise InvalidSettingsError(f"{where}{key}: {error}") from None
    source = expanded.get("source")
    if isinstance(source, str):
        _keep_credentials(source)
    try:
        return CameraSettings.model_validate(expanded)
    except ValidationError as error:
        lines = service.explain(error, lambda key, _: f"{where}{key}")
        raise InvalidSettingsError("; ".join(lines)) from None


def _keep_credentials(source: str) -> None:
    # Up to the last @: a password that is not percent-encoded may contain / or @.
    credentials, _, rest = source.partition("://")[2].rpartition("@")
    password = credentials.partition(":")[2]
    # Register the query as a whole: its values can be common words such as "main".
    query = rest.partition("?")[2]
    for secret in (password, unquote(password), query):
        register_secret(secret)


def _section(content: Mapping[str, Any], path: Path, name: str) -> dict[str, Any]:
    section = content.get(name) or {}
    if not isinstance(section, dict):
        raise InvalidSettingsError(f"{path}: {name}: not a mapping")
    return section
