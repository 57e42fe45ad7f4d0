"""Measures one number of cameras on the running processes."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from deploy import processor_time
from deploy.capacity.budget import Budget
from deploy.capacity.control import camera_name
from deploy.capacity.processes import ProcessEndedError, Processes
from deploy.capacity.store import Account, Store
from deploy.capacity.tries import Try, Usage, percentile
from emotion_streams.connection import Client
from emotion_streams.events import EmotionEvent, Model

_SETTLE_S: Final = 2.0

_IDLE_WITHIN_S: Final = 40.0
"""Limit of the time that a worker takes to end its frames, apart from what they may wait in it. A
frame that hangs ends the worker sooner, after 30 s."""


@dataclass(frozen=True)
class _Moment:
    """What the processes had done at a moment. `newest`: the id of each camera's newest event."""

    at_s: float
    newest: dict[str, bytes]
    workers: Sequence[int]
    account: Account
    machine_cpu_s: float
    workers_cpu_s: float
    server_cpu_s: float
    loops_cpu_s: Sequence[float]
    busy_s: Sequence[dict[str, float]]
    others: processor_time.OtherLoad


class Measurement:
    """Measures tries one after the other."""

    def __init__(
        self, client: Client, processes: Processes, budget: Budget, *, limit_ms: float
    ) -> None:
        self._store = Store(client)
        self._processes = processes
        self._budget = budget
        self._limit_ms = limit_ms
        self.model: Model | None = None
        """The models that the workers name in their events."""

    async def __call__(self, cameras: int) -> Try:
        """Let so many cameras store frames, and measure for the window of a try.

        No frame of it is left afterwards. Raises ProcessEndedError, and OSError, if a worker
        crashes or does not end its frames.
        """
        began = time.monotonic()
        names = [camera_name(number) for number in range(cameras)]
        before = await self._moment(names)
        await self._store.load(names)
        if owned := await self._store.owned(names):
            await asyncio.sleep(_SETTLE_S)
            before = await self._moment(names)
            await asyncio.sleep(self._budget.window_s(cameras))
        # Otherwise the wait for owners, which was in vain, is the time that is measured.
        after = await self._moment(names)
        if before.workers != after.workers:
            raise ProcessEndedError("worker", 1, "a worker crashed and was started again")
        await self._store.end_load()
        tried = self._result(
            before, after, await self._store.events(before.newest, after.newest), owned=owned
        )
        within_s = _IDLE_WITHIN_S + self._limit_ms / 1000
        if not await self._store.drained(names, within_s):
            raise ProcessEndedError("worker", 1, f"frames are still in it after {within_s:.0f} s")
        self._budget.observe(cameras, time.monotonic() - began)
        return tried

    async def _moment(self, names: Sequence[str]) -> _Moment:
        newest = await self._store.newest(names)
        account, metrics = await asyncio.gather(
            self._store.account(names), self._processes.metrics()
        )
        workers = self._processes.workers
        return _Moment(
            time.perf_counter(),
            newest,
            workers,
            account,
            processor_time.machine_cpu_s(),
            sum(map(processor_time.cpu_s, workers)),
            processor_time.cpu_s(self._processes.server),
            [processor_time.main_thread_cpu_s(pid) for pid in workers],
            [each.busy_s for each in metrics],
            processor_time.OtherLoad(*self._processes.pids),
        )

    def _usage(self, before: _Moment, after: _Moment) -> Usage:
        elapsed = after.at_s - before.at_s

        def busy(part: str) -> float:
            pairs = zip(before.busy_s, after.busy_s, strict=True)
            spent = (new.get(part, 0.0) - old.get(part, 0.0) for old, new in pairs)
            return round(max(spent) / elapsed, 3)

        loops = zip(before.loops_cpu_s, after.loops_cpu_s, strict=True)
        return Usage(
            machine=round(
                (after.machine_cpu_s - before.machine_cpu_s) / elapsed / processor_time.cores(), 2
            ),
            worker_cores=round((after.workers_cpu_s - before.workers_cpu_s) / elapsed, 2),
            server_cores=round((after.server_cpu_s - before.server_cpu_s) / elapsed, 2),
            other_cores=before.others.cores(),
            loop=round(max(new - old for old, new in loops) / elapsed, 3),
            threads=busy("threads"),
            engine=busy("engine"),
            detector=busy("detector"),
        )

    def _result(
        self, before: _Moment, after: _Moment, events: Sequence[EmotionEvent], *, owned: bool
    ) -> Try:
        elapsed = after.at_s - before.at_s
        without = after.account.without_event - before.account.without_event
        ended = after.account.analysed - before.account.analysed + without
        stored = after.account.stored - before.account.stored
        skipped = after.account.skipped - before.account.skipped
        ages = [round(event.latency.total_ms, 1) for event in events]
        faces = [face for event in events for face in event.faces]
        reused = sum(face.classified_ms is not None for face in faces)
        self.model = events[-1].model if events else self.model
        return Try(
            cameras=len(before.newest),
            owned=owned,
            limit_ms=self._limit_ms,
            seconds=round(elapsed, 1),
            stored=stored,
            ended=ended,
            frames_per_s=round(ended / elapsed, 1),
            p50_ms=percentile(ages, 0.5),
            p99_ms=percentile(ages, 0.99),
            expired_share=round(without / ended, 4) if ended else 1.0,
            stored_share=round(1 - skipped / max(1, stored + skipped), 4),
            faces_found=round(len(faces) / len(events), 2) if events else None,
            reused_share=round(reused / len(faces), 3) if faces else None,
            usage=self._usage(before, after),
        )
