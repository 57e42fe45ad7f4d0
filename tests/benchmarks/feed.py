"""Frames into Redis, from a thread: as fast as they are taken, or at a rate."""

import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Final, Self

import redis

from emotion_streams import keys
from emotion_streams.frames import Frame
from tests.benchmarks.background import Background
from tests.benchmarks.material import Picture
from tests.benchmarks.system import System

_KEPT: Final = 30
"""Frames that Redis keeps per camera, as for a producer."""

_EVERY_S: Final = 0.02
"""So that what a benchmark feeds costs little beside what it measures: 300 frames/s one by one take
twice the CPU time of as many in pipelines of six."""


class Feed:
    """Feeds all cameras of a system with the same pictures, over and over, until closed.

    Without a `rate` (frames per second over all cameras) each camera's stream is kept filled and
    every frame counts; with one, frames are stored on time, also if the workers fall behind.
    """

    def __init__(
        self,
        system: System,
        pictures: Sequence[Picture],
        *,
        rate: float | None = None,
        max_age_ms: int | None = None,
        filled_to: int = 12,
    ) -> None:
        self._system = system
        self._pictures = itertools.cycle(pictures)
        self._rate = rate
        self._max_age_ms = max_age_ms
        self._filled_to = filled_to
        self._seq = 0
        self._register_at = 0.0
        self._feeding = Background(self._run)

    @property
    def stored(self) -> int:
        """Frames stored so far."""
        return self._seq

    def close(self) -> None:
        """Store no more."""
        self._feeding.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self, stop: threading.Event) -> None:
        with self._system.client.pipeline(transaction=False) as pipe:
            for cameras in self._paced(stop) if self._rate else self._wanting(pipe, stop):
                self._register(pipe)
                for camera in cameras:
                    self._store(pipe, camera)
                pipe.execute()

    def _paced(self, stop: threading.Event) -> Iterator[list[str]]:
        assert self._rate
        cameras = itertools.cycle(self._system.cameras)
        began, due = time.perf_counter(), 0
        while not stop.wait(max(_EVERY_S, 1 / self._rate)):
            now_due = int((time.perf_counter() - began) * self._rate)
            yield list(itertools.islice(cameras, now_due - due))
            due = now_due

    def _wanting(self, pipe: "redis.client.Pipeline", stop: threading.Event) -> Iterator[list[str]]:
        """Cameras in the order of their turns, as many times each as it has room."""
        while not stop.wait(_EVERY_S):
            for camera in self._system.cameras:
                pipe.xlen(keys.frames(camera))
            lengths: list[int] = pipe.execute()
            rooms = [self._filled_to - length for length in lengths]
            yield [
                camera
                for turn in range(self._filled_to)
                for camera, room in zip(self._system.cameras, rooms, strict=True)
                if room > turn
            ]

    def _register(self, pipe: "redis.client.Pipeline") -> None:
        """Speak up each second, as a producer does."""
        if time.monotonic() >= self._register_at:
            self._register_at = time.monotonic() + 1.0
            now_ms = time.time() * 1000
            pipe.zadd(keys.CAMERAS, dict.fromkeys(self._system.cameras, now_ms))

    def _store(self, pipe: "redis.client.Pipeline", camera: str) -> None:
        picture = next(self._pictures)
        captured_ms = int(time.time() * 1000)
        frame = Frame(
            captured_ms=captured_ms,
            width=picture.width,
            height=picture.height,
            jpeg=picture.jpeg,
            session_id="bench",
            seq=self._seq,
            max_age_ms=self._max_age_ms,
        )
        pipe.xadd(
            keys.frames(camera),
            {"frame": frame.pack()},
            id=f"{captured_ms}-{self._seq}",
            maxlen=_KEPT,
        )
        self._seq += 1
