"""The metrics of every process: each name, unit and meaning.

Labels are a camera's name, an outcome, a stage or a reason: never a URL, a track or a pid.
"""

import math
from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

import emotion_streams
from emotion_streams.emotions import EMOTIONS
from emotion_streams.ledger import Ledger, Outcome

# From one millisecond (a fast GPU) to ten seconds (a stalled pipeline).
_SECONDS: Final = (
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0,
)  # fmt: skip
# From a target nearby to one that was away for a day.
_DELAYS: Final = (
    0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3600.0, 86400.0,
)  # fmt: skip
_FACES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
# From a face that flickers (a track is kept for 1.5 s without one) to a person who stays.
_TRACK_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


def build_info(registry: CollectorRegistry, process: str, **about: str) -> None:
    """Set `emotion_build_info`: version, process, and other constants of its lifetime."""
    info = Info("emotion_build", "Version and process.", registry=registry)
    info.info({"version": emotion_streams.__version__, "process": process, **about})


class WorkerMetrics:
    """Metrics of a worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.frames = Counter(
            "emotion_frames",
            "Frames committed, by how they ended.",
            ("camera", "outcome"),
            registry=registry,
        )
        self.faces = Counter(
            "emotion_faces",
            "Faces published, by emotion.",
            ("camera", "emotion"),
            registry=registry,
        )
        self.stage = Histogram(
            "emotion_stage_seconds",
            "Time per frame at work in a stage: decode, detect, classify, commit.",
            ("stage",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.end_to_end = Histogram(
            "emotion_end_to_end_seconds",
            "From a frame's capture to its event.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.batch = Histogram(
            "emotion_batch_faces",
            "Faces per call of the engine.",
            buckets=_FACES,
            registry=registry,
        )
        self.backlog = Gauge(
            "emotion_backlog_frames",
            "Frames of an owned camera that wait in Redis or are in flight.",
            ("camera",),
            registry=registry,
        )
        self.owned = Gauge(
            "emotion_owned_cameras", "Cameras whose lease this worker holds.", registry=registry
        )
        self._busy = Counter(
            "emotion_busy_seconds",
            "Time that a part of the worker spent at work, of each of its threads or lanes; its "
            "rate is the busy share. threads: they decode and detect; engine: it classifies; "
            "detector: it detects in batches on a GPU.",
            ("part",),
            registry=registry,
        )
        self.threads_busy = self._busy.labels("threads")
        self.engine_busy = self._busy.labels("engine")
        self.fenced = Counter(
            "emotion_fenced",
            "Times that a camera was given up because its lease had moved on.",
            registry=registry,
        )
        self.redis_errors = Counter(
            "emotion_redis_errors", "Failed calls to Redis, each tried again.", registry=registry
        )
        self.resets = Counter(
            "emotion_key_resets",
            "Keys of a camera that were reset since they blocked it: of another type, or a stream "
            "with an id too far ahead.",
            ("camera",),
            registry=registry,
        )
        self.failing = Gauge(
            "emotion_failing_cameras",
            "Cameras whose own keys fail while Redis is there.",
            registry=registry,
        )
        self.over_limit = Gauge(
            "emotion_cameras_over_limit",
            "Cameras that this worker should have beyond the most that it takes.",
            registry=registry,
        )
        self.clock_skew = Gauge(
            "emotion_clock_skew_seconds",
            "How far a camera's capture times lie ahead of Redis' clock; negative: behind it.",
            ("camera",),
            registry=registry,
        )
        self.ledger = Gauge(
            "emotion_ledger_frames",
            "An owned camera's account in Redis: frames added, and what became of them.",
            ("camera", "state"),
            registry=registry,
        )
        self.balanced = Gauge(
            "emotion_ledger_balanced",
            "1 while no frame of an owned camera is counted twice, nor counted without its entry.",
            ("camera",),
            registry=registry,
        )
        self.people_in_view = Gauge(
            "emotion_people_in_view",
            "Tracks of an owned camera that are open after its last committed frame.",
            ("camera",),
            registry=registry,
        )
        self.tracks = Counter(
            "emotion_tracks",
            "Tracks that ended: left (with its episodes), or lost with a tracking state that could "
            "not be read.",
            ("camera", "outcome"),
            registry=registry,
        )
        self.track_seconds = Histogram(
            "emotion_track_seconds",
            "From the first to the last sighting of a track that left.",
            ("camera",),
            buckets=_TRACK_SECONDS,
            registry=registry,
        )
        self.episodes = Counter(
            "emotion_episodes",
            "Emotion episodes that started, by emotion.",
            ("camera", "emotion"),
            registry=registry,
        )
        self.reused = Counter(
            "emotion_classifications_reused",
            "Faces published with the probabilities of an earlier frame, not classified again.",
            ("camera",),
            registry=registry,
        )

    @property
    def detector_busy(self) -> Counter:
        """The busy time of a detector that takes batches; absent from a worker without one."""
        return self._busy.labels("detector")

    def observe_ledger(self, ledger: Ledger) -> None:
        """Set an owned camera's gauges to its ledger."""
        self.backlog.labels(ledger.camera).set(ledger.in_flight + ledger.queued)
        for state, frames in ledger.frames().items():
            self.ledger.labels(ledger.camera, state).set(frames)
        self.balanced.labels(ledger.camera).set(ledger.balanced)

    def init_camera(self, camera: str) -> None:
        """Initialise an owned camera's counters to 0, so that `rate()` has data from the start."""
        for outcome in Outcome:
            self.frames.labels(camera, outcome.value)
        for ended in ("left", "lost"):
            self.tracks.labels(camera, ended)
        for emotion in EMOTIONS:
            self.episodes.labels(camera, emotion)
        for metric in (self.people_in_view, self.track_seconds, self.reused):
            metric.labels(camera)

    def remove_camera(self, camera: str) -> None:
        """Remove the gauges of a camera that the worker no longer owns."""
        for gauge in (
            self.backlog, self.clock_skew, self.ledger, self.balanced, self.people_in_view,
        ):  # fmt: skip
            gauge.remove_by_labels({"camera": camera})


