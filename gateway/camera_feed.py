"""Reads the frames of one camera, and joins each with its event."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

from emotion_streams import EmotionEvent, Frame, MalformedMessageError, keys
from emotion_streams.backoff import retry_forever
from emotion_streams.connection import Client
from emotion_streams.stream_id import ZERO, StreamId
from gateway.join import Join
from gateway.published import Published
from gateway.viewer import Picture, Viewer
from service.metrics import GatewayMetrics

_BLOCK_MS: Final = 1000
_BATCH: Final = 2
"""Frames per read: more of the largest would exceed Valkey's output buffer limit."""

PostProcess = Callable[[bytes, EmotionEvent], Awaitable[bytes]]
"""Processing of a JPEG before it is sent."""


async def passthrough(jpeg: bytes, event: EmotionEvent) -> bytes:  # noqa: ARG001 - a PostProcess
    """Return the JPEG unchanged."""
    return jpeg


class CameraFeed:
    """A camera with viewers, or whose last viewer left less than LINGER_S ago."""

    def __init__(self, camera: str, finish: PostProcess, metrics: GatewayMetrics) -> None:
        self.camera = camera
        self.newest: Picture | None = None
        self.viewers: set[Viewer] = set()
        self._closed = False
        self._finish = finish
        self._metrics = metrics
        self._join = Join()
        self._ready: asyncio.Queue[tuple[str, bytes, EmotionEvent]] = asyncio.Queue(maxsize=1)

    def on_event(self, item: Published) -> None:
        """Join the event with its picture."""
        jpeg = self._join.event(item)
        if jpeg is not None:
            self._offer(item.event, jpeg)

    def close(self) -> None:
        """Stop reading."""
        self._closed = True

    async def run(self, client: Client) -> None:
        """Read and process pictures until closed and cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read(client))
            group.create_task(self._show())

    async def _read(self, client: Client) -> None:
        key, last = keys.frames(self.camera), str(ZERO)
        # The flag, because redis-py may lose a cancellation (see `check_cancelled`).
        while not self._closed:
            step = partial(client.xread, {key: last}, count=_BATCH, block=_BLOCK_MS)
            reply = await retry_forever(step, lambda _: self._metrics.redis_errors.inc())
            for entry_id, fields in reply[0][1] if reply else ():
                last = entry_id.decode()
                self._on_frame(StreamId.parse(last), fields)

    def _on_frame(self, position: StreamId, fields: dict[bytes, bytes]) -> None:
        try:
            frame = Frame.unpack(fields[b"frame"])
        except (MalformedMessageError, KeyError):
            return  # the worker dead-letters it
        self._metrics.frames_read_bytes.inc(len(frame.jpeg))
        event = self._join.frame(position, frame.jpeg)
        if event is not None:
            self._offer(event, frame.jpeg)

    def _offer(self, event: EmotionEvent, jpeg: bytes) -> None:
        """Queue the picture for processing; it replaces one that still waits."""
        if self._ready.full():
            self._ready.get_nowait()
        self._ready.put_nowait((event.frame_id, jpeg, event))

    async def _show(self) -> None:
        shown = ZERO
        while True:
            frame_id, jpeg, event = await self._ready.get()
            if StreamId.parse(frame_id) <= shown:
                continue
            try:
                finished = await self._finish(jpeg, event)
            except ValueError:
                continue  # not a valid picture: it is not sent
            shown = StreamId.parse(frame_id)
            self.newest = Picture(self.camera, frame_id, finished)
            for viewer in self.viewers:
                viewer.wake()
