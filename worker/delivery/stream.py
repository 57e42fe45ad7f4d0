"""A camera's streams as its owner uses them: read, claim, begin, commit."""

import itertools
from collections.abc import Collection, Sequence
from typing import Any, Final

from redis.exceptions import ResponseError

from emotion_streams import keys
from emotion_streams.backoff import is_wrong_type
from emotion_streams.connection import Client
from emotion_streams.frames import MAX_AHEAD_MS, MAX_FRAME_BYTES
from worker.delivery.entries import Entry, field_of, parse, size_of
from worker.delivery.types import (
    Claimed,
    Committed,
    Completion,
    Lease,
    QueuedFrame,
    RecordingState,
    Retention,
    StoredTracks,
    TracksUpdate,
)
from worker.redis_scripts import load_script

MAX_DELIVERIES: Final = 3
"""Delivery limit. A frame delivered this often without completing is presumed to crash workers and
becomes a dead letter."""

READ_AT_ONCE: Final = 32
"""More frames than a producer keeps, so that one read reaches the newest, unless frames are
large."""

READ_BYTES: Final = 8 << 20
"""Bytes of frames in one reply. The last frame may exceed it, so a reply has at most 24 MB, and a
blocking read, which returns two frames, at most 32 MB. The output buffer limit of valkey.conf is
48 MB."""

_CLAIM_AT_ONCE: Final = 32
_MAX_ENTRY_BYTES: Final = MAX_FRAME_BYTES + 1024
_SEVERAL: Final = 2


class FencedError(Exception):
    """The camera's lease has moved on; this worker's uncommitted results for it are void."""


