"""A client's way through events and episodes: first what it missed, from Redis, then live."""

import re
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from redis.exceptions import ResponseError

from emotion_streams import Emotion, EmotionEvent, Episode, keys
from emotion_streams.backoff import is_wrong_type
from emotion_streams.connection import Client
from emotion_streams.stream_id import StreamId, range_end
from emotion_streams.stream_kinds import EVENTS, StreamKind
from gateway.cursor import KINDS, Kind, Positions
from gateway.hub import Batch, Hub, Notice
from gateway.published import Item, Published, PublishedEpisode

HEARTBEAT_S: Final = {False: 10.0, True: 2.0}
"""Interval of heartbeats, so that both sides notice a dead connection: without and with figures."""

STEP: Final = 50
"""Entries unpacked at a time: some milliseconds, in which no other client is served."""

_NOTHING: Final = Batch()


@dataclass(frozen=True)
class Started:
    """The stream has started: no later event is missed.

    `seen`: the client's position with each camera, kept up to date with each item yielded.
    """

    seen: Positions


@dataclass(frozen=True)
class Heartbeat:
    """There was nothing to send for HEARTBEAT_S."""


@dataclass(frozen=True)
class EventsDropped:
    """The client was too slow: `count` events were skipped before the next one."""

    count: int


async def follow_events(
    hub: Hub,
    client: Client,
    cameras: frozenset[str] | None,
    known: Collection[str],
    resumed: Positions | None,
    figures: bool = False,
    kinds: frozenset[Kind] = KINDS,
) -> AsyncIterator[Started | Item | Notice | EventsDropped | Heartbeat]:
    """Yield Started, then events and episodes of the cameras, each kind in id order, each once.

    It ends when the hub closes. `cameras`: None for all, also those to come.
    `known`: those of them that are registered now. `kinds`: events, episodes or both.

    `resumed` is None for a new client, which gets what comes from now on. Of one that resumes it
    says where each camera was; what Redis keeps after that comes first, of the known cameras that
    it does not name from the start. Raises any of REDIS_ERRORS during that.
    """
    missed = () if resumed is None else tuple(known)
    seen = resumed.only(frozenset(known)) if resumed else Positions()
    if resumed is not None:
        yield Started(seen)
    # Twice: the queue is opened only when little is missing, so that it cannot overflow meanwhile.
    async for item in _missed(client, missed, kinds, seen):
        yield item
    with hub.subscribe(cameras, figures, kinds) as subscription:
        if resumed is None:
            # Not earlier: an event between the tips and the subscription would be lost.
            for kind in KINDS:
                seen.of(kind).update((camera, hub.tip(camera, kind)) for camera in known)
            yield Started(seen)
        async for item in _missed(client, missed, kinds, seen):
            yield item
        while not subscription.closed:
            taken = await subscription.take(HEARTBEAT_S[figures])
            for news in _news(taken, seen):
                yield news


def _news(taken: Batch, seen: Positions) -> Iterator[Item | Notice | EventsDropped | Heartbeat]:
    if taken == _NOTHING:
        yield Heartbeat()
    yield from taken.notices
    if taken.dropped:
        yield EventsDropped(taken.dropped)
    yield from (item for item in taken.items if _advance(seen, item))


async def _missed(
    client: Client, cameras: Iterable[str], kinds: frozenset[Kind], seen: Positions
) -> AsyncIterator[Item]:
    for camera in cameras:
        for kind, read in _READERS.items():
            if kind not in kinds:
                continue
            try:
                async for item in read(client, camera, seen.of(kind).get(camera)):
                    if _advance(seen, item):
                        yield item
            except ResponseError as error:
                # A key of another type must not end the stream of the other cameras.
                if not is_wrong_type(error):
                    raise


def _advance(seen: Positions, item: Item) -> bool:
    """Whether the item is new to the client, which then has seen it."""
    positions = seen.of(item.kind)
    if item.camera in positions and item.position <= positions[item.camera]:
        return False
    positions[item.camera] = item.position
    return True


class EventFilter:
    """Events with a face that shows an emotion; every event if that is None."""

    def __init__(self, emotion: Emotion | None) -> None:
        self._emotion = emotion
        # Unpacking takes 20 us or more, so most events are skipped by their bytes alone. msgpack
        # has one to five bytes between a field's name and its text.
        self._packed = emotion and re.compile(rb"emotion.{1,5}?" + emotion.encode(), re.DOTALL)

    def read(self, camera: str, entry_id: bytes, fields: Mapping[bytes, bytes]) -> Published | None:
        """Return the entry's event; None if it is not wanted, or this version cannot read it."""
        if self._packed and not self._packed.search(fields.get(b"event", b"")):
            return None
        event = EmotionEvent.from_stream_entry(camera, entry_id, fields)
        if event is None or not self._wants(event):
            return None
        return Published.of(event)

    def _wants(self, event: EmotionEvent) -> bool:
        return self._emotion is None or any(face.emotion == self._emotion for face in event.faces)


async def oldest_ms(client: Client, camera: str, kind: StreamKind[Any] = EVENTS) -> int | None:
    """Return the time of the oldest entry that Redis keeps of the camera, None without one."""
    entries = await client.xrange(kind.key(camera), count=1)
    return StreamId.parse(entries[0][0].decode()).ms if entries else None


async def read_events(
    client: Client,
    camera: str,
    after: StreamId | None = None,
    before_ms: int | None = None,
    emotion: Emotion | None = None,
) -> AsyncIterator[Published]:
    """Yield the camera's kept events after an id and captured before a time, oldest first.

    If an emotion is given, only those with a face that shows it. Entries that this version cannot
    read are skipped.
    """
    wanted = EventFilter(emotion)
    start = "-" if after is None else f"({after}"
    end = range_end(None if before_ms is None else StreamId(before_ms, 0))
    while True:
        entries = await client.xrange(keys.emotions(camera), start, end, count=STEP)
        for entry_id, fields in entries:
            if (item := wanted.read(camera, entry_id, fields)) is not None:
                yield item
        if len(entries) < STEP:
            return
        start = f"({entries[-1][0].decode()}"


async def read_episodes(
    client: Client, camera: str, after: StreamId | None = None
) -> AsyncIterator[PublishedEpisode]:
    """Yield the camera's kept records after an id, oldest first.

    Entries that this version cannot read are skipped.
    """
    key = keys.episodes(camera)
    start = "-" if after is None else f"({after}"
    while True:
        entries = await client.xrange(key, start, count=STEP)
        for entry_id, fields in entries:
            episode = Episode.from_stream_entry(camera, entry_id, fields)
            if episode is not None:
                yield PublishedEpisode.of(episode)
        if len(entries) < STEP:
            return
        start = f"({entries[-1][0].decode()}"


_READERS: Final[dict[Kind, Callable[[Client, str, StreamId | None], AsyncIterator[Item]]]] = {
    "emotion": read_events,
    "episode": read_episodes,
}
