"""Metrics of a worker, in one family per subject."""

from typing import Final

from prometheus_client import CollectorRegistry, Counter

from emotion_streams.emotions import EMOTIONS
from emotion_streams.ledger import Ledger, Outcome
from service.metrics.factory import MetricFactory

_FACES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
# From a face that flickers (a track is kept for 1.5 s without one) to a person who stays.
_TRACK_SECONDS: Final = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


class FrameMetrics:
    """Frames and the faces in them."""

    def __init__(self, create: MetricFactory) -> None:
        self.ended = create.counter(
            "frames", "Frames committed, by how they ended.", "camera", "outcome"
        )
        self.faces = create.counter("faces", "Faces published, by emotion.", "camera", "emotion")
        self.reused = create.counter(
            "classifications_reused",
            "Faces published with the probabilities of an earlier frame, not classified again.",
            "camera",
        )
        self.stage = create.histogram(
            "stage_seconds",
            "Time per frame at work in a stage: decode, detect, classify, commit.",
            "stage",
        )
        self.end_to_end = create.histogram(
            "end_to_end_seconds", "From a frame's capture to its event."
        )


class InferenceMetrics:
    """How busy the threads and the models are."""

    def __init__(self, create: MetricFactory) -> None:
        self.batch = create.histogram(
            "batch_faces", "Faces per call of the engine.", buckets=_FACES
        )
        self._busy = create.counter(
            "busy_seconds",
            "Time that a part of the worker spent at work, of each of its threads or lanes; its "
            "rate is the busy share. threads: they decode and detect; engine: it classifies; "
            "detector: it detects in batches on a GPU.",
            "part",
        )
        self.threads_busy = self._busy.labels("threads")
        self.engine_busy = self._busy.labels("engine")

    @property
    def detector_busy(self) -> Counter:
        """The busy time of a detector that takes batches; absent from a worker without one."""
        return self._busy.labels("detector")


class OwnershipMetrics:
    """The cameras that a worker owns, and what keeps it from them."""

    def __init__(self, create: MetricFactory) -> None:
        self.owned = create.gauge("owned_cameras", "Cameras whose lease this worker holds.")
        self.fenced = create.counter(
            "fenced", "Times that a camera was given up because its lease had moved on."
        )
        self.resets = create.counter(
            "key_resets",
            "Keys of a camera that were reset since they blocked it: of another type, or a stream "
            "with an id too far ahead.",
            "camera",
        )
        self.failing = create.gauge(
            "failing_cameras", "Cameras whose own keys fail while Redis is there."
        )
        self.over_limit = create.gauge(
            "cameras_over_limit",
            "Cameras that this worker should have beyond the most that it takes.",
        )


class AccountMetrics:
    """An owned camera's account: where its frames are, and what became of them."""

    def __init__(self, create: MetricFactory) -> None:
        self.backlog = create.gauge(
            "backlog_frames",
            "Frames of an owned camera that are queued in Redis or pending with a worker.",
            "camera",
        )
        self.clock_skew = create.gauge(
            "clock_skew_seconds",
            "How far a camera's capture times lie ahead of Redis' clock; negative: behind it.",
            "camera",
        )
        self.ledger = create.gauge(
            "ledger_frames",
            "An owned camera's account in Redis: frames added, and what became of them.",
            "camera",
            "state",
        )
        self.balanced = create.gauge(
            "ledger_balanced",
            "1 while no frame of an owned camera is counted twice, nor counted without its entry.",
            "camera",
        )

    def observe(self, ledger: Ledger) -> None:
        """Set the camera's gauges to its ledger."""
        self.backlog.labels(ledger.camera).set(ledger.pending + ledger.queued)
        for state, frames in ledger.frames().items():
            self.ledger.labels(ledger.camera, state).set(frames)
        self.balanced.labels(ledger.camera).set(ledger.balanced)


class PeopleMetrics:
    """Tracks and their emotion episodes."""

    def __init__(self, create: MetricFactory) -> None:
        self.in_view = create.gauge(
            "people_in_view",
            "Tracks of an owned camera that are open after its last committed frame.",
            "camera",
        )
        self.tracks = create.counter(
            "tracks",
            "Tracks that ended: left (with its episodes), or discarded with a tracking state that "
            "could not be read.",
            "camera",
            "outcome",
        )
        self.track_seconds = create.histogram(
            "track_seconds",
            "From the first to the last sighting of a track that left.",
            "camera",
            buckets=_TRACK_SECONDS,
        )
        self.episodes = create.counter(
            "episodes", "Emotion episodes that started, by emotion.", "camera", "emotion"
        )


class WorkerMetrics:
    """All metrics of a worker."""

    def __init__(self, registry: CollectorRegistry) -> None:
        create = MetricFactory(registry)
        self.frames = FrameMetrics(create)
        self.inference = InferenceMetrics(create)
        self.ownership = OwnershipMetrics(create)
        self.account = AccountMetrics(create)
        self.people = PeopleMetrics(create)
        self.redis_errors = create.counter(
            "redis_errors", "Failed calls to Redis, each tried again."
        )

    def init_camera(self, camera: str) -> None:
        """Initialise an owned camera's counters to 0, so that `rate()` has data from the start."""
        for outcome in Outcome:
            self.frames.ended.labels(camera, outcome.value)
        for ended in ("left", "discarded"):
            self.people.tracks.labels(camera, ended)
        for emotion in EMOTIONS:
            self.people.episodes.labels(camera, emotion)
        for metric in (self.people.in_view, self.people.track_seconds, self.frames.reused):
            metric.labels(camera)

    def remove_camera(self, camera: str) -> None:
        """Remove the gauges of a camera that the worker no longer owns."""
        account = self.account
        for gauge in (
            account.backlog, account.clock_skew, account.ledger, account.balanced,
            self.people.in_view,
        ):  # fmt: skip
            gauge.remove_by_labels({"camera": camera})
