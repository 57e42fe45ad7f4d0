"""A client's way through the events: first what it missed, from Redis, then what comes, live."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from emotion_streams import EmotionEvent, MalformedMessage, keys
from emotion_streams.connection import Client
from gateway.hub import Hub, Published, Taken
from gateway.positions import Position, format_id

HEARTBEAT_S: Final = 10.0
"""A client hears something at least this often, so that both sides notice a dead connection."""

_PAGE: Final = 200
_NOTHING: Final = Taken()


@dataclass(frozen=True)
class Silence:
    """Nothing came for HEARTBEAT_S."""


@dataclass(frozen=True)
class Changed:
    """A camera's status has changed: the new one as JSON."""

    status: bytes


@dataclass(frozen=True)
class Dropped:
    """The client was too slow: so many events were left out before the next one."""

    count: int


async def follow(
    hub: Hub,
    client: Client,
    cameras: frozenset[str] | None,
    seen: dict[str, Position],
    missed: Iterable[str],
) -> AsyncIterator[Published | Changed | Dropped | Silence]:
    """Yield the events of the cameras (None: of all) in id order per camera, each once, until the
    hub closes. `seen` says where each camera stands, and is kept up to date; of the cameras in
    `missed` all that Redis keeps after that place comes first. Raises any of
    UNREACHABLE during that.
    """
    missed = tuple(missed)
    # Twice: the queue is opened only when little is missing, so that it cannot overflow meanwhile.
    async for item in _missed(client, missed, seen):
        yield item
    with hub.subscribe(cameras) as subscription:
        async for item in _missed(client, missed, seen):
            yield item
        while not subscription.closed:
            taken = await subscription.take(HEARTBEAT_S)
            for status in taken.notices:
                yield Changed(status)
            if taken.dropped:
                yield Dropped(taken.dropped)
            for item in taken.items:
                if _advance(seen, item):
                    yield item
            if taken == _NOTHING:
                yield Silence()


async def _missed(
    client: Client, cameras: Iterable[str], seen: dict[str, Position]
) -> AsyncIterator[Published]:
    for camera in cameras:
        async for item in read_events(client, camera, after=seen.get(camera)):
            if _advance(seen, item):
                yield item


def _advance(seen: dict[str, Position], item: Published) -> bool:
    """Whether the event is new to the client, which then has seen it."""
    camera = item.event.camera
    if camera in seen and item.position <= seen[camera]:
        return False
    seen[camera] = item.position
    return True


async def read_events(
    client: Client, camera: str, after: Position | None = None, before_ms: int | None = None
) -> AsyncIterator[Published]:
    """The camera's kept events after an id, up to and including a millisecond, oldest first.
    Entries that this version cannot read are passed over."""
    start = "-" if after is None else f"({format_id(after)}"
    end = "+" if before_ms is None else str(before_ms)
    while True:
        entries = await client.xrange(keys.emotions(camera), start, end, count=_PAGE)
        for _, fields in entries:
            if (item := unpack(fields)) is not None:
                yield item
        if len(entries) < _PAGE:
            return
        start = f"({entries[-1][0].decode()}"


def unpack(fields: Mapping[bytes, bytes]) -> Published | None:
    """The event of a stream's entry, or None where something newer or foreign wrote it."""
    try:
        return Published.of(EmotionEvent.unpack(fields[b"event"]))
    except (MalformedMessage, KeyError):
        return None
