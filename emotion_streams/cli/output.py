"""What the command prints: tables, lines, and text that other clients wrote, escaped."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Final

from emotion_streams.emotions import Emotion
from emotion_streams.events import EmotionEvent
from emotion_streams.faces import Face
from emotion_streams.printable import printable

_TRACK_DIGITS: Final = 6
"""Digits of a track's time that are shown: they repeat after a quarter of an hour."""


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of text in columns, escaped."""
    table = [tuple(header), *(tuple(map(printable, row)) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    for row in table:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )


def describe(event: EmotionEvent) -> str:
    """Format an event as one readable line."""
    moment = datetime.fromtimestamp(event.captured_ms / 1000, UTC).astimezone()
    faces = ", ".join(map(_describe_face, event.faces))
    return (
        f"{moment:%H:%M:%S}.{event.captured_ms % 1000:03d}  {event.camera}  {event.frame_id}  "
        f"{faces or 'no face'}  ({event.latency.total_ms:.0f} ms)"
    )


def _describe_face(face: Face) -> str:
    shown = f"{face.emotion} {face.confidence:.0%}"
    if face.label not in (None, face.emotion):
        shown = f"{face.label} ({shown})"
    if face.track is not None:
        shown = f"{short_track(face.track)} {shown}"
    box = face.box
    return f"{shown} at {box.x:.0f},{box.y:.0f} {box.width:.0f}x{box.height:.0f}"


def short_track(track: str) -> str:
    """Shorten a track's name to tell apart the people of a quarter of an hour: `#599061.0`.

    The name is `<milliseconds>-<number>.<index>`; the number is left out if it is 0.
    """
    milliseconds, dash, rest = track.partition("-")
    return printable(f"#{milliseconds[-_TRACK_DIGITS:]}{dash}{rest[:20]}").replace("-0.", ".")


def local_time(milliseconds: int) -> str:
    """Format a time (Unix, milliseconds) in the zone of this machine, to the second."""
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone():%Y-%m-%d %H:%M:%S}"


def seconds(milliseconds: float) -> str:
    """Format a duration."""
    return f"{milliseconds / 1000:.1f} s"


def by_emotion(milliseconds: Iterable[tuple[Emotion, int]]) -> str:
    """Format how long each emotion showed, the longest first."""
    shown = sorted(((ms, emotion) for emotion, ms in milliseconds if ms), reverse=True)
    return ", ".join(f"{emotion} {seconds(ms)}" for ms, emotion in shown) or "-"