class CameraStream:
    """Reads and commits one camera's frames under a lease."""

    def __init__(self, client: Client, lease: Lease, retention: Retention) -> None:
        self.camera = lease.camera
        self._client = client
        self._frames = keys.frames(lease.camera)
        self._keys = keys.camera_keys(lease.camera)
        # The owner is unique per process start: a restarted worker is a different consumer.
        self._consumer = lease.owner
        self._proof = [lease.owner, lease.epoch, keys.GROUP]
        self._limits = [
            retention.events, retention.dead_letters, MAX_AHEAD_MS,
            retention.episodes, retention.age_ms, retention.minutes_age_ms,
        ]  # fmt: skip
        self._age_ms, self._minutes_age_ms = retention.age_ms, retention.minutes_age_ms
        self._read = load_script(client, __file__, "read")
        self._maintain = load_script(client, __file__, "maintain")
        self._claim = load_script(client, __file__, "claim")
        self._begin = load_script(client, __file__, "begin")
        self._commit = load_script(client, __file__, "commit")

    async def read(self, block_ms: int | None = None) -> list[QueuedFrame]:
        """Return frames not delivered before, oldest first; wait up to `block_ms` for the first.

        None means no wait. Raises ResponseError if the group is missing; maintain() creates it.
        """
        if block_ms is None:
            return await parse(await self._read_more(READ_AT_ONCE, READ_BYTES))
        # A blocking read has no limit of bytes, so it asks for two frames. It returns one if it had
        # to wait; if it returns two, there may be more.
        entries = await self._read_any(_SEVERAL, block_ms)
        left = READ_BYTES - sum(entry.size for entry in entries)
        if len(entries) == _SEVERAL and left > 0:
            entries += await self._read_more(READ_AT_ONCE - _SEVERAL, left)
        return await parse(entries)

    async def _read_any(self, count: int, block_ms: int | None = None) -> list[Entry]:
        reply = await self._client.xreadgroup(
            keys.GROUP, self._consumer, {self._frames: ">"}, count=count, block=block_ms
        )
        return [
            Entry(frame_id, fields.get(b"frame"), size_of(fields))
            for _, found in reply or ()
            for frame_id, fields in found
        ]

    async def _read_more(self, count: int, size: int) -> list[Entry]:
        # This read is twice as fast as the script, which copies each frame, and equally safe for a
        # small stream.
        if (await self._client.memory_usage(self._frames, samples=0) or 0) < READ_BYTES:
            return await self._read_any(count)
        reply = await self._read(
            keys=self._keys, args=[keys.GROUP, self._consumer, count, size, _MAX_ENTRY_BYTES]
        )
        return [
            Entry(frame_id, field_of(fields, b"frame"), size) for frame_id, fields, size in reply
        ]

    async def maintain(self) -> int:
        """Create what the camera needs, and drop what is past its age.

        Returns how many keys were reset because they blocked the camera. Raises FencedError.
        """
        reply = await self._maintain(
            keys=self._keys,
            args=[
                *self._proof, self._consumer,
                self._age_ms, self._minutes_age_ms, MAX_AHEAD_MS,
            ],
        )  # fmt: skip
        return int(_unless_fenced(reply, self.camera))

    async def claim(self, known: Collection[str]) -> Claimed:
        """Return pending frames that are not among `known`.

        Raises FencedError, and ResponseError if the group is missing; maintain() creates it.
        """
        reply = await self._claim(
            keys=self._keys,
            args=[
                *self._proof, self._consumer, _CLAIM_AT_ONCE, READ_BYTES, _MAX_ENTRY_BYTES,
                MAX_DELIVERIES, *known,
            ],
        )  # fmt: skip
        strikes, complete, found = _unless_fenced(reply, self.camera)
        entries = [
            Entry(frame_id, field_of(fields, b"frame"), size, deliveries)
            for frame_id, fields, size, deliveries in found
        ]
        return Claimed(await parse(entries), bool(complete), strikes)

    async def begin(self, frame_id: str, deliveries: int) -> None:
        """Record that this owner starts a redelivered frame.

        Safe to repeat after a lost reply. Raises FencedError.
        """
        reply = await self._begin(
            keys=self._keys, args=[*self._proof, self._consumer, frame_id, deliveries]
        )
        _unless_fenced(reply, self.camera)

    async def load_tracks(self) -> StoredTracks:
        """Return the stored tracking state."""
        version, state, people = await self._client.hmget(
            keys.tracks(self.camera), ["version", "state", "people"]
        )
        is_count = people and people.isdigit() and len(people) < 4
        return StoredTracks(version or b"", state, int(people) if is_count else 0)

    async def recording_state(self) -> RecordingState | None:
        """Return whether the camera's recording has ended, by its producer; None for a camera."""
        try:
            policy, state = await self._client.hmget(
                keys.camera_info(self.camera), ["policy", "state"]
            )
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
            return None
        if policy != b"every":
            return None
        return RecordingState.ENDED if state == b"ended" else RecordingState.RUNNING

    async def commit(
        self, completions: Sequence[Completion], tracks: TracksUpdate | None = None
    ) -> Committed:
        """End frames, oldest first, and store the tracking state.

        Safe to repeat after a lost reply. Raises FencedError.
        """
        update = tracks or TracksUpdate(b"", b"", b"")
        args: list[Any] = [
            *self._proof, *self._limits,
            update.expected, update.version, update.state,
            update.people, int(update.is_open),
            len(update.episodes), *update.episodes,
            len(update.minutes), *itertools.chain.from_iterable(update.minutes),
        ]  # fmt: skip
        for each in completions:
            moves = int(each.moves_tracks)
            args += (each.frame_id, each.outcome.value, each.payload, each.size, moves)
        reply = await self._commit(keys=self._keys, args=args)
        outcomes, tracks_stored = _unless_fenced(reply, self.camera)
        return Committed([outcome.decode() for outcome in outcomes], bool(tracks_stored))


def _unless_fenced(reply: Any, camera: str) -> Any:
    if reply == b"FENCED":
        raise FencedError(f"camera {camera}: the lease has moved on")
    return reply
