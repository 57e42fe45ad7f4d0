"""What goes into the tracker and what comes out of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from emotion_streams.emotions import Emotion, Label
from emotion_streams.episodes import Episode
from emotion_streams.faces import Box
from emotion_streams.minutes import Minute
from worker.tracking.parts import Tracks
from worker.tracking.state import TrackingState


@dataclass(frozen=True)
class Sighting:
    """One detected face of a frame.

    `box` is in pixels of the picture, `score` the detector's, 0 to 1. `turn_degrees` and
    `sharpness` are those of `worker.inference.quality`, None if unknown.
    """

    box: Box
    score: float
    turn_degrees: float | None = None
    sharpness: float | None = None


@dataclass(frozen=True)
class Association:
    """Which track each face of a frame belongs to.

    `tracks`: per face the id of its track, or None. `after`: the tracker's state after this frame,
    which the association of the camera's next frame takes as `before`.
    """

    frame_id: str
    captured_ms: int
    tracks: tuple[str | None, ...]
    after: Tracks


@dataclass(frozen=True)
class Policy:
    """What the operator decides.

    `min_people`: a minute in which there were never as many people at once says nothing about them.
    `neutral_episodes`: whether the label neutral makes episodes.
    """

    min_people: int = 0
    neutral_episodes: bool = False


class TrackedFace(NamedTuple):
    """What the event of a frame says about the track of a face; all None without a track."""

    track: str | None = None
    label: Label | None = None
    label_since_ms: int | None = None
    smoothed: Mapping[Emotion, float] | None = None


class Step(NamedTuple):
    """What a frame, or a timer, made of a state.

    `faces`: one per face of the frame, in its order. `episodes` and `minutes`: records to write, in
    this order, in the same step as the state.
    """

    state: TrackingState
    faces: tuple[TrackedFace, ...] = ()
    episodes: tuple[Episode, ...] = ()
    minutes: tuple[Minute, ...] = ()
