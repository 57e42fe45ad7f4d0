"""Joins a camera's frames and events by their common id."""

from collections import OrderedDict
from typing import Final

from emotion_streams import EmotionEvent
from emotion_streams.stream_id import StreamId
from gateway.published import Published

_MAX_WAITING: Final = 64
"""Pictures waiting for their events: twice what a frames stream holds."""
_MAX_WAITING_BYTES: Final = 64 << 20
_MAX_EARLY: Final = 16
"""Events whose picture has not come yet: the two come by different connections."""


class Join:
    """One camera's frames and events, matched by id in any order."""

    def __init__(self) -> None:
        self._frames: OrderedDict[StreamId, bytes] = OrderedDict()
        self._bytes = 0
        self._events: OrderedDict[StreamId, EmotionEvent] = OrderedDict()

    def frame(self, position: StreamId, jpeg: bytes) -> EmotionEvent | None:
        """Hold the picture, or return the event that waited for it."""
        if (event := self._events.pop(position, None)) is not None:
            return event
        self._frames[position] = jpeg
        self._bytes += len(jpeg)
        while len(self._frames) > _MAX_WAITING or self._bytes > _MAX_WAITING_BYTES:
            self._forget_oldest()
        return None

    def event(self, item: Published) -> bytes | None:
        """Return the event's picture, or None if it is not here (yet).

        Older pictures are dropped: ids only grow, so their events never come.
        """
        jpeg = self._frames.get(item.position)
        while self._frames and next(iter(self._frames)) <= item.position:
            self._forget_oldest()
        if jpeg is None:
            self._events[item.position] = item.event
            if len(self._events) > _MAX_EARLY:
                self._events.popitem(last=False)
        return jpeg

    def _forget_oldest(self) -> None:
        _, jpeg = self._frames.popitem(last=False)
        self._bytes -= len(jpeg)
