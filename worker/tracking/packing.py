"""The parts of a tracking state to and from plain values.

Numbers are exact. Those of a track take one binary field each, because the state is written with
every frame.
"""

import math
from struct import Struct
from typing import Any, Final

from emotion_streams.emotions import EMOTIONS, UNCERTAIN, Label
from emotion_streams.faces import Box
from emotion_streams.fields import YEAR_2200_MS, Fields, MalformedMessageError
from emotion_streams.stream_id import StreamId
from worker.tracking.constants import MAX_DWELLS
from worker.tracking.parts import Eight, MinuteSums, Person, Showing, Steady, Track

_TRACK: Final = Struct("<?2q5d")
_PERSON: Final = Struct("<2B8q6d8d8d8f")
_SHOWING: Final = Struct("<B5q2d8d")

_LARGEST: Final = 2**53
"""Bound of every number: far beyond any sum, and an exact float."""

_LABELS: Final[tuple[Label, ...]] = (*EMOTIONS, UNCERTAIN)

_MINUTE_COUNTS: Final = (
    "from_ms", "frames", "frames_lost", "seen_ms", "faces", "faces_ms", "faces_max", "tracks",
    "entered", "left", "face_ms",
)  # fmt: skip


def pack_track(track: Track, person: Person | None) -> dict[str, Any]:
    """Return a track, and its person if it has entered, as plain values."""
    values = {"id": track.id, "track": _TRACK.pack(*track[1:])}
    if person:
        values |= _pack_person(person)
    return values


def parse_track(fields: Fields) -> Track:
    """Return a track. Raises MalformedMessageError."""
    track = Track(fields.text("id"), *_unpacked(_TRACK, fields, "track"))
    _check_times(track.first_ms, track.last_ms)
    if track.size < 1:
        raise MalformedMessageError("field track holds a value out of its bounds")
    return track


def parse_person(fields: Fields) -> Person:
    """Return the person of a track that has entered. Raises MalformedMessageError."""
    label, rival, *values = _unpacked(_PERSON, fields, "person")
    first_ms, last_ms, frames, number, counted_ms, since_ms, raw_ms, rival_ms = values[:8]
    x, y, width, height, side_max, weight = values[8:14]
    smoothed, sums, raw = (tuple(values[n : n + 8]) for n in (14, 22, 30))
    _check_times(first_ms, last_ms, since_ms, raw_ms, rival_ms)
    is_sound = (
        max(label, rival) < len(_LABELS)
        and min(frames, number, side_max, width, height, *sums) >= 0
        and first_ms <= last_ms
        and 0 < weight <= 1
        and _are_shares((*smoothed, *raw))
    )
    if not is_sound:
        raise MalformedMessageError("field person holds a value out of its bounds")
    label, rival = _LABELS[label], _LABELS[rival]
    showing = _parse_showing(fields) if fields.has("showing") else None
    if showing and not first_ms <= showing.start_ms <= last_ms:
        raise MalformedMessageError("field showing begins outside of its track")
    return Person(
        id=fields.text("id"),
        first_ms=first_ms,
        last_ms=last_ms,
        frames=frames,
        box=Box(x, y, width, height),
        side_max=side_max,
        sums=sums,
        emotion_ms=_counts(fields, "shown_ms"),
        next_number=number,
        counted_ms=counted_ms,
        steady=Steady(label, since_ms, smoothed, weight, raw, raw_ms, rival, rival_ms),
        showing=showing,
    )


def pack_minute(minute: MinuteSums) -> dict[str, Any]:
    """Return the minute under way as plain values."""
    dwells = Struct(f"<{len(minute.dwells)}q").pack(*minute.dwells)
    return minute._asdict() | {"dwells": dwells}


