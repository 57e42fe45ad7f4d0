"""Under load, faces whose label is steady are not classified again: --reuse-ms."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from emotion_streams.events import EmotionEvent
from emotion_streams.ledger import Outcome
from tests import samples
from tests.worker.stubs import Happier, People, stub_context, until
from worker.context import WorkerContext
from worker.delivery.publish import build_batch
from worker.delivery.types import Completion
from worker.inference.permits import CrowdLimiter
from worker.tracking.camera_tracker import CameraTracker

START_MS = 1_795_346_580_000
FILM_MS = 1_500
REUSE_MS = 500
LAST_MS = FILM_MS - 100
"""When the last frame of the film, which was classified, was captured."""
ONE, TWO = b"1", b"12"


@dataclass
class Camera:
    """A camera whose frames are analysed and committed one after the other."""

    name: str
    context: WorkerContext
    tracker: CameraTracker

    async def show(
        self, ms: int, jpeg: bytes = ONE, position_ms: int | None = None
    ) -> EmotionEvent:
        """Analyse a frame and commit it; return its event. `ms` counts from START_MS."""
        frame = samples.frame(START_MS + ms, seq=ms, jpeg=jpeg, position_ms=position_ms)
        frame_id = f"{START_MS + ms}-0"
        permit = await self.context.limiter.acquire()
        try:
            analysed = await self.context.pipeline.analyse(
                self.name, frame_id, frame, permit, CrowdLimiter(), self.tracker.turn()
            )
        finally:
            permit.release()
        completion = Completion(frame_id, Outcome.ANALYSED, analysed=analysed)
        batch = build_batch([completion], self.tracker, self.context.model)
        self.tracker.commit(batch.state, b"")
        (event,) = batch.events
        assert event
        return event


@dataclass
class Scene:
    """The camera `lobby` after a film of one happy person, beside another camera."""

    engine: Happier
    context: WorkerContext
    lobby: Camera
    tasks: asyncio.TaskGroup

    @property
    def waiting(self) -> int:
        """Batches and faces that wait behind the batch in the engine."""
        engine = self.context.pipeline.runners[0]
        return engine.waiting + max(0, len(engine.running) - 1)

    async def occupy_engine(self) -> None:
        """Let the engine be busy with another camera's face until its gate is opened."""
        self.engine.gate.clear()
        self.engine.batches.clear()
        other = Camera("other", self.context, CameraTracker("other", self.context.policy))
        self.tasks.create_task(other.show(0))
        await until(lambda: self.engine.batches)
        self.engine.batches.clear()

    async def show_delayed(self, ms: int, jpeg: bytes = ONE) -> EmotionEvent:
        """Analyse a frame of `lobby` that has to wait for the engine."""
        shown = self.tasks.create_task(self.lobby.show(ms, jpeg))
        await until(lambda: self.waiting)
        self.engine.gate.set()
        return await shown


@asynccontextmanager
async def happy_person(reuse_ms: int = REUSE_MS, max_batch: int = 8) -> AsyncIterator[Scene]:
    engine = Happier()
    engine.max_batch = max_batch
    with stub_context(People(), engine=engine) as context:
        batching = asyncio.create_task(context.pipeline.run())
        lobby = Camera("lobby", context, CameraTracker("lobby", context.policy, reuse_ms))
        try:
            async with asyncio.TaskGroup() as tasks:
                for ms in range(0, FILM_MS, 100):
                    await lobby.show(ms)
                yield Scene(engine, context, lobby, tasks)
                engine.gate.set()
        finally:
            engine.gate.set()
            batching.cancel()


async def test_while_the_engine_has_time_every_face_is_classified() -> None:
    async with happy_person() as scene:
        before = len(scene.engine.batches)
        event = await scene.lobby.show(FILM_MS)
        assert event.faces[0].classified_ms is None
        assert len(scene.engine.batches) == before + 1


