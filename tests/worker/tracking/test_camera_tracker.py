"""The tracking of an owned camera: what depends on more than one frame and the state."""

from dataclasses import dataclass, field

import pytest

from emotion_streams.emotions import Emotion
from emotion_streams.minutes import MINUTE_MS, Minute
from tests import samples
from tests.worker.tracking.walk import START_MS, rows, sighting
from worker.tracking import Policy, Step
from worker.tracking.camera_tracker import CameraTracker, TrackedFrame
from worker.tracking.constants import MAX_LOST, MAX_UNSEEN_FRAMES


@dataclass
class Owned:
    """A camera whose frames are committed one by one."""

    tracker: CameraTracker = field(default_factory=lambda: CameraTracker("door", Policy()))
    minutes: list[Minute] = field(default_factory=list)
    number: int = 0

    def associate(self, ms: int, *places: float) -> TrackedFrame:
        self.number += 1
        sightings = [sighting(x) for x in places]
        return self.tracker.associate(f"{START_MS}-{self.number}", START_MS + ms, sightings)

    def commit(
        self,
        tracked: TrackedFrame,
        seq: int = 0,
        session: str = "one",
        shows: Emotion | None = None,
    ) -> Step:
        frame = samples.frame(tracked.association.captured_ms, seq, session_id=session)
        faces = len(tracked.sightings)
        step = self.tracker.advance(
            self.tracker.state, frame, tracked, rows([shows] * faces), [None] * faces
        )
        self.tracker.commit(step.state, b"1")
        self.minutes += step.minutes
        return step

    def frame(self, ms: int, *places: float, seq: int = 0, session: str = "one") -> Step:
        return self.commit(self.associate(ms, *places), seq, session)


def test_people_leave_although_the_clock_of_their_camera_has_stopped() -> None:
    door = Owned()
    door.frame(0, 0.0)
    door.frame(0, 0.0)
    assert len(door.tracker.state.people) == 1
    for _ in range(MAX_UNSEEN_FRAMES + 1):
        door.frame(0)
    assert not door.tracker.state.people
    door.frame(0, 500.0)
    door.frame(0, 500.0)
    assert len(door.tracker.state.people) == 1


def test_people_who_entered_while_later_frames_were_in_flight_stay() -> None:
    door = Owned()
    door.frame(0)
    older = [door.associate(100, 0.0), door.associate(200, 0.0)]
    door.tracker.load(b"1", door.tracker.state.pack())
    newer = door.associate(300, 0.0)  # associated before the people of the older ones are known
    for tracked in older:
        door.commit(tracked)
    (person,) = door.tracker.state.people
    assert door.commit(newer).faces[0].track == person.id
    assert not [each for each in door.tracker.state.people if each.id != person.id]


@pytest.mark.parametrize(("now_ms", "ended", "under_way"), [(61_000, 57, 3), (45_000, 0, 60)])
def test_lost_frames_count_in_the_minutes_in_which_they_were_due(
    now_ms: int, ended: int, under_way: int
) -> None:
    door = Owned()
    door.frame(41_000)
    door.frame(now_ms, seq=61)
    counted = [minute.frames_lost for minute in door.minutes] or [0]
    assert (counted[0], door.tracker.state.minute.frames_lost) == (ended, under_way)


def test_the_first_frames_of_a_new_session_may_be_lost_as_well() -> None:
    door = Owned()
    door.frame(0, seq=7)  # those before this worker saw the camera are not counted
    assert door.tracker.state.minute.frames_lost == 0
    door.frame(1_000, seq=3, session="two")
    assert door.tracker.state.minute.frames_lost == 3


def test_a_producer_that_numbers_its_frames_at_random_breaks_no_state() -> None:
    door = Owned()
    for ms, seq in ((0, 0), (1_000, 2**62), (2_000, 0), (3_000, 2**63 - 1)):
        door.frame(ms, seq=seq)
    assert door.tracker.state.minute.frames_lost == MAX_LOST
    assert door.tracker.load(b"1", door.tracker.state.pack()) is None
    door.frame(MINUTE_MS, seq=2**63 - 1)
    assert Minute.unpack(door.minutes[0].pack()).frames_lost == MAX_LOST


def test_a_face_is_settled_once_its_label_is_not_about_to_change() -> None:
    door = Owned()
    door.frame(0, 0.0)
    assert not door.tracker.is_settled(None)
    for ms in range(100, 2_000, 100):
        door.commit(door.associate(ms, 0.0), shows="happiness")
    (person,) = door.tracker.state.people
    assert door.tracker.is_settled(person.id)
    while door.tracker.is_settled(person.id):
        ms += 100
        door.commit(door.associate(ms, 0.0), shows="anger")
    assert door.tracker.state.people[0].steady.label == "happiness"
