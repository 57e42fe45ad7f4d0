"""A camera's streams as its owner sees them: read, claim, commit. All Redis of a frame is here."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

from emotion_streams import keys
from emotion_streams.connection import Client
from emotion_streams.ledger import Outcome
from worker.redis_scripts import load_script

MAX_DELIVERIES: Final = 3
"""A frame that was given out so often and never ended has ended workers: no further one gets it."""

READ_AT_ONCE: Final = 32
"""More frames than a producer keeps, so that one read always reaches the newest."""

_CLAIM_AT_ONCE: Final = 32
"""So that a backlog of large frames is not held all at once."""


class Fenced(Exception):
    """The camera's lease has moved on; whatever this worker still holds of it is void."""


@dataclass(frozen=True)
class Lease:
    """The right to commit a camera's frames, for as long as no greater epoch was given out."""

    camera: str
    owner: str
    epoch: int


@dataclass(frozen=True)
class Delivery:
    """A frame as Redis gave it out: its stream id, its packed Frame (None where the entry holds
    none), and how often it was given out, this time included. One that was given out before must be
    begun with begin()."""

    frame_id: str
    blob: bytes | None
    deliveries: int = 1


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
        lease_key, ledger = keys.lease(lease.camera), keys.ledger(lease.camera)
        emotions, dead = keys.emotions(lease.camera), keys.dead(lease.camera)
        self._claim_keys = [self._frames, lease_key, ledger, emotions, dead]
        self._begin_keys = [self._frames, lease_key, ledger]
        self._commit_keys = [self._frames, emotions, lease_key, ledger, dead]
        # The owner is unique per process start, so a restarted worker is another consumer.
        self._consumer = lease.owner
        self._right = [lease.owner, lease.epoch, keys.GROUP]
        self._kept = [retention.events, retention.dead_letters]
        self._age_ms = retention.age_ms
        self._claim = load_script(client, __file__, "claim")
        self._begin = load_script(client, __file__, "begin")
        self._commit = load_script(client, __file__, "commit")

    async def read(self, block_ms: int | None = None) -> list[Delivery]:
        """Frames not given out before, oldest first; waits up to `block_ms` for the first, or not
        at all. Where the group has vanished that is a ResponseError: claim() makes it again."""
        reply = await self._client.xreadgroup(
            keys.GROUP, self._consumer, {self._frames: ">"}, count=READ_AT_ONCE, block=block_ms
        )
        return [
            Delivery(frame_id.decode(), fields.get(b"frame"))
            for _, entries in reply or ()
            for frame_id, fields in entries
        ]

    async def claim(
        self, known: Collection[str], behind_ms: float | None = None
    ) -> tuple[list[Delivery], bool]:
        """Pending frames that are not among `known`, oldest first, and whether that is all of
        them. `behind_ms`: how far the clock that dates the frames is behind, None while that is not
        known; events are kept that much longer. Raises Fenced."""
        behind = "" if behind_ms is None else round(behind_ms)
        reply = await self._claim(
            keys=self._claim_keys,
            args=[*self._right, self._consumer, _CLAIM_AT_ONCE, self._age_ms, behind, *known],
        )
        deliveries = [
            Delivery(frame_id.decode(), _field(fields, b"frame"), deliveries)
            for frame_id, fields, deliveries in _unless_fenced(reply, self.camera)
        ]
        return deliveries, len(deliveries) < _CLAIM_AT_ONCE

    async def begin(self, frame_id: str, deliveries: int) -> None:
        """Hold it against a frame that was given out before that it is now begun here. Safe to call
        again when the reply was lost. Raises Fenced."""
        reply = await self._begin(
            keys=self._begin_keys,
            args=[*self._right, self._consumer, frame_id, deliveries],
        )
        _unless_fenced(reply, self.camera)

    async def commit(self, endings: Sequence[Ending]) -> list[str]:
        """End frames, oldest first; returns for each the outcome that stands in the ledger, or
        "repeated" where an earlier try had done it. Safe to call again when the reply was lost.
        Raises Fenced."""
        args: list[Any] = [*self._right, *self._kept]
        for ending in endings:
            args += (ending.frame_id, ending.outcome.value, ending.payload, ending.size)
        reply = await self._commit(keys=self._commit_keys, args=args)
        return [outcome.decode() for outcome in _unless_fenced(reply, self.camera)]


def _unless_fenced(reply: Any, camera: str) -> list[Any]:
    if reply == b"FENCED":
        raise Fenced(f"camera {camera}: the lease has moved on")
    return list(reply)


def _field(flat: Sequence[bytes], name: bytes) -> bytes | None:
    """A field of an entry as a script returns it: names and values in turn."""
    return dict(zip(flat[::2], flat[1::2], strict=True)).get(name)
