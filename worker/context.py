"""Resources that a worker's cameras share: pipeline, limiter, clock and metrics."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from emotion_streams.connection import Client
from emotion_streams.episodes import Episode, EpisodeType
from emotion_streams.events import EmotionEvent, Model
from emotion_streams.redaction import short_message
from service.metrics import WorkerMetrics
from worker.inference.permits import InFlightLimiter
from worker.inference.pipeline import FramePipeline
from worker.tracking import Policy

log = logging.getLogger(__name__)


@dataclass
class RedisClock:
    """The clock of Redis, in Unix milliseconds.

    Producers stamp their frames by the same clock. A machine whose own clock is wrong therefore
    neither expires its frames nor hides their age.
    """

    offset_ms: float = 0.0

    def now_ms(self) -> float:
        """Return the current time."""
        return time.time() * 1000 + self.offset_ms

    async def adjust(self, client: Client) -> None:
        """Read the time of Redis and update the offset.

        Redis is assumed to read its clock in the middle of the round trip.
        """
        before = time.time()
        seconds, microseconds = await client.time()
        middle_ms = (before + time.time()) / 2 * 1000
        self.offset_ms = seconds * 1000 + microseconds / 1000 - middle_ms


@dataclass(frozen=True)
class WorkerContext:
    """The shared resources.

    `model`: what events say about the models. `policy`: what episodes and minutes contain.
    `reuse_ms`: under load, the greatest age of probabilities that are reused for a face.
    """

    pipeline: FramePipeline
    model: Model
    limiter: InFlightLimiter
    metrics: WorkerMetrics
    clock: RedisClock
    policy: Policy = field(default_factory=Policy)
    reuse_ms: int = 0
    isolation_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held during the final attempt at a frame, which two workers started without completing it. If
    two such frames ran at once, a crash could not be attributed to either."""

    def clock_ms(self) -> float:
        """Return the current time, by the clock of the frames' capture times."""
        return self.clock.now_ms()

    def redis_failed(self, camera: str, error: Exception) -> None:
        """Count a failed call to Redis, and log it."""
        self.metrics.redis_errors.inc()
        log.warning("Redis failed: %s", short_message(error), extra={"camera": camera})

    def record(
        self,
        camera: str,
        events: Sequence[EmotionEvent | None],
        outcomes: Sequence[str],
        commit_s: float,
    ) -> None:
        """Count committed frames: `events` has an event for each analysed frame, else None."""
        now_ms = self.clock_ms()
        self.metrics.frames.stage.labels("commit").observe(commit_s)
        for event, outcome in zip(events, outcomes, strict=True):
            if outcome == "repeated":
                continue
            self.metrics.frames.ended.labels(camera, outcome).inc()
            if event is None:
                continue
            latency = event.latency
            self.metrics.frames.stage.labels("decode").observe(latency.decode_ms / 1000)
            self.metrics.frames.stage.labels("detect").observe(latency.detect_ms / 1000)
            self.metrics.frames.stage.labels("classify").observe(latency.classify_ms / 1000)
            if event.position_ms is None:
                self.metrics.frames.end_to_end.observe(max(0.0, now_ms - event.captured_ms) / 1000)
            for face in event.faces:
                self.metrics.frames.faces.labels(camera, face.emotion).inc()
            if reused := sum(face.classified_ms is not None for face in event.faces):
                self.metrics.frames.reused.labels(camera).inc(reused)

    def record_tracks(self, camera: str, in_view: int, episodes: Sequence[Episode]) -> None:
        """Count the records of a commit; `in_view` tracks are open after it."""
        self.metrics.people.in_view.labels(camera).set(in_view)
        for episode in episodes:
            if episode.type is EpisodeType.FACE_LEFT:
                self.metrics.people.tracks.labels(camera, "left").inc()
                self.metrics.people.track_seconds.labels(camera).observe(episode.duration_ms / 1000)
            elif episode.type is EpisodeType.EMOTION_STARTED:
                self.metrics.people.episodes.labels(camera, episode.emotion).inc()
