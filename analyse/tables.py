"""The tables: a row per face and frame, and a row per episode."""

import csv
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from analyse.durable import replace_by
from emotion_streams.emotions import EMOTIONS, Emotion
from emotion_streams.episodes import Episode
from emotion_streams.events import EmotionEvent
from emotion_streams.flat import rounded

FACE_COLUMNS: Final = (
    "position_ms", "frame_id", "frame", "track", "x", "y", "width", "height", "score", "label",
    "emotion", "confidence", *EMOTIONS, *(f"smoothed_{emotion}" for emotion in EMOTIONS),
    "sharpness", "turn_degrees",
)  # fmt: skip
"""`frame` numbers the analysed frames from 0. The eight emotions are the probabilities of the frame
alone, `smoothed_*` are averaged over the recent past. The meanings are in docs/recordings.md."""

EPISODE_COLUMNS: Final = (
    "type", "track", "emotion", "start_ms", "end_ms", "duration_ms", "frames", "confidence_mean",
    "confidence_peak", "peak_ms", "peak_frame_id", "reason", "x", "y", "width", "height",
    "side_max", *(f"mean_{emotion}" for emotion in EMOTIONS),
    *(f"ms_{emotion}" for emotion in EMOTIONS),
)  # fmt: skip

Row = Sequence[str | int | float | None]

_ROWS_AT_ONCE: Final = 50_000


def face_rows(events: Iterable[EmotionEvent]) -> Iterator[Row]:
    """Yield a row per face, in the order of FACE_COLUMNS."""
    for number, event in enumerate(events):
        for face in event.faces:
            box = face.box
            yield rounded([
                event.position_ms, event.frame_id, number, face.track,
                box.x, box.y, box.width, box.height, face.score, face.label,
                face.emotion, face.confidence,
                *_by_emotion(face.probabilities), *_by_emotion(face.smoothed),
                face.sharpness, face.turn_degrees,
            ])  # fmt: skip


def episode_rows(episodes: Iterable[Episode]) -> Iterator[Row]:
    """Yield a row per episode, in the order of EPISODE_COLUMNS."""
    for episode in episodes:
        box = episode.box
        yield rounded([
            episode.type.value, episode.track, episode.emotion,
            episode.start_position_ms, episode.end_position_ms, episode.duration_ms,
            episode.frames, episode.confidence_mean, episode.confidence_peak,
            episode.peak_ms, episode.peak_frame_id,
            None if episode.reason is None else episode.reason.value,
            box.x, box.y, box.width, box.height, episode.side_max,
            *_by_emotion(episode.probabilities_mean), *_by_emotion(episode.emotion_ms),
        ])  # fmt: skip


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write a table as CSV (RFC 4180, UTF-8). An empty cell means not known."""

    def write(new: Path) -> None:
        with new.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(rows)

    replace_by(path, write)


def write_parquet(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write a table as Parquet, with the types of its columns. Needs pyarrow."""
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {"text": pa.string(), "count": pa.int64(), "number": pa.float64()}
    schema = pa.schema([(name, kinds[_kind(name)]) for name in columns])
    left = iter(rows)

    def write(new: Path) -> None:
        with parquet.ParquetWriter(new, schema) as writer:
            while batch := list(itertools.islice(left, _ROWS_AT_ONCE)):
                values = [
                    pa.array(column, kinds[_kind(name)])
                    for name, column in zip(columns, zip(*batch, strict=True), strict=True)
                ]
                writer.write_table(pa.Table.from_arrays(values, schema=schema))

    replace_by(path, write)


_TEXTS: Final = frozenset(
    ("frame_id", "track", "label", "emotion", "type", "peak_frame_id", "reason")
)


def _kind(column: str) -> str:
    if column in _TEXTS:
        return "text"
    is_count = column.endswith("_ms") or column.startswith("ms_") or column in ("frame", "frames")
    return "count" if is_count else "number"


def _by_emotion(values: Mapping[Emotion, Any] | None) -> Iterator[Any]:
    return (None if values is None else values[emotion] for emotion in EMOTIONS)
