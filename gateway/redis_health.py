"""Reports once, per outage, why a part of the gateway cannot read Redis."""

import logging

from emotion_streams.redaction import short_message
from service.health import Health
from service.metrics import GatewayMetrics

log = logging.getLogger(__name__)


class RedisHealth:
    """Counts each failure, logs each new reason, and reports it to /readyz."""

    def __init__(self, reads: str, health: Health, metrics: GatewayMetrics) -> None:
        self._reads = reads
        self._health = health
        self._metrics = metrics
        self._reason: str | None = None
        health.set(reads, f"{reads}: not read yet")

    def failed(self, failure: Exception) -> None:
        """Record that reading has failed."""
        self._metrics.redis_errors.inc()
        reason = short_message(failure)
        if reason != self._reason:
            log.warning("cannot read %s, retrying", self._reads, extra={"why": reason})
        self._reason = reason
        self._health.set(self._reads, f"cannot read {self._reads}: {reason}")

    def recovered(self) -> None:
        """Record that reading has succeeded."""
        if self._reason is not None:
            log.info("%s readable again", self._reads)
        self._reason = None
        self._health.set(self._reads, None)
