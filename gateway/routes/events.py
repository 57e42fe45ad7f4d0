"""Events: a page of them, or as they come."""

from collections.abc import AsyncGenerator
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from emotion_streams import Emotion, EmotionEvent, keys
from emotion_streams.backoff import UNREACHABLE
from gateway import positions
from gateway.follow import Changed, Dropped, Silence, follow, unpack
from gateway.positions import Position
from gateway.queries import EventsQuery, StreamQuery, parse
from gateway.services import Services, known_camera, services
from gateway.streaming import HeldResponse, sse

_MOST_LOOKED_AT: Final = 5000
"""Entries read for one page, so that a rare emotion does not cost a whole stream."""
_PAGE: Final = 500


async def list_events(request: Request) -> JSONResponse:
    """A camera's events in the order of their ids, and `next`: where to go on, as `after`."""
    query = parse(EventsQuery, request)
    camera = await known_camera(request)
    has = services(request)
    if query.after is None:
        events, last = await _newest(has, camera, query)
    else:
        events, last = await _after(has, camera, query, query.after)
    return JSONResponse(
        {"camera": camera, "events": [event.to_dict() for event in events], "next": last}
    )


async def _after(
    has: Services, camera: str, query: EventsQuery, after: str
) -> tuple[list[EmotionEvent], str | None]:
    """The first events after an id, and the id of the last entry that was looked at."""
    last = "0-0" if after == "start" else after
    events: list[EmotionEvent] = []
    for _ in range(_MOST_LOOKED_AT // _PAGE):
        entries = await has.client.xrange(keys.emotions(camera), f"({last}", count=_PAGE)
        for entry_id, fields in entries:
            last = entry_id.decode()
            item = unpack(fields)
            if item is not None and shows(item.event, query.emotion):
                events.append(item.event)
                if len(events) == query.limit:
                    return events, last
        if len(entries) < _PAGE:
            break
    return events, last


async def _newest(
    has: Services, camera: str, query: EventsQuery
) -> tuple[list[EmotionEvent], str | None]:
    """The last events, and the id of the newest entry."""
    newest: str | None = None
    before = "+"
    events: list[EmotionEvent] = []
    for _ in range(_MOST_LOOKED_AT // _PAGE):
        count = min(_PAGE, query.limit) if query.emotion is None else _PAGE
        entries = await has.client.xrevrange(keys.emotions(camera), before, count=count)
        for entry_id, fields in entries:
            newest = newest or entry_id.decode()
            before = f"({entry_id.decode()}"
            item = unpack(fields)
            if item is not None and shows(item.event, query.emotion):
                events.append(item.event)
                if len(events) == query.limit:
                    return events[::-1], newest
        if len(entries) < count:
            break
    return events[::-1], newest


def shows(event: EmotionEvent, emotion: Emotion | None) -> bool:
    """Whether any face shows the emotion; any event does where None is asked for."""
    return emotion is None or any(face.emotion == emotion for face in event.faces)


async def stream_events(request: Request) -> HeldResponse:
    """Server-sent events. `id` is opaque: shown again as Last-Event-ID (or `after`) it resumes
    after it without a gap, as far back as Redis keeps events. `event: emotion` carries an event,
    `event: camera` a camera whose state has changed, `event: dropped` how many events were left
    out because the client was too slow."""
    query = parse(StreamQuery, request)
    has = services(request)
    known = has.board.statuses()
    if unknown := [camera for camera in query.camera if camera not in known]:
        raise HTTPException(404, f"no camera {unknown[0]!r}; /api/cameras lists them")
    cameras = frozenset(query.camera) or None
    wanted = query.camera or tuple(known)
    seen, missed = _resume(request, query, wanted, has)
    content = _messages(has, cameras, seen, missed)
    return HeldResponse(content, has.slots.take("stream_events"), "text/event-stream")


def _resume(
    request: Request, query: StreamQuery, wanted: tuple[str, ...], has: Services
) -> tuple[dict[str, Position], tuple[str, ...]]:
    """Where the client stands, and the cameras of which it may have missed something: none of a
    new client's; all of one that resumes, from the start those that it never saw."""
    text = request.headers.get("last-event-id") or query.after
    if text is None:
        return {camera: has.hub.tip(camera) for camera in wanted}, ()
    try:
        # One camera's own event id will do where only one is asked for.
        if len(query.camera) == 1 and "=" not in text:
            seen = {query.camera[0]: positions.parse_id(text)}
        else:
            seen = positions.parse(text)
    except ValueError as error:
        raise HTTPException(400, f"after: {error}") from None
    return {camera: seen[camera] for camera in wanted if camera in seen}, wanted


async def _messages(
    has: Services,
    cameras: frozenset[str] | None,
    seen: dict[str, Position],
    missed: tuple[str, ...],
) -> AsyncGenerator[bytes, None]:
    # An id without data: the client can resume from here before the first event has come.
    yield f"retry: 1000\nid: {positions.format_positions(seen)}\n\n".encode()
    try:
        async for item in follow(has.hub, has.client, cameras, seen, missed):
            if isinstance(item, Silence):
                yield b": nothing new\n\n"
            elif isinstance(item, Changed):
                yield sse("camera", item.status)
            elif isinstance(item, Dropped):
                yield sse("dropped", b'{"count":%d}' % item.count)
            else:
                has.metrics.sent_events.inc()
                yield sse("emotion", item.data, positions.format_positions(seen))
    except UNREACHABLE:
        has.metrics.redis_errors.inc()  # the stream ends; the client comes back and resumes
