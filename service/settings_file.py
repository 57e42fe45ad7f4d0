"""A settings file: YAML with literal, unique keys, and with references in place of secrets."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from emotion_streams.redaction import register_secret
from emotion_streams.redis_url import without_line_end
from service.yaml_loader import InvalidYamlError, parse_yaml

SECTIONS: Final = ("producer", "worker", "gateway", "sink", "defaults", "cameras", "sinks")
"""Per-process sections. Top-level keys (`redis`, `log_level`) apply to every process."""

MAX_FILE_BYTES: Final = 4 << 20

_REFERENCE: Final = re.compile(r"\$\{([^}]*)\}")


class InvalidSettingsError(ValueError):
    """Invalid settings; the text names each of them, in one line."""


def values_for(content: Mapping[str, Any], path: Path, section: str) -> dict[str, Any]:
    """Return the values of the settings file `path` that apply to the process `section`.

    Raises InvalidSettingsError.
    """
    own = content.get(section) or {}
    if not isinstance(own, dict):
        raise InvalidSettingsError(f"{path}: {section}: not a mapping")
    return {**{name: content[name] for name in content if name not in SECTIONS}, **own}


def read_yaml(path: Path) -> dict[str, Any]:
    """Read a settings file. Every key is text, as it is written: `0101`, `no` and `~` too.

    Raises InvalidSettingsError for every defect of the file. Its text shows none of the content,
    which may be a password.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidSettingsError(f"{path}: {error.strerror or error}") from None
    if len(raw) > MAX_FILE_BYTES:
        raise InvalidSettingsError(f"{path}: larger than {MAX_FILE_BYTES >> 20} MiB")
    try:
        content = parse_yaml(raw.decode("utf-8-sig")) or {}
    except UnicodeDecodeError as error:
        raise InvalidSettingsError(
            f"{path}: not YAML: byte {error.start} is not text in UTF-8"
        ) from None
    except InvalidYamlError as error:
        raise InvalidSettingsError(f"{path}: not YAML: {error}") from None
    if not isinstance(content, dict):
        raise InvalidSettingsError(f"{path}: not a mapping")
    return content


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Replace each `${NAME}` by its value in the environment, encoded inside a URL.

    Line breaks at the end of a value are removed, and the value is registered as a secret. Raises
    ValueError for a name that is not set.
    """
    alone = _REFERENCE.fullmatch(text) is not None

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in environ:
            raise ValueError(f"${{{name}}} is not set in the environment")
        secret = without_line_end(environ[name])
        register_secret(secret)
        # Within a URL, an @ or / would end the password.
        inserted = secret if alone else quote(secret, safe="")
        register_secret(inserted)
        return inserted

    return _REFERENCE.sub(value, text)
