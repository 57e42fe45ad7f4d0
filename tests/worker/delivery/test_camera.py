"""The way of a camera's frames, with a real Redis, and a finder and an engine that cost nothing."""

import asyncio
import gc
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import redis
from prometheus_client import CollectorRegistry
from redis.exceptions import ResponseError

from emotion_streams import keys
from emotion_streams.connection import Client, connect_async
from emotion_streams.events import EmotionEvent
from emotion_streams.frames import Frame
from emotion_streams.ledger import Ledger, read_ledger
from tests.servers import PATIENCE_S
from tests.worker.stubs import Indifferent, OneFace, stub_context, until
from worker.context import WorkerContext
from worker.delivery.camera import CameraPipeline
from worker.delivery.commit_queue import MAX_UNCOMMITTED
from worker.delivery.stream import READ_AT_ONCE, CameraStream, FencedError
from worker.delivery.types import QueuedFrame, Retention
from worker.inference.faces import DetectedFaces
from worker.ownership.lease import Leases

CAMERA = "lobby"
FRAMES = keys.frames(CAMERA)
HOUR_MS = 3_600_000


def now_ms() -> int:
    return int(time.time() * 1000)


def store(
    client: redis.Redis, *jpegs: bytes, age_ms: int = 0, max_age_ms: int | None = HOUR_MS
) -> None:
    """Frames of this age, the last as old as said and the others a millisecond more each."""
    for number, jpeg in enumerate(jpegs):
        captured_ms = now_ms() - age_ms - len(jpegs) + number
        frame = Frame(captured_ms, 64, 48, jpeg, "session_id", number, max_age_ms=max_age_ms)
        client.xadd(FRAMES, {"frame": frame.pack()})


def events(client: redis.Redis) -> list[EmotionEvent]:
    entries: Any = client.xrange(keys.emotions(CAMERA))
    return [EmotionEvent.unpack(fields[b"event"]) for _, fields in entries]


