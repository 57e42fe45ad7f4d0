"""A time range of events, episodes or minutes: CSV for spreadsheets, JSON Lines for programs."""

import csv
import io
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request

from emotion_streams import EMOTIONS, EmotionEvent, Episode, Face, Minute
from emotion_streams.fields import YEAR_2200_MS
from emotion_streams.flat import (
    EPISODE_COLUMNS,
    MINUTE_COLUMNS,
    episode_row,
    minute_row,
    rounded,
)
from emotion_streams.ranges import read_range
from emotion_streams.stream_id import MAX_NUMBER, StreamId
from emotion_streams.stream_kinds import EPISODES, EVENTS, MINUTES, StreamKind
from gateway.follow import oldest_ms, read_events
from gateway.published import Published
from gateway.queries import ExportQuery
from gateway.query_parsing import parse
from gateway.services import Services, require_camera, services_of
from gateway.streaming import LimitedStreamingResponse

Item = TypeVar("Item")

COLUMNS: Final = (
    "camera", "frame_id", "captured", "width", "height", "faces", "face", "x", "y", "face_width",
    "face_height", "score", "emotion", "confidence", *EMOTIONS, "track", "label", "total_ms",
    "model", "model_version", "detector", "position_ms",
)  # fmt: skip
"""Of the CSV: `face` numbers an event's faces from 1; an event without a face is a row whose face
columns are empty."""


@dataclass(frozen=True)
class _Table(Generic[Item]):
    """What can be exported: where it is read, its CSV columns and rows, its JSON lines."""

    stream: StreamKind[Any]
    read: Callable[[Services, str, ExportQuery], AsyncIterator[Item]]
    columns: tuple[str, ...]
    rows: Callable[[Item], Iterable[Iterable[Any]]]
    line: Callable[[Item], bytes]


async def export(request: Request) -> LimitedStreamingResponse:
    """Export what Redis keeps of a camera between two times as a file.

    Events, records of episodes, or minutes. The header X-Oldest-Event is the time of the oldest one
    that Redis still keeps: the export reaches no further back.
    """
    query = parse(ExportQuery, request)
    if query.kind == "minutes" and query.emotion is not None:
        raise HTTPException(400, "emotion: a minute holds all emotions; leave it out")
    camera = await require_camera(request)
    services = services_of(request)
    table = _TABLES[query.kind]
    content, media_type = (
        (_csv(table, services, camera, query), "text/csv; charset=utf-8")
        if query.format == "csv"
        else (_json_lines(table, services, camera, query), "application/jsonl")
    )
    headers = {"Content-Disposition": f'attachment; filename="{_file_name(camera, query)}"'}
    if (oldest := await oldest_ms(services.client, camera, table.stream)) is not None:
        headers["X-Oldest-Event"] = _iso_time(oldest)
    return LimitedStreamingResponse(
        content, services.stream_limit.acquire("export"), media_type, headers
    )


def _file_name(camera: str, query: ExportQuery) -> str:
    """`lobby-episodes-from-20260131T120000Z-to-20260131T130000Z.csv`."""
    since = "" if query.since is None else f"-from-{_file_time(query.since)}"
    until = "" if query.until is None else f"-to-{_file_time(query.until)}"
    return f"{camera}-{query.kind}{since}{until}.{query.format}"


def _file_time(ms: int) -> str:
    """ISO 8601 in UTC, to the second and without what file names may not hold."""
    return f"{datetime.fromtimestamp(min(ms, YEAR_2200_MS) / 1000, UTC):%Y%m%dT%H%M%SZ}"


async def _read_events(
    services: Services, camera: str, query: ExportQuery
) -> AsyncGenerator[Published, None]:
    # The last id that a stream could hold before `from`.
    after = None if not query.since else StreamId(query.since - 1, MAX_NUMBER)
    async for item in read_events(services.client, camera, after, query.until, query.emotion):
        yield item


async def _read_episodes(
    services: Services, camera: str, query: ExportQuery
) -> AsyncGenerator[Episode, None]:
    async for episode in read_range(services.client, EPISODES, camera, *_range(query)):
        if query.emotion in (None, episode.emotion):
            yield episode


def _read_minutes(
    services: Services, camera: str, query: ExportQuery
) -> AsyncGenerator[Minute, None]:
    return read_range(services.client, MINUTES, camera, *_range(query))


def _range(query: ExportQuery) -> tuple[int | None, int | None]:
    since, until = query.since, query.until
    return since and min(since, YEAR_2200_MS), None if until is None else min(until, YEAR_2200_MS)


async def _json_lines(
    table: _Table[Any], services: Services, camera: str, query: ExportQuery
) -> AsyncGenerator[bytes, None]:
    async for item in table.read(services, camera, query):
        yield table.line(item) + b"\n"


async def _csv(
    table: _Table[Any], services: Services, camera: str, query: ExportQuery
) -> AsyncGenerator[bytes, None]:
    yield _lines([table.columns])
    async for item in table.read(services, camera, query):
        yield _lines(table.rows(item))


def _iso_time(ms: int) -> str:
    """ISO 8601 in UTC; milliseconds as a number if they are beyond what dates can be."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError):
        return str(ms)


def _rows(event: EmotionEvent) -> Iterator[Iterable[Any]]:
    captured = _iso_time(event.captured_ms)
    head = (event.camera, event.frame_id, captured, event.width, event.height, len(event.faces))
    model = event.model
    tail = (
        event.latency.total_ms, model.name, model.version, model.detector, event.position_ms
    )  # fmt: skip
    for number, face in enumerate(event.faces, 1):
        yield rounded((*head, number, *_face(face), *tail))
    if not event.faces:
        yield rounded((*head, *[""] * (len(COLUMNS) - len(head) - len(tail)), *tail))


def _face(face: Face) -> tuple[Any, ...]:
    box = face.box
    probabilities = (face.probabilities[emotion] for emotion in EMOTIONS)
    return (
        *(box.x, box.y, box.width, box.height),
        *(face.score, face.emotion, face.confidence),
        *probabilities,
        *(face.track, face.label),
    )


def _lines(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _line(record: Episode | Minute) -> bytes:
    return json.dumps(rounded(record.to_dict()), separators=(",", ":")).encode()


_TABLES: Final[dict[str, _Table[Any]]] = {
    "events": _Table(
        EVENTS, _read_events, COLUMNS, lambda item: _rows(item.event), lambda item: item.data
    ),
    "episodes": _Table(
        EPISODES, _read_episodes, EPISODE_COLUMNS, lambda episode: [episode_row(episode)], _line
    ),
    "minutes": _Table(
        MINUTES, _read_minutes, MINUTE_COLUMNS, lambda minute: [minute_row(minute)], _line
    ),
}
