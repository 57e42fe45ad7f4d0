"""Publish the state of the cameras: to the registry in Redis, and as metrics."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from emotion_streams import keys
from emotion_streams.backoff import REDIS_ERRORS
from emotion_streams.cameras import RATE_WINDOW_S, CameraState
from emotion_streams.cancellation import check_cancelled
from emotion_streams.connection import connect_async
from emotion_streams.printable import printable
from emotion_streams.redaction import redact, short_message
from producer.messages import Counts, Report
from service.health import Health
from service.metrics import ProducerMetrics

EVERY_S: Final = 1.0
"""Interval between writes. Readers of the registry consider a producer gone after three of them."""

# A process that hangs completely cannot report it, so its last report expires after this time.
_SILENT_S: Final = 3.0

_log = logging.getLogger(__name__)


class CameraRecord:
    """State and counts of one camera, across all processes that ran it.

    `clock`: returns seconds, and never goes back.
    """

    def __init__(
        self,
        camera: str,
        metrics: ProducerMetrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.camera = camera
        self.report = Report()
        self.policy = self.title = self.group = ""
        self._updated_s = 0.0
        self._last_frame_s: float | None = None
        self._metrics = metrics
        self._clock = clock
        self._counted = Counts()
        self._published = 0
        self._history: deque[tuple[float, int]] = deque([(self._clock(), 0)])
        metrics.init_camera(camera)

    def update(self, report: Report) -> None:
        """Record a report of the camera's current process, and update the metrics."""
        before, now = vars(self._counted), vars(report.counts)
        self._count({name: now[name] - before[name] for name in now})
        self._counted = report.counts
        self.report = report
        self._updated_s = self._clock()
        if report.last_frame_age_s is not None:
            self._last_frame_s = self._updated_s - report.last_frame_age_s
        self.export_metrics()

    def process_ended(self) -> None:
        """Count the frames in flight as dropped, and reset the counts for the next process."""
        self._metrics.dropped.labels(self.camera, "restart").inc(self._counted.in_flight)
        self._counted = Counts()

    def process_crashed(self, why: str) -> None:
        """Record that the process failed without a report of its own. `why` is the reason."""
        self.report = Report(error=why, last_frame_ms=self.report.last_frame_ms)
        self.export_metrics()

    def export_metrics(self) -> None:
        """Set the gauges. If the last report is too old, set the camera's state to down."""
        if self.report.state is CameraState.UP and self._clock() - self._updated_s > _SILENT_S:
            self.report = replace(
                self.report, state=CameraState.DOWN, error="no report from the camera process"
            )
        last_s = self.report.last_frame_ms / 1000
        self._metrics.up.labels(self.camera).set(self.report.state is CameraState.UP)
        if last_s:
            self._metrics.last_frame.labels(self.camera).set(last_s)
        if self._last_frame_s is not None:
            age_s = self._clock() - self._last_frame_s
            self._metrics.frame_age.labels(self.camera).set(max(0.0, age_s))

    def to_hash(self) -> dict[str, bytes]:
        """Return the fields of the camera's hash in the registry.

        Any text can be encoded: what one camera says must not keep the others from being written.
        """
        report = self.report
        fields = {
            "state": report.state.value,
            "fps": f"{self._fps():.2f}",
            "width": report.width,
            "height": report.height,
            "codec": report.codec,
            "last_frame_ms": report.last_frame_ms,
            "policy": self.policy,
            "title": self.title,
            "group": self.group,
            "error": redact(report.error or report.redis_error),
        }
        return {name: printable(str(value)).encode() for name, value in fields.items()}

    def _fps(self) -> float:
        (since, count), *_ = self._history
        now = self._clock()
        return (self._published - count) / (now - since) if now > since else 0.0

    def _count(self, new: Mapping[str, int]) -> None:
        metrics, camera = self._metrics, self.camera
        metrics.captured.labels(camera).inc(new["captured"])
        metrics.published.labels(camera).inc(new["published"])
        metrics.published_bytes.labels(camera).inc(new["published_bytes"])
        metrics.skipped.labels(camera, "rate").inc(new["rate_skipped"])
        metrics.skipped.labels(camera, "motion").inc(new["motion_skipped"])
        metrics.dropped.labels(camera, "stale").inc(new["dropped_stale"])
        metrics.dropped.labels(camera, "newer").inc(new["dropped_newer"])
        metrics.dropped.labels(camera, "full").inc(new["dropped_full"])
        metrics.dropped.labels(camera, "refused").inc(new["dropped_refused"])
        metrics.decode_errors.labels(camera).inc(new["undecodable"])
        metrics.reconnects.labels(camera).inc(new["reconnects"])
        metrics.redis_errors.labels(camera).inc(new["redis_errors"])
        self._published += new["published"]
        now = self._clock()
        self._history.append((now, self._published))
        while now - self._history[0][0] > RATE_WINDOW_S:
            self._history.popleft()


class Registry:
    """Writes the cameras to Redis once a second, and reports to Health if Redis is unreachable."""

    def __init__(
        self, redis_url: str, health: Health, records: Callable[[], list[CameraRecord]]
    ) -> None:
        self._client = connect_async(redis_url)
        self._health = health
        self._records = records
        self._reachable = True
        health.set("redis", "Redis: not connected yet")

    async def run(self) -> None:
        """Write the registry until cancelled."""
        while True:
            self._health.beat()
            await self.publish()
            check_cancelled()
            await asyncio.sleep(EVERY_S)

    async def publish(self) -> bool:
        """Write every camera's hash and heartbeat. Return False if Redis is unreachable."""
        records = self._records()
        for record in records:
            record.export_metrics()
        try:
            # Use Redis' clock, because readers compare the heartbeat with it.
            seconds, microseconds = await self._client.time()
            now_ms = seconds * 1000 + microseconds // 1000
            async with self._client.pipeline(transaction=False) as pipe:
                for record in records:
                    pipe.hset(keys.camera_info(record.camera), mapping=record.to_hash())
                    pipe.zadd(keys.CAMERAS, {record.camera: now_ms})
                await pipe.execute()
        except REDIS_ERRORS as error:
            self._failed(error)
            return False
        if not self._reachable:
            _log.info("Redis reachable again")
        self._reachable = True
        self._health.set("redis", None)
        return True

    async def close(self) -> None:
        """Disconnect."""
        await self._client.aclose()

    def _failed(self, error: Exception) -> None:
        if self._reachable:
            _log.warning("Redis unreachable, retrying: %s", short_message(error))
        self._reachable = False
        self._health.set("redis", f"Redis: {short_message(error)}")
