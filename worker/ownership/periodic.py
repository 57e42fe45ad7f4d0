"""Runs the worker's periodic steps, also while Redis is unreachable."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from emotion_streams.backoff import REDIS_ERRORS
from emotion_streams.cancellation import check_cancelled
from emotion_streams.redaction import short_message
from service.health import Health
from service.metrics import WorkerMetrics

_LEAST_S: Final = 0.05

log = logging.getLogger(__name__)


class PeriodicTasks:
    """A worker's periodic steps.

    Each step has its own loop, so that a step which waits for a hung shard does not delay another.
    The worker is not ready while any step fails because of Redis.
    """

    def __init__(self, every_s: float, health: Health, metrics: WorkerMetrics) -> None:
        self._every_s = every_s
        self._health = health
        self._metrics = metrics
        self._failing: set[str] = set()

    async def run(
        self, name: str, step: Callable[[], Awaitable[object]], until: asyncio.Event
    ) -> None:
        """Run the step at each interval until `until` is set.

        Raises errors other than failures of Redis.
        """
        try:
            while not until.is_set():
                began = time.monotonic()
                try:
                    await step()
                except REDIS_ERRORS as error:
                    check_cancelled()
                    self.failed(name, error)
                else:
                    check_cancelled()
                    self.succeeded(name)
                # After a call that hung, no time is left to wait.
                left_s = max(_LEAST_S, began + self._every_s - time.monotonic())
                with suppress(TimeoutError):
                    await asyncio.wait_for(until.wait(), left_s)
        finally:
            self.succeeded(name)

    def failed(self, name: str, error: BaseException) -> None:
        """Record that this step failed because of Redis."""
        self._metrics.redis_errors.inc()
        self._failing.add(name)
        reason = short_message(error)
        self._health.set("redis", f"Redis cannot be reached: {reason}")
        log.warning("Redis cannot be reached; trying again: %s", reason, extra={"step": name})

    def succeeded(self, name: str) -> None:
        """Record that this step succeeded, or that it has ended."""
        self._failing.discard(name)
        if not self._failing:
            self._health.set("redis", None)
