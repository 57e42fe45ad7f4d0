"""The way of a camera's frames: read, decode, detect, crop, classify, commit, in order."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Final, TypeAlias

from emotion_streams.backoff import REDIS_ERRORS, retry_forever
from emotion_streams.events import EmotionEvent
from emotion_streams.ledger import Outcome
from worker.context import Workshop
from worker.delivery.event import build_event
from worker.delivery.queue import Arrival, Waiting, dead
from worker.delivery.stream import MAX_DELIVERIES, READ_AT_ONCE, CameraStream, Delivery, Ending
from worker.inference.decode import UnusablePicture
from worker.inference.permits import USUAL_FACES, Slot

BLOCK_MS: Final = 1_000
"""How long one read waits for a frame; below the socket's timeout."""

SWEEP_S: Final = 1.0
"""How often pending frames are looked for that a paused predecessor or a lost reply left."""

_CATCH_UP_S: Final = 0.25
"""How long a slot may be held to look for newer frames: a hanging shard stops no other camera."""

_COMMIT_AT_ONCE: Final = 32
_UNCOMMITTED: Final = 64
"""Steps of work whose results may wait for Redis; then the camera reads no more."""


@dataclass(frozen=True)
class Result:
    """How a frame ends, and the event that says so if it was analysed."""

    ending: Ending
    event: EmotionEvent | None = None


Work: TypeAlias = "asyncio.Future[list[Result]]"
"""Frames that end together: one that is analysed, and those before it that were not worth it."""


