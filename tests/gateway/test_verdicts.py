"""What is said of a camera, from what was observed of it."""

from dataclasses import replace

import pytest

from emotion_streams import CameraState, CameraStatus
from gateway.verdicts import CameraHealth, Judgement, Verdict

RUNNING = CameraStatus(
    camera="lobby", state=CameraState.UP, fps=10, width=640, height=480, last_frame_ms=1,
    last_frame_age_ms=0, owner="w1", backlog=0, error="",
)  # fmt: skip


class Camera:
    """A camera over simulated time, looked at four times a second."""

    def __init__(self, status: CameraStatus = RUNNING) -> None:
        self.now = 0.0
        self.status = status
        self.health = CameraHealth(self.now)
        self.seen: set[Verdict] = set()

    def run(
        self, seconds: float, events_per_s: float = 10, captures: bool = True, **changes: object
    ) -> Judgement:
        self.status = replace(self.status, **changes)  # type: ignore[arg-type]
        end, due = self.now + seconds, self.now
        while self.now < end:
            while events_per_s and due <= self.now:
                self.health.on_event(due)
                due += 1 / events_per_s
            if captures:
                self.status = replace(self.status, last_frame_ms=int(1000 * self.now) + 1)
            judged = self.health.update(self.status, self.now)
            self.seen.add(judged.verdict)
            self.now += 0.25
        return judged


def test_a_camera_whose_events_come_is_live() -> None:
    judged = Camera().run(20)
    assert (judged.verdict, judged.reason, judged.stale) == (Verdict.LIVE, "", False)
    assert judged.analysed_fps == pytest.approx(10, abs=0.3)


@pytest.mark.parametrize(
    ("state", "error", "verdict", "reason"),
    [
        (CameraState.DOWN, "timed out", Verdict.DOWN, "timed out"),
        (CameraState.DOWN, "", Verdict.DOWN, "no picture from the camera"),
        (
            CameraState.GONE,
            "an error of an hour ago",
            Verdict.DOWN,
            "no heartbeat from the producer",
        ),
        (CameraState.ENDED, "", Verdict.ENDED, "the file was played to its end"),
    ],
)
def test_the_producer_s_word_comes_first(
    state: CameraState, error: str, verdict: Verdict, reason: str
) -> None:
    judged = Camera().run(5, state=state, error=error, owner=None)
    assert (judged.verdict, judged.reason) == (verdict, reason)


def test_without_an_owner_it_is_not_analysed_but_may_change_hands() -> None:
    camera = Camera()
    camera.run(5)
    assert camera.run(1, events_per_s=0, owner=None, backlog=5).verdict is Verdict.LIVE
    judged = camera.run(2, events_per_s=0)
    assert (judged.verdict, judged.stale) == (Verdict.NOT_ANALYSED, True)
    assert camera.run(1, owner="w2", backlog=0).verdict is Verdict.LIVE


def test_with_frames_waiting_and_no_event_it_falls_behind() -> None:
    camera = Camera()
    camera.run(5)
    judged = camera.run(3, events_per_s=0, backlog=20)
    assert (judged.verdict, judged.stale) == (Verdict.BEHIND, True)


def test_with_few_of_its_frames_analysed_it_falls_behind() -> None:
    camera = Camera()
    camera.run(5)
    judged = camera.run(25, events_per_s=3)
    assert (judged.verdict, judged.stale) == (Verdict.BEHIND, False)
    assert judged.reason == "3.0 of 10.0 frames/s are analysed"
    assert camera.run(12).verdict is Verdict.LIVE


def test_a_motion_filter_that_opens_is_not_taken_for_falling_behind() -> None:
    camera = Camera()
    quiet = camera.run(60, events_per_s=0, fps=0)
    assert (quiet.verdict, quiet.stale) == (Verdict.LIVE, True)
    assert quiet.reason == "no new frames to analyse"
    camera.seen.clear()
    camera.run(20, fps=10)
    assert camera.seen == {Verdict.LIVE}


@pytest.mark.parametrize("backlog", [0, None])
@pytest.mark.parametrize("fps", [10, 0.3])
def test_a_camera_whose_frames_bring_no_event_falls_behind(fps: float, backlog: int | None) -> None:
    """They expire or end dead, so none waits; or the gateway has no right to count them."""
    camera = Camera(replace(RUNNING, fps=fps, backlog=backlog))
    camera.run(20, events_per_s=fps)
    assert camera.seen == {Verdict.LIVE}
    judged = camera.run(60, events_per_s=0)
    assert (judged.verdict, judged.stale) == (Verdict.BEHIND, True)
    assert judged.reason == "frames are stored, but no events arrive"
    assert camera.run(20, events_per_s=fps).verdict is Verdict.LIVE


@pytest.mark.parametrize("fps", [10, 0.3])
def test_a_camera_that_never_brought_an_event_falls_behind(fps: float) -> None:
    judged = Camera(replace(RUNNING, fps=fps)).run(60, events_per_s=0)
    assert judged.verdict is Verdict.BEHIND


def test_a_slow_camera_that_freezes_is_down() -> None:
    camera = Camera()
    camera.run(25, events_per_s=3)
    assert camera.run(3, events_per_s=0, captures=False).verdict is Verdict.DOWN


def falling(camera: Camera, fps: float, captures: bool) -> list[Judgement]:
    """Ten seconds without a stored frame, in which the reported rate falls, and ten after that."""
    rates = [fps * (10 - second) / 10 for second in range(1, 11)] + [0.0] * 10
    return [camera.run(1, events_per_s=0, captures=captures, fps=rate) for rate in rates]


@pytest.mark.parametrize("fps", [10, 1])
def test_a_motion_filter_that_closes_turns_the_picture_grey_for_good(fps: float) -> None:
    """The rate falls because nothing is stored. That does not make the old picture current."""
    camera = Camera(replace(RUNNING, fps=fps))
    camera.run(20, events_per_s=fps)
    judged = falling(camera, fps, captures=True)
    assert {each.verdict for each in judged} == {Verdict.LIVE}
    assert all(each.stale for each in judged[5:])


@pytest.mark.parametrize("fps", [10, 1])
def test_a_frozen_camera_stays_down_while_its_rate_falls(fps: float) -> None:
    camera = Camera(replace(RUNNING, fps=fps))
    camera.run(20, events_per_s=fps)
    judged = falling(camera, fps, captures=False)
    assert {each.verdict for each in judged[5:]} == {Verdict.DOWN}


def test_a_frozen_camera_is_down_within_three_seconds() -> None:
    camera = Camera()
    camera.run(5)
    assert (
        camera.run(2.75, events_per_s=0, captures=False).reason == "no new picture from the camera"
    )


def test_a_slow_camera_has_more_patience_coming_to_it() -> None:
    """One frame in three seconds: between two events nothing is wrong."""
    camera = Camera(replace(RUNNING, fps=0.3))
    camera.run(20, events_per_s=0.3)
    judged = camera.run(5, events_per_s=0, captures=False)
    assert (judged.verdict, judged.stale) == (Verdict.LIVE, False)
    assert judged.analysed_fps > 0
    assert camera.run(20, events_per_s=0, captures=False).verdict is Verdict.DOWN