class ProducerMetrics:
    """Metrics of a producer, per camera.

    Every captured frame ends as published, skipped, dropped or undecodable: `captured = published +
    skipped + drops + decode errors`, except for one or two frames in flight.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(name, meaning, ("camera", *labels), registry=registry)

        def gauge(name: str, meaning: str) -> Gauge:
            return Gauge(name, meaning, ("camera",), registry=registry)

        self.captured = counter("emotion_captured_frames", "Frames read from the camera.")
        self.published = counter("emotion_published_frames", "Frames stored in Redis.")
        self.published_bytes = counter("emotion_published_bytes", "Bytes stored in Redis.")
        self.skipped = counter(
            "emotion_skipped_frames",
            "Frames skipped on purpose: above the requested rate (rate), or without motion "
            "(motion).",
            "reason",
        )
        self.dropped = counter(
            "emotion_capture_drops",
            "Frames lost before Redis: delayed on the way "
            "(stale), replaced by a newer one (newer), "
            "Redis was full (full) or refused them (refused), its process ended (restart).",
            "reason",
        )
        self.decode_errors = counter("emotion_capture_decode_errors", "Damaged frames, skipped.")
        self.up = gauge("emotion_camera_up", "1 while the camera delivers frames, else 0.")
        self.reconnects = counter(
            "emotion_camera_reconnects", "Times the camera failed and was reopened."
        )
        self.restarts = counter(
            "emotion_camera_restarts",
            "Times the camera's process hung or crashed, and was restarted.",
        )
        self.last_frame = gauge(
            "emotion_camera_last_frame_timestamp_seconds", "Unix time of the newest frame."
        )
        self.frame_age = gauge(
            "emotion_camera_frame_age_seconds", "Age of the newest frame; NaN before the first."
        )
        self.redis_errors = counter("emotion_producer_redis_errors", "Failed calls to Redis.")
        self.config_valid = Gauge(
            "emotion_producer_config_valid",
            "1 if the settings file is valid; 0 while an earlier one is in use.",
            registry=registry,
        )
        self._per_camera = (
            self.captured, self.published, self.published_bytes, self.decode_errors, self.up,
            self.reconnects, self.restarts, self.last_frame, self.frame_age, self.redis_errors,
        )  # fmt: skip

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


class GatewayMetrics:
    """Metrics of a gateway."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"emotion_gateway_{name}", meaning, labels, registry=registry)

        def gauge(name: str, meaning: str, *labels: str) -> Gauge:
            return Gauge(f"emotion_gateway_{name}", meaning, labels, registry=registry)

        self.requests = counter("requests", "Requests served.", "route", "status")
        self.streams = gauge("streams", "Open streams and exports.", "route")
        self.sent_events = counter("sent_events", "Events and episodes sent to clients.")
        self.dropped_events = counter(
            "dropped_events", "Events and episodes left out for clients that were too slow."
        )
        self.sent_pictures = counter("sent_pictures", "Pictures sent.")
        self.watched = gauge("watched_cameras", "Cameras whose frames are read for pictures.")
        self.frames_read_bytes = counter("frames_read_bytes", "Bytes of JPEG read for pictures.")
        self.redis_errors = counter("redis_errors", "Failed calls to Redis, each tried again.")


class SinkMetrics:
    """Metrics of the sinks, per sink."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, meaning: str, *labels: str) -> Counter:
            return Counter(f"emotion_sink_{name}", meaning, ("sink", *labels), registry=registry)

        self.records = counter(
            "records", "Records that are done: delivered, or stored as dead letters.", "kind"
        )
        self.dead_letters = counter("dead_letters", "Records that the target refused.")
        self.filtered = counter("filtered_records", "Records left out by the sink's filters.")
        self.unreadable = counter("unreadable_records", "Entries that could not be parsed.")
        self.gaps = counter(
            "gaps", "Times that Redis may have trimmed records before they were delivered."
        )
        self.failures = counter("failures", "Failed attempts to deliver, each tried again.")
        self.up = Gauge(
            "emotion_sink_up", "1 while the target takes records, else 0.", ("sink",),
            registry=registry,
        )  # fmt: skip
        self.lag = Gauge(
            "emotion_sink_lag_seconds",
            "Age of the oldest record that waits; 0 if none does.",
            ("sink",),
            registry=registry,
        )
        self.delay = Histogram(
            "emotion_sink_delay_seconds",
            "From the frame that decided a record, or the end of a minute, to its delivery.",
            ("sink",),
            buckets=_DELAYS,
            registry=registry,
        )
        self.redis_errors = Counter(
            "emotion_sink_redis_errors", "Failed calls to Redis, each tried again.",
            registry=registry,
        )  # fmt: skip
        self.config_valid = Gauge(
            "emotion_sink_config_valid",
            "1 while the settings file can be used; 0 while the sinks run by an earlier one.",
            registry=registry,
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
