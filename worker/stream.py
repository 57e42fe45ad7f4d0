"""A camera's streams as its owner sees them: read, claim, commit. All Redis of a frame is here."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from redis.exceptions import ResponseError

from emotion_streams import keys
from emotion_streams.connection import Client
from emotion_streams.ledger import Outcome

MAX_DELIVERIES: Final = 3
"""A frame given out more often than this has ended as many workers, and is dead."""

_READ_AT_ONCE: Final = 32
"""More frames than a producer keeps, so that one read always reaches the newest."""

_SCRIPTS: Final = Path(__file__).parent / "scripts"


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
    none), and how often it was delivered, this time included."""

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
    """How much is kept for subscribers and operators, per camera, in entries (approximately)."""

    events: int = 10_000
    dead_letters: int = 1_000


def load_script(client: Client, name: str) -> Any:
    """The Lua script worker/scripts/NAME.lua, to be called with keys and args."""
    return client.register_script((_SCRIPTS / f"{name}.lua").read_text())


class CameraStream:
    """Reads and commits one camera's frames under a lease."""

    def __init__(self, client: Client, lease: Lease, retention: Retention) -> None:
        self.camera = lease.camera
        self._client = client
        self._frames = keys.frames(lease.camera)
        self._lease_key = keys.lease(lease.camera)
        self._ledger = keys.ledger(lease.camera)
        self._commit_keys = [
            self._frames,
            keys.emotions(lease.camera),
            self._lease_key,
            self._ledger,
            keys.dead(lease.camera),
        ]
        # The owner is unique per process start, so a restarted worker is another consumer.
        self._consumer = lease.owner
        self._right = [lease.owner, lease.epoch, keys.GROUP]
        self._kept = [retention.events, retention.dead_letters]
        self._claim = load_script(client, "claim")
        self._commit = load_script(client, "commit")

    async def read(self, block_ms: int | None = None) -> list[Delivery]:
        """Frames not given out before, oldest first; waits up to `block_ms` for the first, or not
        at all. An empty list also where the group has vanished: claim() makes it again."""
        try:
            reply = await self._client.xreadgroup(
                keys.GROUP, self._consumer, {self._frames: ">"}, count=_READ_AT_ONCE, block=block_ms
            )
        except ResponseError as error:
            if "NOGROUP" in str(error):
                await self.claim(())
                return []
            raise
        return [
            Delivery(frame_id.decode(), fields.get(b"frame"))
            for _, entries in reply or ()
            for frame_id, fields in entries
        ]

    async def claim(self, known: Collection[str]) -> list[Delivery]:
        """Every pending frame that is not among `known`, oldest first. Raises Fenced."""
        reply = await self._claim(
            keys=[self._frames, self._lease_key, self._ledger],
            args=[*self._right, self._consumer, *known],
        )
        return [
            Delivery(frame_id.decode(), _field(fields, b"frame"), deliveries)
            for frame_id, fields, deliveries in _unless_fenced(reply, self.camera)
        ]

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
