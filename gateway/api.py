"""The endpoints of the API, from which it is served, validated and described."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway import queries
from gateway.query_parsing import Query
from gateway.routes import cameras, events, export, page, people, pictures

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Endpoint:
    """A path, its handler, its query and the media type of its response.

    `schema` names the schema of a JSON response in gateway/openapi.py.
    """

    path: str
    handler: Handler
    media_type: str
    query: type[Query] = Query
    schema: str | None = None


_JSON: Final = "application/json"

API: Final = (
    Endpoint("/api/cameras", cameras.list_cameras, _JSON, schema="Cameras"),
    Endpoint(
        "/api/cameras/{name}/events", events.list_events, _JSON, queries.EventsQuery, "Events"
    ),
    Endpoint(
        "/api/cameras/{name}/episodes",
        people.list_episodes,
        _JSON,
        queries.EpisodesQuery,
        "Episodes",
    ),
    Endpoint(
        "/api/cameras/{name}/minutes", people.list_minutes, _JSON, queries.MinutesQuery, "Minutes"
    ),
    Endpoint("/api/cameras/{name}/trend", people.trend, _JSON, queries.TrendQuery, "Trend"),
    Endpoint("/api/trends", people.trends, _JSON, queries.TrendsQuery, "Trends"),
    Endpoint(
        "/api/cameras/{name}/history", cameras.history, _JSON, queries.HistoryQuery, "History"
    ),
    Endpoint("/api/cameras/{name}/export", export.export, "text/csv", queries.ExportQuery),
    Endpoint("/api/cameras/{name}/frame.jpg", pictures.frame, "image/jpeg"),
    Endpoint(
        "/api/cameras/{name}/live.mjpeg",
        pictures.mjpeg,
        "multipart/x-mixed-replace",
        queries.MjpegQuery,
    ),
    Endpoint("/api/events/stream", events.stream_events, "text/event-stream", queries.StreamQuery),
    Endpoint(
        "/api/pictures/stream", pictures.stream_pictures, "multipart/mixed", queries.PicturesQuery
    ),
    Endpoint("/api/openapi.json", page.describe, _JSON),
)
