"""How many frames may be in flight: few enough that none grows old inside."""

import asyncio
from typing import Final

from worker.inference.engines import Engine

USUAL_FACES: Final = 4
"""Faces of a frame that count as one frame in flight. A frame of more is a crowd."""

MAX_CROWD_FACES: Final = 512
"""Faces of crowds that may wait for the engine at once, over all cameras: 6 MB of crops at 64
pixels, and some seconds of a small machine's work."""


def enough_in_flight(threads: int, engine: Engine) -> int:
    """As few frames as keep everything busy: one for each thread and one behind them, and what
    fills a batch in each of the engine's lanes. Each more only makes every result older."""
    return threads + 1 + engine.lanes * max(1, engine.max_batch // USUAL_FACES)


class Slot:
    """One frame's place: with a thread until its faces are found, in flight until it ends.

    `camera`, `frame_id`: whose it is, for messages about a frame that hangs.
    """

    def __init__(self, slots: "Slots") -> None:
        self._slots = slots
        self._in_flight = self._in_thread = True
        self._crowd_faces = 0
        self.camera = self.frame_id = ""
        slots.held.add(self)

    @property
    def in_thread(self) -> bool:
        """Whether the frame is with a thread, or waits for one."""
        return self._in_thread

    def leave_thread(self) -> None:
        """The thread is free for another frame."""
        if self._in_thread:
            self._in_thread = False
            self._slots.threads_free.release()

    async def wait_for_engine(self, faces: int) -> None:
        """Let other frames into flight if this one is a crowd: the engine gives cameras turns by
        faces, so a crowd may wait for long, and must not hold the places of all others. Waits if
        MAX_CROWD_FACES wait already."""
        self.leave_thread()
        if faces <= USUAL_FACES or self._crowd_faces:
            return
        await self._slots.crowds.acquire(faces)
        self._crowd_faces = faces
        self._leave_flight()

    def leave(self) -> None:
        """The frame has ended, or was given up."""
        self.leave_thread()
        self._leave_flight()
        self._slots.crowds.release(self._crowd_faces)
        self._crowd_faces = 0
        self._slots.held.discard(self)

    def _leave_flight(self) -> None:
        if self._in_flight:
            self._in_flight = False
            self._slots.in_flight_free.release()


class Slots:
    """Places for `in_flight` frames, of which a few more than `threads` may be in threads or wait
    for one: those behind stay in Redis, where newer ones can replace them. Taken in turn, so that
    no camera starves another. `held` are those taken."""

    def __init__(self, threads: int, in_flight: int) -> None:
        self.threads = threads
        # One more than there are threads, so that none waits for the event loop.
        self.threads_free = asyncio.Semaphore(threads + 1)
        self.in_flight_free = asyncio.Semaphore(in_flight)
        self.crowds = Budget(MAX_CROWD_FACES)
        self.held: set[Slot] = set()

    @property
    def taken(self) -> bool:
        """Whether the next frame would have to wait."""
        return self.in_flight_free.locked() or self.threads_free.locked()

    async def take(self) -> Slot:
        """A place, when it is this camera's turn."""
        await self.in_flight_free.acquire()
        try:
            await self.threads_free.acquire()
        except BaseException:
            self.in_flight_free.release()
            raise
        return Slot(self)


class Budget:
    """An amount that is acquired in parts, in the order of asking. Of a part larger than all of it
    the whole is taken."""

    def __init__(self, amount: int) -> None:
        self._amount = self._free = amount
        self._turn = asyncio.Lock()
        self._released = asyncio.Event()

    async def acquire(self, part: int) -> None:
        """Take `part`, when it is free."""
        async with self._turn:
            while self._free < min(part, self._amount):
                self._released.clear()
                await self._released.wait()
            self._free -= part

    def release(self, part: int) -> None:
        """Give `part` back."""
        self._free += part
        self._released.set()
