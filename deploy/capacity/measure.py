"""Measures one number of cameras on the running processes."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from deploy import processor_time
from deploy.capacity.control import CAMERAS, camera_name
from deploy.capacity.processes import ProcessEndedError, Processes
from deploy.capacity.tries import Try, Usage, percentile
from emotion_streams import keys
from emotion_streams.connection import Client
from emotion_streams.events import EmotionEvent, Model
from emotion_streams.ledger import Ledger, ledger_call, parse_ledger

_OWNED_WITHIN_S: Final = 15.0
_SETTLE_S: Final = 2.0
_POLL_S: Final = 0.2
_AT_ONCE: Final = 64
"""Cameras per pipeline, so that no reply takes too long."""


@dataclass(frozen=True)
class _Account:
    """Sums over cameras at a moment: frames stored, analysed, and ended without an event."""

    added: int
    analysed: int
    without_event: int


@dataclass(frozen=True)
class _Moment:
    """What the processes had done at a moment."""

    at_s: float
    workers: Sequence[int]
    account: _Account
    workers_cpu_s: float
    server_cpu_s: float
    loops_cpu_s: Sequence[float]
    busy_s: Sequence[dict[str, float]]


class Measurement:
    """Measures tries one after the other."""

    def __init__(
        self, client: Client, processes: Processes, *, fps: float, seconds: float, limit_ms: float
    ) -> None:
        self._client = client
        self._processes = processes
        self._fps = fps
        self._seconds = seconds
        self._limit_ms = limit_ms
        self.model: Model | None = None
        """The models that the workers name in their events."""

    async def __call__(self, cameras: int) -> Try:
        """Let so many cameras store frames, and measure for the seconds of a try.

        Raises ProcessEndedError, and OSError, if a worker crashes.
        """
        names = [camera_name(number) for number in range(cameras)]
        await self._client.set(CAMERAS, cameras)
        await self._owned(names)
        await asyncio.sleep(_SETTLE_S)
        newest = await self._newest(names)
        others = processor_time.OtherLoad(*self._processes.pids)
        before = await self._moment(names)
        await asyncio.sleep(self._seconds)
        after = await self._moment(names)
        if before.workers != after.workers:
            raise ProcessEndedError("worker", 1, "a worker crashed and was started again")
        usage = self._usage(before, after, others.cores())
        await self._client.set(CAMERAS, 0)
        return self._result(cameras, before, after, await self._events(newest), usage)

    async def _owned(self, names: Sequence[str]) -> None:
        """Wait until every camera has an owner; an overloaded worker may not manage it."""
        deadline = time.monotonic() + _OWNED_WITHIN_S
        while time.monotonic() < deadline:
            expiries = await self._each(
                names, lambda pipe, name: pipe.hget(keys.lease(name), "expires_ms")
            )
            now_ms = time.time() * 1000
            if all(expiry and int(expiry) > now_ms for expiry in expiries):
                return
            await asyncio.sleep(_POLL_S)

    async def _newest(self, names: Sequence[str]) -> dict[str, bytes]:
        """Return the id of each camera's newest event."""
        replies = await self._each(
            names, lambda pipe, name: pipe.xrevrange(keys.emotions(name), count=1)
        )
        return {
            name: reply[0][0] if reply else b"0" for name, reply in zip(names, replies, strict=True)
        }

    async def _events(self, after: dict[str, bytes]) -> list[EmotionEvent]:
        """Return the events after these ids."""
        replies = await self._each(
            list(after),
            lambda pipe, name: pipe.xrange(keys.emotions(name), min=b"(" + after[name]),
        )
        return [
            EmotionEvent.unpack(fields[b"event"]) for entries in replies for _, fields in entries
        ]

    async def _account(self, names: Sequence[str]) -> _Account:
        replies = await self._each(names, lambda pipe, name: pipe.eval_ro(*ledger_call(name)))
        ledgers = [parse_ledger(name, reply) for name, reply in zip(names, replies, strict=True)]
        return _Account(
            sum(ledger.added for ledger in ledgers),
            sum(ledger.analysed for ledger in ledgers),
            sum(map(_without_event, ledgers)),
        )

    async def _moment(self, names: Sequence[str]) -> _Moment:
        account, metrics = await asyncio.gather(self._account(names), self._processes.metrics())
        workers = self._processes.workers
        return _Moment(
            time.perf_counter(),
            workers,
            account,
            sum(map(processor_time.cpu_s, workers)),
            processor_time.cpu_s(self._processes.server),
            [processor_time.main_thread_cpu_s(pid) for pid in workers],
            [each.busy_s for each in metrics],
        )

    def _usage(self, before: _Moment, after: _Moment, other_cores: float) -> Usage:
        elapsed = after.at_s - before.at_s

        def busy(part: str) -> float:
            pairs = zip(before.busy_s, after.busy_s, strict=True)
            return round(max(new[part] - old[part] for old, new in pairs) / elapsed, 3)

        loops = zip(before.loops_cpu_s, after.loops_cpu_s, strict=True)
        return Usage(
            cores=processor_time.cores(),
            worker_cores=round((after.workers_cpu_s - before.workers_cpu_s) / elapsed, 2),
            server_cores=round((after.server_cpu_s - before.server_cpu_s) / elapsed, 2),
            other_cores=other_cores,
            loop=round(max(new - old for old, new in loops) / elapsed, 3),
            threads=busy("threads"),
            engine=busy("engine"),
        )

    def _result(
        self,
        cameras: int,
        before: _Moment,
        after: _Moment,
        events: Sequence[EmotionEvent],
        usage: Usage,
    ) -> Try:
        elapsed = after.at_s - before.at_s
        analysed = after.account.analysed - before.account.analysed
        without = after.account.without_event - before.account.without_event
        stored = after.account.added - before.account.added
        ages = [round(event.latency.total_ms, 1) for event in events]
        faces = [face for event in events for face in event.faces]
        self.model = events[-1].model if events else self.model
        return Try(
            cameras=cameras,
            limit_ms=self._limit_ms,
            frames_per_s=round((analysed + without) / elapsed, 1),
            p50_ms=percentile(ages, 0.5),
            p99_ms=percentile(ages, 0.99),
            expired_share=round(without / (analysed + without), 4) if analysed + without else 1.0,
            stored_share=round(stored / (cameras * self._fps * elapsed), 3),
            faces_found=round(len(faces) / len(events), 2) if events else None,
            reused_share=(
                round(sum(face.classified_ms is not None for face in faces) / len(faces), 3)
                if faces
                else None
            ),
            usage=usage,
        )

    async def _each(self, names: Sequence[str], command: Any) -> list[Any]:
        """Return the reply to the command for each camera."""
        replies: list[Any] = []
        for first in range(0, len(names), _AT_ONCE):
            async with self._client.pipeline(transaction=False) as pipe:
                for name in names[first : first + _AT_ONCE]:
                    command(pipe, name)
                replies += await pipe.execute()
        return replies


def _without_event(ledger: Ledger) -> int:
    return ledger.expired + ledger.superseded + ledger.dead + ledger.lost + ledger.trimmed
