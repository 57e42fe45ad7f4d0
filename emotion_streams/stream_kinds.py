"""The streams of a camera that clients read: events, episodes and minutes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from emotion_streams import keys
from emotion_streams.episodes import Episode
from emotion_streams.events import EmotionEvent
from emotion_streams.minutes import Minute

Item = TypeVar("Item")


@dataclass(frozen=True)
class StreamKind(Generic[Item]):
    """A kind of stream: its key by camera, and its items.

    `parse(camera, entry_id, fields)` returns an entry's item, None if the entry cannot be parsed or
    belongs to another camera. `ids_are_redis_time`: whether an entry's id is when Redis stored it,
    not a capture time.
    """

    key: Callable[[str], str]
    parse: Callable[[str, bytes, Mapping[bytes, bytes]], Item | None]
    ids_are_redis_time: bool = False


EVENTS: Final = StreamKind(keys.emotions, EmotionEvent.from_stream_entry)
EPISODES: Final = StreamKind(keys.episodes, Episode.from_stream_entry, ids_are_redis_time=True)
MINUTES: Final = StreamKind(keys.minutes, Minute.from_stream_entry)
