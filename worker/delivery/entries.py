"""Entries of a camera's stream of frames, as Redis returns them."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from emotion_streams.fields import MalformedMessageError
from emotion_streams.frames import MAX_FRAME_BYTES, Frame
from worker.delivery.types import QueuedFrame

_LARGE_BYTES: Final = 1 << 20
"""Messages of this size are parsed in a thread, so that they do not hold up the event loop."""


@dataclass(frozen=True)
class Entry:
    """An entry; `blob` is its packed frame, None if it is missing or too large. `size`: bytes."""

    frame_id: bytes
    blob: bytes | None
    size: int
    deliveries: int = 1


async def parse(entries: Sequence[Entry]) -> list[QueuedFrame]:
    """Parse the frames of entries, large ones in a thread."""
    if sum(entry.size for entry in entries) < _LARGE_BYTES:
        return _parse_all(entries)
    return await asyncio.to_thread(_parse_all, entries)


def parse_entry(frame_id: str, blob: bytes | None, deliveries: int, size: int) -> QueuedFrame:
    """Parse the frame of an entry of `size` bytes; `blob` is None if it is missing or too large."""
    frame, error = None, "no field `frame`"
    if blob is not None:
        size = len(blob)
        try:
            frame, error = Frame.unpack(blob), ""
        except MalformedMessageError as malformed:
            error = str(malformed)
    elif size > MAX_FRAME_BYTES:
        error = f"{size} bytes, the limit is {MAX_FRAME_BYTES}"
    else:
        size = 0
    return QueuedFrame(frame_id, deliveries, size, frame, error)


def size_of(fields: Mapping[bytes, bytes]) -> int:
    """Return the bytes of an entry's names and values."""
    return sum(len(name) + len(value) for name, value in fields.items())


def field_of(flat: Sequence[bytes], name: bytes) -> bytes | None:
    """Return a field of an entry from a script's reply, which alternates names and values."""
    return dict(zip(flat[::2], flat[1::2], strict=True)).get(name)


def _parse_all(entries: Sequence[Entry]) -> list[QueuedFrame]:
    return [parse_entry(e.frame_id.decode(), e.blob, e.deliveries, e.size) for e in entries]
