"""How many frames may be in the works: few enough that none grows old inside."""

import asyncio
from typing import Final

from worker.inference.engines import Engine

_FACES_PER_FRAME: Final = 4
"""More than usual: frames of fewer faces leave batches that are not full, and nothing waits."""


def enough_in_flight(threads: int, engine: Engine) -> int:
    """As few frames as keep everything busy: one for each thread and one behind them, and what
    fills a batch in each of the engine's lanes. Each more only makes every result older."""
    return threads + 1 + engine.lanes * max(1, engine.max_batch // _FACES_PER_FRAME)


class Slot:
    """One frame's place: with a thread until its faces are found, in the works until it ends."""

    def __init__(
        self, taken: "set[Slot]", threads: asyncio.Semaphore, in_flight: asyncio.Semaphore
    ) -> None:
        self._held = [in_flight, threads]
        self._taken = taken
        taken.add(self)

    def leave_thread(self) -> None:
        """The thread is free for another frame."""
        if len(self._held) == 2:
            self._held.pop().release()

    def leave(self) -> None:
        """The frame has ended, or was given up."""
        while self._held:
            self._held.pop().release()
        self._taken.discard(self)


class Slots:
    """Places for `in_flight` frames, of which a few more than `threads` may be in threads or wait
    for one: those behind stay in Redis, where newer ones can replace them. Taken in turn, so that
    no camera starves another. `held` are those taken."""

    def __init__(self, threads: int, in_flight: int) -> None:
        self.threads = threads
        # One more than there are threads, so that none waits for the event loop.
        self._threads = asyncio.Semaphore(threads + 1)
        self._in_flight = asyncio.Semaphore(in_flight)
        self.held: set[Slot] = set()

    @property
    def taken(self) -> bool:
        """Whether the next frame would have to wait."""
        return self._in_flight.locked() or self._threads.locked()

    async def take(self) -> Slot:
        """A place, when it is this camera's turn."""
        await self._in_flight.acquire()
        try:
            await self._threads.acquire()
        except BaseException:
            self._in_flight.release()
            raise
        return Slot(self.held, self._threads, self._in_flight)
