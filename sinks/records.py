"""Record: one entry of a camera's streams, in the form in which every sink delivers it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from emotion_streams import EmotionEvent, Episode, EpisodeType, Minute, keys
from emotion_streams.minutes import MINUTE_MS
from emotion_streams.stream_id import ZERO

Body: TypeAlias = Episode | Minute | EmotionEvent

Places: TypeAlias = Mapping[str, str]
"""Per stream (its key), the id of the last entry that is done; 0-0 before the first one."""

BEGINNING: Final = str(ZERO)


class Kind(StrEnum):
    """The kinds of records, named as in the settings."""

    EPISODES = "episodes"
    MINUTES = "minutes"
    EVENTS = "events"


_KEYS: Final[Mapping[Kind, Callable[[str], str]]] = {
    Kind.EPISODES: keys.episodes,
    Kind.MINUTES: keys.minutes,
    Kind.EVENTS: keys.emotions,
}
_PARSERS: Final[Mapping[Kind, Callable[[str, bytes, Mapping[bytes, bytes]], Body | None]]] = {
    Kind.EPISODES: Episode.from_stream_entry,
    Kind.MINUTES: Minute.from_stream_entry,
    Kind.EVENTS: EmotionEvent.from_stream_entry,
}
_PREFIXES: Final = {"episodes": Kind.EPISODES, "minutes": Kind.MINUTES, "emotions": Kind.EVENTS}


@dataclass(frozen=True)
class Stream:
    """One kind of records of one camera."""

    kind: Kind
    camera: str

    @property
    def key(self) -> str:
        """The stream's key in Redis."""
        return _KEYS[self.kind](self.camera)

    @classmethod
    def of_key(cls, key: str) -> "Stream | None":
        """Return the stream of a key, or None if it is not the key of one."""
        prefix, _, rest = key.partition(":")
        if prefix not in _PREFIXES or not (rest.startswith("{") and rest.endswith("}")):
            return None
        try:
            return cls(_PREFIXES[prefix], keys.check_camera(rest[1:-1]))
        except ValueError:
            return None


@dataclass(frozen=True)
class Record:
    """An entry of a stream. `entry_id`: its id, by which the records of a stream are in order."""

    stream: Stream
    entry_id: str
    body: Body

    @property
    def camera(self) -> str:
        """The camera's name."""
        return self.stream.camera

    @property
    def type(self) -> str:
        """What it reports: `emotion.started`, ..., `minute` or `event`."""
        if isinstance(self.body, Episode):
            return self.body.type.value
        return "minute" if isinstance(self.body, Minute) else "event"

    @property
    def id(self) -> str:
        """The same text for the same record, whenever it is delivered, and for no other record.

        `emotion.updated` repeats for an episode, so that its frame is part of the id.
        """
        if isinstance(self.body, Episode):
            base = f"{self.body.id}/{self.body.type.value}"
            updated = self.body.type is EpisodeType.EMOTION_UPDATED
            return f"{base}/{self.body.frame_id}" if updated else base
        if isinstance(self.body, Minute):
            return f"{self.camera}/{self.body.start_ms}/minute"
        return f"{self.camera}/{self.body.frame_id}/event"

    @property
    def time_ms(self) -> int:
        """When it could be known at the earliest, by capture time (Unix, milliseconds)."""
        if isinstance(self.body, Episode):
            return self.body.decided_ms
        if isinstance(self.body, Minute):
            return self.body.start_ms + MINUTE_MS
        return self.body.captured_ms


def parse(stream: Stream, entry_id: bytes, fields: Mapping[bytes, bytes]) -> Record | None:
    """Return the record of a stream's entry; None if it cannot be parsed."""
    body = _PARSERS[stream.kind](stream.camera, entry_id, fields)
    return None if body is None else Record(stream, entry_id.decode(), body)
