"""One sink at work: reads its records, delivers them, and tries again while its target is away."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final, TypeVar

from emotion_streams.backoff import delays, retry_forever
from emotion_streams.cancellation import check_cancelled
from emotion_streams.redaction import redact, short_message
from service.health import Health
from service.metrics import SinkMetrics
from sinks.batch import Batch, RecordSource
from sinks.dead_letters import DeadLetters
from sinks.filters import passes
from sinks.options import SinkOptions
from sinks.records import Record
from sinks.sink import Sink, TargetError
from sinks.states import CameraMonitor, CameraSnapshot

_FIRST_DELAY_S: Final = 0.2
_MAX_DELAY_S: Final = 30.0
_MAX_RETRY_AFTER_S: Final = 3600.0
"""The longest time that a target may ask to wait."""
_SHOW_EVERY_S: Final = 10.0
_MAX_REASON: Final = 300

Result = TypeVar("Result")

log = logging.getLogger(__name__)


class Runner:
    """Runs one sink. Nothing that its target does affects another sink.

    `max_delay_s`: the longest time between two attempts, unless the target asks for more.
    """

    def __init__(
        self,
        name: str,
        options: SinkOptions,
        sink: Sink,
        source: RecordSource,
        monitor: CameraMonitor,
        dead_letters: DeadLetters,
        metrics: SinkMetrics,
        health: Health,
        max_delay_s: float = _MAX_DELAY_S,
    ) -> None:
        self._name = name
        self._options = options
        self._sink = sink
        self._source = source
        self._monitor = monitor
        self._dead_letters = dead_letters
        self._metrics = metrics
        self._health = health
        self._max_delay_s = max_delay_s
        self._shown: Mapping[str, CameraSnapshot] | None = None
        self._shown_at = 0.0
        self._has_delivered = False
        self._failing_since_ms: float | None = None
        self._undelivered_ms: int | None = None
        self._stopping = asyncio.Event()
        metrics.init_sink(name, self._lag_s)

    def stop(self) -> None:
        """Let `run` return when all that is in Redis is delivered, or as soon as that fails."""
        self._stopping.set()

    async def run(self) -> None:
        """Run until `stop`."""
        backoff = delays(_FIRST_DELAY_S, self._max_delay_s)
        delay_s = 0.0
        while not self._stopping.is_set():
            check_cancelled()
            self._has_delivered = False
            try:
                await self._session()
            except TargetError as error:
                self._failed(error)
                if self._has_delivered:
                    backoff = delays(_FIRST_DELAY_S, self._max_delay_s)
                asked_s = min(error.retry_after_s or 0.0, _MAX_RETRY_AFTER_S)
                delay_s = max(next(backoff), asked_s)
            finally:
                await self._sink.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._stopping.wait()

    async def _session(self) -> None:
        """Deliver records until none is left after `stop`. Raises TargetError."""
        await self._sink.open()
        places = await self._sink.places()
        started = await self._from_redis(lambda: self._source.start(places))
        if places is None or started.keys() - places.keys():
            await self._sink.deliver([], {}, started, self._refuse)
        self._shown = None
        while True:
            await self._show()
            stopping = self._stopping.is_set()
            batch = await self._from_redis(self._source.read)
            # Only what was delivered, or that nothing waits, shows that the target works: to open a
            # webhook contacts no receiver.
            if await self._deliver(batch) or not batch.after:
                self._recovered()
            if stopping and not batch.after:
                return
            if forgotten := self._source.take_forgotten():
                await self._sink.forget(forgotten)

    async def _from_redis(self, step: Callable[[], Awaitable[Result]]) -> Result:
        """Return the result of a step that reads Redis; retry it while Redis fails."""

        def on_failure(error: Exception) -> None:
            self._metrics.redis_errors.inc()
            reason = f"{self._name} cannot read Redis: {short_message(error)}"
            self._health.degrade(f"redis of {self._name}", reason)
            log.warning("cannot read Redis, trying again: %s", short_message(error))

        result = await retry_forever(step, on_failure)
        self._health.degrade(f"redis of {self._name}", None)
        return result

    async def _show(self) -> None:
        cameras = self._monitor.cameras
        # From time to time even without a change: a camera may have been missing for long enough.
        due = time.monotonic() - self._shown_at > _SHOW_EVERY_S
        if not self._options.states or cameras is None or (cameras is self._shown and not due):
            return
        named = self._options.cameras
        await self._sink.show(
            {name: cameras[name] for name in cameras if named is None or name in named}
        )
        self._shown, self._shown_at = cameras, time.monotonic()

    async def _deliver(self, batch: Batch) -> bool:
        """Deliver a batch; return whether there was anything for the target in it."""
        if not batch.after:
            return False
        wanted = [record for record in batch.records if passes(record, self._options)]
        if wanted:
            self._undelivered_ms = min(record.time_ms for record in wanted)
        await self._sink.deliver(wanted, batch.before, batch.after, self._refuse)
        self._source.advance(batch.after)
        self._undelivered_ms = None
        self._has_delivered = self._has_delivered or bool(wanted)
        self._count(batch, wanted)
        return bool(wanted)

    async def _refuse(self, record: Record, reason: str) -> None:
        await self._dead_letters.add(record, reason)
        self._metrics.dead_letters.labels(self._name).inc()

    def _count(self, batch: Batch, wanted: list[Record]) -> None:
        now_ms = time.time() * 1000
        for record in wanted:
            self._metrics.records.labels(self._name, record.stream.kind.value).inc()
            delay_s = max(0.0, (now_ms - record.time_ms) / 1000)
            self._metrics.delay.labels(self._name).observe(delay_s)
        left_out = len(batch.records) - len(wanted)
        self._metrics.filtered.labels(self._name).inc(left_out)
        self._metrics.unreadable.labels(self._name).inc(batch.unreadable)
        if batch.gaps:
            self._metrics.gaps.labels(self._name).inc(batch.gaps)
            log.warning(
                "Redis may have trimmed records before they could be delivered",
                extra={"sink": self._name},
            )

    def _failed(self, error: TargetError) -> None:
        reason = redact(str(error), limit=_MAX_REASON)
        self._metrics.failures.labels(self._name).inc()
        self._metrics.up.labels(self._name).set(0)
        self._health.degrade(self._name, f"{self._name}: {reason}")
        log.warning("cannot deliver, trying again: %s", reason, extra={"sink": self._name})
        if self._failing_since_ms is None:
            self._failing_since_ms = time.time() * 1000

    def _recovered(self) -> None:
        if self._failing_since_ms is not None:
            log.info("delivers again", extra={"sink": self._name})
        self._failing_since_ms = None
        self._metrics.up.labels(self._name).set(1)
        self._health.degrade(self._name, None)

    def _lag_s(self) -> float:
        """Return the age of the oldest record that waits; while failing, of one that may wait."""
        since = self._undelivered_ms or self._failing_since_ms
        return 0.0 if since is None else max(0.0, time.time() - since / 1000)
