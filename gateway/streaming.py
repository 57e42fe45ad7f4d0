"""Streaming responses: server-sent events and multipart streams."""

import logging
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, aclosing
from typing import Final

from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from emotion_streams.backoff import REDIS_ERRORS
from gateway.viewer import Picture

log = logging.getLogger(__name__)

BOUNDARY: Final = "picture"


class LimitedStreamingResponse(StreamingResponse):
    """A stream that holds a place of a ConnectionLimit from its first byte until it ends."""

    def __init__(
        self,
        content: AsyncGenerator[bytes, None],
        held: AbstractContextManager[None],
        media_type: str,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(content, media_type=media_type, headers=headers)
        # Proxies must not buffer the stream.
        self.headers["X-Accel-Buffering"] = "no"
        self._content = content
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream, or only the headers for a HEAD request.

        If Redis fails meanwhile, the connection is closed.
        """
        if scope["method"] == "HEAD":
            await Response(headers=dict(self.headers))(scope, receive, send)
            return
        with self._held:
            async with aclosing(self._content):
                try:
                    await super().__call__(scope, receive, send)
                except REDIS_ERRORS as failure:
                    # The response stays incomplete, so the client notices that a part is missing.
                    log.warning(
                        "Redis failed during a response",
                        extra={"path": scope["path"], "why": failure},
                    )


def sse(name: str, data: bytes, event_id: str | None = None) -> bytes:
    """Return a message of a text/event-stream; `data` is one line."""
    head = f"event: {name}\n" + (f"id: {event_id}\n" if event_id is not None else "")
    return head.encode() + b"data: " + data + b"\n\n"


HEARTBEAT_PART: Final = f"--{BOUNDARY}\r\nContent-Length: 0\r\n\r\n\r\n".encode()
"""A part without a picture, for a client that can skip it: the connection is alive."""


def part(picture: Picture) -> bytes:
    """Return a picture as part of a multipart stream."""
    head = (
        f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture.jpeg)}\r\n"
        f"X-Camera: {picture.camera}\r\nX-Frame-Id: {picture.frame_id}\r\n\r\n"
    )
    return head.encode() + picture.jpeg + b"\r\n"
