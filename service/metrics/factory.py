"""Creates metrics whose names share a prefix, in one registry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

import emotion_streams

# From one millisecond (a fast GPU) to ten seconds (a stalled pipeline).
SECONDS: Final = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
)  # fmt: skip


@dataclass(frozen=True)
class MetricFactory:
    """Creates metrics in `registry`. Their names begin with `prefix`, their labels with `labels`.

    `more` are the further labels of one metric.
    """

    registry: CollectorRegistry
    prefix: str = "emotion_"
    labels: tuple[str, ...] = ()

    def counter(self, name: str, meaning: str, *more: str) -> Counter:
        """Create a counter. Its exported name also ends in `_total`."""
        labels = (*self.labels, *more)
        return Counter(f"{self.prefix}{name}", meaning, labels, registry=self.registry)

    def gauge(self, name: str, meaning: str, *more: str) -> Gauge:
        """Create a gauge."""
        labels = (*self.labels, *more)
        return Gauge(f"{self.prefix}{name}", meaning, labels, registry=self.registry)

    def histogram(
        self, name: str, meaning: str, *more: str, buckets: Sequence[float] = SECONDS
    ) -> Histogram:
        """Create a histogram with these upper bounds."""
        labels = (*self.labels, *more)
        return Histogram(
            f"{self.prefix}{name}", meaning, labels, buckets=buckets, registry=self.registry
        )


def build_info(registry: CollectorRegistry, process: str, **about: str) -> None:
    """Set `emotion_build_info`: version, process, and other constants of its lifetime."""
    info = Info("emotion_build", "Version and process.", registry=registry)
    info.info({"version": emotion_streams.__version__, "process": process, **about})
