"""Analysed pictures of one or several cameras: the newest one, or a live stream."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.pictures import FrameCache
from gateway.queries import MjpegQuery, PicturesQuery
from gateway.query_parsing import Query, parse
from gateway.services import Services, require_camera, services_of
from gateway.streaming import BOUNDARY, HEARTBEAT_PART, LimitedStreamingResponse, part

_FIRST_PICTURE_S: Final = 3.0
"""How long frame.jpg waits if the camera had no viewer recently."""
_WAIT_S: Final = 10.0


async def frame(request: Request) -> Response:
    """Return the newest analysed picture as a JPEG.

    The header X-Frame-Id has the id of its frame, which is also the id of its event.
    """
    parse(Query, request)
    pictures = _pictures(services_of(request))
    camera = await require_camera(request)
    with pictures.watch([camera]) as viewer:
        found = await viewer.take(_FIRST_PICTURE_S)
    if not found:
        raise HTTPException(503, "no picture was analysed in time", {"Retry-After": "2"})
    return Response(
        found[0].jpeg, media_type="image/jpeg", headers={"X-Frame-Id": found[0].frame_id}
    )


async def mjpeg(request: Request) -> LimitedStreamingResponse:
    """Stream pictures as they are analysed, in the format of a browser's <img> or a recorder."""
    query = parse(MjpegQuery, request)
    services = services_of(request)
    pictures = _pictures(services)
    camera = await require_camera(request)
    content = _parts(services, pictures, (camera,), query.fps)
    media_type = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    return LimitedStreamingResponse(content, services.stream_limit.acquire("mjpeg"), media_type)


async def stream_pictures(request: Request) -> LimitedStreamingResponse:
    """Stream the pictures of several cameras in one response, as the live page uses them.

    Each part has the headers X-Camera and X-Frame-Id. A slow client gets the newest picture of each
    camera, not every picture. After ten seconds without a picture follows a part of length 0
    without these headers.
    """
    query = parse(PicturesQuery, request)
    services = services_of(request)
    pictures = _pictures(services)
    known = services.monitor.statuses()
    if unknown := [camera for camera in query.camera if camera not in known]:
        raise HTTPException(404, f"unknown camera {unknown[0]!r}; see /api/cameras")
    content = _parts(services, pictures, query.camera, query.fps, HEARTBEAT_PART)
    return LimitedStreamingResponse(
        content,
        services.stream_limit.acquire("stream_pictures"),
        f"multipart/mixed; boundary={BOUNDARY}",
    )


def _pictures(services: Services) -> FrameCache:
    if services.pictures is None:
        raise HTTPException(403, "pictures are disabled on this gateway")
    if services.pictures.closed:
        raise HTTPException(503, "the gateway is stopping", {"Retry-After": "1"})
    return services.pictures


async def _parts(
    services: Services,
    pictures: FrameCache,
    cameras: tuple[str, ...],
    fps: float,
    heartbeat: bytes | None = None,
) -> AsyncGenerator[bytes, None]:
    with pictures.watch(cameras) as viewer:
        while not viewer.closed:
            taken = await viewer.take(_WAIT_S)
            if heartbeat and not taken:
                yield heartbeat
            for picture in taken:
                services.metrics.sent_pictures.inc()
                yield part(picture)
            await asyncio.sleep(1 / fps)
