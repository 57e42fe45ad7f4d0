"""What comes in once and goes out to many clients: events, and records of episodes."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from emotion_streams import EmotionEvent, Episode
from emotion_streams.stream_id import StreamId
from gateway.cursor import Kind


@dataclass(frozen=True)
class Published:
    """An event with what each client needs of it, worked out once."""

    event: EmotionEvent
    position: StreamId
    kind: ClassVar[Kind] = "emotion"

    @classmethod
    def of(cls, event: EmotionEvent) -> "Published":
        """Make one of an event from a stream: with its id as numbers."""
        return cls(event, StreamId.parse(event.frame_id))

    @property
    def camera(self) -> str:
        """The camera's name."""
        return self.event.camera

    @cached_property
    def data(self) -> bytes:
        """The event as compact JSON."""
        return json.dumps(self.event.to_dict(), separators=(",", ":")).encode()


@dataclass(frozen=True)
class PublishedEpisode:
    """A record of an episode, as Published is of an event."""

    episode: Episode
    position: StreamId
    kind: ClassVar[Kind] = "episode"

    @classmethod
    def of(cls, episode: Episode) -> "PublishedEpisode":
        """Make one of a record from a stream: with the id of its entry as numbers."""
        assert episode.entry_id is not None
        return cls(episode, StreamId.parse(episode.entry_id))

    @property
    def camera(self) -> str:
        """The camera's name."""
        return self.episode.camera

    @cached_property
    def data(self) -> bytes:
        """The record as compact JSON."""
        return json.dumps(self.episode.to_dict(), separators=(",", ":")).encode()


Item = Published | PublishedEpisode
