"""Iterate over an async generator without asyncio: in any thread, and beside a running loop."""

import asyncio
import atexit
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import suppress
from typing import Final, Generic, TypeVar

from emotion_streams.cancellation import cancel_and_wait

Item = TypeVar("Item")

_WAKE_S: Final = 0.5
"""Python handles Ctrl-C in the main thread, and a lock may hold that thread although the signal is
there: if it came just before the wait, or another thread received it. So the wait is divided."""


def iterate(items: AsyncGenerator[Item, None]) -> Generator[Item, None, None]:
    """Yield what `items` yields, and block until the next item."""
    background = _Background(items)
    try:
        while True:
            try:
                item = background.next_item()
            except StopAsyncIteration:
                return
            yield item
    finally:
        background.close()


class _Background(Generic[Item]):
    """Reads `items` in a separate event loop, in a separate thread.

    The caller's thread may already run a loop. The reader is closed at program exit, because
    nothing can be awaited any more when Python finalises objects that were not closed.
    """

    def __init__(self, items: AsyncGenerator[Item, None]) -> None:
        self._items = items
        self._loop = asyncio.new_event_loop()
        self._reading: asyncio.Task[Item] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._serve, name="subscribe", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def next_item(self) -> Item:
        """Return the next item; block until it arrives. Raises StopAsyncIteration at the end."""
        item = asyncio.run_coroutine_threadsafe(self._next(), self._loop)
        while True:
            try:
                return item.result(_WAKE_S)
            except TimeoutError:
                if item.done():  # in the meantime, or the error is the reader's
                    return item.result()

    def close(self) -> None:
        """Stop the thread, and a read that an interrupted `next_item` left running."""
        atexit.unregister(self.close)
        if self._loop.is_closed():
            return
        with suppress(RuntimeError):  # it was closed meanwhile
            self._loop.call_soon_threadsafe(self._start_closing)
        # The garbage collector may call this in any thread; this thread cannot join itself.
        if threading.current_thread() is not self._thread:
            self._thread.join()

    def _serve(self) -> None:
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    async def _next(self) -> Item:
        self._reading = asyncio.ensure_future(anext(self._items))
        return await self._reading

    def _start_closing(self) -> None:
        if self._closing is None:
            self._closing = self._loop.create_task(self._close())

    async def _close(self) -> None:
        try:
            if self._reading is not None:
                await cancel_and_wait(self._reading)
            await self._items.aclose()
        finally:
            self._loop.stop()
