"""A client's position in the cameras' streams, as one text that it sends back to resume."""

from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from emotion_streams import keys
from emotion_streams.stream_id import ZERO, StreamId

Kind = Literal["emotion", "episode"]
"""A kind of stream that clients follow, by the name of its messages."""

KINDS: Final = frozenset[Kind](get_args(Kind))

MAX_CAMERAS: Final = 256
"""Cameras in one resume id, which stays below 24 kB with names of usual length."""

MAX_CHARACTERS: Final = MAX_CAMERAS * 148
"""Of a resume id: of each camera a name of 63 characters, two ids and what separates them."""


@dataclass(frozen=True)
class Positions:
    """By camera, the last event and the last episode that a client has."""

    emotion: dict[str, StreamId] = field(default_factory=dict)
    episode: dict[str, StreamId] = field(default_factory=dict)

    @classmethod
    def after_event(cls, camera: str, event_id: StreamId) -> "Positions":
        """Return the position of a client that names an event alone.

        Of the episodes, those follow that were written after the capture of the event's frame.
        """
        return cls({camera: event_id}, {camera: StreamId(event_id.ms, 0)})

    def of(self, kind: Kind) -> dict[str, StreamId]:
        """Return the positions in the streams of this kind, by camera."""
        return self.emotion if kind == "emotion" else self.episode

    def only(self, cameras: frozenset[str]) -> "Positions":
        """Return a copy with these cameras alone."""
        return Positions(
            {camera: at for camera, at in self.emotion.items() if camera in cameras},
            {camera: at for camera, at in self.episode.items() if camera in cameras},
        )


def parse(text: str) -> Positions:
    """Parse what `format_positions` wrote: `lobby=1700000000000-0/1700000000003-1,door=...`.

    The second id, of the episode, may be missing. Raises ValueError.
    """
    parts = text.split(",") if text else []
    if len(parts) > MAX_CAMERAS:
        raise ValueError(f"names {len(parts)} cameras, the limit is {MAX_CAMERAS}")
    positions = Positions()
    for part in parts:
        camera, _, ids = part.partition("=")
        event, separator, episode = ids.partition("/")
        one = Positions.after_event(keys.check_camera(camera), StreamId.parse(event))
        positions.emotion.update(one.emotion)
        positions.episode.update({camera: StreamId.parse(episode)} if separator else one.episode)
    return positions


def format_positions(positions: Positions) -> str:
    """Format all positions as one text.

    With more than MAX_CAMERAS the oldest positions are omitted. A client that resumes gets those
    cameras from their oldest event, so it may see events twice and misses none.
    """
    emotion, episode = positions.emotion, positions.episode
    cameras = list(dict.fromkeys((*emotion, *episode)))
    if len(cameras) > MAX_CAMERAS:
        cameras.sort(key=lambda camera: emotion.get(camera, ZERO), reverse=True)
        del cameras[MAX_CAMERAS:]
    return ",".join(
        f"{camera}={emotion.get(camera, ZERO)}/{episode.get(camera, ZERO)}" for camera in cameras
    )
