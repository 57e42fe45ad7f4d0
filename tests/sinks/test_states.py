"""What a sink learns about a camera's present state."""

from dataclasses import replace
from typing import Any

from emotion_streams import Box, EmotionEvent, Face
from sinks.states import Faces, observe
from tests.samples import event


def shows(captured_ms: int, *faces: tuple[Any, float]) -> EmotionEvent:
    """An event with these faces: steady label, None without one, and width."""
    sample = event().faces[0]
    made: list[Face] = [
        replace(sample, label=label, box=Box(0, 0, width, 10)) for label, width in faces
    ]
    return replace(event(), captured_ms=captured_ms, faces=tuple(made))


def test_the_most_frequent_label_is_the_emotion_and_the_largest_face_decides_a_tie() -> None:
    most = observe(shows(1, ("anger", 90), ("happiness", 5), ("happiness", 6)), None)
    assert (most.faces, most.emotion) == (3, "happiness")
    assert most.shares == {"anger": 0.333, "happiness": 0.667}
    assert observe(shows(1, ("anger", 5), ("happiness", 6)), None).emotion == "happiness"


def test_a_face_without_a_track_counts_with_its_likeliest_emotion() -> None:
    assert observe(shows(1, (None, 5)), None).emotion == "surprise"


def test_an_unchanged_observation_keeps_its_since_and_is_the_same_object() -> None:
    first = observe(shows(1, ("anger", 5)), None)
    assert observe(shows(2, ("anger", 9)), first) is first
    assert observe(shows(3, ("anger", 9), ("anger", 9)), first).since_ms == 3
    assert observe(shows(4), first) == Faces(0, None, {}, 4)
