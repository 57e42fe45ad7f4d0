"""Faces over time: tracks, steady labels, episodes and minutes of a camera.

Pure functions of immutable state. A frame goes through `associate` in frame order, and through
`advance` in commit order:

    chain = association.after
    step = advance(state, association, sightings, probabilities, policy)

The state after the last committed frame is stored with the records of that frame (`step.episodes`,
`step.minutes`) in one step, and travels with the camera. See docs/tracking.md.
"""

from worker.tracking.parts import Tracks
from worker.tracking.state import TrackingState
from worker.tracking.step import advance, close_minute, close_silent, count_lost, steady
from worker.tracking.tracker import associate
from worker.tracking.types import Association, Policy, Sighting, Step, TrackedFace

__all__ = [
    "Association",
    "Policy",
    "Sighting",
    "Step",
    "TrackedFace",
    "TrackingState",
    "Tracks",
    "advance",
    "associate",
    "close_minute",
    "close_silent",
    "count_lost",
    "steady",
]
