"""The records of a camera pair up, for any frames, losses and takeovers."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from emotion_streams.faces import Box
from emotion_streams.minutes import MINUTE_MS, Minute
from tests.worker.tracking.audit import Audit
from worker.tracking import (
    Association,
    Policy,
    Sighting,
    Step,
    TrackingState,
    Tracks,
    advance,
    associate,
    close_minute,
    close_silent,
    count_lost,
)
from worker.tracking.constants import MAX_TRACKS
from worker.tracking.parts import Track

START_MS = 1_795_346_599_061
CAMERA = "door"

people = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 8)), max_size=8)
"""Faces of a frame: where each is, and what it shows; 8 is nothing in particular."""

steps_ms = st.one_of(
    st.integers(0, 600), st.sampled_from([40, 500, 1_000, 1_500, 1_501, -40, -5_000, 61_000])
)


class Camera(RuleBasedStateMachine):  # type: ignore[misc, unused-ignore]
    """One camera. `twin` is the same state, never packed; its records must be the same bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.state = self.twin = TrackingState.empty(CAMERA)
        self.chain: Tracks = self.state.tracks
        self.audit = Audit()
        self.minutes: list[Minute] = []
        self.number = self.frames = self.lost = 0
        self.captured_ms = START_MS
        self.policy = Policy()
        self.waiting: list[tuple[Association, list[Sighting], Any]] = []

    @rule(step_ms=steps_ms, faces=people)
    def frame_is_committed(self, step_ms: int, faces: list[tuple[int, int]]) -> None:
        self._associate(step_ms, faces)
        self._commit_all()

    @rule(step_ms=st.just(100), where=st.integers(0, 5), shows=st.integers(0, 7))
    def face_stays_for_a_while(self, step_ms: int, where: int, shows: int) -> None:
        for _ in range(8):
            self._associate(step_ms, [(where, shows)])
        self._commit_all()

    @rule(step_ms=steps_ms, faces=people)
    def frame_is_associated_and_waits(self, step_ms: int, faces: list[tuple[int, int]]) -> None:
        self._associate(step_ms, faces)

    @rule()
    def waiting_frame_is_lost(self) -> None:
        if self.waiting:
            self.waiting.pop()
            self._apply(lambda state: Step(replace(state, minute=count_lost(state.minute, 1))))
            self.lost += 1

    @rule()
    def waiting_frames_are_committed_in_another_order(self) -> None:
        self.waiting.reverse()
        self._commit_all()

    @rule(
        ids=st.lists(
            st.one_of(st.none(), st.sampled_from(["", "x", "1-0.0", f"{START_MS}-1.0"])), max_size=3
        ),
        future=st.integers(0, 9),
    )
    def foreign_association_comes(self, ids: list[str | None], future: int) -> None:
        """Of a chain that the state never knew, with ids of its past and of its future."""
        self.number += 1
        names = [*ids, f"{START_MS}-{self.number + future}.0", *self.audit.tracks][:8]
        items = [
            Track(name, True, START_MS, self.captured_ms, 100.0, 100.0, 60.0, 0.0, 0.0)
            for name in names
            if name is not None
        ]
        frame_id = f"{START_MS}-{self.number}"
        after = Tracks(frame_id, self.captured_ms, tuple(items))
        association = Association(frame_id, self.captured_ms, tuple(names), after)
        self.waiting.append((association, *_seen([(0, 2)] * len(names))))
        self._commit_all()

    @rule()
    def another_worker_takes_over(self) -> None:
        self.state = TrackingState.unpack(CAMERA, self.state.pack())
        assert self.state == self.twin
        self.chain, self.waiting = self.state.tracks, []

    @rule()
    def camera_falls_silent(self) -> None:
        self._apply(lambda state: close_silent(state, self.policy))
        self.chain = self.state.tracks
        assert not self.state.people

    @rule(later_ms=st.integers(0, 70_000))
    def timer_comes(self, later_ms: int) -> None:
        self._apply(lambda state: close_minute(state, self.captured_ms + later_ms, self.policy))

    @rule(neutral=st.booleans(), min_people=st.integers(0, 2))
    def policy_changes(self, neutral: bool, min_people: int) -> None:
        self.policy = Policy(min_people, neutral_episodes=neutral)

    @invariant()
    def state_is_bounded(self) -> None:
        assert len(self.state.people) <= len(self.state.tracks.items) <= MAX_TRACKS

    @invariant()
    def people_are_those_that_entered_and_did_not_leave(self) -> None:
        assert {person.id for person in self.state.people} == self.audit.open_tracks

    def teardown(self) -> None:
        self._commit_all()
        self.camera_falls_silent()
        self._apply(lambda state: close_minute(state, START_MS * 2, self.policy))
        assert not self.state.is_open
        self.audit.finish()
        self._check_minutes()

    def _associate(self, step_ms: int, faces: list[tuple[int, int]]) -> None:
        self.number += 1
        self.captured_ms = max(0, self.captured_ms + step_ms)
        sightings, probabilities = _seen(faces)
        frame_id = f"{START_MS}-{self.number}"
        association = associate(self.chain, frame_id, self.captured_ms, sightings)
        self.chain = association.after
        self.waiting.append((association, sightings, probabilities))

    def _commit_all(self) -> None:
        for association, sightings, probabilities in self.waiting:
            newest = self.state.tracks.last_frame_id

            def commit(state: TrackingState) -> Step:
                return advance(state, association, sightings, probabilities, self.policy)  # noqa: B023

            before = self.state
            step = self._apply(commit)
            assert len(step.faces) == len(sightings)
            if int(association.frame_id.split("-")[1]) <= int(newest.split("-")[1]):
                assert step.state == before, "an old frame changes nothing"
                assert not step.episodes
            ids = [face.track for face in step.faces if face.track]
            assert len(ids) == len(set(ids))
            assert set(ids) <= {person.id for person in step.state.people}
            again = commit(step.state)
            assert again.state == step.state, "the same frame again changes nothing"
            assert not again.episodes
            assert not again.minutes
        self.waiting = []

    def _apply(self, change: Callable[[TrackingState], Step]) -> Step:
        step, twin = change(self.state), change(self.twin)
        assert [each.pack() for each in step.episodes] == [each.pack() for each in twin.episodes]
        assert [each.pack() for each in step.minutes] == [each.pack() for each in twin.minutes]
        self.state, self.twin = step.state, twin.state
        self.audit.add(step.episodes)
        self.minutes += step.minutes
        return step

    def _check_minutes(self) -> None:
        starts = [minute.start_ms for minute in self.minutes]
        assert starts == sorted(set(starts)), "each minute has one record, in order"
        for minute in self.minutes:
            assert Minute.unpack(minute.pack()) == minute
            assert minute.start_ms % MINUTE_MS == 0
            if minute.people:
                assert sum(minute.people.emotion_ms.values()) <= minute.people.face_ms
                assert minute.people.faces_mean <= minute.people.faces_max
                assert 0 <= minute.people.people_mean <= max(64, minute.people.faces_max)
                if minute.people.tracks:
                    assert 0 < minute.people.people_max <= minute.people.tracks
                else:
                    assert minute.people.people_max in (0, minute.people.faces_max)


def _seen(faces: list[tuple[int, int]]) -> tuple[list[Sighting], Any]:
    sightings = [Sighting(Box(120.0 * x, 100.0, 60.0, 60.0), 0.9, 0.0, None) for x, _ in faces]
    rows = np.full((len(faces), 9), 0.04, np.float32)
    for n, (_, shown) in enumerate(faces):
        rows[n, shown] = 0.72
    return sightings, rows[:, :8]


Camera.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestCamera = Camera.TestCase
