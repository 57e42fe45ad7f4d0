"""Analyses one recording: its events and episodes go into a spool until all are there."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from analyse.output import Clip
from analyse.spool import EPISODE, EVENT, Checkpoint, Spool
from analyse.system import System
from deploy.children import Child
from emotion_streams import keys
from emotion_streams.fields import MalformedMessageError
from emotion_streams.stream_id import ZERO, StreamId
from emotion_streams.wire import unpack

_READ_AT_ONCE: Final = 500
_BLOCK_MS: Final = 300
_CHECKPOINT_EVERY_S: Final = 5.0
_GRACE_S: Final = 2.0

_PRODUCER: Final = (
    *("--policy", "every"),
    # Then the time of a frame is its place in the recording, in every run.
    *("--recorded-ms", "0"),
    # Boxes are in pixels of the recording.
    *("--width", "8192"),
)

_MAX_STATE_BYTES: Final = 1 << 20


class ClipFailedError(Exception):
    """A file cannot be analysed; the text gives the reason."""


class StoppedError(Exception):
    """The user stopped the command. What is done is kept."""


class Analysis:
    """The analysis of one file as `camera`; `on_position` is called with how far it is (ms).

    `failures`: why frames were not analysed, one text each.
    """

    def __init__(
        self,
        system: System,
        camera: str,
        clip: Clip,
        spool: Spool,
        on_position: Callable[[int], None],
    ) -> None:
        self._system = system
        self._client = system.client
        self._camera = camera
        self._clip = clip
        self._spool = spool
        self._on_position = on_position
        self.failures: tuple[str, ...] = ()
        self._failures: tuple[str, ...] = ()  # of earlier runs
        self._ids = dict.fromkeys((EVENT, EPISODE), str(ZERO))
        self._kept = {EVENT: "", EPISODE: ""}  # the spool's last entries, of earlier runs too
        self._streams = {EVENT: keys.emotions(camera), EPISODE: keys.episodes(camera)}

    async def run(self, stop: asyncio.Event) -> None:
        """Analyse the file to its end, from the spool's last checkpoint on.

        Raises ClipFailedError, SystemFailedError, and StoppedError after `stop` was set.
        """
        checkpoint = self._spool.open()
        if checkpoint:
            self._failures = checkpoint.failures
            self._kept = {EVENT: checkpoint.event_id, EPISODE: checkpoint.episode_id}
            if checkpoint.is_complete:
                self._spool.close()
                self.failures = checkpoint.failures
                return
            await self._restore(checkpoint)
        producer = await self._system.start_producer(self._camera, self._clip.path, *_PRODUCER)
        ending = asyncio.create_task(producer.wait())
        is_complete = False
        try:
            await self._follow(ending, producer, stop)
            is_complete = True
        finally:
            await producer.end(time.monotonic() + _GRACE_S)
            await ending
            self._system.children.remove(producer)
            await self._save(is_complete=is_complete)
            self._spool.close()
            await self._client.zrem(keys.CAMERAS, self._camera)

    async def _follow(
        self, ending: "asyncio.Task[int]", producer: Child, stop: asyncio.Event
    ) -> None:
        save_at = time.monotonic() + _CHECKPOINT_EVERY_S
        while not await self._is_over(ending, producer):
            if stop.is_set():
                raise StoppedError
            self._system.check()
            await self._read()
            if time.monotonic() >= save_at:
                await self._save()
                save_at = time.monotonic() + _CHECKPOINT_EVERY_S

    async def _is_over(self, ending: "asyncio.Task[int]", producer: Child) -> bool:
        """Return whether every frame is committed and every track closed."""
        if not ending.done():
            return False
        if ending.result():
            raise ClipFailedError(_reason(producer, self._camera))
        if await self._client.xlen(keys.frames(self._camera)):
            return False
        return bool(await self._client.hget(keys.tracks(self._camera), "open") != b"1")

    async def _read(self, block_ms: int | None = _BLOCK_MS) -> int:
        """Add new records to the spool; return their number."""
        kinds = {key.encode(): kind for kind, key in self._streams.items()}
        asked = {key: self._ids[kind] for kind, key in self._streams.items()}
        reply = await self._client.xread(asked, count=_READ_AT_ONCE, block=block_ms)
        count = 0
        for stream, entries in reply or ():
            kind = kinds[stream]
            for entry_id, fields in entries:
                self._spool.add(kind, entry_id.decode(), fields[_FIELDS[kind]])
                self._ids[kind] = entry_id.decode()
                count += 1
        if count:
            self._system.made_progress()
            self._on_position(StreamId.parse(self._ids[EVENT]).ms)
        return count

    async def _save(self, *, is_complete: bool = False) -> None:
        """Store a checkpoint, if the tracking state changed at all."""
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.hgetall(keys.tracks(self._camera))
            for key in self._streams.values():
                pipe.xrevrange(key, count=1)
            pipe.xrange(keys.dead(self._camera))
            tracks, event, episode, dead = await pipe.execute()
        while await self._read(None):
            pass
        frame_id = _last_frame(tracks)
        failures = [
            fields[b"reason"].decode(errors="replace")
            for _, fields in dead
            # A later frame is read again after a restart.
            if is_complete or (frame_id and _is_up_to(fields[b"frame"].decode(), frame_id))
        ]
        self.failures = (*self._failures, *failures)
        if frame_id is None:
            return
        # A resumed analysis has a server of its own, whose streams are empty at first.
        event_id = _newest(event) or self._kept[EVENT]
        episode_id = _newest(episode) or self._kept[EPISODE]
        self._spool.save(
            Checkpoint(tracks, frame_id, event_id, episode_id, self.failures, is_complete)
        )
        if event:  # they are on disk now
            await self._client.xtrim(self._streams[EVENT], minid=event_id, approximate=True)

    async def _restore(self, checkpoint: Checkpoint) -> None:
        """Continue after a checkpoint: the worker with its state, the producer with what follows.

        The producer reads the file from its beginning, but the stream refuses what it had before.
        """
        frames = keys.frames(self._camera)
        async with self._client.pipeline(transaction=True) as pipe:
            pipe.hset(keys.tracks(self._camera), mapping=checkpoint.tracks)
            pipe.xgroup_create(frames, keys.GROUP, "0", mkstream=True)
            pipe.execute_command("XSETID", frames, checkpoint.frame_id)
            await pipe.execute()
        self._on_position(StreamId.parse(checkpoint.frame_id).ms)


_FIELDS: Final = {EVENT: b"event", EPISODE: b"episode"}


def _last_frame(tracks: dict[bytes, Any]) -> str | None:
    try:
        return unpack(tracks[b"state"], _MAX_STATE_BYTES).text("frame_id")
    except (KeyError, MalformedMessageError):
        return None


def _newest(entries: Sequence[tuple[bytes, Any]]) -> str:
    return entries[0][0].decode() if entries else ""


def _is_up_to(frame_id: str, last: str) -> bool:
    return StreamId.parse(frame_id) <= StreamId.parse(last)


def _reason(producer: Child, camera: str) -> str:
    """Return the producer's last words, without the names that only this command knows."""
    lines = list(producer.last_lines) or ["the producer ended without a word"]
    return lines[-1].removeprefix("producer: ").removeprefix(f"{camera}: ")
