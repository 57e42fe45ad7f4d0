"""What a recording shows as a whole, from its events."""

from dataclasses import replace

from analyse.clip_reader import Format
from analyse.report import report
from analyse.summary import curves, summarise
from emotion_streams import EmotionEvent, Face
from tests import samples


def frame(position_ms: int, *tracks: str | None) -> EmotionEvent:
    """A frame with a face for each track; None: a face without one."""
    event = samples.event("clip", f"{1_700_000_000_000 + position_ms}-0")
    return replace(event, faces=tuple(map(_face, tracks)), position_ms=position_ms)


def _face(track: str | None) -> Face:
    (face,) = samples.event().faces
    if track is None:
        return face
    return replace(face, track=track, label="surprise", smoothed=face.probabilities)


def test_people_at_once_are_the_tracks_of_a_frame_and_not_its_faces() -> None:
    events = [frame(0, "1-0.0", "1-0.1"), frame(100, "1-0.0", None, None), frame(200, "2-0.0")]
    found = curves(events, 300)
    summary = summarise("a.mp4", Format(64, 48, 10.0, "h264", 3), found, [], [])
    assert (summary["faces_max"], summary["people_max"]) == (3, 2)
    assert "<dt>at once, at most</dt><dd>2</dd>" in report(summary, found, [])
