"""A process' resident memory while it works, and whether it grows."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from tests.benchmarks.background import Background

EVERY_S: Final = 0.5


@dataclass(frozen=True)
class Growth:
    """Of resident memory: all in all, and MB per minute with its standard error over the second
    half, when queues and allocator have taken what this load needs."""

    grown_mb: float
    slope: float
    error: float


class Memory:
    """Reads a process' memory each half second, in a thread."""

    def __init__(self, read_mb: Callable[[], float]) -> None:
        self._read_mb = read_mb
        self._samples: list[tuple[float, float]] = []
        self.reading = Background(self._sample)

    def clear(self) -> None:
        """Forget what was read so far."""
        self._samples.clear()

    def close(self) -> Growth:
        """Since it was cleared. Raises what ended the reading early, as when the process died."""
        self.reading.close()
        return growth(self._samples)

    def _sample(self, stop: threading.Event) -> None:
        while not stop.wait(EVERY_S):
            self._samples.append((time.monotonic(), self._read_mb()))


def growth(samples: Sequence[tuple[float, float]]) -> Growth:
    """By least squares, of (seconds, MB); RuntimeError for less than six of them."""
    if len(samples) < 6:
        raise RuntimeError(f"memory was read {len(samples)} times: too few for a slope")
    at, mb = np.array(samples).T
    half = len(at) // 2
    (slope, _), covariance = np.polyfit(at[half:] / 60, mb[half:], 1, cov=True)
    return Growth(float(mb[-1] - mb[0]), float(slope), float(np.sqrt(covariance[0, 0])))
