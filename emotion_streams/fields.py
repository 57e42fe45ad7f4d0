"""Typed access to the fields of a message, and one exception for every defect of it."""

import math
from collections.abc import Iterator
from typing import Any, Final

YEAR_2200_MS: Final = 7_258_118_400_000


class MalformedMessageError(ValueError):
    """A message that does not parse; the text names the field and its defect."""


class Fields:
    """A parsed map with typed accessors.

    Each returns a value of the right type, or raises MalformedMessageError.
    """

    def __init__(self, values: dict[Any, Any], where: str = "") -> None:
        self._values = values
        self._where = where

    def integer(self, name: str, least: int, most: int = 2**63 - 1) -> int:
        """Return an integer from `least` to `most`."""
        value = self._get(name)
        if type(value) is not int or not least <= value <= most:
            raise self._wrong(name, f"{_short(value)} is not an integer from {least} to {most}")
        return value

    def timestamp_ms(self, name: str) -> int:
        """Return a time in Unix milliseconds, from 1970 to 2200: any reader can convert it."""
        return self.integer(name, 0, YEAR_2200_MS)

    def number(self, name: str, least: float = -math.inf, most: float = math.inf) -> float:
        """Return a finite number from `least` to `most`."""
        return self._number(name, self._get(name), least, most)

    def text(self, name: str) -> str:
        """Return a text."""
        value = self._get(name)
        if not isinstance(value, str):
            raise self._wrong(name, f"{_short(value)} is not text")
        return value

    def texts(self, name: str, most: int) -> list[str]:
        """Return a list of at most `most` texts."""
        values = self._list(name, most)
        if not all(isinstance(value, str) for value in values):
            raise self._wrong(name, f"{_short(values)} holds more than text")
        return values

    def binary(self, name: str) -> bytes:
        """Return bytes."""
        value = self._get(name)
        if not isinstance(value, bytes):
            raise self._wrong(name, f"{_short(value)} is not bytes")
        return value

    def map(self, name: str) -> "Fields":
        """Return a map."""
        return self._map(name, self._get(name))

    def maps(self, name: str, most: int) -> list["Fields"]:
        """Return a list of at most `most` maps."""
        values = self._list(name, most)
        return [self._map(f"{name}[{n}]", value) for n, value in enumerate(values)]

    def numbers(self, name: str, count: int) -> list[float]:
        """Return a list of exactly `count` finite numbers."""
        values = self._list(name, count)
        if len(values) != count:
            raise self._wrong(name, f"has {len(values)} items, not {count}")
        return [self._number(name, value, -math.inf, math.inf) for value in values]

    def points(self, name: str, count: int) -> list[tuple[float, float]]:
        """Return a list of exactly `count` pairs of finite numbers."""
        values = self._list(name, count)
        if len(values) != count or not all(isinstance(v, list) and len(v) == 2 for v in values):
            raise self._wrong(name, f"is not a list of {count} pairs")
        return [
            (self._number(name, x, -math.inf, math.inf), self._number(name, y, -math.inf, math.inf))
            for x, y in values
        ]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def has(self, name: str) -> bool:
        """Return whether the field is present and not null."""
        return self._values.get(name) is not None

    def _get(self, name: str) -> Any:
        try:
            return self._values[name]
        except KeyError:
            raise self._wrong(name, "is missing") from None

    def _number(self, name: str, value: Any, least: float, most: float) -> float:
        if (
            type(value) not in (int, float)
            or not math.isfinite(value)
            or not least <= value <= most
        ):
            raise self._wrong(name, f"{_short(value)} is not a number from {least} to {most}")
        return float(value)

    def _map(self, name: str, value: Any) -> "Fields":
        if not isinstance(value, dict):
            raise self._wrong(name, f"{_short(value)} is not a map")
        return Fields(value, f"{self._where}{name}.")

    def _list(self, name: str, most: int) -> list[Any]:
        value = self._get(name)
        if not isinstance(value, list) or len(value) > most:
            raise self._wrong(name, f"{_short(value)} is not a list of at most {most}")
        return value

    def _wrong(self, name: str, what: str) -> MalformedMessageError:
        return MalformedMessageError(f"field {self._where}{name} {what}")


def _short(value: Any) -> str:
    """Format a value in at most about 40 characters, without formatting the rest of it."""
    if isinstance(value, list | dict):
        return f"a {type(value).__name__} of {len(value)}"
    text = repr(value[:40] if isinstance(value, str | bytes) else value)
    return text if len(text) <= 40 else f"{text[:40]}..."
