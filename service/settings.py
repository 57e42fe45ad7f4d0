"""Settings of a process. Precedence: command line, environment, file, default."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from pydantic import AliasChoices, BeforeValidator, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from emotion_streams.printable import printable
from emotion_streams.redaction import redact_url
from emotion_streams.redis_url import parse_url, without_line_end
from service.parser import build_parser, exit_with_error
from service.settings_file import (
    InvalidSettingsError,
    expand,
    read_yaml,
    values_for,
)

Settings = TypeVar("Settings", bound="ServiceSettings")

# Passes the values of the file to one instance; not the name of a setting.
_FROM_FILE: Final = "=file"


def split_list(value: object) -> object:
    """Split text at its commas; leave any other value to the field's type."""
    if not isinstance(value, str):
        return value
    return [item.strip() for item in value.split(",") if item.strip()]


class ServiceSettings(BaseSettings):
    """The settings of every process. Subclasses add their own settings and an env_prefix."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    redis: str = Field(
        "redis://localhost:6379",
        validation_alias=AliasChoices("redis", "EMOTION_REDIS"),
        description="Redis or Valkey: redis://, rediss://, unix://, redis+cluster:// or "
        "redis+sentinel://; ${NAME} is replaced from the environment. EMOTION_REDIS_USERNAME "
        "and EMOTION_REDIS_PASSWORD add credentials",
    )
    log_level: str = Field(
        "info",
        validation_alias=AliasChoices("log_level", "EMOTION_LOG_LEVEL"),
        pattern="^(debug|info|warning|error)$",
        description="debug, info, warning or error",
    )
    log_format: str = Field(
        "auto",
        validation_alias=AliasChoices("log_format", "EMOTION_LOG_FORMAT"),
        pattern="^(auto|text|json)$",
        description="text, json, or auto: text on a terminal, else json",
    )
    metrics_host: str = Field(
        "127.0.0.1",
        description="address of /metrics, /healthz and /readyz; :: for every address",
    )
    metrics_allowed_hosts: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_list)] = (
        Field(
            (),
            description="comma-separated host names accepted by /metrics; IP addresses, localhost "
            "and the machine's own name are always accepted",
        )
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic names them
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - and we use neither
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources of one instance in order of precedence."""
        assert isinstance(init_settings, InitSettingsSource)
        from_file = init_settings.init_kwargs.pop(_FROM_FILE, {})
        return init_settings, env_settings, InitSettingsSource(settings_cls, from_file)

    @field_validator("redis")
    @classmethod
    def _redis_is_a_url(cls, url: str) -> str:
        url = expand(without_line_end(url), os.environ)
        parse_url(url)
        return url


def load(
    kind: type[Settings], section: str, argv: list[str] | None = None, description: str = ""
) -> Settings:
    """Read the settings of the process `section`, or exit with one line and code 2.

    `--config` (or EMOTION_CONFIG) names a YAML file. Keys for every process are at its top level,
    the others under the process' name.
    """
    parser = build_parser(kind, section, description)
    given = vars(parser.parse_args(argv))
    config = given.pop("config", None) or os.environ.get("EMOTION_CONFIG")
    path = Path(config) if config else None
    try:
        from_file = values_for(read_yaml(path), path, section) if path else {}
        return resolve(kind, given, from_file, path)
    except InvalidSettingsError as error:
        exit_with_error(section, str(error))


def resolve(
    kind: type[Settings],
    given: Mapping[str, Any],
    from_file: Mapping[str, Any],
    path: Path | None = None,
) -> Settings:
    """Merge the command line, the environment and the values of the file `path` into settings.

    Raises InvalidSettingsError, whose text names the file if it contains the mistake.
    """

    def named(key: str, value: object) -> str:
        in_file = key not in given and key in from_file and from_file[key] == value
        return f"{path}: {key}" if in_file else key

    _check_environment(kind)
    values: dict[str, Any] = {**given, _FROM_FILE: dict(from_file)}
    try:
        return kind(**values)
    except ValidationError as error:
        raise InvalidSettingsError("; ".join(explain(error, named))) from None


def _check_environment(kind: type[Settings]) -> None:
    """Reject variables with our prefix that are not a setting; pydantic ignores them."""
    prefix = kind.model_config.get("env_prefix", "")
    settings = {
        f"{prefix}{name}".upper()
        for name, field in kind.model_fields.items()
        if field.validation_alias is None  # those with an alias have no prefix
    }
    mine = (name for name in os.environ if prefix and name.upper().startswith(prefix))
    if unknown := sorted(name for name in mine if name.upper() not in settings):
        raise InvalidSettingsError("; ".join(f"{name}: unknown setting" for name in unknown))


def explain(
    error: ValidationError, named: Callable[[str, object], str] = lambda key, _: key
) -> list[str]:
    """Describe each mistake, without the credentials that the value may hold.

    `named` returns the name of a key with this value, with the file that sets it.
    """
    lines = []
    for item in error.errors():
        loc = [str(part) for part in item["loc"]]
        key = ".".join(loc).removeprefix("EMOTION_").lower()
        name = named(key, item["input"])
        reason = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            lines.append(f"{name}: unknown setting")
        elif item["type"] == "missing":
            lines.append(f"--{key.replace('_', '-')} is required")
        elif item["type"] == "string_unicode":
            shown = printable(redact_url(str(item["input"])))
            lines.append(f"{name}: {shown[:80]} is not UTF-8; rename it")
        else:
            lines.append(f"{name}: {reason} (got {redact_url(str(item['input']))[:80]!r})")
    return lines