def parse_minute(fields: Fields) -> MinuteSums:
    """Return the minute under way. Raises MalformedMessageError."""
    count = min(len(fields.binary("dwells")) // 8, MAX_DWELLS)
    sums = tuple(fields.numbers("sums", len(EMOTIONS)))
    if not 0 <= min(sums) <= max(sums) <= _LARGEST:
        raise MalformedMessageError("field sums holds a number out of its bounds")
    counts = {name: fields.integer(name, 0, _LARGEST) for name in _MINUTE_COUNTS}
    counts["people_max"] = min(1, counts["tracks"])  # all that an older state says for certain
    if fields.has("people_max"):
        counts["people_max"] = fields.integer("people_max", 0, _LARGEST)
    return MinuteSums(
        start_ms=fields.timestamp_ms("start_ms") if fields.has("start_ms") else None,
        sums=sums,
        emotion_ms=_counts(fields, "emotion_ms"),
        episodes=_counts(fields, "episodes"),
        dwells=_unpacked(Struct(f"<{count}q"), fields, "dwells"),
        **counts,
    )


def frame_id(fields: Fields, name: str) -> str:
    """Return the id of a frame. Raises MalformedMessageError."""
    text = fields.text(name)
    try:
        StreamId.parse(text)
    except ValueError:
        raise MalformedMessageError(f"field {name} is not the id of a frame") from None
    return text


def _pack_person(person: Person) -> dict[str, Any]:
    box, steady, showing = person.box, person.steady, person.showing
    values: dict[str, Any] = {
        "person": _PERSON.pack(
            _LABELS.index(steady.label),
            _LABELS.index(steady.rival),
            person.first_ms,
            person.last_ms,
            person.frames,
            person.next_number,
            person.counted_ms,
            steady.since_ms,
            steady.raw_ms,
            steady.rival_ms,
            box.x,
            box.y,
            box.width,
            box.height,
            person.side_max,
            steady.weight,
            *steady.smoothed,
            *person.sums,
            *steady.raw,
        ),
        "shown_ms": person.emotion_ms,
    }
    if showing:
        number, emotion, start_ms, frames, side_max, sums, peak, peak_ms, peak_id, reported = (
            showing
        )
        counts = (number, start_ms, frames, peak_ms, reported)
        emotion_number = _LABELS.index(emotion)
        values["showing"] = _SHOWING.pack(emotion_number, *counts, side_max, peak, *sums)
        values["peak"] = peak_id
    return values


def _parse_showing(fields: Fields) -> Showing:
    emotion, number, start_ms, frames, peak_ms, reported_ms, side_max, peak, *sums = _unpacked(
        _SHOWING, fields, "showing"
    )
    _check_times(start_ms, peak_ms, reported_ms)
    is_sound = emotion < len(EMOTIONS) and min(frames, number, side_max, *sums) >= 0
    if not is_sound or not _are_shares((peak,)):
        raise MalformedMessageError("field showing holds a value out of its bounds")
    return Showing(
        number=number,
        emotion=EMOTIONS[emotion],
        start_ms=start_ms,
        frames=frames,
        side_max=side_max,
        sums=tuple(sums),
        peak=peak,
        peak_ms=peak_ms,
        peak_frame_id=frame_id(fields, "peak"),
        reported_ms=reported_ms,
    )


def _unpacked(layout: Struct, fields: Fields, name: str) -> tuple[Any, ...]:
    blob = fields.binary(name)
    if len(blob) != layout.size:
        raise MalformedMessageError(f"field {name} has {len(blob)} bytes, not {layout.size}")
    values = layout.unpack(blob)
    if not all(math.isfinite(value) and abs(value) <= _LARGEST for value in values):
        raise MalformedMessageError(f"field {name} holds a number out of its bounds")
    return values


def _check_times(*times: int) -> None:
    if not 0 <= min(times) <= max(times) <= YEAR_2200_MS:
        raise MalformedMessageError("a track holds a time that is not from 1970 to 2200")


def _are_shares(values: Eight) -> bool:
    return all(0.0 <= value <= 1.0 for value in values)


def _counts(fields: Fields, name: str) -> tuple[int, ...]:
    values = fields.numbers(name, len(EMOTIONS))
    if not all(value.is_integer() and 0 <= value <= _LARGEST for value in values):
        raise MalformedMessageError(f"field {name} holds more than counts")
    return tuple(map(int, values))
