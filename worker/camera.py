"""The way of a camera's frames: read, decode, detect, crop, classify, commit, in order."""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Final

from emotion_streams.backoff import UNREACHABLE, persist
from emotion_streams.events import EmotionEvent
from emotion_streams.frames import Frame
from emotion_streams.ledger import Outcome
from emotion_streams.wire import MalformedMessage
from worker.decode import UnusablePicture
from worker.event import build_event
from worker.stream import MAX_DELIVERIES, CameraStream, Delivery, Ending
from worker.workshop import Workshop

BLOCK_MS: Final = 1_000
"""How long one read waits for a frame; below the socket's timeout."""

SWEEP_S: Final = 1.0
"""How often pending frames are looked for that a paused predecessor or a lost reply left."""

_COMMIT_AT_ONCE: Final = 32
_UNCOMMITTED: Final = 64
"""Analysed frames that may wait for Redis; then the camera reads no more."""


@dataclass(frozen=True)
class Arrival:
    """A delivery, opened: its frame, or what is wrong with it."""

    delivery: Delivery
    frame: Frame | None
    fault: str = ""


@dataclass(frozen=True)
class Result:
    """How a frame ends, and the event that says so if it was analysed."""

    ending: Ending
    event: EmotionEvent | None = None


class CameraPipeline:
    """One camera's frames, from Redis and back."""

    def __init__(self, stream: CameraStream, shop: Workshop) -> None:
        self._stream = stream
        self._shop = shop
        self._waiting: deque[Arrival] = deque()
        self._works: deque[asyncio.Future[Result]] = deque()
        self._works_grew = asyncio.Event()
        self._works_empty = asyncio.Event()
        self._room = asyncio.Semaphore(_UNCOMMITTED)
        self._unended: set[str] = set()
        self._stopping = asyncio.Event()
        self._claim_at = 0.0

    def stop(self) -> None:
        """Read no more; run() returns when what is in the works is committed."""
        self._stopping.set()

    async def run(self) -> None:
        """Analyse frames until stopped. Raises Fenced, in a group, when the lease has moved on."""
        async with asyncio.TaskGroup() as tasks:
            committing = tasks.create_task(self._commit_in_order())
            while not self._stopping.is_set():
                if not self._waiting:
                    await self._read(BLOCK_MS)
                elif await self._take_slot():
                    await self._begin_next(tasks)
            await self._works_empty.wait()
            committing.cancel()

    async def _read(self, block_ms: int | None) -> None:
        """Add to the waiting what came, and once in a while what was left pending."""
        if time.monotonic() >= self._claim_at:
            claimed = await persist(lambda: self._stream.claim(self._unended), self._failed)
            self._claim_at = time.monotonic() + SWEEP_S
            self._arrive(claimed)
            if claimed:
                return
        try:
            self._arrive(await self._stream.read(block_ms))
        except UNREACHABLE as error:
            self._failed(error)

    def _arrive(self, deliveries: list[Delivery]) -> None:
        for delivery in deliveries:
            self._unended.add(delivery.frame_id)
            self._waiting.append(open_delivery(delivery))

    def _failed(self, error: Exception) -> None:
        self._shop.redis_failed(self._stream.camera, error)
        # What a lost reply delivered is pending, and nobody knows of it: claim before reading on.
        self._claim_at = 0.0

    async def _take_slot(self) -> bool:
        """Wait for this camera's turn; False where it was stopped meanwhile."""
        had_to_wait = self._shop.slots.locked()
        await self._shop.slots.acquire()
        if self._stopping.is_set():
            self._shop.slots.release()
            return False
        if had_to_wait:  # newer frames may have come, and the newest counts
            await self._read(None)
        return True

    async def _begin_next(self, tasks: asyncio.TaskGroup) -> None:
        """Put the next frame worth it into the works, holding the slot; end those before it."""
        behind = any(self._is_stale(arrival) for arrival in self._waiting)
        while self._waiting:
            arrival = self._waiting.popleft()
            if ending := self._early_end(arrival, behind):
                await self._enter(_done(Result(ending)))
            else:
                await self._enter(tasks.create_task(self._analyse(arrival)))
                return
        self._shop.slots.release()

    def _early_end(self, arrival: Arrival, behind: bool) -> Ending | None:
        """How a frame ends that is not worth analysing; None for one that is."""
        delivery = arrival.delivery
        if arrival.frame is None:
            return _dead(delivery, arrival.fault)
        if delivery.deliveries > MAX_DELIVERIES:
            return _dead(delivery, f"given out {delivery.deliveries} times, never ended")
        superseded = behind and self._waiting and arrival.frame.max_age_ms is not None
        if self._is_stale(arrival) or superseded:
            return Ending(delivery.frame_id, Outcome.EXPIRED)
        return None

    def _is_stale(self, arrival: Arrival) -> bool:
        frame = arrival.frame
        if frame is None or frame.max_age_ms is None:
            return False
        return self._shop.clock_ms() - frame.captured_ms > frame.max_age_ms

    async def _enter(self, result: "asyncio.Future[Result]") -> None:
        await self._room.acquire()
        self._works.append(result)
        self._works_grew.set()

    async def _analyse(self, arrival: Arrival) -> Result:
        """Decode, detect, crop, classify."""
        shop, delivery, frame = self._shop, arrival.delivery, arrival.frame
        assert frame is not None  # those without one end early
        began_ms = shop.clock_ms()
        try:
            found = await shop.find(frame.jpeg)
            classified = await shop.batcher.classify(self._stream.camera, found.crops)
        except UnusablePicture as error:
            return Result(_dead(delivery, str(error)))
        finally:
            shop.slots.release()
        event = build_event(
            self._stream.camera, delivery.frame_id, frame, found, classified,
            labels=shop.labels, model=shop.model, began_ms=began_ms, now_ms=shop.clock_ms(),
        )  # fmt: skip
        return Result(Ending(delivery.frame_id, Outcome.ANALYSED, event.pack()), event)

    async def _commit_in_order(self) -> None:
        """End frames in the order in which they were read, as many at once as are done."""
        while True:
            if not self._works:
                self._works_empty.set()
                self._works_grew.clear()
                await self._works_grew.wait()
                self._works_empty.clear()
            await asyncio.wait((self._works[0],))
            results = []
            for result in islice(self._works, _COMMIT_AT_ONCE):
                if not result.done():
                    break
                results.append(result.result())
            await self._commit(results)
            for _ in results:
                self._works.popleft()
                self._room.release()

    async def _commit(self, results: list[Result]) -> None:
        endings = [result.ending for result in results]
        start = time.perf_counter()
        outcomes = await persist(lambda: self._stream.commit(endings), self._failed)
        seconds = time.perf_counter() - start
        self._unended.difference_update(ending.frame_id for ending in endings)
        events = [result.event for result in results]
        self._shop.record(self._stream.camera, events, outcomes, seconds)


def open_delivery(delivery: Delivery) -> Arrival:
    """Parse a delivery's frame."""
    if delivery.blob is None:
        return Arrival(delivery, None, "no field `frame`")
    try:
        return Arrival(delivery, Frame.unpack(delivery.blob))
    except MalformedMessage as error:
        return Arrival(delivery, None, str(error))


def _dead(delivery: Delivery, reason: str) -> Ending:
    size = len(delivery.blob or b"")
    return Ending(delivery.frame_id, Outcome.DEAD, reason.encode(), size)


def _done(result: Result) -> "asyncio.Future[Result]":
    future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
    future.set_result(result)
    return future
