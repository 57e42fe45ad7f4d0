"""Who is in view of a camera, by its last events."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from emotion_streams import EmotionEvent, Face
from emotion_streams.episodes import TRACK_GAP_MS

_FOLLOWED_MS: Final = 1_000
"""If frames follow each other within this time, a face gets its track in the second one."""


@dataclass(frozen=True)
class InView:
    """What is in view of a camera.

    `people`: how many. `emotion`: the most frequent one among them, of equally frequent ones that
    of the largest face; None without a face. A person counts with the steady label, or without a
    track with the most likely emotion. `shares`: the share of the people by emotion. `since_ms`:
    capture time since when it has been so.
    """

    people: int
    emotion: str | None
    shares: Mapping[str, float]
    since_ms: int

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON has them."""
        return {**vars(self), "shares": dict(self.shares)}


def faces_in_view(events: Sequence[EmotionEvent], waited_ms: float = 0) -> Sequence[Face]:
    """Return the newest face of each person in view.

    `events`: the last ones of a camera, newest first, at least one. `waited_ms`: how long there has
    been no newer one.

    People are tracks: one that the newest event misses is in view until TRACK_GAP_MS after its last
    detection, and a face without a track is not a person yet. A camera that is too slow to be
    followed has the faces of its newest event.
    """
    newest, *earlier = events
    ages_ms = [newest.captured_ms - event.captured_ms for event in earlier]
    people: dict[str, Face] = {face.track: face for face in newest.faces if face.track}
    for event, age_ms in zip(earlier, ages_ms, strict=True):
        if 0 <= age_ms <= TRACK_GAP_MS - waited_ms:
            for face in event.faces:
                if face.track:
                    people.setdefault(face.track, face)
    is_followed = any(0 <= age_ms <= _FOLLOWED_MS for age_ms in ages_ms)
    return tuple(people.values()) if people or is_followed else newest.faces


def observe(faces: Sequence[Face], captured_ms: int, before: InView | None) -> InView:
    """Return what these faces show; `before`: what was in view before."""
    ordered = sorted(faces, key=lambda face: face.box.width * face.box.height, reverse=True)
    labels = [face.label or face.emotion for face in ordered]
    counts = Counter(labels)  # ties are in the order of the first occurrence
    emotion = counts.most_common(1)[0][0] if counts else None
    shares: dict[str, float] = {
        name: round(count / len(labels), 3) for name, count in counts.items()
    }
    now = InView(len(labels), emotion, shares, captured_ms)
    if before is not None and replace(before, since_ms=now.since_ms) == now:
        return before
    return now
