"""Metrics of a producer, per camera."""

import math

from prometheus_client import CollectorRegistry

from service.metrics.factory import MetricFactory


class ProducerMetrics:
    """Metrics of a producer, per camera.

    Every captured frame ends as published, skipped, dropped or undecodable: `captured = published +
    skipped + drops + decode errors`, except for one or two frames in flight.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self._define_frames(MetricFactory(registry, labels=("camera",)))
        self._define_cameras(MetricFactory(registry, labels=("camera",)))
        self.config_valid = MetricFactory(registry).gauge(
            "producer_config_valid",
            "1 if the settings file is valid; 0 while an earlier one is in use.",
        )
        self._per_camera = (
            self.captured, self.published, self.published_bytes, self.decode_errors, self.up,
            self.reconnects, self.restarts, self.last_frame, self.frame_age, self.redis_errors,
        )  # fmt: skip

    def _define_frames(self, create: MetricFactory) -> None:
        self.captured = create.counter("captured_frames", "Frames read from the camera.")
        self.published = create.counter("published_frames", "Frames stored in Redis.")
        self.published_bytes = create.counter("published_bytes", "Bytes stored in Redis.")
        self.skipped = create.counter(
            "skipped_frames",
            "Frames skipped on purpose: above the requested rate (rate), or without motion "
            "(motion).",
            "reason",
        )
        self.dropped = create.counter(
            "capture_drops",
            "Frames lost before Redis: delayed on the way "
            "(stale), replaced by a newer one (newer), "
            "Redis was full (full) or refused them (refused), its process ended (restart).",
            "reason",
        )
        self.decode_errors = create.counter("capture_decode_errors", "Damaged frames, skipped.")
        self.redis_errors = create.counter("producer_redis_errors", "Failed calls to Redis.")

    def _define_cameras(self, create: MetricFactory) -> None:
        self.up = create.gauge("camera_up", "1 while the camera delivers frames, else 0.")
        self.reconnects = create.counter(
            "camera_reconnects", "Times the camera failed and was reopened."
        )
        self.restarts = create.counter(
            "camera_restarts", "Times the camera's process hung or crashed, and was restarted."
        )
        self.last_frame = create.gauge(
            "camera_last_frame_timestamp_seconds", "Unix time of the newest frame."
        )
        self.frame_age = create.gauge(
            "camera_frame_age_seconds", "Age of the newest frame; NaN before the first."
        )

    def init_camera(self, camera: str) -> None:
        """Initialise every series of a camera to 0 (the frame age to NaN)."""
        for metric in self._per_camera:
            metric.labels(camera)
        self.frame_age.labels(camera).set(math.nan)
        for reason in ("rate", "motion"):
            self.skipped.labels(camera, reason)
        for reason in ("stale", "newer", "full", "refused", "restart"):
            self.dropped.labels(camera, reason)

    def remove_camera(self, camera: str) -> None:
        """Remove the gauges of a camera that was removed from the settings."""
        for gauge in (self.up, self.last_frame, self.frame_age):
            gauge.remove(camera)
