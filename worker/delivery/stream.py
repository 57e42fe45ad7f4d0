"""A camera's streams as its owner sees them: read, claim, commit. All Redis of a frame is here."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from emotion_streams import keys
from emotion_streams.connection import Client
from emotion_streams.frames import MAX_AHEAD_MS, MAX_FRAME_BYTES
from emotion_streams.ledger import Outcome
from worker.redis_scripts import load_script

MAX_DELIVERIES: Final = 3
"""A frame that was given out so often and never ended has ended workers: no further one gets it."""

READ_AT_ONCE: Final = 32
"""More frames than a producer keeps, so that one read reaches the newest unless they are large."""

READ_BYTES: Final = 8 << 20
"""Bytes of frames in one reply, exceeded by one frame at most: 24 MB, and 32 MB of two frames that
a blocking read brings. The limit of valkey.conf for a client that is slow to take them is 48 MB."""

_CLAIM_AT_ONCE: Final = 32
_LARGEST_ENTRY: Final = MAX_FRAME_BYTES + 1024
_SEVERAL: Final = 2


class Fenced(Exception):
    """The camera's lease has moved on; what this worker still holds of the camera is void."""


@dataclass(frozen=True)
class Lease:
    """The right to commit a camera's frames, for as long as no greater epoch was given out."""

    camera: str
    owner: str
    epoch: int


@dataclass(frozen=True)
class Delivery:
    """A frame as Redis delivered it: its stream id, its packed Frame, how often it was delivered,
    this time included, and how many bytes its entry has.

    `blob` is None if the entry holds no frame, or is larger than any. A frame that was delivered
    before must be started with begin().
    """

    frame_id: str
    blob: bytes | None
    deliveries: int = 1
    size: int = 0


@dataclass(frozen=True)
class Claimed:
    """What a claim brought: frames, oldest first, and whether that is all of them.

    `strikes`: how many workers in a row crashed on frames of this camera that were trimmed since.
    `resets`: keys that were reset, since they blocked the camera.
    """

    deliveries: list[Delivery]
    complete: bool
    strikes: int = 0
    resets: int = 0


@dataclass(frozen=True)
class Ending:
    """How a frame ends: `payload` is the packed event if analysed, the reason if dead."""

    frame_id: str
    outcome: Outcome
    payload: bytes = b""
    size: int = 0


@dataclass(frozen=True)
class Retention:
    """How much is kept for subscribers and operators, per camera: so many entries (approximately),
    and none that is older than `age_ms`."""

    events: int = 10_000
    dead_letters: int = 1_000
    age_ms: int = 86_400_000


class CameraStream:
    """Reads and commits one camera's frames under a lease."""

    def __init__(self, client: Client, lease: Lease, retention: Retention) -> None:
        self.camera = lease.camera
        self._client = client
        self._frames = keys.frames(lease.camera)
        self._keys = keys.camera_keys(lease.camera)
        # The owner is unique per process start, so a restarted worker is another consumer.
        self._consumer = lease.owner
        self._right = [lease.owner, lease.epoch, keys.GROUP]
        self._limits = [retention.events, retention.dead_letters, MAX_AHEAD_MS]
        self._age_ms = retention.age_ms
        self._read = load_script(client, __file__, "read")
        self._claim = load_script(client, __file__, "claim")
        self._begin = load_script(client, __file__, "begin")
        self._commit = load_script(client, __file__, "commit")

    async def read(self, block_ms: int | None = None) -> list[Delivery]:
        """Frames not delivered before, oldest first; waits up to `block_ms` for the first, or not
        at all. A group that has vanished is a ResponseError: claim() creates it again."""
        if block_ms is None:
            return await self._read_more(READ_AT_ONCE, READ_BYTES)
        # A blocking read has no limit of bytes, so it takes two frames: one if it had to wait, two
        # if more may have been there.
        reply = await self._client.xreadgroup(
            keys.GROUP, self._consumer, {self._frames: ">"}, count=_SEVERAL, block=block_ms
        )
        deliveries = [
            Delivery(frame_id.decode(), fields.get(b"frame"), 1, sum(map(len, fields.values())))
            for _, entries in reply or ()
            for frame_id, fields in entries
        ]
        left = READ_BYTES - sum(delivery.size for delivery in deliveries)
        if len(deliveries) == _SEVERAL and left > 0:
            deliveries += await self._read_more(READ_AT_ONCE - _SEVERAL, left)
        return deliveries

    async def _read_more(self, entries: int, size: int) -> list[Delivery]:
        reply = await self._read(
            keys=self._keys, args=[keys.GROUP, self._consumer, entries, size, _LARGEST_ENTRY]
        )
        return [
            Delivery(frame_id.decode(), _field(fields, b"frame"), 1, size)
            for frame_id, fields, size in reply
        ]

    async def claim(self, known: Collection[str], behind_ms: float | None = None) -> Claimed:
        """Pending frames that are not among `known`. `behind_ms`: how far the clock that dates the
        frames is behind, None if unknown; events are kept that much longer. Raises Fenced."""
        behind = "" if behind_ms is None else round(behind_ms)
        reply = await self._claim(
            keys=self._keys,
            args=[
                *self._right, self._consumer, _CLAIM_AT_ONCE, READ_BYTES, _LARGEST_ENTRY,
                self._age_ms, behind, MAX_DELIVERIES, MAX_AHEAD_MS, *known,
            ],
        )  # fmt: skip
        strikes, resets, complete, entries = _unless_fenced(reply, self.camera)
        deliveries = [
            Delivery(frame_id.decode(), _field(fields, b"frame"), deliveries, size)
            for frame_id, fields, size, deliveries in entries
        ]
        return Claimed(deliveries, bool(complete), strikes, resets)

    async def begin(self, frame_id: str, deliveries: int) -> None:
        """Hold it against a frame that was given out before that it is now begun here. Safe to call
        again when the reply was lost. Raises Fenced."""
        reply = await self._begin(
            keys=self._keys,
            args=[*self._right, self._consumer, frame_id, deliveries],
        )
        _unless_fenced(reply, self.camera)

    async def commit(self, endings: Sequence[Ending]) -> list[str]:
        """End frames, oldest first; returns for each the outcome that stands in the ledger, or
        "repeated" where an earlier try had done it. Safe to call again when the reply was lost.
        Raises Fenced."""
        args: list[Any] = [*self._right, *self._limits]
        for ending in endings:
            args += (ending.frame_id, ending.outcome.value, ending.payload, ending.size)
        reply = await self._commit(keys=self._keys, args=args)
        return [outcome.decode() for outcome in _unless_fenced(reply, self.camera)]


def _unless_fenced(reply: Any, camera: str) -> list[Any]:
    if reply == b"FENCED":
        raise Fenced(f"camera {camera}: the lease has moved on")
    return list(reply)


def _field(flat: Sequence[bytes], name: bytes) -> bytes | None:
    """A field of an entry as a script returns it: names and values in turn."""
    return dict(zip(flat[::2], flat[1::2], strict=True)).get(name)
