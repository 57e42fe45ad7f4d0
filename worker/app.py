"""The worker: which cameras it acquires and releases, and how it stops."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final

from emotion_streams.backoff import REDIS_ERRORS
from emotion_streams.connection import Client
from emotion_streams.redaction import short_message
from service.health import Health
from worker.context import WorkerContext
from worker.delivery.types import Retention
from worker.hangs import watch_for_hangs
from worker.ownership.admission import Admission
from worker.ownership.failures import CameraFailures
from worker.ownership.lease import Leases, Peer, assign
from worker.ownership.owned import SIGN_OFF_S, OwnedCameras
from worker.ownership.periodic import PeriodicTasks
from worker.ownership.registry import CameraRegistry
from worker.ownership.sharding import limit_per_shard

DRAIN_S: Final = 7.5
"""Graceful-shutdown limit: finish frames in flight and deregister. Unfinished frames stay pending
and are claimed by the camera's next owner. The process ends within eight seconds, less than the ten
seconds that containers are given."""

log = logging.getLogger(__name__)


class Worker:
    """Owns cameras and analyses their frames until it is stopped."""

    def __init__(
        self,
        client: Client,
        leases: Leases,
        context: WorkerContext,
        health: Health,
        retention: Retention,
    ) -> None:
        self._client = client
        self._leases = leases
        self._context = context
        self._health = health
        self._periodic = PeriodicTasks(leases.tick_s, health, context.metrics)
        failures = CameraFailures(health, context.metrics)
        self._registry = CameraRegistry(client, retention, failures)
        self._owned = OwnedCameras(client, leases, context, retention, self._periodic, failures)
        self._admission = Admission(client, context.metrics)
        self._peers: Mapping[str, Peer] = {}
        self._free_since: dict[str, float] = {}
        self._stopping = asyncio.Event()
        self._stop_at = 0.0

    def stop(self) -> None:
        """Finish the frames in flight, release the cameras and return from run()."""
        self._stop_at = time.monotonic()
        self._stopping.set()

    async def run(self) -> None:
        """Analyse frames until stopped.

        Raises an ExceptionGroup for any error except a malformed frame or a Redis outage. The group
        contains a FrameHungError if a frame is hung. Pending frames are then claimed by another
        worker.
        """
        async with asyncio.TaskGroup() as tasks:
            steps: dict[str, Callable[[], Awaitable[object]]] = {
                "heartbeat": self._heartbeat,
                "clock": lambda: self._context.clock.adjust(self._client),
                "cameras": lambda: self._rebalance(tasks),
            }
            working = [
                tasks.create_task(watch_for_hangs(self._context)),
                tasks.create_task(self._context.pipeline.run()),
            ]
            ticking = [
                tasks.create_task(self._periodic.run(name, step, self._stopping))
                for name, step in steps.items()
            ]
            await self._stopping.wait()
            await self._drain(ticking)
            for task in working:
                task.cancel()

    async def _heartbeat(self) -> None:
        """Renew this worker's membership, and read which workers are live."""
        self._health.beat()
        try:
            self._peers = await self._leases.heartbeat()
        except REDIS_ERRORS:
            self._peers = {}  # unknown: a worker may have crashed meanwhile
            raise

    async def _each(self, step: Callable[[str], Awaitable[None]], cameras: Iterable[str]) -> None:
        """Run the step for all cameras concurrently.

        An unreachable shard delays only its own cameras. When all calls have ended, raises one of
        their errors, if there are any.
        """
        turn = limit_per_shard(self._client, step)
        outcomes = await asyncio.gather(*map(turn, cameras), return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if failures:  # an error other than a Redis failure takes precedence
            raise min(failures, key=lambda error: isinstance(error, REDIS_ERRORS))

    async def _rebalance(self, tasks: asyncio.TaskGroup) -> None:
        """Acquire the cameras that this worker should own, and release one that it should not."""
        self._context.metrics.ownership.owned.set(len(self._owned))
        peers = self._peers
        if not peers:
            return
        await self._registry.tidy(self._context.clock_ms(), self._owned.analysed())
        wanted = await self._registry.cameras_needing_owner(self._context.clock_ms())
        assigned = assign(wanted, {worker: peer.weight for worker, peer in peers.items()})
        self._owned.release_one(assigned, peers)
        missing = {name: owner for name, owner in assigned.items() if name not in self._owned}

        async def acquire(camera: str) -> None:
            await self._owned.acquire(camera, missing[camera], tasks)

        mine = [name for name, owner in missing.items() if owner == self._leases.owner]
        wanted_here = [*mine, *await self._unclaimed_cameras(missing)]
        await self._each(acquire, await self._admission.admit(wanted_here, len(self._owned)))
        self._context.metrics.ownership.owned.set(len(self._owned))
        self._health.started()

    async def _unclaimed_cameras(self, missing: Mapping[str, str]) -> list[str]:
        """Return cameras without an owner for one lease duration, if this worker is idle.

        Another worker should have acquired them; this worker acquires them instead.
        """
        if self._context.limiter.exhausted:
            self._free_since = {}
            return []
        others = [name for name, owner in missing.items() if owner != self._leases.owner]
        now_ms, now = self._context.clock_ms(), time.monotonic()

        async def is_free(camera: str) -> bool:
            try:
                return await self._leases.is_free(camera, now_ms)
            except REDIS_ERRORS:  # unknown; the other cameras are still checked
                self._context.metrics.redis_errors.inc()
                return False

        free = await asyncio.gather(*map(limit_per_shard(self._client, is_free), others))
        self._free_since = {
            name: self._free_since.get(name, now)
            for name, is_free in zip(others, free, strict=True)
            if is_free
        }
        return [
            name for name, since in self._free_since.items() if now - since > self._leases.lease_s
        ]

    async def _drain(self, ticking: "list[asyncio.Task[None]]") -> None:
        """Stop reading from all cameras, then finish the frames in flight, all within DRAIN_S.

        The worker ends its membership first, so that other workers acquire its cameras when their
        leases are released.
        """
        deadline = self._stop_at + DRAIN_S
        self._health.set("stop", "stopping")
        self._owned.stop()
        _, hanging = await asyncio.wait(ticking, timeout=SIGN_OFF_S)
        for task in hanging:
            task.cancel()
        self._owned.stop()  # cameras that the last tick acquired
        try:
            await asyncio.wait_for(self._leases.leave(), SIGN_OFF_S)
        except (*REDIS_ERRORS, TimeoutError) as error:
            log.warning("membership not ended: %s", short_message(error))
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline - SIGN_OFF_S - time.monotonic()):
                await self._finish()
        await self._owned.cancel_remaining(deadline - time.monotonic())

    async def _finish(self) -> None:
        """Wait until all pipelines have ended. Their leases are still renewed meanwhile."""
        while self._owned:
            self._health.beat()
            await self._owned.wait(self._leases.tick_s)
