"""msgpack with limits."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgpack

from emotion_streams.fields import Fields, MalformedMessageError

_MAX_TEXT_BYTES: Final = 4096
_MAX_ITEMS: Final = 4096
_MAX_FIELDS: Final = 64
_MAX_ITEMS_IN_ALL: Final = 65_536
"""An event of up to 1,024 faces holds 60 items per face."""


def pack(fields: dict[str, Any]) -> bytes:
    """Return a map of plain values as msgpack."""
    packed: bytes = msgpack.packb(fields, use_bin_type=True)
    return packed


def unpack(blob: bytes, max_bytes: int) -> Fields:
    """Parse a msgpack map with text keys of at most `max_bytes`.

    Lists and maps may be nested, with at most `_MAX_ITEMS_IN_ALL` items in total. Raises
    MalformedMessageError.
    """
    _check_size(blob, max_bytes)
    budget = _Budget()
    with _malformed():
        value = msgpack.unpackb(
            blob, list_hook=budget.spend, object_hook=budget.spend, **_limits(max_bytes)
        )
    if not isinstance(value, dict):
        raise MalformedMessageError(f"a {type(value).__name__}, not a map")
    return Fields(value)


_MAP_HEADERS: Final = frozenset((*range(0x80, 0x90), 0xDE, 0xDF))
_NEVER_USED: Final = 0xC1
"""The first byte of a map, and the one byte that msgpack never begins a value with."""


def unpack_flat(blob: bytes, max_bytes: int) -> Fields:
    """Parse a msgpack map of text keys and plain values, of at most `max_bytes`.

    A nested list or map is rejected by its header, before any of its items is built. Raises
    MalformedMessageError.
    """
    _check_size(blob, max_bytes)
    if blob and blob[0] not in _MAP_HEADERS and blob[0] != _NEVER_USED:
        raise MalformedMessageError("not a map")
    unpacker = msgpack.Unpacker(
        max_buffer_size=max_bytes, **{**_limits(max_bytes), "max_array_len": 0, "max_map_len": 0}
    )
    unpacker.feed(blob)
    with _malformed():
        count = unpacker.read_map_header()
        if count > _MAX_FIELDS:
            raise ValueError(f"{count} fields, the limit is {_MAX_FIELDS}")
        values = {}
        for _ in range(count):
            name = unpacker.unpack()
            if not isinstance(name, str):
                raise TypeError(f"{type(name).__name__} as the name of a field")
            values[name] = unpacker.unpack()
        if unpacker.tell() != len(blob):
            raise ValueError(f"{len(blob) - unpacker.tell()} bytes after the map")
    return Fields(values)


def _check_size(blob: bytes, max_bytes: int) -> None:
    if len(blob) > max_bytes:
        raise MalformedMessageError(f"{len(blob)} bytes, the limit is {max_bytes}")


def _limits(max_bytes: int) -> dict[str, Any]:
    return {
        "raw": False,
        "strict_map_key": True,
        "max_str_len": _MAX_TEXT_BYTES,
        "max_bin_len": max_bytes,
        "max_array_len": _MAX_ITEMS,
        "max_map_len": _MAX_FIELDS,
        "max_ext_len": 0,
    }


class _Budget:
    """The number of items that a message may still hold, over all its lists and maps."""

    def __init__(self) -> None:
        self._left = _MAX_ITEMS_IN_ALL

    def spend(self, container: Any) -> Any:
        """Count the items of a list or map. Raises ValueError if the limit is exceeded."""
        self._left -= 1 + len(container)
        if self._left < 0:
            raise ValueError(f"more than {_MAX_ITEMS_IN_ALL} items")
        return container


@contextmanager
def _malformed() -> Iterator[None]:
    """Turn every error that msgpack raises into MalformedMessageError."""
    try:
        yield
    # msgpack raises its own ValueErrors, UnicodeDecodeError and StackError (for deep nesting), both
    # ValueErrors, OutOfData on truncated input, and TypeError for keys of an unexpected type.
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise MalformedMessageError(f"not msgpack: {error or type(error).__name__}") from error
