"""Valid messages for tests to start from."""

import cv2
import numpy as np
from hypothesis import strategies as st

from emotion_streams import (
    EMOTIONS,
    Box,
    Emotion,
    EmotionEvent,
    EndReason,
    Episode,
    EpisodeType,
    Face,
    Frame,
    Latency,
    Minute,
    Model,
    People,
)
from emotion_streams.emotions import UNCERTAIN


def jpeg(width: int = 64, height: int = 48, grey: int = 127) -> bytes:
    """A plain picture."""
    image = np.full((height, width, 3), grey, np.uint8)
    encoded: bytes = cv2.imencode(".jpg", image)[1].tobytes()
    return encoded


def frame(captured_ms: int = 1_700_000_000_000, seq: int = 0, **changed: object) -> Frame:
    """A valid frame."""
    fields: dict[str, object] = {
        "captured_ms": captured_ms,
        "width": 64,
        "height": 48,
        "jpeg": jpeg(),
        "session_id": "a1b2",
        "seq": seq,
    }
    return Frame(**{**fields, **changed})  # type: ignore[arg-type]  # tests choose the fields


def event(camera: str = "lobby", frame_id: str = "1700000000000-0", faces: int = 1) -> EmotionEvent:
    """A valid event."""
    rest = 0.3 / 7
    probabilities: dict[Emotion, float] = dict.fromkeys(EMOTIONS, rest)
    probabilities["surprise"] = 0.7
    face = Face(Box(10.0, 8.0, 20.0, 24.0), 0.9, "surprise", 0.7, probabilities)
    return EmotionEvent(
        camera=camera,
        frame_id=frame_id,
        captured_ms=int(frame_id.partition("-")[0]),
        width=64,
        height=48,
        faces=(face,) * faces,
        latency=Latency(3.0, 1.0, 1.5, 6.0, 20.0, 31.5),
        model=Model("simpnet-v2", "1.0.0", "yunet"),
    )


_share = st.floats(0, 1)
_pixel = st.floats(-1e4, 1e4)
_side = st.floats(0, 1e4)
_ms = st.floats(0, 1e9)
_moment = st.integers(0, 2**42)
_count = st.integers(0, 2**40)
_box = st.builds(Box, x=_pixel, y=_pixel, width=_side, height=_side)
_shares = st.fixed_dictionaries(dict.fromkeys(EMOTIONS, _share))
_counts = st.fixed_dictionaries(dict.fromkeys(EMOTIONS, _count))

frames = st.builds(
    Frame,
    captured_ms=st.integers(0, 2**42),
    width=st.integers(1, 16_384),
    height=st.integers(1, 16_384),
    jpeg=st.binary(max_size=200),
    session_id=st.text(max_size=20),
    seq=st.integers(0, 2**40),
    capture_drops=st.integers(0, 2**40),
    skipped=st.integers(0, 2**40),
    max_age_ms=st.none() | st.integers(1, 10**6),
    position_ms=st.none() | _moment,
)

faces = st.builds(
    Face,
    box=_box,
    score=_share,
    emotion=st.sampled_from(EMOTIONS),
    confidence=_share,
    probabilities=_shares,
    track=st.none() | st.text(max_size=30),
    label=st.none() | st.sampled_from([*EMOTIONS, UNCERTAIN]),
    label_since_ms=st.none() | _moment,
    smoothed=st.none() | _shares,
    classified_ms=st.none() | _moment,
    landmarks=st.none() | st.lists(st.tuples(_pixel, _pixel), min_size=5, max_size=5).map(tuple),
    turn_degrees=st.none() | st.floats(-180, 180),
    sharpness=st.none() | st.floats(0, 1e4),
)

