"""msgpack with limits, and one exception for everything that can be wrong with a message."""

import math
from collections.abc import Iterator
from typing import Any, Final

import msgpack

_MAX_TEXT_BYTES: Final = 4096
_MAX_ITEMS: Final = 4096
YEAR_2200_MS: Final = 7_258_118_400_000


class MalformedMessage(ValueError):
    """A message that does not parse: what is wrong with it, in words that name the field."""


def pack(fields: dict[str, Any]) -> bytes:
    """Msgpack of a map of plain values."""
    packed: bytes = msgpack.packb(fields, use_bin_type=True)
    return packed


def unpack(blob: bytes, max_bytes: int) -> "Fields":
    """Parse a msgpack map with text keys of at most `max_bytes`; MalformedMessage otherwise."""
    if len(blob) > max_bytes:
        raise MalformedMessage(f"{len(blob)} bytes, the limit is {max_bytes}")
    try:
        value = msgpack.unpackb(
            blob,
            raw=False,
            strict_map_key=True,
            max_str_len=_MAX_TEXT_BYTES,
            max_bin_len=max_bytes,
            max_array_len=_MAX_ITEMS,
            max_map_len=64,
            max_ext_len=0,
        )
    # msgpack raises ValueErrors of its own, UnicodeDecodeError (one too), StackError for deep
    # nesting (another) and, on truncated input, OutOfData's ValueError; TypeError for odd keys.
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise MalformedMessage(f"not msgpack: {error or type(error).__name__}") from error
    if not isinstance(value, dict):
        raise MalformedMessage(f"a {type(value).__name__}, not a map")
    return Fields(value)


class Fields:
    """A parsed map whose accessors return a value of the right type or raise MalformedMessage."""

    def __init__(self, values: dict[Any, Any], where: str = "") -> None:
        self._values = values
        self._where = where

    def integer(self, name: str, least: int, most: int = 2**63 - 1) -> int:
        """An integer from `least` to `most`."""
        value = self._get(name)
        if type(value) is not int or not least <= value <= most:
            raise self._wrong(name, f"{_short(value)} is not an integer from {least} to {most}")
        return value

    def moment(self, name: str) -> int:
        """A time in Unix milliseconds, from 1970 to 2200: any reader can make a date of it."""
        return self.integer(name, 0, YEAR_2200_MS)

    def number(self, name: str, least: float = -math.inf, most: float = math.inf) -> float:
        """A finite number from `least` to `most`."""
        return self._number(name, self._get(name), least, most)

    def text(self, name: str) -> str:
        """A text."""
        value = self._get(name)
        if not isinstance(value, str):
            raise self._wrong(name, f"{_short(value)} is not text")
        return value

    def texts(self, name: str, most: int) -> list[str]:
        """A list of at most `most` texts."""
        values = self._list(name, most)
        if not all(isinstance(value, str) for value in values):
            raise self._wrong(name, f"{_short(values)} holds more than text")
        return values

    def binary(self, name: str) -> bytes:
        """Bytes."""
        value = self._get(name)
        if not isinstance(value, bytes):
            raise self._wrong(name, f"{_short(value)} is not bytes")
        return value

    def map(self, name: str) -> "Fields":
        """A map."""
        return self._map(name, self._get(name))

    def maps(self, name: str, most: int) -> list["Fields"]:
        """A list of at most `most` maps."""
        values = self._list(name, most)
        return [self._map(f"{name}[{n}]", value) for n, value in enumerate(values)]

    def numbers(self, name: str, count: int) -> list[float]:
        """A list of exactly `count` finite numbers."""
        values = self._list(name, count)
        if len(values) != count:
            raise self._wrong(name, f"has {len(values)} items, not {count}")
        return [self._number(name, value, -math.inf, math.inf) for value in values]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
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

    def _wrong(self, name: str, what: str) -> MalformedMessage:
        return MalformedMessage(f"field {self._where}{name} {what}")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
