"""The tracking of one owned camera: orders the associations, and holds what is committed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from emotion_streams.fields import MalformedMessageError
from emotion_streams.frames import Frame
from emotion_streams.minutes import MINUTE_MS
from worker.tracking.constants import GAP_MS, MAX_UNSEEN_FRAMES, MINUTE_GRACE_MS
from worker.tracking.session import placed, with_frame
from worker.tracking.state import TrackingState
from worker.tracking.step import advance, close_minute, close_silent, steady
from worker.tracking.tracker import associate, without_unseen
from worker.tracking.types import Association, Policy, Sighting, Step

_STILL_MS: Final = GAP_MS // MAX_UNSEEN_FRAMES
"""If time moves by at least this from frame to frame, tracks end by time."""


@dataclass(frozen=True)
class TrackedFrame:
    """The faces of a frame with their tracks, until the frame is committed.

    `epoch`: how often the tracker had been loaded when the frame was associated. `base_id`: the
    frame after whose tracks it was associated.
    """

    association: Association
    sightings: tuple[Sighting, ...]
    epoch: int
    base_id: str


@dataclass(frozen=True)
class Reusable:
    """Probabilities (eight, in the order of EMOTIONS) that stand for classifying a face again.

    `captured_ms`: capture time of the frame that they are from.
    """

    probabilities: tuple[float, ...]
    captured_ms: int


class CameraTracker:
    """The tracking state of a camera while this worker owns it.

    Frames are associated in the order of their turns, which may be ahead of the commits. `state` is
    the state after the last committed frame, stored as `version`.
    """

    def __init__(self, camera: str, policy: Policy, reuse_ms: int = 0) -> None:
        self.state = TrackingState.empty(camera)
        self.version = b""
        self._camera = camera
        self._policy = policy
        self._reuse_ms = reuse_ms
        self._ahead = self.state.tracks
        self._unseen: dict[str, int] = {}
        self._epoch = 0
        self._last_turn: asyncio.Event | None = None

    def load(self, version: bytes, blob: bytes | None) -> str | None:
        """Continue with a stored state. Returns why it could not be read, if it could not."""
        defect = None
        self.version, self.state = version, TrackingState.empty(self._camera)
        if blob is not None:
            try:
                self.state = TrackingState.unpack(self._camera, blob)
            except MalformedMessageError as error:
                defect = str(error)
        self._restart()
        return defect

    def turn(self) -> "Turn":
        """Return the next frame's place in the order of associations."""
        turn = Turn(self, self._last_turn)
        self._last_turn = turn.ended
        return turn

    def associate(
        self, frame_id: str, captured_ms: int, sightings: Sequence[Sighting]
    ) -> TrackedFrame:
        """Associate the faces of a frame with tracks, after the previous frame's."""
        before = self._ahead
        association = associate(before, frame_id, captured_ms, sightings)
        if association.after.clock_ms - before.clock_ms < _STILL_MS:
            association, self._unseen = without_unseen(association, self._unseen)
        elif self._unseen:
            self._unseen = {}
        self._ahead = association.after
        return TrackedFrame(association, tuple(sightings), self._epoch, before.last_frame_id)

    def reusable(self, track: str | None, now_ms: int) -> Reusable | None:
        """Return recent probabilities of a track whose label is steady; None if there are none."""
        found = steady(self.state, track, now_ms) if track and self._reuse_ms else None
        if found is None or now_ms - found[2] > self._reuse_ms:
            return None
        return Reusable(found[1], found[2])

    def is_settled(self, track: str | None) -> bool:
        """Return whether a track is known, and no other label is about to follow its label."""
        return any(
            person.id == track and person.steady.rival == person.steady.label
            for person in self.state.people
        )

    def advance(
        self,
        state: TrackingState,
        frame: Frame,
        tracked: TrackedFrame,
        probabilities: NDArray[np.float32],
        classified_ms: Sequence[int | None],
    ) -> Step:
        """Return the step from `state` over an analysed frame.

        `probabilities` is (faces, 8) in the order of EMOTIONS. `classified_ms`: per face, as in
        Face.
        """
        association = tracked.association
        # It was associated with tracks that were never committed, or before others were.
        if tracked.epoch != self._epoch or tracked.base_id != state.tracks.last_frame_id:
            association = associate(
                state.tracks, association.frame_id, association.captured_ms, tracked.sightings
            )
        step = advance(
            state, association, tracked.sightings, probabilities, self._policy, classified_ms
        )
        if step.state is state:
            return step
        return with_frame(state, step, frame)

    def close_silent(self, now_ms: int | None) -> Step:
        """Return the step that ends what is open while the camera sends nothing.

        `now_ms` is by the clock of capture times; None if nothing follows: a recording has ended.
        The state of the step is the current one if nothing ends: the minute may not be over yet.
        """
        silent = close_silent(self.state, self._policy) if self.state.people else Step(self.state)
        if now_ms is None:
            now_ms = silent.state.tracks.clock_ms + MINUTE_MS + MINUTE_GRACE_MS
        over = close_minute(silent.state, now_ms, self._policy)
        episodes = placed(silent.episodes, self.state.recorded_ms)
        return Step(over.state, (), episodes, silent.minutes + over.minutes)

    def commit(self, state: TrackingState, version: bytes) -> None:
        """Continue after `state`, which was stored with the frames that led to it."""
        self.state, self.version = state, version

    def commit_closed(self, state: TrackingState, version: bytes) -> None:
        """Continue after `state`, which was stored while no frame was in flight."""
        self.commit(state, version)
        self._restart()

    def _restart(self) -> None:
        self._ahead = self.state.tracks
        self._unseen = {}
        self._epoch += 1


class Turn:
    """A frame's place in the order in which the frames of a camera are associated."""

    def __init__(self, tracker: CameraTracker, previous: asyncio.Event | None) -> None:
        self._tracker = tracker
        self._previous = previous
        self.ended = asyncio.Event()

    async def associate(
        self, frame_id: str, captured_ms: int, sightings: Sequence[Sighting]
    ) -> TrackedFrame:
        """Wait until the frames before this one are associated or have ended, then associate it."""
        if self._previous is not None:
            await self._previous.wait()
            self._previous = None  # a chain of all frames would never be freed
        tracked = self._tracker.associate(frame_id, captured_ms, sightings)
        self.end()
        return tracked

    def reusable(self, track: str | None, now_ms: int) -> Reusable | None:
        """Return what CameraTracker.reusable returns."""
        return self._tracker.reusable(track, now_ms)

    def is_settled(self, track: str | None) -> bool:
        """Return what CameraTracker.is_settled returns."""
        return self._tracker.is_settled(track)

    def end(self) -> None:
        """Let the next frame follow. Safe to repeat."""
        self.ended.set()
