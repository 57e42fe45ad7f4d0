"""A camera under load first has events with reused probabilities, then frames that expire."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import redis
from prometheus_client import CollectorRegistry

from emotion_streams import keys
from emotion_streams.frames import Frame
from tests import samples
from tests.worker.delivery.test_camera import CAMERA, FRAMES, Scene, events, now_ms, running
from tests.worker.stubs import Happier, People, until
from worker.inference.permits import CrowdLimiter
from worker.tracking import Policy
from worker.tracking.camera_tracker import CameraTracker

FILM = 15
"""Frames of one happy person, at least 100 ms apart, after which the label is steady."""
REUSE_MS = 1_000


def store(client: redis.Redis, captured_ms: int, max_age_ms: int | None) -> str:
    """Store a frame of one person; return its id."""
    frame = Frame(captured_ms, 640, 480, b"1", "session_id", captured_ms, max_age_ms=max_age_ms)
    stored: Any = client.xadd(FRAMES, {"frame": frame.pack()})
    return str(stored.decode())


@asynccontextmanager
async def occupied(scene: Scene, engine: Happier) -> AsyncIterator[None]:
    """The engine is busy with another camera's face until the block ends."""
    engine.gate.clear()
    engine.batches.clear()
    permit = await scene.context.limiter.acquire()
    turn = CameraTracker("other", Policy()).turn()
    frame = samples.frame(jpeg=b"1")
    work = asyncio.create_task(
        scene.context.pipeline.analyse("other", "1-0", frame, permit, CrowdLimiter(), turn)
    )
    try:
        await until(lambda: engine.batches)
        yield
    finally:
        engine.gate.set()
        await work
        permit.release()


async def film(scene: Scene, client: redis.Redis) -> int:
    """Show one person for a while to an idle engine; return when the last frame was captured."""
    captured_ms = now_ms() - 60_000
    for number in range(FILM):
        captured_ms += 100
        store(client, captured_ms, None)
        await scene.until_ended(analysed=number + 1)
    return captured_ms


async def until_faces_wait(scene: Scene) -> None:
    """Wait until a face waits behind the batch that is in the engine."""
    engine = scene.context.pipeline.runners[0]
    await until(lambda: engine.waiting or len(engine.running) > 1)


def reused_from(client: redis.Redis, ids: Sequence[str]) -> list[int | None]:
    """Per frame that has an event, the time that its face's probabilities are from."""
    return [each.faces[0].classified_ms for each in events(client) if each.frame_id in ids]


async def test_under_load_the_first_frames_reuse_probabilities_and_later_ones_expire(
    redis_url: str, client: redis.Redis
) -> None:
    engine, registry = Happier(), CollectorRegistry()
    async with running(redis_url, People(), 2, engine, REUSE_MS, registry) as scene:
        last_ms = await film(scene, client)
        ids: list[str] = []
        async with occupied(scene, engine):
            ids += [store(client, last_ms + n, None) for n in range(100, REUSE_MS, 100)]
            early = len(ids)
            # They have events although the engine is busy.
            await scene.until_ended(analysed=FILM + early)
            was_reused = reused_from(client, ids)
            ids.append(store(client, last_ms + REUSE_MS + 100, None))
            await until_faces_wait(scene)
            ids += [store(client, last_ms + REUSE_MS + n, 2_000) for n in range(200, 1_000, 100)]
            before = await scene.ledger()
        ledger = await scene.until_ended(pending=0, queued=0)
    assert before.expired == 0
    assert was_reused == [last_ms] * early
    assert ledger.expired >= 3
    expired = set(ids) - {each.frame_id for each in events(client)}
    assert len(expired) == ledger.expired
    reused = [each.frame_id for each in events(client) if each.faces[0].classified_ms]
    assert max(ids.index(each) for each in reused) < min(ids.index(each) for each in expired)
    assert ledger.balanced
    labels = {"camera": CAMERA}
    counted = registry.get_sample_value("emotion_classifications_reused_total", labels)
    assert counted == len(reused)


async def test_with_a_limit_of_zero_no_frame_has_an_event_before_the_engine_has_time(
    redis_url: str, client: redis.Redis
) -> None:
    engine, registry = Happier(), CollectorRegistry()
    async with running(redis_url, People(), 2, engine, 0, registry) as scene:
        last_ms = await film(scene, client)
        async with occupied(scene, engine):
            ids = [store(client, last_ms + 100 * n, None) for n in range(1, 4)]
            await until_faces_wait(scene)
            assert reused_from(client, ids) == []
        await scene.until_ended(analysed=FILM + 3)
    assert reused_from(client, ids) == [None] * 3
    labels = {"camera": CAMERA}
    assert not registry.get_sample_value("emotion_classifications_reused_total", labels)


async def test_a_recording_under_load_waits_for_the_engine(
    redis_url: str, client: redis.Redis
) -> None:
    """The metric and the events show no reuse at any limit."""
    engine, registry = Happier(), CollectorRegistry()
    start_ms = now_ms() - 3_600_000
    client.hset(keys.camera_info(CAMERA), mapping={"policy": "every", "state": "up"})

    def show(number: int) -> str:
        place = 100 * number
        frame = samples.frame(start_ms + place, number, jpeg=b"1", position_ms=place)
        stored: Any = client.xadd(FRAMES, {"frame": frame.pack()}, id=f"{start_ms + place}-0")
        return str(stored.decode())

    async with running(redis_url, People(), 2, engine, REUSE_MS, registry) as scene:
        for number in range(FILM):
            show(number)
            await scene.until_ended(analysed=number + 1)
        async with occupied(scene, engine):
            ids = [show(FILM)]
            await until_faces_wait(scene)
            assert reused_from(client, ids) == []
        await scene.until_ended(analysed=FILM + 1)
    assert reused_from(client, ids) == [None]
