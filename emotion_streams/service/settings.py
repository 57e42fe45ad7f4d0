"""Settings of a process: command line over environment over file over default."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import yaml
from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from emotion_streams.connection import parse_url, redact

SECTIONS: Final = ("producer", "worker", "gateway", "defaults", "cameras")
"""Of a settings file; what stands beside them (`redis`, `log_level`) goes for every process."""

Settings = TypeVar("Settings", bound="ServiceSettings")


class InvalidSettings(ValueError):
    """Settings that cannot be used, in one line that names each setting."""


class ServiceSettings(BaseSettings):
    """What every process takes. Subclasses add their own, and an env_prefix."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    redis: str = Field(
        "redis://localhost:6379",
        validation_alias=AliasChoices("redis", "EMOTION_REDIS"),
        description="Redis or Valkey: redis://, rediss://, unix://, redis+cluster:// or "
        "redis+sentinel://. EMOTION_REDIS_USERNAME and EMOTION_REDIS_PASSWORD add credentials",
    )
    log_level: str = Field(
        "info",
        validation_alias=AliasChoices("log_level", "EMOTION_LOG_LEVEL"),
        pattern="^(debug|info|warning|error)$",
        description="debug, info, warning or error",
    )
    metrics_host: str = Field("127.0.0.1", description="address of /metrics, /healthz, /readyz")

    @field_validator("redis")
    @classmethod
    def _redis_is_a_url(cls, url: str) -> str:
        parse_url(url)
        return url


def load(
    kind: type[Settings], section: str, argv: list[str] | None = None, description: str = ""
) -> Settings:
    """Read the settings of the process `section`, or end it with one line and exit code 2.

    `--config` (or EMOTION_CONFIG) names a YAML file; keys that go for every process stand at its
    top, the rest under the process' name.
    """
    parser = build_parser(kind, section, description)
    given = vars(parser.parse_args(argv))
    config = given.pop("config", None) or os.environ.get("EMOTION_CONFIG")
    try:
        return resolve(kind, given, read_file(Path(config), section) if config else {})
    except InvalidSettings as error:
        end(section, str(error))


def end(section: str, reason: str) -> NoReturn:
    """End the process as one does whose settings are wrong: one line, exit code 2."""
    print(f"{section}: {redact(reason)}", file=sys.stderr)
    sys.exit(2)


def resolve(
    kind: type[Settings], given: Mapping[str, Any], from_file: Mapping[str, Any]
) -> Settings:
    """Settings from what was given on the command line, the environment and a file's values.
    Raises InvalidSettings."""
    _check_names(kind, from_file)

    class WithFile(kind):  # type: ignore[valid-type,misc]  # a class per file: sources are a class' own
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic names them
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - and we use neither
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            file = InitSettingsSource(settings_cls, init_kwargs=dict(from_file))
            return init_settings, env_settings, file

    try:
        settings: Settings = WithFile(**given)
    except ValidationError as error:
        raise InvalidSettings("; ".join(explain(error))) from None
    return settings


def _check_names(kind: type[Settings], from_file: Mapping[Any, Any]) -> None:
    """Pydantic passes over variables of our prefix that are no setting, and cannot take keys of a
    file that are no text."""
    prefix = kind.model_config.get("env_prefix", "")
    settings = {
        f"{prefix}{name}".upper()
        for name, field in kind.model_fields.items()
        if field.validation_alias is None  # those with an alias have no prefix
    }
    unknown = [str(name) for name in from_file if not isinstance(name, str)]
    if prefix:
        mine = (name for name in os.environ if name.upper().startswith(prefix))
        unknown += sorted(name for name in mine if name.upper() not in settings)
    if unknown:
        raise InvalidSettings("; ".join(f"{name}: no such setting" for name in unknown))


def explain(error: ValidationError) -> list[str]:
    """Each thing that is wrong, in words, without the credentials that it may hold."""
    lines = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"]).removeprefix("EMOTION_").lower()
        reason = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            lines.append(f"{name}: no such setting")
        elif item["type"] == "missing":
            lines.append(f"--{name.replace('_', '-')} is missing")
        else:
            lines.append(f"{name}: {reason} (got {redact(str(item['input']))[:80]!r})")
    return lines


def read_file(path: Path, section: str) -> dict[str, Any]:
    """The values of a settings file that go for the process `section`. Raises InvalidSettings."""
    content = read_yaml(path)
    own = content.get(section) or {}
    if not isinstance(own, dict):
        raise InvalidSettings(f"{path}: {section}: not a mapping")
    return {**{name: content[name] for name in content if name not in SECTIONS}, **own}


def read_yaml(path: Path) -> dict[str, Any]:
    """The whole of a settings file. Raises InvalidSettings."""
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except OSError as error:
        raise InvalidSettings(f"{path}: {error.strerror or error}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InvalidSettings(f"{path}: not a mapping")
    return content


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        end(self.prog, f"{message} (--help lists the settings)")


def build_parser(
    kind: type[ServiceSettings], section: str, description: str
) -> argparse.ArgumentParser:
    """A command line with one option per setting; values are checked later, by the settings."""
    parser = _Parser(
        prog=section,
        description=description,
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    parser.add_argument("--config", metavar="FILE", help="a YAML file with settings")
    for name, field in kind.model_fields.items():
        default = "" if field.is_required() or field.default is None else f" [{field.default}]"
        option = f"--{name.replace('_', '-')}"
        about = f"{field.description}{default}".replace("%", "%%")
        if field.annotation is bool:
            parser.add_argument(option, action=argparse.BooleanOptionalAction, help=about)
        else:
            parser.add_argument(option, metavar=name.upper(), help=about)
    return parser
