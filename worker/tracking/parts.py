"""The parts of a camera's tracking state."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from emotion_streams.emotions import Emotion, Label
from emotion_streams.faces import Box
from emotion_streams.stream_id import ZERO

Eight = tuple[float, ...]
"""One number per emotion, in the order of EMOTIONS."""

ZEROS: Final[Eight] = (0.0,) * 8


class Track(NamedTuple):
    """Where a face is and how it moves; what the association of the next frame needs.

    `id`: id of the frame in which it was first detected, a dot, and its index there. `is_born`:
    whether it was detected twice. `first_ms`, `last_ms`: first and last detection. `x`, `y`: the
    centre in pixels, `size`: mean of width and height, `vx`, `vy`: pixels per second.
    """

    id: str
    is_born: bool
    first_ms: int
    last_ms: int
    x: float
    y: float
    size: float
    vx: float
    vy: float


@dataclass(frozen=True)
class Tracks:
    """The tracker's state after a frame: `last_frame_id` and the clock at it, and the tracks.

    `clock_ms` is the largest capture time so far, except after a jump back beyond the gap.
    """

    last_frame_id: str = str(ZERO)
    clock_ms: int = 0
    items: tuple[Track, ...] = ()


class Steady(NamedTuple):
    """The smoothed probabilities of a track, and the label that follows them.

    `weight`: of the average, 0 to 1. `raw`: the probabilities of its last frame, classified at
    `raw_ms`. `rival`: the label that would follow, since `rival_ms`; equals `label` if none.
    """

    label: Label
    since_ms: int
    smoothed: Eight
    weight: float
    raw: Eight
    raw_ms: int
    rival: Label
    rival_ms: int


class Showing(NamedTuple):
    """The emotion episode under way of a track; `sums`: smoothed probabilities x milliseconds."""

    number: int
    emotion: Emotion
    start_ms: int
    frames: int
    side_max: float
    sums: Eight
    peak: float
    peak_ms: int
    peak_frame_id: str
    reported_ms: int


class Person(NamedTuple):
    """A track that has entered and not left; the sums of its episode.

    `emotion_ms`: milliseconds that the steady label showed each emotion. `counted_ms`: start of the
    minute in which it was last counted. `next_number`: of its next emotion episode.
    """

    id: str
    first_ms: int
    last_ms: int
    frames: int
    box: Box
    side_max: float
    sums: Eight
    emotion_ms: tuple[int, ...]
    next_number: int
    counted_ms: int
    steady: Steady
    showing: Showing | None


class MinuteSums(NamedTuple):
    """The minute under way; `start_ms` is None between a closed minute and the next frame.

    What is counted in between goes into the next minute. `from_ms`: end of the last closed minute.
    `seen_ms`: time seen; `faces_ms`: faces x time; `faces`: faces in the last frame. `people_max`:
    most tracks that one frame showed.
    """

    start_ms: int | None = None
    from_ms: int = 0
    frames: int = 0
    frames_lost: int = 0
    seen_ms: int = 0
    faces: int = 0
    faces_ms: int = 0
    faces_max: int = 0
    people_max: int = 0
    tracks: int = 0
    entered: int = 0
    left: int = 0
    face_ms: int = 0
    emotion_ms: tuple[int, ...] = (0,) * 8
    sums: Eight = ZEROS
    episodes: tuple[int, ...] = (0,) * 8
    dwells: tuple[int, ...] = ()
