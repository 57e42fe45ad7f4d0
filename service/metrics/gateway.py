"""Metrics of a gateway."""

from prometheus_client import CollectorRegistry

from service.metrics.factory import MetricFactory


class GatewayMetrics:
    """Metrics of a gateway."""

    def __init__(self, registry: CollectorRegistry) -> None:
        create = MetricFactory(registry, "emotion_gateway_")
        self.requests = create.counter("requests", "Requests served.", "route", "status")
        self.streams = create.gauge("streams", "Open streams and exports.", "route")
        self.sent_events = create.counter("sent_events", "Events and episodes sent to clients.")
        self.dropped_events = create.counter(
            "dropped_events", "Events and episodes left out for clients that were too slow."
        )
        self.sent_pictures = create.counter("sent_pictures", "Pictures sent.")
        self.watched = create.gauge(
            "watched_cameras", "Cameras whose frames are read for pictures."
        )
        self.frames_read_bytes = create.counter(
            "frames_read_bytes", "Bytes of JPEG read for pictures."
        )
        self.redis_errors = create.counter(
            "redis_errors", "Failed calls to Redis, each tried again."
        )
