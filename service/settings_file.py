"""A settings file: YAML in which nothing stands twice, and secrets by reference."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import yaml

from emotion_streams.redaction import register_secret

SECTIONS: Final = ("producer", "worker", "gateway", "defaults", "cameras")
"""Of a settings file; what stands beside them (`redis`, `log_level`) goes for every process."""

_REFERENCE: Final = re.compile(r"\$\{([^}]*)\}")


class InvalidSettings(ValueError):
    """Settings that cannot be used, in one line that names each setting."""


def own_values(content: Mapping[str, Any], path: Path, section: str) -> dict[str, Any]:
    """Of what stands in the settings file `path`, all that goes for the process `section`. Raises
    InvalidSettings."""
    own = content.get(section) or {}
    if not isinstance(own, dict):
        raise InvalidSettings(f"{path}: {section}: not a mapping")
    return {**{name: content[name] for name in content if name not in SECTIONS}, **own}


def read_yaml(path: Path) -> dict[str, Any]:
    """The whole of a settings file. Raises InvalidSettings, which shows nothing of what stands in
    it: it may be a password."""
    try:
        # Its loader is the safe one.
        content = yaml.load(path.read_text(), _Loader) or {}  # noqa: S506
    except OSError as error:
        raise InvalidSettings(f"{path}: {error.strerror or error}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise InvalidSettings(f"{path}: not YAML: {error.problem}{where}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise InvalidSettings(f"{path}: not YAML: it is no text in UTF-8") from None
    if not isinstance(content, dict):
        raise InvalidSettings(f"{path}: not a mapping")
    return content


def expand(text: str, environ: Mapping[str, str]) -> str:
    """The text with each `${NAME}` taken from the environment: encoded, where it is part of a URL.
    What came from there is secret from now on. Raises ValueError for what is not set."""
    alone = _REFERENCE.fullmatch(text) is not None

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in environ:
            raise ValueError(f"${{{name}}} is not set in the environment")
        register_secret(environ[name])
        # Within a URL, an @ or / of a password would end it.
        inserted = environ[name] if alone else quote(environ[name], safe="")
        register_secret(inserted)
        return inserted

    return _REFERENCE.sub(value, text)


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice in a mapping: YAML would take the last, in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value!r} stands here twice", key.start_mark
                )
            seen.add(key.value if isinstance(key, yaml.ScalarNode) else id(key))
        return super().construct_mapping(node, deep)
