"""Analysed pictures: the newest, or as they come, of one camera or several."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.pictures import FrameCache
from gateway.queries import MjpegQuery, PicturesQuery, Query, parse
from gateway.services import Services, require_camera, services_of
from gateway.streaming import BOUNDARY, LimitedStreamingResponse, part

_FIRST_PICTURE_S: Final = 3.0
"""How long frame.jpg waits if the camera had no viewer recently."""
_WAIT_S: Final = 10.0


async def frame(request: Request) -> Response:
    """Return the newest analysed picture as a JPEG.

    The id of its frame, which is its event's, is in the header X-Frame-Id.
    """
    parse(Query, request)
    pictures = _pictures(services_of(request))
    camera = await require_camera(request)
    with pictures.watch([camera]) as viewer:
        found = await viewer.take(_FIRST_PICTURE_S)
    if not found:
        raise HTTPException(
            503, "no picture was analysed while waiting for one", {"Retry-After": "2"}
        )
    return Response(
        found[0].jpeg, media_type="image/jpeg", headers={"X-Frame-Id": found[0].frame_id}
    )


async def mjpeg(request: Request) -> LimitedStreamingResponse:
    """Stream the pictures as they are analysed, as a browser's <img> or a recorder takes them."""
    query = parse(MjpegQuery, request)
    services = services_of(request)
    pictures = _pictures(services)
    camera = await require_camera(request)
    content = _parts(services, pictures, (camera,), query.fps)
    media_type = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    return LimitedStreamingResponse(content, services.stream_limit.acquire("mjpeg"), media_type)


async def stream_pictures(request: Request) -> LimitedStreamingResponse:
    """Stream several cameras' pictures in one answer, as the live page takes them.

    Each part names its X-Camera and X-Frame-Id. A slow client gets each camera's newest, not each
    picture.
    """
    query = parse(PicturesQuery, request)
    services = services_of(request)
    pictures = _pictures(services)
    known = services.monitor.statuses()
    if unknown := [camera for camera in query.camera if camera not in known]:
        raise HTTPException(404, f"no camera {unknown[0]!r}; /api/cameras lists them")
    content = _parts(services, pictures, query.camera, query.fps)
    return LimitedStreamingResponse(
        content,
        services.stream_limit.acquire("stream_pictures"),
        f"multipart/mixed; boundary={BOUNDARY}",
    )


def _pictures(services: Services) -> FrameCache:
    if services.pictures is None:
        raise HTTPException(403, "pictures are off on this gateway")
    if services.pictures.closed:
        raise HTTPException(503, "the gateway is ending", {"Retry-After": "1"})
    return services.pictures


async def _parts(
    services: Services, pictures: FrameCache, cameras: tuple[str, ...], fps: float
) -> AsyncGenerator[bytes, None]:
    with pictures.watch(cameras) as viewer:
        while not viewer.closed:
            for picture in await viewer.take(_WAIT_S):
                services.metrics.sent_pictures.inc()
                yield part(picture)
            await asyncio.sleep(1 / fps)
