"""Valid messages for tests to start from."""

import cv2
import numpy as np
from hypothesis import strategies as st

from emotion_streams import EMOTIONS, Box, EmotionEvent, Face, Frame, Latency, Model
from emotion_streams.emotions import Emotion


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
)

faces = st.builds(
    Face,
    box=st.builds(Box, x=_pixel, y=_pixel, width=_side, height=_side),
    score=_share,
    emotion=st.sampled_from(EMOTIONS),
    confidence=_share,
    probabilities=st.fixed_dictionaries(dict.fromkeys(EMOTIONS, _share)),
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
    schema=st.just(1),
)
