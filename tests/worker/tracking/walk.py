"""Runs frames of one camera through tracking, as a worker does."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from emotion_streams.emotions import EMOTIONS, Emotion
from emotion_streams.episodes import Episode
from emotion_streams.faces import Box
from emotion_streams.minutes import Minute
from worker.tracking import (
    Policy,
    Sighting,
    Step,
    TrackedFace,
    TrackingState,
    advance,
    associate,
)

START_MS = 1_795_346_580_000
"""The beginning of a minute."""

Seen = tuple[float, Emotion | None]
"""Where a face is, and what it shows."""


def rows(shown: Sequence[Emotion | None], share: float = 0.86) -> NDArray[np.float32]:
    """Probabilities (faces, 8) in which each emotion has `share`; None for all alike."""
    found = np.full((len(shown), 8), (1 - share) / 7, np.float32)
    for n, emotion in enumerate(shown):
        if emotion is None:
            found[n] = 1 / 8
        else:
            found[n, EMOTIONS.index(emotion)] = share
    return found


def sighting(
    x: float, size: float = 60.0, turn: float | None = None, sharpness: float | None = None
) -> Sighting:
    return Sighting(Box(x, 100.0, size, size), 0.9, turn, sharpness)


@dataclass
class Walk:
    """A camera and all its records so far. `ms` counts from START_MS."""

    policy: Policy = field(default_factory=Policy)
    state: TrackingState = field(default_factory=lambda: TrackingState.empty("door"))
    episodes: list[Episode] = field(default_factory=list)
    minutes: list[Minute] = field(default_factory=list)
    faces: tuple[TrackedFace, ...] = ()

    def frame(self, ms: int, *seen: Seen) -> Step:
        sightings = [sighting(x) for x, _ in seen]
        return self.see(ms, sightings, rows([shown for _, shown in seen]))

    def see(self, ms: int, sightings: list[Sighting], shares: NDArray[np.float32]) -> Step:
        captured_ms = START_MS + ms
        association = associate(self.state.tracks, f"{captured_ms}-0", captured_ms, sightings)
        return self.take(advance(self.state, association, sightings, shares, self.policy))

    def frames(self, start_ms: int, end_ms: int, *seen: Seen, every_ms: int = 100) -> None:
        for ms in range(start_ms, end_ms, every_ms):
            self.frame(ms, *seen)

    def take(self, step: Step) -> Step:
        self.state, self.faces = step.state, step.faces
        self.episodes += step.episodes
        self.minutes += step.minutes
        return step

    @property
    def story(self) -> list[tuple[str, str | None, int, int | None]]:
        """Type, emotion, start and end of each record, in milliseconds from START_MS."""
        return [
            (
                each.type.value,
                each.emotion,
                each.start_ms - START_MS,
                None if each.end_ms is None else each.end_ms - START_MS,
            )
            for each in self.episodes
        ]
