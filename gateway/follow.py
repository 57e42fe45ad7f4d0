"""A client's way through the events: first what it missed, from Redis, then what comes, live."""

import re
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from redis.exceptions import ResponseError

from emotion_streams import Emotion, EmotionEvent, keys
from emotion_streams.backoff import is_wrong_type
from emotion_streams.connection import Client
from gateway.cursor import StreamId, format_id, parse_id
from gateway.hub import Batch, Hub, Notice, Published

HEARTBEAT_S: Final = 10.0
"""A client hears something at least this often, so that both sides notice a dead connection."""

STEP: Final = 50
"""Entries unpacked at a time: some milliseconds, in which nobody else is served."""

_NOTHING: Final = Batch()


@dataclass(frozen=True)
class Started:
    """From here on nothing is missed.

    `seen`: the client's position with each camera, kept up to date with each event yielded.
    """

    seen: Mapping[str, StreamId]


@dataclass(frozen=True)
class Heartbeat:
    """Nothing came for HEARTBEAT_S."""


@dataclass(frozen=True)
class EventsDropped:
    """The client was too slow: so many events were left out before the next one."""

    count: int


async def follow_events(
    hub: Hub,
    client: Client,
    cameras: frozenset[str] | None,
    known: Collection[str],
    resumed: Mapping[str, StreamId] | None,
    figures: bool = False,
) -> AsyncIterator[Started | Published | Notice | EventsDropped | Heartbeat]:
    """Yield Started, then the events of the cameras in id order per camera, each once.

    It ends when the hub closes. `cameras`: None for all, also those to come.
    `known`: those of them that are registered now.

    `resumed` is None for a new client, which gets what comes from now on. Of one that resumes it
    says where each camera stood; what Redis keeps after that comes first, of the known cameras that
    it does not name from the start. Raises any of REDIS_ERRORS during that.
    """
    missed = () if resumed is None else tuple(known)
    seen = {camera: resumed[camera] for camera in known if camera in resumed} if resumed else {}
    if resumed is not None:
        yield Started(seen)
    # Twice: the queue is opened only when little is missing, so that it cannot overflow meanwhile.
    async for item in _missed(client, missed, seen):
        yield item
    with hub.subscribe(cameras, figures) as subscription:
        if resumed is None:
            # Only now: an event between the tips and the subscription would be nobody's.
            seen.update((camera, hub.tip(camera)) for camera in known)
            yield Started(seen)
        async for item in _missed(client, missed, seen):
            yield item
        while not subscription.closed:
            for news in _news(await subscription.take(HEARTBEAT_S), seen):
                yield news


def _news(
    taken: Batch, seen: dict[str, StreamId]
) -> Iterator[Published | Notice | EventsDropped | Heartbeat]:
    if taken == _NOTHING:
        yield Heartbeat()
    yield from taken.notices
    if taken.dropped:
        yield EventsDropped(taken.dropped)
    yield from (item for item in taken.items if _advance(seen, item))


async def _missed(
    client: Client, cameras: Iterable[str], seen: dict[str, StreamId]
) -> AsyncIterator[Published]:
    for camera in cameras:
        try:
            async for item in read_events(client, camera, after=seen.get(camera)):
                if _advance(seen, item):
                    yield item
        except ResponseError as error:
            # One camera's key that holds something else must not end the others' stream.
            if not is_wrong_type(error):
                raise


def _advance(seen: dict[str, StreamId], item: Published) -> bool:
    """Whether the event is new to the client, which then has seen it."""
    camera = item.event.camera
    if camera in seen and item.position <= seen[camera]:
        return False
    seen[camera] = item.position
    return True


class EventFilter:
    """Events with a face that shows an emotion; every event if that is None."""

    def __init__(self, emotion: Emotion | None) -> None:
        self._emotion = emotion
        # Unpacking costs 20 us and more: most events are passed over by their bytes alone. msgpack
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


async def oldest_ms(client: Client, camera: str) -> int | None:
    """Return the time of the oldest event that Redis keeps of the camera, None without one."""
    entries = await client.xrange(keys.emotions(camera), count=1)
    return parse_id(entries[0][0].decode())[0] if entries else None


async def read_events(
    client: Client,
    camera: str,
    after: StreamId | None = None,
    before_ms: int | None = None,
    emotion: Emotion | None = None,
) -> AsyncIterator[Published]:
    """Yield the camera's kept events after an id, up to and including a millisecond, oldest first.

    If an emotion is given, only those with a face that shows it. Entries that this version cannot
    read are skipped.
    """
    wanted = EventFilter(emotion)
    start = "-" if after is None else f"({format_id(after)}"
    end = "+" if before_ms is None else str(before_ms)
    while True:
        entries = await client.xrange(keys.emotions(camera), start, end, count=STEP)
        for entry_id, fields in entries:
            if (item := wanted.read(camera, entry_id, fields)) is not None:
                yield item
        if len(entries) < STEP:
            return
        start = f"({entries[-1][0].decode()}"
