"""What a producer reports of its cameras."""

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from emotion_streams import CameraStatus
from emotion_streams.cameras import CameraState
from gateway.verdicts import CameraHealth
from producer.messages import Counts, Report
from producer.registry import CameraRecord
from service.metrics import ProducerMetrics

STATUS = CameraStatus(
    camera="door", state=CameraState.UP, fps=0, width=640, height=480, last_frame_ms=1,
    last_frame_age_ms=0, owner="w1", backlog=0, error="",
)  # fmt: skip


class Door:
    """A camera over simulated time, of which every stored frame becomes an event at once."""

    def __init__(self) -> None:
        self.now = 0.0
        self.published = 0
        self.record = CameraRecord("door", ProducerMetrics(CollectorRegistry()), lambda: self.now)
        self.health = CameraHealth(self.now)

    def run(self, seconds: int, fps: int) -> None:
        """Store frames, and report each second."""
        for _ in range(seconds):
            for _ in range(fps):
                self.now += 1 / fps
                self.health.on_event(self.now)
            self.published += fps
            counts = Counts(captured=self.published, published=self.published)
            self.record.update(Report(CameraState.UP, counts=counts))

    @property
    def stored_fps(self) -> float:
        return float(self.record.to_hash()["fps"])

    @property
    def analysed_fps(self) -> float:
        return self.health.update(replace(STATUS, fps=self.stored_fps), self.now).analysed_fps


def test_the_rate_covers_the_last_ten_seconds() -> None:
    door = Door()
    door.run(20, fps=8)
    assert door.stored_fps == 8
    door.run(5, fps=2)
    assert door.stored_fps == 5
    door.run(5, fps=2)
    assert door.stored_fps == 2


def test_stored_and_analysed_rates_agree_while_the_rate_changes() -> None:
    door = Door()
    for fps in (8, 2, 4, 1, 8):
        for _ in range(7):
            door.run(1, fps)
            assert door.stored_fps == pytest.approx(door.analysed_fps, abs=0.11)


def test_state_of_a_camera_can_be_written_with_any_text() -> None:
    record = Door().record
    record.title = record.group = "\ud800"
    record.update(Report(codec="\udcff\x00"))
    record.process_crashed("\udcff\x1b[31m")
    fields = {name: value.decode() for name, value in record.to_hash().items()}
    assert fields["error"] == r"\xff\x1b[31m"
    assert all(value.isprintable() for value in fields.values())
