"""A site under test: one Redis, cameras that are fed, workers, and the account of it all."""

import asyncio
import hashlib
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from emotion_streams.connection import Client, connect, connect_async
from emotion_streams.ledger import Ledger, read_ledger
from tests.faults.feed import Feed
from tests.faults.processes import LEASE_MS, MAX_AGE_MS, Running, start_producer, start_worker
from tests.faults.watch import Watch
from tests.proxy import CuttingProxy
from tests.servers import PATIENCE_S, Stopwatch, eventually

RECOVERY_S: Final = LEASE_MS / 1000 + 2.0
"""The promise: all processes are back within the lease's time and two seconds."""

SCHEDULING_S: Final = 4.0
"""What a small machine that does other things as well may add to it: processes that wait for a
core, on both sides of each round trip."""

ALLOWED_S: Final = RECOVERY_S + SCHEDULING_S

_WORKER: Final = Path(__file__).parent.parent.parent / "worker"


def command_names() -> dict[str, str]:
    """How the proxy distinguishes commands on the wire."""
    scripts = {
        hashlib.sha1(path.read_bytes()).hexdigest(): path.stem.upper()
        for path in _WORKER.glob("*/*.lua")
    }
    return {**scripts, "\r\nXADD\r\n": "XADD", "\r\nXREADGROUP\r\n": "XREADGROUP"}


WORKER_MB: Final = 700
PRODUCER_MB: Final = 400
"""Memory is bounded: no fault may leave a process larger than this."""


class Site:
    """Feeds and workers at `url`; the account is kept over `direct_url`, which no fault touches."""

    def __init__(self, url: str, direct_url: str | None = None) -> None:
        self.url = url
        self.direct_url = direct_url or url
        self.workers: list[Running] = []
        self.feeds: list[Feed] = []
        self.producers: dict[str, Running] = {}
        self._ends = ExitStack()
        self.folder = Path(self._ends.enter_context(tempfile.TemporaryDirectory(prefix="es-site-")))
        self.watch = Watch(lambda: connect(self.direct_url))
        self._ends.callback(self.watch.close)
        self.stored_before: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for feed in self.feeds:
            feed.close()
        for process in (*self.producers.values(), *self.workers):
            if error:
                print(f"--- {process.log.name}\n{process.logged()[-4000:]}")
            process.kill()
        self._ends.close()

    def worker(self, *options: str) -> Running:
        """Start one more worker."""
        worker = start_worker(self.folder, self.url, *options)
        self.workers.append(worker)
        return worker

    def running(self) -> Iterator[Running]:
        """The workers that have not ended, the oldest first."""
        return (worker for worker in self.workers if not worker.ended)

    def feed(self, camera: str, **more: Any) -> Feed:
        """Attach one more camera."""
        feed = Feed(self.url, camera, **more)
        self.feeds.append(feed)
        self.watch.follow(camera)
        return feed

    def producer(self, camera: str, *options: str) -> None:
        """Start a real producer of one more camera, or of one whose producer is gone."""
        patient = ("--max-age-ms", str(MAX_AGE_MS), *options)
        self.producers[camera] = start_producer(self.folder, self.url, camera, *patient)
        self.watch.follow(camera)

    @property
    def cameras(self) -> list[str]:
        return [*(feed.camera for feed in self.feeds), *self.producers]

    def await_events(self, timeout_s: float = PATIENCE_S) -> float:
        """Wait until each camera has had an event of a frame that was captured from now on;
        returns how long that took, in seconds of a machine that has time (Stopwatch)."""
        watch, now_ms = Stopwatch(), time.time() * 1000
        since_ms = dict.fromkeys(self.cameras, now_ms)
        since_ms |= {feed.camera: now_ms + feed.clock_off_ms for feed in self.feeds}

        def all_have() -> bool:
            return all(self.watch.last.get(c, (0, 0))[0] > since_ms[c] for c in since_ms)

        eventually(all_have, timeout_s)
        return watch.read_s()

    def recovers(self) -> float:
        """As await_events, within what is promised."""
        took = self.await_events()
        assert took <= ALLOWED_S, f"{took:.1f} s"
        return took

    def ledgers(self, *cameras: str) -> dict[str, Ledger]:
        """The accounts of these cameras, or of all."""
        names = cameras or self.cameras

        async def read() -> list[Ledger]:
            client: Client = connect_async(self.direct_url)
            try:
                return [await read_ledger(client, camera) for camera in names]
            finally:
                await client.aclose()

        return dict(zip(names, asyncio.run(read()), strict=True))

    def settle(self) -> dict[str, Ledger]:
        """Pause the feeds, wait until nothing is in flight, and return the accounts. Producers go
        on: their cameras' accounts balance at any moment."""
        self.watch.no_gaps()
        fed = [feed.camera for feed in self.feeds]
        for feed in self.feeds:
            feed.pause()
        ledgers: dict[str, Ledger] = {}

        def at_rest() -> bool:
            ledgers.update(self.ledgers())
            return not any(ledgers[camera].pending + ledgers[camera].queued for camera in fed)

        eventually(at_rest, every_s=0.1)
        return ledgers

    def go_on(self) -> None:
        """Feed again after settle()."""
        for feed in self.feeds:
            feed.resume()
        self.watch.follow(*self.cameras)

    @contextmanager
    def losing_data(self, *cameras: str) -> Iterator[None]:
        """A fault in which Redis loses data of these cameras, or of all, until they are at rest
        after it: a frame that was forgotten may then have its event twice, and what was stored
        before is in no account. Goes on in the end."""
        stricken = set(cameras or self.cameras)
        try:
            with self.watch.losing_data(stricken):
                yield
                ledgers = self.settle()
            for feed in self.feeds:
                if feed.camera in stricken:
                    self.stored_before[feed.camera] = feed.stored - ledgers[feed.camera].added
        finally:
            self.go_on()

    def unaccounted(self, ledgers: dict[str, Ledger]) -> int:
        """Frames that are stored but in no account, or in two; of cameras where every frame counts,
        also those that were dropped. While at rest."""
        missing = sum(max(0, -ledger.trimmed) for ledger in ledgers.values())
        for feed in self.feeds:
            ledger = ledgers[feed.camera]
            missing += abs(feed.stored - self.stored_before.get(feed.camera, 0) - ledger.added)
            missing += ledger.trimmed if feed.policy == "every" else 0
        return missing

    def audit(self) -> dict[str, Ledger]:
        """Come to rest, hold the invariants, go on, also if one does not hold."""
        try:
            ledgers = self.settle()
            self.watch.catch_up()
            self._hold(ledgers)
        finally:
            self.go_on()
        return ledgers

    def _hold(self, ledgers: dict[str, Ledger]) -> None:
        assert all(ledger.balanced for ledger in ledgers.values()), ledgers
        assert self.unaccounted(ledgers) == 0, (ledgers, [feed.stored for feed in self.feeds])
        assert not (evidence := self.watch.take_evidence()), "\n".join(evidence)
        assert self.largest_mb(self.workers) < WORKER_MB
        assert self.largest_mb(self.producers.values()) < PRODUCER_MB

    @staticmethod
    def largest_mb(processes: Iterable[Running]) -> float:
        """Resident memory of the largest that runs, with its children; 0 where none does."""
        return max((p.memory_mb() for p in processes if not p.ended), default=0.0)


def proxied(site_port: int, seed: int = 0) -> CuttingProxy:
    """A proxy that knows our commands."""
    return CuttingProxy(site_port, command_names(), seed)
