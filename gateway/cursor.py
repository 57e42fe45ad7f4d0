"""Where a client stands in the cameras' streams, as one text that it hands back to resume."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from emotion_streams import keys

StreamId: TypeAlias = tuple[int, int]
"""An event's id as numbers, which compare as Redis orders ids."""

ZERO: Final[StreamId] = (0, 0)
MAX_CAMERAS: Final = 256
"""Cameras in one resume id, which stays below 24 kB with names of usual length."""

MOST: Final = 2**64 - 1
"""Of each number: whatever Redis takes for an id can be a position."""

_ID: Final = re.compile(r"(\d{1,20})-(\d{1,20})", re.ASCII)


def parse_id(text: str) -> StreamId:
    """Parse an event's id such as 1700000000000-0. Raises ValueError."""
    match = _ID.fullmatch(text)
    if match is None or max(position := (int(match[1]), int(match[2]))) > MOST:
        raise ValueError(f"{text[:60]!r} is no event id, as in 1700000000000-0")
    return position


def format_id(position: StreamId) -> str:
    """Format the id as Redis writes it."""
    return f"{position[0]}-{position[1]}"


def parse(text: str) -> dict[str, StreamId]:
    """Parse what `format_positions` wrote: `lobby=1700000000000-0,door=...`. Raises ValueError."""
    parts = text.split(",") if text else []
    if len(parts) > MAX_CAMERAS:
        raise ValueError(f"it names {len(parts)} cameras, the limit is {MAX_CAMERAS}")
    positions = {}
    for part in parts:
        camera, _, entry_id = part.partition("=")
        positions[keys.check_camera(camera)] = parse_id(entry_id)
    return positions


def format_positions(positions: Mapping[str, StreamId]) -> str:
    """Format all positions as one text.

    Beyond MAX_CAMERAS the furthest behind are left out; a client that resumes gets those cameras
    from the start of what is kept, so it may see events twice, and misses none.
    """
    items: Iterable[tuple[str, StreamId]] = positions.items()
    if len(positions) > MAX_CAMERAS:
        items = sorted(items, key=lambda item: item[1], reverse=True)[:MAX_CAMERAS]
    return ",".join(f"{camera}={format_id(position)}" for camera, position in items)
