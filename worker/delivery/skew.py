"""How far a producer's clock is off, told from the frames alone."""

from collections import deque
from collections.abc import Sequence
from typing import Final

from emotion_streams.frames import Frame

TOLERANCE_MS: Final = 2_000
"""A frame that arrives this late may simply have been long on its way."""

_SAMPLES: Final = 3
"""A frame that was held up while Redis was away arrives late, but not three in turn do: a producer
holds up one, and goes on with its newest."""


class ClockSkew:
    """How far a camera's capture times lie ahead of Redis' clock (behind it where negative).

    The newest frame of each read was stored a moment before, so by a clock that goes right it is
    younger than the time between two reads. One from the future shows a clock ahead at once; when
    several in turn are older than TOLERANCE_MS, the youngest of them shows a clock behind.
    """

    def __init__(self) -> None:
        self._ages_ms: deque[float] = deque(maxlen=_SAMPLES)
        self.ms = 0.0

    def saw(self, frames: Sequence[Frame], now_ms: float) -> None:
        """Learn from the frames that one read brought, if any."""
        if not frames:
            return
        self._ages_ms.append(now_ms - max(frame.captured_ms for frame in frames))
        youngest = min(self._ages_ms)
        behind = len(self._ages_ms) == _SAMPLES and youngest > TOLERANCE_MS
        self.ms = -youngest if youngest < 0 or behind else 0.0

    @property
    def behind_ms(self) -> float | None:
        """How far the producer's clock is behind; None until enough frames told."""
        return max(0.0, -self.ms) if len(self._ages_ms) == _SAMPLES else None

    def age_ms(self, frame: Frame, now_ms: float) -> float:
        """How old a frame is, as if its producer's clock went right; never below 0."""
        return max(0.0, now_ms - frame.captured_ms + self.ms)
