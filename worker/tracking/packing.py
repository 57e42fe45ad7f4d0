"""The parts of a tracking state to and from plain values.

Numbers are exact, so that a reader continues as the writer would have.
"""

import math
import struct
from typing import Any, Final

from emotion_streams import wire
from emotion_streams.emotions import EMOTIONS, UNCERTAIN, Label, parse_emotion
from emotion_streams.events import Box
from worker.tracking.constants import MAX_DWELLS
from worker.tracking.parts import Eight, MinuteSums, Person, Showing, Steady, Track, frame_key

_LARGEST: Final = 2**53
"""Bound of every number: far beyond any sum, and an exact float."""

_MINUTE_COUNTS: Final = (
    "from_ms", "frames", "frames_lost", "seen_ms", "faces", "faces_ms", "faces_max", "tracks",
    "entered", "left", "face_ms",
)  # fmt: skip


def pack_track(track: Track) -> dict[str, Any]:
    """Return a track as plain values."""
    return {
        "id": track.id,
        "born": int(track.is_born),
        "first": track.first_ms,
        "last": track.last_ms,
        "place": _doubles((track.x, track.y, track.size, track.vx, track.vy)),
    }


def parse_track(fields: wire.Fields) -> Track:
    """Return a track. Raises MalformedMessageError."""
    return Track(
        fields.text("id"),
        bool(fields.integer("born", 0, 1)),
        fields.moment("first"),
        fields.moment("last"),
        *_numbers(fields, "place", 5),
    )


def pack_person(person: Person | None) -> dict[str, Any] | None:
    """Return a person as plain values, without its id."""
    if person is None:
        return None
    box, steady, showing = person.box, person.steady, person.showing
    return {
        "first": person.first_ms,
        "last": person.last_ms,
        "frames": person.frames,
        "box": _doubles((box.x, box.y, box.width, box.height)),
        "side": person.side_max,
        "sums": _doubles(person.sums),
        "shown": person.emotion_ms,
        "next": person.next_number,
        "minute": person.counted_ms,
        "label": steady.label,
        "since": steady.since_ms,
        "smoothed": _doubles(steady.smoothed),
        "weight": steady.weight,
        "raw": _doubles(steady.raw),
        "raw_ms": steady.raw_ms,
        "rival": steady.rival,
        "rival_ms": steady.rival_ms,
        "showing": showing and showing._asdict() | {"sums": _doubles(showing.sums)},
    }


def parse_person(track_id: str, fields: wire.Fields) -> Person:
    """Return a person. Raises MalformedMessageError."""
    x, y, width, height = _numbers(fields, "box", 4)
    return Person(
        id=track_id,
        first_ms=fields.moment("first"),
        last_ms=fields.moment("last"),
        frames=fields.integer("frames", 0),
        box=Box(x, y, width, height),
        side_max=fields.number("side", 0, _LARGEST),
        sums=_numbers(fields, "sums", 8, 0.0),
        emotion_ms=_counts(fields, "shown"),
        next_number=fields.integer("next", 1),
        counted_ms=fields.integer("minute", -1),
        steady=Steady(
            label=_label(fields.text("label")),
            since_ms=fields.moment("since"),
            smoothed=_numbers(fields, "smoothed", 8, 0.0, 1.0),
            weight=fields.number("weight", 1e-9, 1),
            raw=_numbers(fields, "raw", 8, 0.0, 1.0),
            raw_ms=fields.moment("raw_ms"),
            rival=_label(fields.text("rival")),
            rival_ms=fields.moment("rival_ms"),
        ),
        showing=_showing(fields.map("showing")) if fields.has("showing") else None,
    )


def _showing(fields: wire.Fields) -> Showing:
    return Showing(
        number=fields.integer("number", 1),
        emotion=parse_emotion(fields.text("emotion")),
        start_ms=fields.moment("start_ms"),
        frames=fields.integer("frames", 1),
        side_max=fields.number("side_max", 0, _LARGEST),
        sums=_numbers(fields, "sums", 8, 0.0),
        peak=fields.number("peak", 0, 1),
        peak_ms=fields.moment("peak_ms"),
        peak_frame_id=frame_id(fields, "peak_frame_id"),
        reported_ms=fields.moment("reported_ms"),
    )


def pack_minute(minute: MinuteSums) -> dict[str, Any]:
    """Return the minute under way as plain values."""
    dwells = struct.pack(f"<{len(minute.dwells)}q", *minute.dwells)
    return vars(minute) | {"sums": _doubles(minute.sums), "dwells": dwells}


def parse_minute(fields: wire.Fields) -> MinuteSums:
    """Return the minute under way. Raises MalformedMessageError."""
    dwells = fields.binary("dwells")
    if len(dwells) % 8 or len(dwells) > 8 * MAX_DWELLS:
        raise wire.MalformedMessageError(f"field dwells has {len(dwells)} bytes")
    return MinuteSums(
        start_ms=fields.moment("start_ms") if fields.has("start_ms") else None,
        sums=_numbers(fields, "sums", 8, 0.0),
        emotion_ms=_counts(fields, "emotion_ms"),
        episodes=_counts(fields, "episodes"),
        dwells=struct.unpack(f"<{len(dwells) // 8}q", dwells),
        **{name: fields.integer(name, 0, _LARGEST) for name in _MINUTE_COUNTS},
    )


def _label(text: str) -> Label:
    return "uncertain" if text == UNCERTAIN else parse_emotion(text)


def frame_id(fields: wire.Fields, name: str) -> str:
    """Return the id of a frame. Raises MalformedMessageError."""
    text = fields.text(name)
    try:
        frame_key(text)
    except ValueError:
        raise wire.MalformedMessageError(f"field {name} is not the id of a frame") from None
    return text


def _counts(fields: wire.Fields, name: str) -> tuple[int, ...]:
    values = fields.numbers(name, len(EMOTIONS))
    if not all(value.is_integer() and 0 <= value <= _LARGEST for value in values):
        raise wire.MalformedMessageError(f"field {name} holds more than counts")
    return tuple(map(int, values))


def _doubles(values: tuple[float, ...]) -> bytes:
    return struct.pack(f"<{len(values)}d", *values)


def _numbers(
    fields: wire.Fields, name: str, count: int, least: float = -_LARGEST, most: float = _LARGEST
) -> Eight:
    blob = fields.binary(name)
    if len(blob) != 8 * count:
        raise wire.MalformedMessageError(f"field {name} has {len(blob)} bytes, not {8 * count}")
    values = struct.unpack(f"<{count}d", blob)
    if not all(math.isfinite(value) and least <= value <= most for value in values):
        raise wire.MalformedMessageError(f"field {name} holds a number out of its bounds")
    return values
