"""Metrics of the sinks, per sink."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry

from service.metrics.factory import MetricFactory

# From a target nearby to one that was away for a day.
_DELAYS: Final = (
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0, 86400.0,
)  # fmt: skip


class SinkMetrics:
    """Metrics of the sinks, per sink."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._define_records(MetricFactory(registry, "emotion_sink_", ("sink",)))
        self._define_targets(MetricFactory(registry, "emotion_sink_", ("sink",)))
        create = MetricFactory(registry, "emotion_sink_")
        self.redis_errors = create.counter(
            "redis_errors", "Failed calls to Redis, each tried again."
        )
        self.config_valid = create.gauge(
            "config_valid",
            "1 while the settings file can be used; 0 while the sinks run by an earlier one.",
        )

    def _define_records(self, create: MetricFactory) -> None:
        self.records = create.counter(
            "records", "Records that are done: delivered, or stored as dead letters.", "kind"
        )
        self.dead_letters = create.counter("dead_letters", "Records that the target refused.")
        self.filtered = create.counter(
            "filtered_records", "Records left out by the sink's filters."
        )
        self.unreadable = create.counter("unreadable_records", "Entries that could not be parsed.")
        self.gaps = create.counter(
            "gaps", "Times that Redis may have trimmed records before they were delivered."
        )

    def _define_targets(self, create: MetricFactory) -> None:
        self.failures = create.counter("failures", "Failed attempts to deliver, each tried again.")
        self.up = create.gauge("up", "1 while the target takes records, else 0.")
        self.lag = create.gauge(
            "lag_seconds", "Age of the oldest record that waits; 0 if none does."
        )
        self.delay = create.histogram(
            "delay_seconds",
            "From the frame that decided a record, or the end of a minute, to its delivery.",
            buckets=_DELAYS,
        )

    def init_sink(self, sink: str, lag_s: Callable[[], float]) -> None:
        """Initialise every series of a sink to 0."""
        for kind in ("episodes", "minutes", "events"):
            self.records.labels(sink, kind)
        for counter in (
            self.dead_letters, self.filtered, self.unreadable, self.gaps, self.failures,
        ):  # fmt: skip
            counter.labels(sink)
        self.up.labels(sink).set(0)
        self.lag.labels(sink).set_function(lag_s)
        self.delay.labels(sink)

    def remove_sink(self, sink: str) -> None:
        """Remove the gauges of a sink that was removed from the settings."""
        for gauge in (self.up, self.lag):
            gauge.remove(sink)
