"""The episodes of a camera, and which of them go on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from redis.exceptions import ResponseError

from emotion_streams import keys
from emotion_streams.connection import Client
from emotion_streams.episodes import TRACK_GAP_MS, Episode, EpisodeType
from emotion_streams.events import EmotionEvent
from emotion_streams.faces import Face
from emotion_streams.fields import YEAR_2200_MS
from emotion_streams.stream_id import StreamId

_MOST_EVENTS: Final = 64

_ENDS: Final = (EpisodeType.EMOTION_ENDED, EpisodeType.FACE_LEFT)


@dataclass(frozen=True)
class Row:
    """An episode. `record`: its newest one, which says all that was recorded.

    `seen_ms`: when it was last seen, as far as that is known. `goes_on`: None if that is unknown.
    If it is False and the record does not end it, the end was not recorded.
    """

    record: Episode
    seen_ms: int
    goes_on: bool | None


@dataclass(frozen=True)
class InView:
    """The tracks in view of a camera at its newest event: the newest face of each, and its time."""

    newest_ms: int
    faces: Mapping[str, tuple[Face, int]]

    def seen_ms(self, record: Episode) -> int | None:
        """Return when an episode was last seen; None if it does not go on."""
        face, seen_ms = self.faces.get(record.track, (None, 0))
        if face is not None and (record.emotion is None or face.label_since_ms == record.start_ms):
            return seen_ms
        # It may have begun since the events were read.
        return record.decided_ms if record.decided_ms > self.newest_ms else None


async def read_in_view(client: Client, camera: str) -> InView | None:
    """Return who is in view; None if the events cannot be read, for want of a right for example."""
    key = keys.emotions(camera)
    try:
        newest = await client.xrevrange(key, count=1)
        if not newest:  # the camera was removed: its episodes outlive its events
            return InView(YEAR_2200_MS, {})
        start_ms = max(0, StreamId.parse(newest[0][0].decode()).ms - TRACK_GAP_MS)
        entries = await client.xrevrange(key, min=str(start_ms), count=_MOST_EVENTS)
    except ResponseError:
        return None
    parsed = (EmotionEvent.from_stream_entry(camera, *entry) for entry in entries)
    return _in_view([event for event in parsed if event is not None])


def _in_view(events: Sequence[EmotionEvent]) -> InView | None:
    """Return who is in view by these events, newest first."""
    if not events:
        return None
    newest_ms = events[0].captured_ms
    faces: dict[str, tuple[Face, int]] = {}
    for event in events:
        if 0 <= newest_ms - event.captured_ms <= TRACK_GAP_MS:
            for face in event.faces:
                if face.track is not None:
                    faces.setdefault(face.track, (face, event.captured_ms))
    return InView(newest_ms, faces)


class History:
    """Collects the records of a camera's episodes, oldest first.

    Memory holds the episodes that go on or whose newest record is not older than `since_ms`.
    """

    def __init__(self, since_ms: int) -> None:
        self._since_ms = since_ms
        self._newest: dict[str, Episode] = {}
        self._seen_ms: dict[str, int] = {}

    def add(self, record: Episode) -> None:
        """Add a record; each is whole, so it replaces an earlier one of the episode."""
        last_ms = record.start_ms + record.duration_ms
        self._seen_ms[record.track] = max(last_ms, self._seen_ms.get(record.track, 0))
        if record.type in _ENDS and not self._is_recent(record):
            self._newest.pop(record.id, None)
            if record.type is EpisodeType.FACE_LEFT:
                del self._seen_ms[record.track]
        else:
            self._newest[record.id] = record

    def rows(self, in_view: InView | None) -> list[Row]:
        """Return the episodes that go on or were recorded since then, by their start."""
        rows = (self._row(record, in_view) for record in self._newest.values())
        kept = (row for row in rows if row.goes_on or self._is_recent(row.record))
        return sorted(kept, key=lambda row: row.record.start_ms)

    def _row(self, record: Episode, in_view: InView | None) -> Row:
        if record.type in _ENDS:
            return Row(record, record.start_ms + record.duration_ms, goes_on=False)
        known_ms = record.start_ms + record.duration_ms
        if record.emotion is None:
            known_ms = max(known_ms, self._seen_ms.get(record.track, 0))
        if in_view is None:
            return Row(record, known_ms, goes_on=None)
        seen_ms = in_view.seen_ms(record)
        return Row(record, max(known_ms, seen_ms or 0), goes_on=seen_ms is not None)

    def _is_recent(self, record: Episode) -> bool:
        return StreamId.parse(record.entry_id or "0-0").ms >= self._since_ms
