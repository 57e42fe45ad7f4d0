"""Estimates from the frames alone how far a producer's clock is wrong, for a metric.

Capture times are Redis time; a producer that stamps by another clock violates the contract.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from emotion_streams.frames import Frame

TOLERANCE_MS: Final = 2_000
"""A frame up to this late may have been delayed, so it does not show that a clock is behind."""

_SAMPLES: Final = 3
"""A Redis outage delays at most one frame of a producer, never three in a row: the producer holds
one frame, and continues with its newest."""


class ClockSkew:
    """How far a camera's capture times are ahead of Redis' clock; negative if behind.

    The newest frame of each read was stored just before the read, so by a correct clock it is
    younger than the time between two reads. A single frame from the future shows that the clock is
    ahead. If several frames in a row are older than TOLERANCE_MS, the clock is behind by the age of
    the youngest.
    """

    def __init__(self) -> None:
        self._ages_ms: deque[float] = deque(maxlen=_SAMPLES)
        self.ms = 0.0

    def observe(self, frames: Sequence[Frame], now_ms: float) -> None:
        """Update the estimate from the frames of one read; no frames change nothing."""
        if not frames:
            return
        self._ages_ms.append(now_ms - max(frame.captured_ms for frame in frames))
        youngest = min(self._ages_ms)
        behind = len(self._ages_ms) == _SAMPLES and youngest > TOLERANCE_MS
        self.ms = -youngest if youngest < 0 or behind else 0.0
