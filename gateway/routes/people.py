"""People over time: pages of a camera's episodes and minutes."""

from operator import attrgetter
from typing import Any

from redis.exceptions import ResponseError
from starlette.requests import Request
from starlette.responses import JSONResponse

from emotion_streams.backoff import is_wrong_type
from emotion_streams.stream_kinds import EPISODES, MINUTES
from gateway.follow import oldest_ms
from gateway.pages import read_page
from gateway.queries import EpisodesQuery, MinutesQuery, TrendQuery, TrendsQuery
from gateway.query_parsing import parse
from gateway.services import require_camera, services_of


async def list_episodes(request: Request) -> JSONResponse:
    """List the records of a camera's episodes in the order in which they were written.

    `next` is where to go on, as `after`, and `previous` where to go back, as `before`; it is null
    if Redis keeps nothing earlier. `from` and `to` are times at which records were written, a
    moment after the frames that decided them. `oldest_ms` is the time of the oldest record kept.
    """
    query = parse(EpisodesQuery, request)
    camera = await require_camera(request)
    client = services_of(request).client
    page = await read_page(
        client,
        EPISODES,
        camera,
        query,
        query.limit,
        lambda episode: query.emotion in (None, episode.emotion),
        attrgetter("id") if query.compact else None,
    )
    return JSONResponse(
        {
            "camera": camera,
            "episodes": [episode.to_dict() for episode in page.items],
            "next": page.next,
            "previous": page.previous,
            "oldest_ms": await oldest_ms(client, camera, EPISODES),
        }
    )


async def list_minutes(request: Request) -> JSONResponse:
    """List a camera's minutes, oldest first: people and emotions, weighted by time.

    `next` and `previous` lead to other pages, as those of episodes do. A minute without any frame
    is not listed; `people` is null in a minute that never showed as many people at once as the
    worker's `--min-people`.
    """
    query = parse(MinutesQuery, request)
    camera = await require_camera(request)
    client = services_of(request).client
    page = await read_page(client, MINUTES, camera, query, query.limit)
    minutes = [minute.to_dict() for minute in page.items]
    places = {"next": page.next, "previous": page.previous}
    return JSONResponse({"camera": camera, "minutes": minutes, **places})


async def trend(request: Request) -> JSONResponse:
    """Sum a camera's minutes up into longer steps, oldest first.

    A step in which nothing was seen is not listed. `coverage` is the share of the step that was
    seen. `people` is null if they are withheld, see the minutes; `means` follows the order of
    emotions in `Second`, weighted by time, and is null without a face.
    """
    query = parse(TrendQuery, request)
    camera = await require_camera(request)
    points = await services_of(request).trends.points(camera, query.since, query.until, query.step)
    return JSONResponse({"camera": camera, "step": query.step, "points": points})


async def trends(request: Request) -> JSONResponse:
    """Sum all registered cameras' minutes up into longer steps, by the camera's name.

    The points are those of a camera's trend; a camera whose minutes are not a stream has none.
    """
    query = parse(TrendsQuery, request)
    services = services_of(request)
    cameras: dict[str, list[dict[str, Any]]] = {}
    for name in sorted(services.monitor.statuses()):
        try:
            points = await services.trends.points(name, query.since, query.until, query.step)
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
            points = []  # one camera's nonsense hides no other camera
        cameras[name] = points
    return JSONResponse({"step": query.step, "cameras": cameras})