events = st.builds(
    EmotionEvent,
    camera=st.text(max_size=63),
    frame_id=st.from_regex(r"\d{1,15}-\d{1,5}", fullmatch=True),
    captured_ms=st.integers(0, 2**42),
    width=st.integers(1, 16_384),
    height=st.integers(1, 16_384),
    faces=st.lists(faces, max_size=3).map(tuple),
    latency=st.builds(Latency, _ms, _ms, _ms, _ms, _ms, _ms),
    model=st.builds(Model, st.text(max_size=30), st.text(max_size=30), st.text(max_size=10)),
    position_ms=st.none() | _moment,
    schema=st.just(1),
)

episodes = st.builds(
    Episode,
    id=st.text(max_size=120),
    type=st.sampled_from(EpisodeType),
    camera=st.text(max_size=63),
    track=st.text(max_size=30),
    frame_id=st.text(max_size=20),
    decided_ms=_moment,
    start_ms=_moment,
    end_ms=st.none() | _moment,
    duration_ms=_moment,
    frames=_count,
    box=_box,
    side_max=_side,
    emotion=st.none() | st.sampled_from(EMOTIONS),
    confidence_mean=st.none() | _share,
    confidence_peak=st.none() | _share,
    peak_ms=st.none() | _moment,
    peak_frame_id=st.none() | st.text(max_size=20),
    probabilities_mean=st.none() | _shares,
    emotion_ms=st.none() | _counts,
    reason=st.none() | st.sampled_from(EndReason),
    start_position_ms=st.none() | _moment,
    end_position_ms=st.none() | _moment,
    schema=st.just(1),
    entry_id=st.none(),
)

minutes = st.builds(
    Minute,
    camera=st.text(max_size=63),
    start_ms=_moment,
    frames=_count,
    frames_lost=_count,
    coverage=_share,
    people=st.none()
    | st.builds(
        People,
        people_mean=st.floats(0, 64),
        people_max=_count,
        faces_mean=st.floats(0, 64),
        faces_max=_count,
        tracks=_count,
        entered=_count,
        left=_count,
        face_ms=_count,
        emotion_ms=_counts,
        probabilities_mean=st.none() | _shares,
        episodes=_counts,
        dwell_ms_p50=st.none() | _count,
    ),
    schema=st.just(1),
)


def episode(camera: str = "lobby", track: str = "1700000000000-0.0", **changed: object) -> Episode:
    """A valid record: a happy person, still there."""
    fields: dict[str, object] = {
        "id": f"{camera}/{track}/1",
        "type": EpisodeType.EMOTION_STARTED,
        "camera": camera,
        "track": track,
        "frame_id": "1700000001000-0",
        "decided_ms": 1_700_000_001_000,
        "start_ms": 1_700_000_000_600,
        "end_ms": None,
        "duration_ms": 400,
        "frames": 5,
        "box": Box(10.0, 8.0, 20.0, 24.0),
        "side_max": 24.0,
        "emotion": "happiness",
        "confidence_mean": 0.7,
        "confidence_peak": 0.8,
        "peak_ms": 1_700_000_000_900,
        "peak_frame_id": "1700000000900-0",
    }
    return Episode(**{**fields, **changed})  # type: ignore[arg-type]  # tests choose the fields


def minute(camera: str = "lobby", start_ms: int = 1_700_000_040_000) -> Minute:
    """A valid minute: one person, happy for half of it."""
    nothing: dict[Emotion, int] = dict.fromkeys(EMOTIONS, 0)
    shares: dict[Emotion, float] = dict.fromkeys(EMOTIONS, 0.1)
    people = People(
        people_mean=54 / (60 * 0.98),
        people_max=1,
        faces_mean=0.75,
        faces_max=2,
        tracks=1,
        entered=1,
        left=0,
        face_ms=54_000,
        emotion_ms=nothing | {"happiness": 30_000, "neutral": 20_000},
        probabilities_mean=shares | {"happiness": 0.3},
        episodes=nothing | {"happiness": 2},
        dwell_ms_p50=None,
    )
    return Minute(camera, start_ms, frames=600, frames_lost=3, coverage=0.98, people=people)
