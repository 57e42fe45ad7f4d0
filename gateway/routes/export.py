"""A time range of events as a file: CSV for spreadsheets, JSON Lines for programs."""

import csv
import io
from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request

from emotion_streams import EMOTIONS, EmotionEvent, Face
from gateway.cursor import MOST
from gateway.follow import oldest_ms, read_events
from gateway.hub import Published
from gateway.queries import ExportQuery, parse
from gateway.services import Services, require_camera, services_of
from gateway.streaming import LimitedStreamingResponse

COLUMNS: Final = (
    "camera", "frame_id", "captured", "width", "height", "faces", "face", "x", "y", "face_width",
    "face_height", "score", "emotion", "confidence", *EMOTIONS, "total_ms", "model",
    "model_version", "detector",
)  # fmt: skip
"""Of the CSV: `face` numbers an event's faces from 1; an event without a face is a row whose face
columns are empty."""


async def export(request: Request) -> LimitedStreamingResponse:
    """Export a camera's kept events between two times as a file.

    The header X-Oldest-Event is the time of the oldest event that Redis still keeps: the export
    reaches no further back.
    """
    query = parse(ExportQuery, request)
    camera = await require_camera(request)
    services = services_of(request)
    content, media_type = (
        (_csv(services, camera, query), "text/csv; charset=utf-8")
        if query.format == "csv"
        else (_json_lines(services, camera, query), "application/jsonl")
    )
    headers = {"Content-Disposition": f'attachment; filename="{camera}.{query.format}"'}
    if (oldest := await oldest_ms(services.client, camera)) is not None:
        headers["X-Oldest-Event"] = _iso_time(oldest)
    return LimitedStreamingResponse(
        content, services.stream_limit.acquire("export"), media_type, headers
    )


async def _matching(
    services: Services, camera: str, query: ExportQuery
) -> AsyncGenerator[Published, None]:
    # The last id that a stream could hold before `from`.
    after = None if not query.since else (query.since - 1, MOST)
    async for item in read_events(services.client, camera, after, query.until, query.emotion):
        yield item


async def _json_lines(
    services: Services, camera: str, query: ExportQuery
) -> AsyncGenerator[bytes, None]:
    async for item in _matching(services, camera, query):
        yield item.data + b"\n"


async def _csv(services: Services, camera: str, query: ExportQuery) -> AsyncGenerator[bytes, None]:
    yield _lines([COLUMNS])
    async for item in _matching(services, camera, query):
        yield _lines(_rows(item.event))


def _iso_time(ms: int) -> str:
    """ISO 8601 in UTC; milliseconds as a number if they are beyond what dates can be."""
    try:
        return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    except (OverflowError, ValueError):
        return str(ms)


def _rows(event: EmotionEvent) -> Iterator[tuple[Any, ...]]:
    captured = _iso_time(event.captured_ms)
    head = (event.camera, event.frame_id, captured, event.width, event.height, len(event.faces))
    model = event.model
    tail = (event.latency.total_ms, model.name, model.version, model.detector)
    for number, face in enumerate(event.faces, 1):
        yield (*head, number, *_face(face), *tail)
    if not event.faces:
        yield (*head, *[""] * (len(COLUMNS) - len(head) - len(tail)), *tail)


def _face(face: Face) -> tuple[Any, ...]:
    box = face.box
    probabilities = (face.probabilities[emotion] for emotion in EMOTIONS)
    return (
        *(box.x, box.y, box.width, box.height),
        *(face.score, face.emotion, face.confidence),
        *probabilities,
    )


def _lines(rows: Any) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
