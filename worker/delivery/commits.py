"""Commits a camera's finished frames, with the tracking state that follows from them."""

import logging
import time
from collections.abc import Callable, Sequence

from redis.exceptions import ResponseError

from emotion_streams.backoff import is_wrong_type, retry_forever
from worker.context import WorkerContext
from worker.delivery.publish import Batch, build_batch, build_closing
from worker.delivery.stream import CameraStream
from worker.delivery.types import Committed, Completion, StoredTracks
from worker.tracking import Step
from worker.tracking.camera_tracker import CameraTracker

log = logging.getLogger(__name__)


class CameraCommits:
    """Stores events, episodes, minutes and the tracking state of one camera, in step.

    Each call is retried for as long as Redis cannot be reached; `on_failure` is called with each
    failure. Raises FencedError if the lease has moved on.
    """

    def __init__(
        self,
        stream: CameraStream,
        context: WorkerContext,
        tracker: CameraTracker,
        on_failure: Callable[[Exception], None],
    ) -> None:
        self._stream = stream
        self._context = context
        self._tracker = tracker
        self._on_failure = on_failure

    async def load_tracks(self) -> None:
        """Continue with the stored tracking state, after a takeover or if it is not as expected."""
        stored = await retry_forever(self._load, self._on_failure)
        if defect := self._tracker.load(stored.version, stored.state):
            camera = self._stream.camera
            self._context.metrics.people.tracks.labels(camera, "discarded").inc(stored.people)
            log.warning(
                "%d tracks are discarded, their state cannot be read: %s",
                stored.people,
                defect,
                extra={"camera": camera},
            )
            # Otherwise the next owner would count them again, and the camera never be retired.
            batch = build_closing(Step(self._tracker.state), self._tracker)
            if (await self._store(batch)).tracks_stored:
                self._tracker.commit_closed(batch.state, batch.tracks.version)

    async def commit(self, completions: Sequence[Completion]) -> list[str]:
        """End frames in their order; return the outcome that the ledger counts for each."""
        batch = build_batch(completions, self._tracker, self._context.model)
        committed = await self._store(batch)
        if committed.tracks_stored:
            self._tracker.commit(batch.state, batch.tracks.version)
        else:
            await self.load_tracks()
        return committed.outcomes

    async def close(self, now_ms: int | None) -> None:
        """End what is open of a camera that sends nothing; `now_ms` as for close_silent()."""
        step = self._tracker.close_silent(now_ms)
        if step.state is self._tracker.state:  # the minute is not over yet
            return
        batch = build_closing(step, self._tracker)
        committed = await self._store(batch)
        if committed.tracks_stored:
            self._tracker.commit_closed(batch.state, batch.tracks.version)
        else:
            await self.load_tracks()

    async def _load(self) -> StoredTracks:
        try:
            return await self._stream.load_tracks()
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
            return StoredTracks()  # claim() resets the key

    async def _store(self, batch: Batch) -> Committed:
        start = time.perf_counter()
        committed = await retry_forever(
            lambda: self._stream.commit(batch.completions, batch.tracks), self._on_failure
        )
        camera, seconds = self._stream.camera, time.perf_counter() - start
        self._context.record(camera, batch.events, committed.outcomes, seconds)
        if committed.tracks_stored:
            self._context.record_tracks(camera, len(batch.state.people), batch.episodes)
        return committed
