"""The rows of records, for every database alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from emotion_streams import EmotionEvent, Episode, Minute
from sinks.records import Record


@dataclass(frozen=True)
class Table:
    """A table. `key`: its primary key.

    `newer`: a column by which a newer row replaces an older one of the same key; "" if the first
    row stays.
    """

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    newer: str = ""

    def insert(self, placeholder: str) -> str:
        """Return the statement that inserts a row, or resolves the conflict with an older one."""
        columns = ", ".join(self.columns)
        values = ", ".join([placeholder] * len(self.columns))
        key = ", ".join(self.key)
        if self.newer:
            others = [name for name in self.columns if name not in self.key]
            changes = ", ".join(f"{name} = excluded.{name}" for name in others)
            newer = f"{self.name}.{self.newer} < excluded.{self.newer}"
            conflict = f"DO UPDATE SET {changes} WHERE {newer}"
        else:
            conflict = "DO NOTHING"
        # Names are those of this module; no text of a record is in it.
        return (
            f"INSERT INTO {self.name} ({columns}) VALUES ({values}) "  # noqa: S608
            f"ON CONFLICT ({key}) {conflict}"
        )


# Of the records of one key only `emotion.updated` repeats, and its newest one counts.
EPISODES: Final = Table(
    "episodes",
    ("camera", "id", "type"),
    (
        "camera", "id", "type", "track", "frame_id", "decided_at", "started_at", "ended_at",
        "duration_ms", "frames", "emotion", "confidence_mean", "confidence_peak", "peak_at",
        "side_max", "reason", "emotion_ms", "probabilities_mean",
    ),
    newer="decided_at",
)  # fmt: skip
MINUTES: Final = Table(
    "minutes",
    ("camera", "started_at"),
    (
        "camera", "started_at", "frames", "frames_lost", "coverage", "people_mean", "people_max",
        "faces_mean", "faces_max", "tracks", "tracks_entered", "tracks_left", "face_ms",
        "dwell_ms_p50", "emotion_ms", "probabilities_mean", "episodes",
    ),
)  # fmt: skip
EVENTS: Final = Table(
    "events", ("camera", "frame_id"), ("camera", "frame_id", "captured_at", "faces", "record")
)
TABLES: Final = (EPISODES, MINUTES, EVENTS)

Row = tuple[Any, ...]
"""Values in the order of the columns: text, numbers, None, datetime (UTC) and dict (JSON)."""


def row_of(record: Record) -> tuple[Table, Row]:
    """Return the table of a record, and its row."""
    if isinstance(record.body, Episode):
        return EPISODES, _episode(record.body)
    if isinstance(record.body, Minute):
        return MINUTES, _minute(record.body)
    return EVENTS, _event(record.body)


def at(time_ms: int) -> datetime:
    """Return a Unix time in milliseconds as a datetime in UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC)


def _at(time_ms: int | None) -> datetime | None:
    return None if time_ms is None else at(time_ms)


def _map(values: Mapping[Any, Any] | None) -> dict[Any, Any] | None:
    return None if values is None else dict(values)


def _episode(it: Episode) -> Row:
    return (
        it.camera, it.id, it.type.value, it.track, it.frame_id, at(it.decided_ms),
        at(it.start_ms), _at(it.end_ms), it.duration_ms, it.frames, it.emotion,
        it.confidence_mean, it.confidence_peak, _at(it.peak_ms), it.side_max,
        None if it.reason is None else it.reason.value, _map(it.emotion_ms),
        _map(it.probabilities_mean),
    )  # fmt: skip


def _minute(it: Minute) -> Row:
    head = (it.camera, at(it.start_ms), it.frames, it.frames_lost, it.coverage)
    if it.people is None:
        return head + (None,) * (len(MINUTES.columns) - len(head))
    people = it.people
    return (
        *head, people.people_mean, people.people_max, people.faces_mean, people.faces_max,
        people.tracks, people.entered, people.left, people.face_ms, people.dwell_ms_p50,
        dict(people.emotion_ms), _map(people.probabilities_mean), dict(people.episodes),
    )  # fmt: skip


def _event(it: EmotionEvent) -> Row:
    return it.camera, it.frame_id, at(it.captured_ms), len(it.faces), it.to_dict()