async def test_while_the_engine_is_busy_a_steady_face_keeps_its_last_probabilities() -> None:
    async with happy_person() as scene:
        (classified,) = (await scene.lobby.show(FILM_MS)).faces
        await scene.occupy_engine()
        event = await scene.lobby.show(FILM_MS + 100)
        (face,) = event.faces
        assert face.classified_ms == START_MS + FILM_MS
        assert face.probabilities == classified.probabilities
        assert (face.track, face.emotion, face.label) == (
            classified.track,
            "happiness",
            "happiness",
        )
        assert event.latency.classify_ms == 0
        assert scene.engine.batches == [], "it waited for no engine, and gave it no work"


async def test_probabilities_are_reused_up_to_the_limit_from_their_own_frame_on() -> None:
    """A frame that reused them makes them no younger."""
    async with happy_person() as scene:
        await scene.occupy_engine()
        for ms in range(LAST_MS + 100, LAST_MS + REUSE_MS + 1, 100):
            event = await scene.lobby.show(ms)
            assert event.faces[0].classified_ms == START_MS + LAST_MS
        event = await scene.show_delayed(LAST_MS + REUSE_MS + 1)
        assert event.faces[0].classified_ms is None


async def test_with_a_limit_of_zero_every_face_waits_for_the_engine() -> None:
    async with happy_person(reuse_ms=0) as scene:
        await scene.occupy_engine()
        event = await scene.show_delayed(FILM_MS)
        assert event.faces[0].classified_ms is None


async def test_only_the_new_face_of_two_is_classified() -> None:
    async with happy_person() as scene:
        await scene.occupy_engine()
        event = await scene.show_delayed(FILM_MS, TWO)
        assert [face.classified_ms for face in event.faces] == [START_MS + LAST_MS, None]
        known, new = (face.probabilities["happiness"] for face in event.faces)
        assert known != new
        assert scene.engine.batches == [[2]]


async def test_a_face_whose_label_is_recent_is_classified() -> None:
    async with happy_person() as scene:
        for ms in range(FILM_MS, FILM_MS + 500, 100):
            await scene.lobby.show(ms, TWO)
        await scene.occupy_engine()
        event = await scene.show_delayed(FILM_MS + 500, TWO)
        assert [face.label for face in event.faces] == ["happiness", "happiness"]
        assert [face.classified_ms for face in event.faces] == [START_MS + FILM_MS + 400, None]


async def test_the_face_of_a_new_person_is_classified_before_known_ones_that_came_earlier() -> None:
    """Not before the batch that waits behind the engine already."""
    async with happy_person(reuse_ms=0, max_batch=4) as scene:
        context, waiting = scene.context, scene.context.pipeline.runners[0]
        hall = Camera("hall", context, CameraTracker("hall", context.policy))
        door = Camera("door", context, CameraTracker("door", context.policy))
        for ms in (0, 100):
            await hall.show(ms, b"12")
        await scene.occupy_engine()
        scene.tasks.create_task(scene.lobby.show(FILM_MS, b"1234"))
        await until(lambda: len(waiting.running) == 2)
        known = scene.tasks.create_task(hall.show(200, b"12"))
        await until(lambda: waiting.waiting == 2)
        new = scene.tasks.create_task(door.show(0, b"123"))
        await until(lambda: waiting.waiting == 5)
        scene.engine.gate.set()
        await asyncio.gather(known, new)
        assert scene.engine.batches == [[1, 2, 3, 4], [1, 2, 3, 1], [2]]


@pytest.mark.parametrize("position_ms", [0, FILM_MS])
async def test_a_recordings_faces_are_classified_under_any_load(position_ms: int) -> None:
    """Its events must be the same on every machine."""
    async with happy_person() as scene:
        await scene.occupy_engine()
        shown = scene.tasks.create_task(scene.lobby.show(FILM_MS, position_ms=position_ms))
        await until(lambda: scene.waiting)
        scene.engine.gate.set()
        assert (await shown).faces[0].classified_ms is None
        assert scene.engine.batches == [[1]]
