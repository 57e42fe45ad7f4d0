"""The cameras as they stand, and their last minutes."""

from starlette.requests import Request
from starlette.responses import JSONResponse

import emotion_streams
from gateway.follow import oldest_ms
from gateway.history import now_ms
from gateway.positions import format_id
from gateway.queries import HistoryQuery, Query, parse
from gateway.services import known_camera, services


async def list_cameras(request: Request) -> JSONResponse:
    """Every camera: state, rate, size, newest frame, backlog, owner; and a `verdict` from all of
    that and the age of its newest event, with its `reason`."""
    parse(Query, request)
    has = services(request)
    pictures = "off" if has.pictures is None else "blurred" if has.blurred else "on"
    return JSONResponse(
        {
            "cameras": [has.board.describe(camera) for camera in has.board.statuses()],
            "pictures": pictures,
            "now_ms": now_ms(),
            "version": emotion_streams.__version__,
        }
    )


async def history(request: Request) -> JSONResponse:
    """A camera's last minutes up to its newest event, summed up by the second; `last` is that
    event's id, and `age_ms` how long ago it came. `oldest_ms` is the time of the oldest event that
    Redis keeps, null without one: pages of events and exports reach back to it."""
    query = parse(HistoryQuery, request)
    camera = await known_camera(request)
    has = services(request)
    return JSONResponse(
        {
            "camera": camera,
            "last": format_id(has.history.last(camera)),
            "age_ms": has.history.age_ms(camera),
            "oldest_ms": await oldest_ms(has.client, camera),
            "seconds": [second.to_dict() for second in has.history.of(camera, query.seconds)],
        }
    )
