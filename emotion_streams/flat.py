"""Episodes and minutes as rows of a table: one definition for every CSV."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from emotion_streams.emotions import EMOTIONS, Emotion
from emotion_streams.episodes import Episode
from emotion_streams.minutes import Minute, People

DECIMALS: Final = 3
"""Digits that are kept of a fraction: more is noise, of pixels as of probabilities."""

Cell = str | int | float | None


def _columns(prefix: str) -> tuple[str, ...]:
    return tuple(f"{prefix}_{emotion}" for emotion in EMOTIONS)


EPISODE_COLUMNS: Final = (
    "camera", "id", "type", "track", "emotion", "start", "end", "duration_ms", "frames",
    "confidence_mean", "confidence_peak", "peak", "reason", "x", "y", "width", "height", "side_max",
    "decided", "frame_id", "peak_frame_id", *_columns("mean"), *_columns("ms"),
    "start_position_ms", "end_position_ms",
)  # fmt: skip
"""`mean_*`: means of the smoothed probabilities. `ms_*`: how long each steady label showed."""

MINUTE_COLUMNS: Final = (
    "camera", "start", "frames", "frames_lost", "coverage", "people_mean", "people_max",
    "faces_mean", "faces_max", "tracks", "entered", "left", "face_ms", "dwell_ms_p50",
    *_columns("ms"), *_columns("mean"), *_columns("episodes"),
)  # fmt: skip
"""As in EPISODE_COLUMNS; `episodes_*`: how many began. All from `people_mean` on are empty in a
minute that never showed `--min-people` people at once."""


def episode_row(episode: Episode) -> Sequence[Cell]:
    """Return the record's cells in the order of EPISODE_COLUMNS; None for an empty one."""
    box = episode.box
    return _row((
        episode.camera, episode.id, episode.type.value, episode.track, episode.emotion,
        iso_time(episode.start_ms), _or_none(episode.end_ms, iso_time), episode.duration_ms,
        episode.frames, episode.confidence_mean, episode.confidence_peak,
        _or_none(episode.peak_ms, iso_time), _or_none(episode.reason, str),
        box.x, box.y, box.width, box.height, episode.side_max,
        iso_time(episode.decided_ms), episode.frame_id, episode.peak_frame_id,
        *_by_emotion(episode.probabilities_mean), *_by_emotion(episode.emotion_ms),
        episode.start_position_ms, episode.end_position_ms,
    ))  # fmt: skip


def minute_row(minute: Minute) -> Sequence[Cell]:
    """Return the minute's cells in the order of MINUTE_COLUMNS; None for an empty one."""
    head = (
        minute.camera, iso_time(minute.start_ms), minute.frames, minute.frames_lost,
        minute.coverage,
    )  # fmt: skip
    if minute.people is None:
        return _row((*head, *[None] * (len(MINUTE_COLUMNS) - len(head))))
    return _row((*head, *_people(minute.people)))


def _row(cells: Iterable[Cell]) -> Sequence[Cell]:
    return [rounded(cell) for cell in cells]


def _people(people: People) -> Iterable[Cell]:
    return (
        people.people_mean, people.people_max, people.faces_mean, people.faces_max,
        people.tracks, people.entered, people.left, people.face_ms, people.dwell_ms_p50,
        *_by_emotion(people.emotion_ms), *_by_emotion(people.probabilities_mean),
        *_by_emotion(people.episodes),
    )  # fmt: skip


def _by_emotion(values: Mapping[Emotion, float] | None) -> Iterable[Cell]:
    return (None if values is None else values[emotion] for emotion in EMOTIONS)


def rounded(value: Any) -> Any:
    """Return plain values with every fraction rounded to DECIMALS digits."""
    if isinstance(value, float):
        return round(value, DECIMALS)
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(each) for each in value]
    return value


def iso_time(milliseconds: int) -> str:
    """Format a time (Unix, milliseconds, before 2200) as ISO 8601 in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def _or_none(value: Any, form: Callable[[Any], str]) -> str | None:
    return None if value is None else form(value)
