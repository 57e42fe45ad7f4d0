"""Analysed pictures: the newest, or as they come, of one camera or several."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.pictures import Pictures
from gateway.queries import MjpegQuery, PicturesQuery, Query, parse
from gateway.services import Services, known_camera, services
from gateway.streaming import BOUNDARY, HeldResponse, part

_FIRST_PICTURE_S: Final = 3.0
"""How long frame.jpg waits where nobody has looked at the camera lately."""
_WAIT_S: Final = 10.0


async def frame(request: Request) -> Response:
    """The newest analysed picture as a JPEG; its frame's id, which is its event's, is in the
    header X-Frame-Id."""
    parse(Query, request)
    pictures = _pictures(services(request))
    camera = await known_camera(request)
    with pictures.watch([camera]) as watcher:
        found = await watcher.take(_FIRST_PICTURE_S)
    if not found:
        raise HTTPException(
            503, "no picture was analysed while waiting for one", {"Retry-After": "2"}
        )
    return Response(
        found[0].jpeg, media_type="image/jpeg", headers={"X-Frame-Id": found[0].frame_id}
    )


async def mjpeg(request: Request) -> HeldResponse:
    """The pictures as they are analysed, as a browser's <img> or a recorder takes them."""
    query = parse(MjpegQuery, request)
    has = services(request)
    pictures = _pictures(has)
    camera = await known_camera(request)
    content = _parts(has, pictures, (camera,), query.fps)
    media_type = f"multipart/x-mixed-replace; boundary={BOUNDARY}"
    return HeldResponse(content, has.slots.take("mjpeg"), media_type)


async def stream_pictures(request: Request) -> HeldResponse:
    """Several cameras' pictures in one stream, as the live page takes them: each part names its
    X-Camera and X-Frame-Id. A slow client gets each camera's newest, not each picture."""
    query = parse(PicturesQuery, request)
    has = services(request)
    pictures = _pictures(has)
    known = has.board.statuses()
    if unknown := [camera for camera in query.camera if camera not in known]:
        raise HTTPException(404, f"no camera {unknown[0]!r}; /api/cameras lists them")
    content = _parts(has, pictures, query.camera, query.fps)
    return HeldResponse(
        content, has.slots.take("stream_pictures"), f"multipart/mixed; boundary={BOUNDARY}"
    )


def _pictures(has: Services) -> Pictures:
    if has.pictures is None:
        raise HTTPException(403, "pictures are off on this gateway")
    if has.pictures.closed:
        raise HTTPException(503, "the gateway is ending", {"Retry-After": "1"})
    return has.pictures


async def _parts(
    has: Services, pictures: Pictures, cameras: tuple[str, ...], fps: float
) -> AsyncGenerator[bytes, None]:
    with pictures.watch(cameras) as watcher:
        while not watcher.closed:
            for picture in await watcher.take(_WAIT_S):
                has.metrics.sent_pictures.inc()
                yield part(picture)
            await asyncio.sleep(1 / fps)
