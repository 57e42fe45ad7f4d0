"""Limits how many frames are in flight, so that none becomes old in the pipeline."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from worker.inference.engines import Engine

USUAL_FACES: Final = 4
"""Number of faces up to which a frame counts as usual. A frame with more faces is a crowd."""

MAX_CROWD_FACES: Final = 512
"""Faces of crowds that may wait for the engine at once, over all cameras. These are 6 MB of crops
at 64 pixels, and a few seconds of work for a small machine."""


def default_in_flight(threads: int, engine: Engine, in_detection: int = 0) -> int:
    """Return the smallest number of frames in flight that keeps everything busy.

    This is one frame for each thread, one more that waits for a thread, `in_detection` that fill
    the batches of a detector, and as many as fill a batch in each instance of the engine. A greater
    number only delays every result.
    """
    return threads + 1 + in_detection + engine.instances * max(1, engine.max_batch // USUAL_FACES)


class Permit:
    """The place of one frame: in a thread until its faces are found, in flight until it ends.

    `camera` and `frame_id` identify the frame in messages about a hung frame. `holds_thread`:
    whether the frame is in a thread or waits for one.
    """

    def __init__(self, limiter: "InFlightLimiter") -> None:
        self._limiter = limiter
        self._in_flight = self.holds_thread = True
        self._in_thread = False
        self._crowd_faces = 0
        self.camera = self.frame_id = ""
        limiter.active.add(self)

    @property
    def in_thread(self) -> bool:
        """Whether a thread is at work on the frame. A frame that waits for a thread cannot hang."""
        return self._in_thread

    def enter_thread(self) -> None:
        """Record that a thread starts on the frame. Called in that thread."""
        self._in_thread = True

    def release_thread(self) -> None:
        """Free the thread for another frame."""
        self._in_thread = False
        if self.holds_thread:
            self.holds_thread = False
            self._limiter.threads_free.release()

    @property
    def threads(self) -> int:
        """Number of threads that the frames share."""
        return self._limiter.threads

    async def wait_for_engine(self, faces: int) -> None:
        """Free the thread, and if this frame is a crowd also its place in flight.

        The engine serves cameras in turns of a few faces, so a crowd may wait for long. Crowds must
        not hold the places of all other frames. Waits while MAX_CROWD_FACES faces wait already.
        """
        self.release_thread()
        if faces <= USUAL_FACES or self._crowd_faces:
            return
        await self._limiter.crowds.acquire(faces)
        self._crowd_faces = faces
        self._leave_flight()

    def release(self) -> None:
        """Free everything that the frame holds, because it has ended or was cancelled."""
        self.release_thread()
        self._leave_flight()
        self._limiter.crowds.release(self._crowd_faces)
        self._crowd_faces = 0
        self._limiter.active.discard(self)

    def _leave_flight(self) -> None:
        if self._in_flight:
            self._in_flight = False
            self._limiter.in_flight_free.release()


class InFlightLimiter:
    """Places for `in_flight` frames.

    Of these, one more than `threads` may be in threads or wait for one. Further frames stay in
    Redis, where newer frames can replace them. Places are granted in the order of the requests, so
    that no camera starves another. `active` are the permits in use.
    """

    def __init__(self, threads: int, in_flight: int) -> None:
        self.threads = threads
        # One more than there are threads, so that no thread waits for the event loop.
        self.threads_free = asyncio.Semaphore(threads + 1)
        self.in_flight_free = asyncio.Semaphore(in_flight)
        self.crowds = Budget(MAX_CROWD_FACES)
        self.active: set[Permit] = set()

    @property
    def exhausted(self) -> bool:
        """Whether the next frame would have to wait."""
        return self.in_flight_free.locked() or self.threads_free.locked()

    async def acquire(self) -> Permit:
        """Wait for a free place, in the order of the requests, and return its permit."""
        await self.in_flight_free.acquire()
        try:
            await self.threads_free.acquire()
        except BaseException:
            self.in_flight_free.release()
            raise
        return Permit(self)


class CrowdLimiter:
    """Lets a camera have no further frame in flight while the engine has a crowd of it.

    A crowd holds no place in flight, so nothing else would limit how many frames of the camera are
    processed.
    """

    def __init__(self) -> None:
        self._crowds = 0
        self._no_crowd = asyncio.Event()
        self._no_crowd.set()

    @property
    def is_blocked(self) -> bool:
        """Whether the camera's next frame has to wait."""
        return not self._no_crowd.is_set()

    async def wait(self) -> None:
        """Wait until the engine has no crowd of this camera."""
        await self._no_crowd.wait()

    @contextmanager
    def admit(self, faces: int) -> Iterator[None]:
        """Block further frames of the camera meanwhile, if this frame is a crowd."""
        is_crowd = faces > USUAL_FACES
        self._crowds += is_crowd
        if is_crowd:
            self._no_crowd.clear()
        try:
            yield
        finally:
            self._crowds -= is_crowd
            if not self._crowds:
                self._no_crowd.set()


class Budget:
    """An amount that is acquired in parts, in the order of the requests.

    A part that exceeds the amount is granted when the whole amount is free.
    """

    def __init__(self, amount: int) -> None:
        self._amount = self._free = amount
        self._turn = asyncio.Lock()
        self._released = asyncio.Event()

    async def acquire(self, part: int) -> None:
        """Wait until `part` is free, and acquire it."""
        async with self._turn:
            while self._free < min(part, self._amount):
                self._released.clear()
                await self._released.wait()
            self._free -= part

    def release(self, part: int) -> None:
        """Release `part`."""
        self._free += part
        self._released.set()
