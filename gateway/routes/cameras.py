"""The cameras as they stand, and their last minutes."""

import time

from starlette.requests import Request
from starlette.responses import JSONResponse

import emotion_streams
from gateway.positions import format_id
from gateway.queries import HistoryQuery, Query, parse
from gateway.services import known_camera, services


async def list_cameras(request: Request) -> JSONResponse:
    """Every camera: state, rate, size, newest frame, backlog, owner."""
    parse(Query, request)
    has = services(request)
    pictures = "off" if has.pictures is None else "blurred" if has.blurred else "on"
    return JSONResponse(
        {
            "cameras": [status.to_dict() for status in has.board.statuses().values()],
            "pictures": pictures,
            "now_ms": int(time.time() * 1000),
            "version": emotion_streams.__version__,
        }
    )


async def history(request: Request) -> JSONResponse:
    """A camera's last minutes, summed up by the second; `last` is the newest event counted in."""
    query = parse(HistoryQuery, request)
    camera = await known_camera(request)
    since = int(time.time()) - query.seconds
    has = services(request)
    return JSONResponse(
        {
            "camera": camera,
            "last": format_id(has.history.last(camera)),
            "seconds": [second.to_dict() for second in has.history.of(camera, since)],
        }
    )