class CameraPipeline:
    """One camera's frames, from Redis and back."""

    def __init__(self, stream: CameraStream, shop: Workshop) -> None:
        self._stream = stream
        self._shop = shop
        self._waiting = Waiting(shop.clock_ms)
        self._works: asyncio.Queue[Work] = asyncio.Queue()
        self._room = asyncio.Semaphore(_UNCOMMITTED)
        self._unended: set[str] = set()
        self._stopping = asyncio.Event()
        self._claim_at = 0.0
        self._crowds_in_flight = 0
        self._no_crowd = asyncio.Event()
        self._no_crowd.set()

    def stop(self) -> None:
        """Read no more; run() returns when all that was read is committed."""
        self._stopping.set()

    async def run(self) -> None:
        """Analyse frames until stopped. Raises Fenced, in a group, when the lease has moved on."""
        async with asyncio.TaskGroup() as tasks:
            committing = tasks.create_task(self._commit_in_order())
            while self._waiting or not self._stopping.is_set():
                if self._waiting:
                    await self._begin_next(tasks)
                else:
                    await retry_forever(lambda: self._read(BLOCK_MS), self._failed)
            await self._works.join()
            committing.cancel()

    async def _read(self, block_ms: int | None) -> None:
        """Add to the waiting what came, or once in a while what was left pending."""
        if time.monotonic() >= self._claim_at:
            claimed, complete = await self._stream.claim(
                self._unended, self._waiting.skew.behind_ms
            )
            self._claim_at = time.monotonic() + SWEEP_S if complete else 0.0
            self._arrive(claimed, just_stored=False)
            if claimed:
                return
        self._arrive(await self._stream.read(block_ms), just_stored=True)

    def _arrive(self, deliveries: list[Delivery], *, just_stored: bool) -> None:
        self._unended.update(delivery.frame_id for delivery in deliveries)
        self._waiting.add(deliveries, just_stored=just_stored)
        skew_s = self._waiting.skew.ms / 1000
        self._shop.metrics.clock_skew.labels(self._stream.camera).set(skew_s)

    def _failed(self, error: Exception) -> None:
        self._shop.redis_failed(self._stream.camera, error)
        # What a lost reply delivered is pending, and nobody knows of it: claim before reading on.
        self._claim_at = 0.0

    async def _begin_next(self, tasks: asyncio.TaskGroup) -> None:
        """Put the next frame worth it into the works, in a slot, with those before it."""
        # Room first: nobody may sit on a slot while Redis takes no commits.
        await self._room.acquire()
        had_to_wait = self._shop.slots.taken or not self._no_crowd.is_set()
        await self._no_crowd.wait()
        slot = await self._shop.slots.take()
        begun = False
        try:
            if had_to_wait:
                await self._catch_up()
            endings, arrival = self._waiting.next_worth_it()
            ended = [Result(ending) for ending in endings]
            if arrival and arrival.deliveries == 1:
                self._begin(tasks, ended, arrival, slot)
                begun = True
        finally:
            if not begun:
                slot.leave()
        if not arrival:
            self._works.put_nowait(_done(ended))
        elif not begun:
            await self._begin_again(tasks, ended, arrival)

    async def _begin_again(
        self, tasks: asyncio.TaskGroup, ended: list[Result], arrival: Arrival
    ) -> None:
        """Put a frame into the works that others had and did not end. It may be what ended them, so
        it is held against it beforehand; on its last chance it goes alone, or whatever was in the
        works beside it would share its fate."""
        is_last = arrival.deliveries == MAX_DELIVERIES
        async with self._shop.last_chance if is_last else nullcontext():
            if is_last:
                await self._works.join()
            await retry_forever(
                lambda: self._stream.begin(arrival.frame_id, arrival.deliveries), self._failed
            )
            self._begin(tasks, ended, arrival, await self._shop.slots.take())
            if is_last:
                await self._works.join()

    def _begin(
        self, tasks: asyncio.TaskGroup, ended: list[Result], arrival: Arrival, slot: Slot
    ) -> None:
        work = tasks.create_task(self._analyse(ended, arrival, slot))
        # A callback, since a task that is cancelled before its first step never runs.
        work.add_done_callback(lambda _: slot.leave())
        self._works.put_nowait(work)

    async def _catch_up(self) -> None:
        """Where the camera fell behind, look whether newer frames came: the newest counts."""
        failed_lately = self._claim_at == 0.0
        if self._stopping.is_set() or failed_lately or len(self._waiting) >= READ_AT_ONCE:
            return
        if not self._waiting.behind:  # then what waits is analysed whatever comes after it
            return
        try:
            async with asyncio.timeout(_CATCH_UP_S):
                await self._read(None)
        except REDIS_ERRORS as error:
            self._failed(error)

    async def _analyse(self, ended: list[Result], arrival: Arrival, slot: Slot) -> list[Result]:
        """Decode, detect, crop, classify; `ended` goes before it."""
        shop, frame_id, frame = self._shop, arrival.frame_id, arrival.frame
        slot.camera, slot.frame_id = self._stream.camera, frame_id
        assert frame is not None  # those without one end early
        began_ms = shop.clock_ms()
        try:
            found = await shop.find(frame.jpeg)
        except UnusablePicture as error:
            return [*ended, Result(dead(arrival, str(error)))]
        async with self._crowds(len(found.crops)):
            await slot.wait_for_engine(len(found.crops))
            classified = await shop.batcher.classify(self._stream.camera, found.crops)
        now_ms = shop.clock_ms()
        self._waiting.pace.saw(now_ms - began_ms)
        event = build_event(
            self._stream.camera, frame_id, frame, found, classified,
            labels=shop.labels, model=shop.model, began_ms=began_ms, now_ms=now_ms,
        )  # fmt: skip
        return [*ended, Result(Ending(frame_id, Outcome.ANALYSED, event.pack()), event)]

    @asynccontextmanager
    async def _crowds(self, faces: int) -> AsyncIterator[None]:
        """Begin no further frame of this camera while one of a crowd is with the engine: it holds
        no place among the frames in flight, so nothing else would bound this camera's."""
        is_crowd = faces > USUAL_FACES
        self._crowds_in_flight += is_crowd
        if is_crowd:
            self._no_crowd.clear()
        try:
            yield
        finally:
            self._crowds_in_flight -= is_crowd
            if not self._crowds_in_flight:
                self._no_crowd.set()

    async def _commit_in_order(self) -> None:
        """End frames in the order in which they were read, as many at once as are done."""
        work = await self._works.get()
        while True:
            results, works, following = [*await work], 1, None
            while len(results) < _COMMIT_AT_ONCE and not self._works.empty():
                following = self._works.get_nowait()
                if not following.done():
                    break
                results += following.result()
                works, following = works + 1, None
            await self._commit(results)
            for _ in range(works):
                self._works.task_done()
                self._room.release()
            work = following or await self._works.get()

    async def _commit(self, results: list[Result]) -> None:
        endings = [result.ending for result in results]
        start = time.perf_counter()
        outcomes = await retry_forever(lambda: self._stream.commit(endings), self._failed)
        seconds = time.perf_counter() - start
        self._unended.difference_update(ending.frame_id for ending in endings)
        events = [result.event for result in results]
        self._shop.record(self._stream.camera, events, outcomes, seconds)


def _done(results: list[Result]) -> Work:
    future: Work = asyncio.get_running_loop().create_future()
    future.set_result(results)
    return future
