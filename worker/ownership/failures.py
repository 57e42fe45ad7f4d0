"""Tracks cameras whose own keys fail while Redis is reachable."""

import logging
from typing import Final

from emotion_streams.redaction import short_message
from service.health import Health
from service.metrics import WorkerMetrics

_NAMED: Final = 5

log = logging.getLogger(__name__)


class CameraFailures:
    """Tracks cameras that Redis refuses to serve, for example because a key has the wrong type.

    A failure affects only its camera: the worker stays ready, and /readyz names the cameras that
    fail.
    """

    def __init__(self, health: Health, metrics: WorkerMetrics) -> None:
        self._health = health
        self._metrics = metrics
        self._failing: dict[str, str] = {}

    def failed(self, camera: str, step: str, error: BaseException) -> None:
        """Record that a step failed for this camera; log a reason once until the step succeeds."""
        self._metrics.redis_errors.inc()
        reason = f"{step}: {short_message(error)}"
        if self._failing.get(camera) != reason:
            log.warning("the camera's keys fail: %s", reason, extra={"camera": camera})
            self._failing[camera] = reason
            self._show()

    def succeeded(self, camera: str) -> None:
        """Record that a step succeeded for this camera, or that the camera is gone."""
        if self._failing.pop(camera, None) is not None:
            self._show()

    def _show(self) -> None:
        self._metrics.ownership.failing.set(len(self._failing))
        named = [f"{camera} ({reason})" for camera, reason in [*self._failing.items()][:_NAMED]]
        more = len(self._failing) - len(named)
        text = ", ".join([*named, f"{more} more"] if more else named)
        self._health.degrade("cameras", f"cameras that fail: {text}" if named else None)
