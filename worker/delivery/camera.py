"""The pipeline of one camera: read its frames, have them analysed, and commit them in order."""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Final

from emotion_streams.backoff import retry_forever
from emotion_streams.cancellation import create_task
from emotion_streams.ledger import Outcome
from worker.context import WorkerContext
from worker.delivery.commit_queue import CommitQueue
from worker.delivery.commits import CameraCommits
from worker.delivery.queue import FrameQueue, dead
from worker.delivery.reader import FrameReader
from worker.delivery.stream import MAX_DELIVERIES, CameraStream
from worker.delivery.types import Completion, QueuedFrame, RecordingState
from worker.inference.decode import UnusablePictureError
from worker.inference.permits import CrowdLimiter, Permit
from worker.tracking.camera_tracker import CameraTracker, Turn

BLOCK_MS: Final = 1_000
"""How long one read waits for a frame; shorter than the socket's timeout."""

SILENCE_S: Final = 3.0
"""A camera without an analysed frame for this long is silent: its tracks are closed. This is twice
the time that a track is kept, so that frames which are only late find theirs open."""

RECORDING_SILENCE_S: Final = 60.0
"""The same for a recording that has not ended: its time does not advance while its producer is held
up, so that only a producer that is gone ends its tracks."""

log = logging.getLogger(__name__)


class CameraPipeline:
    """Analyses the frames of one camera: reads them from Redis and commits their events."""

    def __init__(self, stream: CameraStream, context: WorkerContext) -> None:
        self._stream = stream
        self._context = context
        self._queue = FrameQueue(context.clock_ms)
        self._reader = FrameReader(stream, self._queue, context)
        self._stopping = asyncio.Event()
        self._crowds = CrowdLimiter()
        self._tracker = CameraTracker(stream.camera, context.policy, context.reuse_ms)
        self._commits = CameraCommits(stream, context, self._tracker, self._reader.failed)
        self._commit_queue = CommitQueue(self._commit, lambda: bool(self._queue))
        self._analysed_at = time.monotonic()

    def stop(self) -> None:
        """Stop reading; run() returns when all frames that were read are committed."""
        self._stopping.set()

    async def run(self) -> None:
        """Analyse frames until stopped.

        Raises FencedError, in a group, if the lease has moved on.
        """
        async with asyncio.TaskGroup() as tasks:
            committing = tasks.create_task(self._commit_queue.run())
            await self._commits.load_tracks()
            while self._queue or not self._stopping.is_set():
                if self._queue:
                    await self._start_next(tasks)
                else:
                    await retry_forever(self._read_unless_stopping, self._reader.failed)
                    await self._close_if_idle()
            await self._commit_queue.join()
            committing.cancel()

    async def _read_unless_stopping(self) -> None:
        if not self._stopping.is_set():  # it may be set since the last attempt, which failed
            await self._reader.read(BLOCK_MS)

    async def _start_next(self, tasks: asyncio.TaskGroup) -> None:
        """Start the next frame to analyse, in a permit, and complete the frames before it."""
        # This comes first, so that no camera holds a permit while Redis accepts no commits.
        await self._commit_queue.wait_for_room()
        had_to_wait = self._context.limiter.exhausted or self._crowds.is_blocked
        await self._crowds.wait()
        permit = await self._context.limiter.acquire()
        started = False
        try:
            if had_to_wait and not self._stopping.is_set():
                await self._reader.refresh_if_behind()
            skipped, queued = self._queue.pop_next()
            if queued and self._queue.attempt(queued) == 1:
                self._start(tasks, skipped, queued, permit)
                started = True
        finally:
            if not started:
                permit.release()
        if not queued:
            self._commit_queue.add_done(skipped)
        elif not started:
            await self._start_redelivered(tasks, skipped, queued)

    async def _start_redelivered(
        self, tasks: asyncio.TaskGroup, skipped: list[Completion], queued: QueuedFrame
    ) -> None:
        """Start a frame that was delivered before.

        It may have crashed its previous worker, so the attempt is recorded before processing. The
        final attempt runs in isolation so that no other frame is lost with it.
        """
        attempt = self._queue.attempt(queued)
        is_last = attempt >= MAX_DELIVERIES
        async with self._context.isolation_lock if is_last else nullcontext():
            if is_last:
                await self._commit_queue.join()
            await retry_forever(
                lambda: self._stream.begin(queued.frame_id, attempt), self._reader.failed
            )
            self._start(tasks, skipped, queued, await self._context.limiter.acquire())
            if is_last:
                await self._commit_queue.join()

    def _start(
        self,
        tasks: asyncio.TaskGroup,
        skipped: list[Completion],
        queued: QueuedFrame,
        permit: Permit,
    ) -> None:
        turn = self._tracker.turn()

        def end(_: object = None) -> None:
            permit.release()
            turn.end()

        try:
            work = create_task(tasks, self._analyse(skipped, queued, permit, turn))
        except asyncio.CancelledError:
            end()
            raise
        # This is a callback, because a task that is cancelled before its first step never runs.
        work.add_done_callback(end)
        self._commit_queue.add(work)

    async def _analyse(
        self, skipped: list[Completion], queued: QueuedFrame, permit: Permit, turn: Turn
    ) -> list[Completion]:
        """Return `skipped` and the completion of this frame."""
        frame_id, frame = queued.frame_id, queued.frame
        assert frame is not None  # entries without a frame are completed early
        try:
            analysed = await self._context.pipeline.analyse(
                self._stream.camera, frame_id, frame, permit, self._crowds, turn
            )
        except UnusablePictureError as error:
            return [*skipped, dead(queued, str(error))]
        self._queue.service_time.observe(analysed.ended_ms - analysed.began_ms)
        return [*skipped, Completion(frame_id, Outcome.ANALYSED, analysed=analysed)]

    async def _commit(self, completions: Sequence[Completion]) -> None:
        outcomes = await self._commits.commit(completions)
        if Outcome.ANALYSED in outcomes:  # commit.lua clears the strikes as well
            self._queue.strikes = 0
            self._analysed_at = time.monotonic()
        elif self._is_silent(is_recording=False):  # frames come, but none can be analysed
            await self._close_if_silent()
        # Last, because the camera may be idle from here on.
        self._reader.committed(each.frame_id for each in completions)

    @property
    def _is_idle(self) -> bool:
        return not self._queue and not self._reader.has_uncommitted and self._commit_queue.is_empty

    async def _close_if_idle(self) -> None:
        """End the tracks and the minute if the camera has sent nothing for a while."""
        if not (self._is_idle and self._tracker.state.is_open):
            return
        recording = await retry_forever(self._stream.recording_state, self._reader.failed)
        if recording is not RecordingState.ENDED:
            await self._close_if_silent()
            return
        # Its last frames may have been stored since the last read.
        await retry_forever(lambda: self._reader.read(None), self._reader.failed)
        if self._is_idle:
            await self._commits.close(None)

    async def _close_if_silent(self) -> None:
        """End the tracks and the minute if no frame was analysed for a while.

        Called while no commit is under way. Frames in flight are associated again.
        """
        if not self._tracker.state.is_open:
            return
        recording = await retry_forever(self._stream.recording_state, self._reader.failed)
        if self._is_silent(is_recording=recording is not None):
            await self._commits.close(None if recording else round(self._context.clock_ms()))

    def _is_silent(self, *, is_recording: bool) -> bool:
        limit_s = RECORDING_SILENCE_S if is_recording else SILENCE_S
        return time.monotonic() - self._analysed_at >= limit_s
