"""Whether a process is alive and ready."""

import threading
import time
from typing import Final

STALL_S: Final = 30.0
"""A process whose main loop has not run for this long is not alive, even if its threads answer."""


class Health:
    """Whether the process is alive and ready. Thread-safe."""

    def __init__(self) -> None:
        self._reasons: dict[str, str] = {"start": "starting"}
        self._degraded: dict[str, str] = {}
        self._lock = threading.Lock()
        self._beat = time.monotonic()

    def beat(self) -> None:
        """Record that the main loop runs. Call it at least every few seconds."""
        self._beat = time.monotonic()

    def started(self) -> None:
        """Record that the process has started."""
        self.set("start", None)

    def set(self, part: str, reason: str | None) -> None:
        """Record why a part of the process is not ready, or None if it is ready."""
        with self._lock:
            if reason is None:
                self._reasons.pop(part, None)
            else:
                self._reasons[part] = reason

    def degrade(self, part: str, reason: str | None) -> None:
        """Record why a part does not work although the process is ready, or None if it works."""
        with self._lock:
            if reason is None:
                self._degraded.pop(part, None)
            else:
                self._degraded[part] = reason

    def degraded(self) -> str:
        """Return what does not work while the process is ready; empty if everything works."""
        with self._lock:
            return "; ".join(self._degraded.values())

    def not_ready(self) -> str | None:
        """Return why the process is not ready, or None."""
        with self._lock:
            return "; ".join(self._reasons.values()) or None

    def not_alive(self) -> str | None:
        """Return why the process is not alive, or None.

        A starting process is always alive: a model may take minutes to warm up on a GPU, and the
        main loop does not run yet.
        """
        if "start" in self._reasons:
            return None
        stalled = time.monotonic() - self._beat
        return f"the main loop has stalled for {stalled:.0f} s" if stalled > STALL_S else None
