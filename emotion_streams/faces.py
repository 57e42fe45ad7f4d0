"""Face: one face of an event, with its emotion and its track."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from emotion_streams.emotions import EMOTIONS, UNCERTAIN, Emotion, Label, parse_emotion
from emotion_streams.fields import Fields, MalformedMessageError

LANDMARKS: Final = 5
"""Number of landmarks of a face."""


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of the frame.

    (x, y) is its upper left corner. It may extend beyond the frame's edge.
    """

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Face:
    """A face and its emotion.

    `score` is the detector's, 0 to 1. `probabilities` holds all eight emotions and sums to 1.
    `emotion` is the most likely one, and `confidence` its probability. `classified_ms`: if the
    probabilities are those of an earlier frame, its capture time (Unix, milliseconds); else None.

    `track` names the person over time, and is unique in a camera; None until the face was seen
    twice. `label`: the steady emotion, since `label_since_ms`; it follows `smoothed`, the
    probabilities averaged over the recent past. All four are None without a track.

    `landmarks`: right eye, left eye, nose tip, right and left corner of the mouth, as (x, y) in
    pixels of the frame; None if the detector finds none. `turn_degrees`: how far the head is turned
    to the side, estimated from them; 0 looks into the camera. `sharpness`: standard deviation of
    the crop's Laplacian; a blurred face has a small one.
    """

    box: Box
    score: float
    emotion: Emotion
    confidence: float
    probabilities: Mapping[Emotion, float]
    track: str | None = None
    label: Label | None = None
    label_since_ms: int | None = None
    smoothed: Mapping[Emotion, float] | None = None
    classified_ms: int | None = None
    landmarks: tuple[tuple[float, float], ...] | None = None
    turn_degrees: float | None = None
    sharpness: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the face as plain values."""
        fields = vars(self).copy()
        fields["box"] = [self.box.x, self.box.y, self.box.width, self.box.height]
        fields["probabilities"] = dict(self.probabilities)
        fields["smoothed"] = None if self.smoothed is None else dict(self.smoothed)
        fields["landmarks"] = self.landmarks and [list(point) for point in self.landmarks]
        return fields


def parse_box(fields: Fields) -> Box:
    """Return the rectangle of the field `box`. Raises MalformedMessageError."""
    x, y, width, height = fields.numbers("box", 4)
    if min(width, height) < 0:
        raise MalformedMessageError(f"box {[x, y, width, height]} is not a rectangle")
    return Box(x, y, width, height)


def parse_face(fields: Fields) -> Face:
    """Return one of the faces of an event. Raises MalformedMessageError."""
    has = fields.has
    return Face(
        box=parse_box(fields),
        score=fields.number("score", 0, 1),
        emotion=parse_emotion(fields.text("emotion")),
        confidence=fields.number("confidence", 0, 1),
        probabilities=_shares(fields.map("probabilities")),
        # Absent from events of earlier workers.
        track=fields.text("track") if has("track") else None,
        label=_label(fields.text("label")) if has("label") else None,
        label_since_ms=fields.timestamp_ms("label_since_ms") if has("label_since_ms") else None,
        smoothed=_shares(fields.map("smoothed")) if has("smoothed") else None,
        classified_ms=fields.timestamp_ms("classified_ms") if has("classified_ms") else None,
        landmarks=_landmarks(fields) if has("landmarks") else None,
        turn_degrees=fields.number("turn_degrees", -180, 180) if has("turn_degrees") else None,
        sharpness=fields.number("sharpness", 0) if has("sharpness") else None,
    )


def _landmarks(fields: Fields) -> tuple[tuple[float, float], ...]:
    points = fields.points("landmarks", LANDMARKS)
    return tuple((x, y) for x, y in points)


def _label(text: str) -> Label:
    return "uncertain" if text == UNCERTAIN else parse_emotion(text)


def _shares(fields: Fields) -> dict[Emotion, float]:
    return {name: fields.number(name, 0, 1) for name in EMOTIONS}
