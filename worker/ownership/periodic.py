"""Steps that are done again and again, whatever becomes of Redis meanwhile."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from emotion_streams.backoff import REDIS_ERRORS, check_cancelled
from emotion_streams.redaction import short_message
from service.health import Health
from service.metrics import WorkerMetrics

_LEAST_S: Final = 0.05

log = logging.getLogger(__name__)


class Ticks:
    """A worker's recurring steps. Each has a loop of its own, so that one which waits for a shard
    that hangs holds up no other. Not ready while Redis fails any of them."""

    def __init__(self, every_s: float, health: Health, metrics: WorkerMetrics) -> None:
        self._every_s = every_s
        self._health = health
        self._metrics = metrics
        self._failing: set[str] = set()

    async def repeat(
        self, name: str, step: Callable[[], Awaitable[object]], until: asyncio.Event
    ) -> None:
        """Do the step at each tick; it is not begun again once `until` is set. What is no failure
        of Redis is raised."""
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
                # A call that hung has waited for long enough.
                left_s = max(_LEAST_S, began + self._every_s - time.monotonic())
                with suppress(TimeoutError):
                    await asyncio.wait_for(until.wait(), left_s)
        finally:
            self.succeeded(name)

    def failed(self, name: str, error: BaseException) -> None:
        """Redis failed this step."""
        self._metrics.redis_errors.inc()
        self._failing.add(name)
        reason = short_message(error)
        self._health.set("redis", f"Redis cannot be reached: {reason}")
        log.warning("Redis cannot be reached; trying again: %s", reason, extra={"step": name})

    def succeeded(self, name: str) -> None:
        """It did not, or this step is done no more."""
        self._failing.discard(name)
        if not self._failing:
            self._health.set("redis", None)
