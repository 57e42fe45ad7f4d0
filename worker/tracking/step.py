"""The steps of a camera's tracking state: a committed frame, lost frames, and the owner's timers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from emotion_streams.emotions import Label
from worker.tracking.state import TrackingState
from worker.tracking.types import Association, Policy, Sighting, Step


def advance(
    state: TrackingState,
    association: Association,
    sightings: Sequence[Sighting],
    probabilities: NDArray[np.float32],
    policy: Policy,
    classified_ms: Sequence[int | None] | None = None,
) -> Step:
    """Return the step of an analysed frame. Called in commit order.

    `probabilities` is (faces, 8) in the order of EMOTIONS. `classified_ms`: per face, the capture
    time that its probabilities are from if they were reused (`steady`), else None; None if no face's
    were. A frame that is not newer than the state's last one changes nothing.

    Any association is safe: a track that the state has closed, or cannot know, is not reported, so
    every start has one end, and none twice. Raises ValueError if the lengths differ.
    """
    raise NotImplementedError


def count_lost(state: TrackingState, frames: int) -> TrackingState:
    """Return the state after `frames` frames of the camera ended without an event."""
    raise NotImplementedError


def close_silent(state: TrackingState, policy: Policy) -> Step:
    """Return the step of a camera that fell silent: every track left when it was last seen.

    The caller decides that no frame came for longer than GAP_MS and none is in flight. The next
    association starts from the new state's tracks.
    """
    raise NotImplementedError


def close_minute(state: TrackingState, now_ms: int, policy: Policy) -> Step:
    """Return the step of the owner's timer: closes the minute under way if it is over.

    `now_ms` is by the clock of capture times. A minute is over MINUTE_GRACE_MS after its end,
    because its last frames may still be on the way. Without that, nothing changes.
    """
    raise NotImplementedError


def steady(
    state: TrackingState, track_id: str, now_ms: int
) -> tuple[Label, tuple[float, ...], int] | None:
    """Return what may stand for classifying a track's face again; None if nothing may.

    That is its label, its last classified probabilities (eight, in the order of EMOTIONS), and the
    capture time that they are from; if the label is held and no other one is about to follow. The
    caller compares that time with `now_ms` and its limit (`--reuse-ms`).
    """
    raise NotImplementedError
