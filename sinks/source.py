"""Records of the cameras' streams, read in order from stored places."""

import asyncio
import logging
import time
from collections.abc import Collection, Mapping
from typing import Any, Final

from redis.asyncio.cluster import RedisCluster
from redis.exceptions import ResponseError

from emotion_streams.backoff import is_wrong_type
from emotion_streams.connection import Client
from emotion_streams.redaction import short_message
from emotion_streams.registry import registered
from emotion_streams.stream_id import StreamId
from sinks.batch import Batch
from sinks.records import BEGINNING, Kind, Places, Record, Stream, parse

_BLOCK_MS: Final = 250
"""How long one read waits. Afterwards the states are shown, so it bounds their delay."""
_DISCOVER_S: Final = 1.0
_BATCH: Final = 500
"""Maximum records of a batch, over all streams; at least one for each stream."""
_BEHIND_MS: Final = 60_000
"""A reader further behind than this may have lost entries to the stream's bound."""

log = logging.getLogger(__name__)


class StreamSource:
    """Reads streams of all cameras, or of the named ones. See RecordSource."""

    def __init__(
        self,
        client: Client,
        kinds: Collection[Kind],
        cameras: Collection[str] | None,
        from_beginning: bool,
    ) -> None:
        self._client = client
        self._kinds = tuple(kinds)
        self._named = cameras
        self._from_beginning = from_beginning
        self._places: dict[str, str] = {}
        self._streams: dict[str, Stream] = {}
        self._forgotten: list[str] = []
        self._discovered_at = float("-inf")

    async def start(self, places: Places | None) -> Places:
        """Begin at the places. A stream without one begins at its beginning.

        At the very first start, or if the settings ask for another kind of records than before, it
        begins at `now` if so configured.
        """
        self._places = dict(places or {})
        stored = [stream for key in self._places if (stream := Stream.of_key(key))]
        known = {stream.camera for stream in stored}
        for camera in await self._cameras():
            for kind in self._kinds:
                key = Stream(kind, camera).key
                if key not in self._places:
                    new = not self._from_beginning and (places is None or camera in known)
                    self._places[key] = await self._newest(key) if new else BEGINNING
        self._streams = {stream.key: stream for stream in stored if self._wants(stream)}
        self._discovered_at = float("-inf")
        await self._discover()
        return self._places

    async def read(self) -> Batch:
        """Return the next records. Streams are read at once, except in a cluster."""
        if time.monotonic() - self._discovered_at > _DISCOVER_S:
            await self._discover()
        if not self._streams:
            await asyncio.sleep(_BLOCK_MS / 1000)
            return Batch()
        if isinstance(self._client, RedisCluster):
            return await self._read_per_camera()
        return await self._read(list(self._streams), _BLOCK_MS)

    def advance(self, after: Places) -> None:
        """Continue after these entries."""
        self._places.update(after)

    def take_forgotten(self) -> list[str]:
        """Return the streams that have ceased to exist since the last call."""
        forgotten, self._forgotten = self._forgotten, []
        return forgotten

    def _wants(self, stream: Stream) -> bool:
        is_named = self._named is None or stream.camera in self._named
        return is_named and stream.kind in self._kinds

    async def _cameras(self) -> list[str]:
        # A named camera may never have registered, or not yet.
        return list(await registered(self._client) if self._named is None else self._named)

    async def _discover(self) -> None:
        cameras = await self._cameras()
        for camera in cameras:
            for kind in self._kinds:
                stream = Stream(kind, camera)
                self._streams[stream.key] = stream
                self._places.setdefault(stream.key, BEGINNING)
        for key, stream in list(self._streams.items()):
            # A retired camera's place is kept for as long as its stream: it may return.
            if stream.camera not in cameras and not await self._client.exists(key):
                del self._streams[key]
                self._places.pop(key, None)
                self._forgotten.append(key)
        self._discovered_at = time.monotonic()

    async def _newest(self, key: str) -> str:
        try:
            newest = await self._client.xrevrange(key, count=1)
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
            newest = []  # `read` sets it aside, with a warning
        return newest[0][0].decode() if newest else BEGINNING

    async def _read_per_camera(self) -> Batch:
        """Read in a cluster, where only the streams of a camera are certain to be on one server."""
        by_camera: dict[str, list[str]] = {}
        for key, stream in self._streams.items():
            by_camera.setdefault(stream.camera, []).append(key)
        batches = await asyncio.gather(*(self._read(keys, None) for keys in by_camera.values()))
        whole = Batch(
            [record for batch in batches for record in batch.records],
            {key: place for batch in batches for key, place in batch.before.items()},
            {key: place for batch in batches for key, place in batch.after.items()},
            sum(batch.unreadable for batch in batches),
            sum(batch.gaps for batch in batches),
        )
        if not whole.after:
            await asyncio.sleep(_BLOCK_MS / 1000)
        return whole

    async def _read(self, keys: list[str], block_ms: int | None) -> Batch:
        places = {key: self._places[key] for key in keys}
        count = max(1, _BATCH // len(self._streams))
        try:
            reply = await self._client.xread(places, count=count, block=block_ms)
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
            await self._set_aside(keys, error)
            return Batch()
        return await self._parse(reply or [])

    async def _parse(self, reply: list[Any]) -> Batch:
        records: list[Record] = []
        before: dict[str, str] = {}
        after: dict[str, str] = {}
        unreadable = gaps = 0
        for raw_key, entries in reply:
            key = raw_key.decode()
            before[key], after[key] = self._places[key], entries[-1][0].decode()
            gaps += await self._has_gap(key, entries[0][0].decode())
            parsed = [parse(self._streams[key], *entry) for entry in entries]
            records += [record for record in parsed if record is not None]
            unreadable += parsed.count(None)
        return Batch(records, before, after, unreadable, gaps)

    async def _has_gap(self, key: str, first: str) -> bool:
        """Return whether entries between the place and `first` may have been trimmed.

        Trimming removes the oldest entries, so there is no gap while the place's entry exists.
        """
        place = self._places[key]
        behind = time.time() * 1000 - StreamId.parse(first).ms > _BEHIND_MS
        if place == BEGINNING or not behind:
            return False
        return not await self._client.xrange(key, place, place)

    async def _set_aside(self, keys: list[str], error: ResponseError) -> None:
        """Stop reading the keys that hold another type of value, until the next discovery."""
        types: Mapping[str, bytes] = {key: await self._client.type(key) for key in keys}
        for key, kind in types.items():
            if kind not in (b"stream", b"none"):
                log.warning("%s is left out: %s", key, short_message(error))
                del self._streams[key]
