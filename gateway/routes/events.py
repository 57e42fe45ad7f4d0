"""Events: one page, or a live stream."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from emotion_streams import keys
from emotion_streams.backoff import REDIS_ERRORS
from emotion_streams.stream_id import ZERO, StreamId
from gateway import cursor
from gateway.cursor import Kind, Positions
from gateway.follow import STEP, EventFilter, EventsDropped, Heartbeat, Started, follow_events
from gateway.hub import Notice
from gateway.published import Published
from gateway.queries import EventsQuery, StreamQuery
from gateway.query_parsing import parse
from gateway.services import Services, require_camera, services_of
from gateway.streaming import LimitedStreamingResponse, sse

_MAX_ENTRIES: Final = 5000
"""Entries read for one page, so that a rare emotion does not cost a whole stream."""


async def list_events(request: Request) -> Response:
    """List a camera's events in the order of their ids.

    `next` is the value of `after` for the next page.
    """
    query = parse(EventsQuery, request)
    camera = await require_camera(request)
    services = services_of(request)
    backwards = query.after is None
    last = str(ZERO) if query.after == "start" else query.after
    found: list[bytes] = []
    async with aclosing(_entries(services, camera, last, EventFilter(query.emotion))) as entries:
        async for entry_id, item in entries:
            # Backwards the first event is the newest one, and the next page begins after it.
            last = last or entry_id if backwards else entry_id
            if item is not None:
                found.append(item.data)
            if len(found) == query.limit:
                break
    events = b",".join(reversed(found) if backwards else found)
    body = b'{"camera":%s,"events":[%s],"next":%s}'
    return Response(body % (_json(camera), events, _json(last)), media_type="application/json")


async def _entries(
    services: Services, camera: str, after: str | None, wanted: EventFilter
) -> AsyncGenerator[tuple[str, Published | None], None]:
    """Yield the ids of at most _MAX_ENTRIES entries, each with its event if that is wanted.

    The entries after an id or, without one, from the newest backwards.
    """
    key = keys.emotions(camera)
    last = after
    for _ in range(_MAX_ENTRIES // STEP):
        if after is None:
            entries = await services.client.xrevrange(key, f"({last}" if last else "+", count=STEP)
        else:
            entries = await services.client.xrange(key, f"({last}", count=STEP)
        for entry_id, fields in entries:
            last = entry_id.decode()
            yield last, wanted.read(camera, entry_id, fields)
        if len(entries) < STEP:
            return


def _json(value: str | None) -> bytes:
    return json.dumps(value).encode()


async def stream_events(request: Request) -> LimitedStreamingResponse:
    """Stream events as server-sent events.

    `id` is opaque: shown again as Last-Event-ID (or `after`) it resumes after it without a gap, as
    far back as Redis keeps events. `event: emotion` carries an event, `event: episode` a record of
    an episode, `event: camera` a camera whose state or verdict has changed (with `figures` each
    second), `event: removed` one that is not registered any more, `event: redis` whether Redis can
    be read, `event: dropped` how many events and records were left out because the client was too
    slow. With `figures`, `event: started` comes first: no later event is missed; `event: heartbeat`
    follows if there was no message for two seconds.
    """
    query = parse(StreamQuery, request)
    services = services_of(request)
    known = services.monitor.known()
    if unknown := [camera for camera in query.camera if camera not in known]:
        raise HTTPException(404, f"unknown camera {unknown[0]!r}; see /api/cameras")
    cameras = frozenset(query.camera) or None
    wanted = query.camera or tuple(known)
    kinds = frozenset(query.kind) or cursor.KINDS
    content = _messages(services, cameras, wanted, _seen(request, query), query.figures, kinds)
    return LimitedStreamingResponse(
        content, services.stream_limit.acquire("stream_events"), "text/event-stream"
    )


def _seen(request: Request, query: StreamQuery) -> Positions | None:
    """Return the position of a client that resumes, None for a new client."""
    text = request.headers.get("last-event-id") or query.after
    if text is None:
        return None
    try:
        # If only one camera is requested, its event id is accepted too.
        if len(query.camera) == 1 and "=" not in text:
            return Positions.after_event(query.camera[0], StreamId.parse(text))
        return cursor.parse(text)
    except ValueError as error:
        raise HTTPException(400, f"after: {error}") from None


def _started(position: str, figures: bool) -> bytes:
    if figures:
        return sse("started", b"{}", position)
    return f"id: {position}\n\n".encode()


async def _messages(
    services: Services,
    cameras: frozenset[str] | None,
    wanted: tuple[str, ...],
    seen: Positions | None,
    figures: bool,
    kinds: frozenset[Kind],
) -> AsyncGenerator[bytes, None]:
    try:
        async for item in follow_events(
            services.hub, services.client, cameras, wanted, seen, figures, kinds
        ):
            if isinstance(item, Started):
                seen_now = item.seen
                # The client can resume from here before the first event has come.
                yield b"retry: 1000\n" + _started(cursor.format_positions(seen_now), figures)
            elif isinstance(item, Heartbeat):
                # EventSource does not report comments, and so a page could not tell a dead stream.
                yield sse("heartbeat", b"{}") if figures else b": heartbeat\n\n"
            elif isinstance(item, Notice):
                yield sse(item.name, item.data)
            elif isinstance(item, EventsDropped):
                yield sse("dropped", b'{"count":%d}' % item.count)
            else:
                services.metrics.sent_events.inc()
                yield sse(item.kind, item.data, cursor.format_positions(seen_now))
    except REDIS_ERRORS:
        services.metrics.redis_errors.inc()  # the stream ends; the client reconnects and resumes