@dataclass
class Scene:
    """A pipeline that runs, and what it works with."""

    connection: Client
    context: WorkerContext
    pipeline: CameraPipeline
    task: "asyncio.Task[None]"

    async def ledger(self) -> Ledger:
        return await read_ledger(self.connection, CAMERA)

    async def until_ended(self, **counts: int) -> Ledger:
        """Wait until the account says so."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                ledger = await self.ledger()
                if all(getattr(ledger, name) == count for name, count in counts.items()):
                    return ledger
                await asyncio.sleep(0.02)


@asynccontextmanager
async def running(
    url: str,
    finder: OneFace | None = None,
    in_flight: int = 4,
    engine: Indifferent | None = None,
    reuse_ms: int = 0,
    registry: CollectorRegistry | None = None,
) -> AsyncIterator[Scene]:
    connection = connect_async(url)
    lease = await Leases(connection, "me").acquire(CAMERA)
    assert lease
    with stub_context(finder, in_flight, engine, reuse_ms=reuse_ms, registry=registry) as context:
        batching = asyncio.create_task(context.pipeline.run())
        pipeline = CameraPipeline(CameraStream(connection, lease, Retention()), context)
        task = asyncio.create_task(pipeline.run())
        try:
            yield Scene(connection, context, pipeline, task)
        finally:
            for each in (task, batching):
                each.cancel()
            await asyncio.gather(task, batching, return_exceptions=True)
            await connection.aclose()


async def test_each_frame_becomes_an_event_with_its_id(redis_url: str, client: redis.Redis) -> None:
    store(client, *[b"jpeg"] * 5, max_age_ms=None)
    stored: Any = client.xrange(FRAMES)
    async with running(redis_url) as scene:
        ledger = await scene.until_ended(analysed=5)
        assert ledger.balanced
    assert [event.frame_id for event in events(client)] == [i.decode() for i, _ in stored]
    assert client.xlen(FRAMES) == 0


async def test_events_keep_the_frames_order_when_a_later_one_is_done_first(
    redis_url: str, client: redis.Redis
) -> None:
    later_done = threading.Event()

    def before(jpeg: bytes) -> None:
        if jpeg == b"first":
            assert later_done.wait(PATIENCE_S)
        else:
            later_done.set()

    store(client, b"first", b"second", max_age_ms=None)
    async with running(redis_url, OneFace(before)) as scene:
        await scene.until_ended(analysed=2)
    ids = [event.frame_id for event in events(client)]
    assert ids == sorted(ids)


async def test_stale_frames_expire_and_the_newest_goes_on(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, *[b"jpeg"] * 4, age_ms=2 * HOUR_MS)
    store(client, *[b"jpeg"] * 3)
    async with running(redis_url) as scene:
        # A camera that is behind continues with its newest frame.
        await scene.until_ended(expired=6, analysed=1)


async def test_no_frame_expires_if_every_frame_counts(redis_url: str, client: redis.Redis) -> None:
    store(client, *[b"jpeg"] * 4, age_ms=60_000, max_age_ms=None)
    async with running(redis_url) as scene:
        await scene.until_ended(analysed=4, expired=0)


async def test_bad_frames_are_dead_and_the_others_go_on(
    redis_url: str, client: redis.Redis
) -> None:
    client.xadd(FRAMES, {"frame": b"\xc1"})
    client.xadd(FRAMES, {"nothing": b"of it"})
    store(client, b"bad", b"good", max_age_ms=None)
    async with running(redis_url) as scene:
        await scene.until_ended(dead=3, analysed=1)
    letters: Any = client.xrange(keys.dead(CAMERA))
    reasons = [letter[b"reason"] for _, letter in letters]
    assert reasons[1:] == [b"no field `frame`", b"bad"]


async def test_a_frame_that_ended_three_workers_is_dead(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, b"poison", b"good", max_age_ms=None)
    client.xgroup_create(FRAMES, keys.GROUP, "0")
    client.xreadgroup(keys.GROUP, "first", {FRAMES: ">"}, count=1)
    entries: Any = client.xrange(FRAMES, count=1)
    for worker in ("second", "third"):
        client.xclaim(FRAMES, keys.GROUP, worker, 0, [entries[0][0]])
    async with running(redis_url) as scene:
        await scene.until_ended(dead=1, analysed=1)
    letters: Any = client.xrange(keys.dead(CAMERA))
    assert letters[0][1][b"deliveries"] == b"3"


@pytest.mark.parametrize("begun_by", [1, 2])
async def test_a_frame_on_its_final_attempt_is_alone_in_flight(
    redis_url: str, client: redis.Redis, begun_by: int
) -> None:
    at_once, most, joined = 0, 0, threading.Event()

    def before(jpeg: bytes) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        if at_once > 1:
            joined.set()
        joined.wait(PATIENCE_S if begun_by == 1 else 0.02)  # the work itself, which others join
        at_once -= 1

    store(client, *[b"jpeg"] * 8, max_age_ms=None)
    client.xgroup_create(FRAMES, keys.GROUP, "0")
    client.xreadgroup(keys.GROUP, "fallen", {FRAMES: ">"})
    entries: Any = client.xrange(FRAMES)
    ids = [frame_id for frame_id, _ in entries]
    client.xclaim(FRAMES, keys.GROUP, "fallen", 0, ids, retrycount=begun_by)
    async with running(redis_url, OneFace(before)) as scene:
        await scene.until_ended(analysed=8)
    assert (most == 1) == (begun_by == 2)


async def test_stopping_finishes_what_was_read_and_reads_no_more(
    redis_url: str, client: redis.Redis
) -> None:
    gate, begun = threading.Event(), threading.Event()

    def before(jpeg: bytes) -> None:
        begun.set()
        assert gate.wait(PATIENCE_S)

    store(client, *[b"jpeg"] * 10, max_age_ms=None)
    async with running(redis_url, OneFace(before), in_flight=2) as scene:
        await until(begun.is_set)
        scene.pipeline.stop()
        store(client, b"too late")
        gate.set()
        await asyncio.wait_for(scene.task, PATIENCE_S)
        ledger = await scene.ledger()
        assert (ledger.analysed, ledger.pending, ledger.queued) == (10, 0, 1)


async def test_stopping_while_the_last_frame_is_in_flight_waits_for_it(
    redis_url: str, client: redis.Redis
) -> None:
    finder = OneFace()
    store(client, b"jpeg")
    async with running(redis_url, finder) as scene:
        loop = asyncio.get_running_loop()
        finder.before = lambda _: loop.call_soon_threadsafe(scene.pipeline.stop)
        await asyncio.wait_for(scene.task, PATIENCE_S)
        assert (await scene.ledger()).analysed == 1


@pytest.mark.parametrize("in_flight", [1, 3])
async def test_the_permits_of_a_pipeline_come_back_in_every_kind_of_end(
    redis_url: str, client: redis.Redis, in_flight: int
) -> None:
    gate, begun = threading.Event(), threading.Event()

    def before(jpeg: bytes) -> None:
        begun.set()
        assert gate.wait(PATIENCE_S)

    store(client, *[b"jpeg"] * 10, max_age_ms=None)
    async with running(redis_url, OneFace(before), in_flight) as scene:
        await until(begun.is_set)
        scene.task.cancel()
        await asyncio.gather(scene.task, return_exceptions=True)
        gate.set()
        for _ in range(in_flight):
            await asyncio.wait_for(scene.context.limiter.acquire(), PATIENCE_S)


async def test_a_fenced_pipeline_ends_and_publishes_nothing(
    redis_url: str, client: redis.Redis
) -> None:
    def before(jpeg: bytes) -> None:
        client.hset(keys.lease(CAMERA), mapping={"owner": "another", "epoch": 2})

    store(client, b"jpeg", max_age_ms=None)
    async with running(redis_url, OneFace(before)) as scene:
        with pytest.RaisesGroup(FencedError):
            await asyncio.wait_for(scene.task, PATIENCE_S)
        ledger = await scene.ledger()
        assert (ledger.analysed, ledger.pending) == (0, 1)


async def test_an_error_of_the_engine_ends_the_pipeline(
    redis_url: str, client: redis.Redis
) -> None:
    def before(jpeg: bytes) -> None:
        raise MemoryError("no room")

    store(client, b"jpeg", max_age_ms=None)
    async with running(redis_url, OneFace(before)) as scene:
        with pytest.RaisesGroup(MemoryError):
            await asyncio.wait_for(scene.task, PATIENCE_S)


async def test_frames_that_a_paused_predecessor_read_since_are_swept(
    redis_url: str, client: redis.Redis
) -> None:
    async with running(redis_url) as scene:
        store(client, b"jpeg", max_age_ms=None)
        await scene.until_ended(analysed=1)
        # A zombie wakes and reads once more, though its commit will be refused.
        zombie = asyncio.create_task(
            scene.connection.xreadgroup(keys.GROUP, "zombie", {FRAMES: ">"}, block=900)
        )
        for _ in range(20):
            store(client, b"jpeg", max_age_ms=None)
        await zombie
        await scene.until_ended(pending=0, queued=0)
        ledger = await scene.ledger()
        assert ledger.analysed + ledger.superseded == 21


async def test_a_camera_that_falls_behind_holds_few_frames(
    redis_url: str, client: redis.Redis
) -> None:
    gate, begun = threading.Event(), threading.Event()
    held: list[int] = []

    def before(jpeg: bytes) -> None:
        begun.set()
        pending: Any = client.xpending(FRAMES, keys.GROUP)
        held.append(pending["pending"])
        assert gate.wait(PATIENCE_S)

    store(client, *[b"jpeg"] * 200, max_age_ms=1_000_000)
    async with running(redis_url, OneFace(before), in_flight=1) as scene:
        await until(begun.is_set)
        assert (await scene.ledger()).pending <= READ_AT_ONCE
        gate.set()
        await scene.until_ended(analysed=200)
        assert max(held) <= READ_AT_ONCE + MAX_UNCOMMITTED


class CrowdOrOne(OneFace):
    """Finds 60 faces in b"crowd", and one in every other picture."""

    def run(self, jpeg: bytes, *, exact: bool = False) -> DetectedFaces:
        found = super().run(jpeg)
        if jpeg != b"crowd":
            return found
        crops = np.zeros((60, 8, 8, 3), np.uint8)
        return replace(
            found, detections=found.detections * 60, crops=crops, sightings=found.sightings * 60
        )


async def test_a_camera_of_crowds_begins_one_at_a_time_and_leaves_the_engine_to_others(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, *[b"crowd"] * 12, max_age_ms=None)
    engine = Indifferent()
    engine.gate.clear()
    async with running(redis_url, CrowdOrOne(), 4, engine) as scene:
        held = scene.context.limiter.active
        await until(lambda: held and not any(permit.holds_thread for permit in held))
        for _ in range(20):  # another camera's frames find places
            permit = await asyncio.wait_for(scene.context.limiter.acquire(), PATIENCE_S)
            permit.release()
        assert len(held) <= 5  # of 12: as many as the threads had at once
        engine.gate.set()
        await scene.until_ended(analysed=12)


async def test_a_camera_that_crashed_three_workers_is_set_aside_and_its_frames_are_dead_letters(
    redis_url: str, client: redis.Redis
) -> None:
    began: list[bytes] = []
    struck: dict[Any, Any] = {"strikes": 3, "struck_ms": now_ms(), "set_aside": 1}
    client.hset(keys.lease(CAMERA), mapping=struck)
    store(client, b"one", b"two", max_age_ms=None)
    async with running(redis_url, OneFace(began.append)) as scene:
        await scene.until_ended(dead=2)
        assert began == []
        client.hset(keys.lease(CAMERA), "struck_ms", now_ms() - 61_000)
        # What is read with the claim that ends it is tried alone.
        await until(lambda: client.hget(keys.lease(CAMERA), "strikes") == b"2")
        store(client, b"three", max_age_ms=None)
        await scene.until_ended(analysed=1)
        assert began == [b"three"]
        assert client.hget(keys.lease(CAMERA), "strikes") == b"0"
    letters: Any = client.xrange(keys.dead(CAMERA))
    assert {letter[b"reason"] for _, letter in letters} == {
        b"camera set aside: its frames crashed 3 workers"
    }


async def test_a_camera_whose_frames_may_crash_a_worker_is_alone_in_flight(
    redis_url: str, client: redis.Redis
) -> None:
    pending: list[tuple[int, int]] = []

    def before(jpeg: bytes) -> None:
        entries: Any = client.xpending_range(FRAMES, keys.GROUP, "-", "+", 10)
        counted = [entry["times_delivered"] for entry in entries]
        pending.append((counted[0], max(counted[1:], default=1)))

    client.hset(keys.lease(CAMERA), mapping={"strikes": 2})
    store(client, *[b"jpeg"] * 4, max_age_ms=None)
    async with running(redis_url, OneFace(before)) as scene:
        await scene.until_ended(analysed=4)
    assert pending[0] == (3, 1)  # recorded before it was started, and no other with it
    assert client.hget(keys.lease(CAMERA), "strikes") == b"0"


async def test_a_large_message_is_parsed_beside_the_event_loop(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed_in = set[str]()
    unpack = Frame.unpack

    def watch(blob: bytes) -> Frame:
        parsed_in.add(threading.current_thread().name)
        return unpack(blob)

    monkeypatch.setattr(Frame, "unpack", watch)
    store(client, bytes(2_000_000), max_age_ms=None)
    async with running(redis_url) as scene:
        await scene.until_ended(analysed=1)
    assert parsed_in
    assert threading.main_thread().name not in parsed_in


async def test_stopping_does_not_wait_for_a_camera_whose_keys_fail(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise ResponseError("ERR of its own")

    monkeypatch.setattr(CameraStream, "claim", fail)
    async with running(redis_url) as scene:
        await asyncio.sleep(0)
        scene.pipeline.stop()
        await asyncio.wait_for(scene.task, PATIENCE_S)


@pytest.mark.filterwarnings("error")
async def test_a_pipeline_that_is_fenced_while_redis_loses_its_cancellation_ends_cleanly(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The frames wait for a permit while the commit before them is refused."""
    read = CameraStream.read
    gate = threading.Event()

    async def read_on(stream: CameraStream, block_ms: int | None = None) -> list[QueuedFrame]:
        try:
            return await read(stream, block_ms)
        except asyncio.CancelledError:  # as redis-py does at times
            raise ConnectionError("closed while it was cancelled") from None

    def before(jpeg: bytes) -> None:
        client.hset(keys.lease(CAMERA), mapping={"owner": "another", "epoch": 2})
        gate.wait(0.2)

    monkeypatch.setattr(CameraStream, "read", read_on)
    store(client, *[b"jpeg"] * 8, max_age_ms=None)
    async with running(redis_url, OneFace(before), in_flight=2) as scene:
        with pytest.RaisesGroup(FencedError):
            await asyncio.wait_for(scene.task, PATIENCE_S)
        for _ in range(2):
            await asyncio.wait_for(scene.context.limiter.acquire(), PATIENCE_S)
    gc.collect()
