"""A client's position in the cameras' streams, as one text that it sends back to resume."""

import re
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias, get_args

from emotion_streams import keys

StreamId: TypeAlias = tuple[int, int]
"""An entry's id as numbers, which compare as Redis orders ids."""

Kind = Literal["emotion", "episode"]
"""A kind of stream that clients follow, by the name of its messages."""

KINDS: Final = frozenset[Kind](get_args(Kind))

ZERO: Final[StreamId] = (0, 0)
MAX_CAMERAS: Final = 256
"""Cameras in one resume id, which stays below 24 kB with names of usual length."""

MAX_CHARACTERS: Final = MAX_CAMERAS * 148
"""Of a resume id: of each camera a name of 63 characters, two ids and what separates them."""

MOST: Final = 2**64 - 1
"""Maximum of each number of an id, as in Redis."""

_ID: Final = re.compile(r"(\d{1,20})-(\d{1,20})", re.ASCII)


def parse_id(text: str) -> StreamId:
    """Parse an event's id such as 1700000000000-0. Raises ValueError."""
    match = _ID.fullmatch(text)
    if match is None or max(position := (int(match[1]), int(match[2]))) > MOST:
        raise ValueError(f"{text[:60]!r} is not an event id such as 1700000000000-0")
    return position


def format_id(position: StreamId) -> str:
    """Format the id as Redis writes it."""
    return f"{position[0]}-{position[1]}"


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
        return cls({camera: event_id}, {camera: (event_id[0], 0)})

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
        one = Positions.after_event(keys.check_camera(camera), parse_id(event))
        positions.emotion.update(one.emotion)
        positions.episode.update({camera: parse_id(episode)} if separator else one.episode)
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
        f"{camera}={format_id(emotion.get(camera, ZERO))}/{format_id(episode.get(camera, ZERO))}"
        for camera in cameras
    )
