"""The system under measurement: Redis, workers as a user starts them, and what they published."""

import asyncio
import re
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import redis

from deploy.capacity.processes import Metrics
from deploy.processor_time import main_thread_cpu_s
from emotion_streams import keys
from emotion_streams.connection import connect_async
from emotion_streams.events import EmotionEvent
from emotion_streams.ledger import Ledger, read_ledger
from tests.benchmarks.machine import cpu_s
from tests.faults.processes import Running
from tests.servers import RedisProcess, eventually


@dataclass(frozen=True)
class Published:
    """What the workers published between two moments."""

    frames: int
    faces: int
    seconds: float
    worker_cpu_s: float

    @property
    def frames_per_s(self) -> float:
        return self.frames / self.seconds

    @property
    def faces_per_s(self) -> float:
        return self.faces / self.seconds


class System:
    """Redis and its workers, each a process; ended on exit."""

    def __init__(
        self,
        cameras: Sequence[str],
        options: Sequence[str],
        workers: int = 1,
        module: str = "",
        start_may_take_s: float = 120.0,
    ) -> None:
        """Start it, and wait until every worker is ready: Keras compiles a function per bucket
        first. `module` runs instead of the worker's."""
        self.cameras = tuple(cameras)
        self.workers: list[Running] = []
        self._ends = ExitStack()
        try:
            self._redis = self._ends.enter_context(RedisProcess())
            self.url = self._redis.url
            self.client = self._ends.enter_context(
                redis.Redis(unix_socket_path=str(self._redis.socket))
            )
            self._folder = Path(self._ends.enter_context(tempfile.TemporaryDirectory()))
            began = time.perf_counter()
            for _ in range(workers):
                self._start(module or "worker", options)
            eventually(lambda: all(map(self._ready, self.workers)), start_may_take_s)
            self.start_s = time.perf_counter() - began
        except BaseException:
            self._ends.close()
            raise

    def _start(self, module: str, options: Sequence[str]) -> None:
        own = ("--redis", self.url, "--metrics-port", "0", "--keep-events", "1000000")
        worker = Running(self._folder, module, *own, *options)
        self._ends.callback(worker.kill)
        self.workers.append(worker)

    def _ready(self, worker: Running) -> bool:
        if worker.ended:
            raise RuntimeError(f"the worker ended: {worker.logged()[-2000:]}")
        try:
            return bool(_read(worker, "readyz"))
        except OSError:
            return False

    def busy_s(self) -> list[dict[str, float]]:
        """Per worker the busy seconds so far of each part that the worker counts, and of its event
        loop, which the main thread runs."""
        parts = [Metrics(_read(worker, "metrics")).busy_s for worker in self.workers]
        loops = [main_thread_cpu_s(worker.process.pid) for worker in self.workers]
        return [{**busy, "loop": loop} for busy, loop in zip(parts, loops, strict=True)]

    @property
    def pids(self) -> list[int]:
        """Of all that it consists of."""
        return [self._redis.process.pid, *(worker.process.pid for worker in self.workers)]

    def await_owners(self, timeout_s: float = 30.0) -> None:
        """Wait until every camera has an owner."""
        eventually(
            lambda: all(self.client.exists(keys.lease(camera)) for camera in self.cameras),
            timeout_s,
        )

    def await_frames(self, frames: int, timeout_s: float = 60.0) -> None:
        """Wait until so many more frames are analysed."""
        before = self._events()
        eventually(lambda: sum(self._events()) - sum(before) >= frames, timeout_s)

    def watch(self, seconds: float) -> Published:
        """What is published in so many seconds from now."""
        before, cpu_before, began = self._events(), self.worker_cpu_s(), time.perf_counter()
        time.sleep(seconds)
        after, cpu_after = self._events(), self.worker_cpu_s()
        elapsed = time.perf_counter() - began
        faces = 0
        for camera, start, stop in zip(self.cameras, before, after, strict=True):
            newest = self.client.xrevrange(keys.emotions(camera), count=10_000_000)
            events = [EmotionEvent.unpack(fields[b"event"]) for _, fields in reversed(newest)]
            faces += sum(len(event.faces) for event in events[start:stop])
        return Published(sum(after) - sum(before), faces, elapsed, cpu_after - cpu_before)

    def settle(self, timeout_s: float = 60.0) -> list[Ledger]:
        """Wait until nothing is queued or in flight, and return the accounts."""
        eventually(
            lambda: not any(ledger.pending + ledger.queued for ledger in self.ledgers()),
            timeout_s,
        )
        return self.ledgers()

    def ledgers(self) -> list[Ledger]:
        """The cameras' accounts."""

        async def read() -> list[Ledger]:
            client = connect_async(self.url)
            try:
                return [await read_ledger(client, camera) for camera in self.cameras]
            finally:
                await client.aclose()

        return asyncio.run(read())

    def redis_cpu_s(self) -> float:
        """CPU seconds that Redis used so far."""
        return cpu_s(self._redis.process.pid)

    def worker_cpu_s(self) -> float:
        """CPU seconds that the workers used so far."""
        return sum(cpu_s(worker.process.pid) for worker in self.workers)

    def _events(self) -> list[int]:
        with self.client.pipeline(transaction=False) as pipe:
            for camera in self.cameras:
                pipe.xlen(keys.emotions(camera))
            counts: list[Any] = pipe.execute()
        return [int(count) for count in counts]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.close()


def _read(worker: Running, path: str) -> str:
    """What the worker serves there; nothing while it serves nothing. Raises OSError if it cannot
    be read, also HTTPError while it is not ready."""
    # Only its log, which is for people, says which port it took.
    found = re.search(r"(http://[\d.]+:\d+)/", worker.logged())
    if not found:
        return ""
    with urllib.request.urlopen(f"{found.group(1)}/{path}", timeout=5) as reply:
        text: Any = reply.read().decode()
    return str(text)
