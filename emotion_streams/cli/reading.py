"""Reads one kind of stream of several cameras."""

import sys
from collections.abc import AsyncGenerator
from typing import Generic, TypeVar

from redis.exceptions import ResponseError

from emotion_streams.backoff import is_wrong_type
from emotion_streams.connection import Client
from emotion_streams.printable import printable
from emotion_streams.ranges import read_range
from emotion_streams.redaction import short_message
from emotion_streams.stream_kinds import StreamKind

Item = TypeVar("Item")


class Reading(Generic[Item]):
    """Reads cameras one after the other; `unreadable` counts those that hold no stream.

    One camera's nonsense hides no other camera.
    """

    def __init__(self, client: Client, kind: StreamKind[Item], since_ms: int = 0) -> None:
        self._client = client
        self._kind = kind
        self._since_ms = max(0, since_ms)
        self.unreadable = 0

    async def items(self, camera: str) -> AsyncGenerator[Item, None]:
        """Yield the items of a camera whose entries are not older than `since_ms`."""
        try:
            async for item in read_range(self._client, self._kind, camera, self._since_ms):
                yield item
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
            self.unreadable += 1
            reason = printable(short_message(error))
            print(f"emotion-streams: camera {camera}: {reason}", file=sys.stderr)
