"""The cameras' current status, and their last minutes."""

from starlette.requests import Request
from starlette.responses import JSONResponse

import emotion_streams
from gateway.access import has_session
from gateway.follow import oldest_ms
from gateway.queries import HistoryQuery
from gateway.query_parsing import Query, parse
from gateway.services import require_camera, services_of


async def list_cameras(request: Request) -> JSONResponse:
    """List every camera: state, rate, size, newest frame, backlog and owner.

    `verdict` summarises these and the age of the newest event; `reason` explains it. `signed_in`:
    whether the cookie of the sign-in page was sent. `now_ms`: the time by Redis' clock.
    """
    parse(Query, request)
    services = services_of(request)
    pictures = "off" if services.pictures is None else "blurred" if services.blurred else "on"
    return JSONResponse(
        {
            "cameras": [
                services.monitor.describe(camera) for camera in services.monitor.statuses()
            ],
            "pictures": pictures,
            "now_ms": services.monitor.redis_clock.now_ms(),
            "signed_in": has_session(request.headers.get("cookie")),
            "version": emotion_streams.__version__,
        }
    )


async def history(request: Request) -> JSONResponse:
    """Return a camera's last minutes up to its newest event, aggregated by the second.

    `last` is the id of that event, and `age_ms` the time since it arrived. `oldest_ms` is the time
    of the oldest event in Redis, or null: pages of events and exports reach back to it.
    """
    query = parse(HistoryQuery, request)
    camera = await require_camera(request)
    services = services_of(request)
    return JSONResponse(
        {
            "camera": camera,
            "last": str(services.history.last(camera)),
            "age_ms": services.history.age_ms(camera),
            "oldest_ms": await oldest_ms(services.client, camera),
            "seconds": [second.to_dict() for second in services.history.of(camera, query.seconds)],
        }
    )
