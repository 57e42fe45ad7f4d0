"""A worker: owns cameras by lease, runs a pipeline for each, and lets go in good order."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from emotion_streams.backoff import UNREACHABLE
from emotion_streams.connection import Client
from emotion_streams.ledger import read_ledger
from emotion_streams.service.health import Health
from worker.attached import Attached
from worker.camera import CameraPipeline
from worker.lease import Leases, Peer, assign
from worker.stream import CameraStream, Fenced, Lease, Retention
from worker.workshop import Workshop

DRAIN_S: Final = 8.0
"""How long a worker that stops may take over what is in the works; what is left then stays
pending, and its next owner claims it. Below the ten seconds that containers are given."""

_SIGN_OFF_S: Final = 1.0

log = logging.getLogger(__name__)


@dataclass
class Owned:
    """A camera that this worker has: its lease, its pipeline and the task that runs it.

    `instead_of`: the worker that should have it, but did not take it.
    """

    lease: Lease
    pipeline: CameraPipeline
    task: "asyncio.Task[None]"
    instead_of: str | None
    leaving: bool = False


class Worker:
    """Runs until stopped."""

    def __init__(
        self,
        client: Client,
        leases: Leases,
        shop: Workshop,
        health: Health,
        retention: Retention,
    ) -> None:
        self._client = client
        self._leases = leases
        self._shop = shop
        self._health = health
        self._retention = retention
        self._attached = Attached(client, retention)
        self._owned: dict[str, Owned] = {}
        self._free_since: dict[str, float] = {}
        self._stopping = asyncio.Event()
        self._stop_at = 0.0

    def stop(self) -> None:
        """Finish what is in the works, give the cameras up and return from run()."""
        self._stop_at = time.monotonic()
        self._stopping.set()

    async def run(self) -> None:
        """Work until stopped. Whatever is neither a bad frame nor an unreachable Redis ends it
        with an exception: its pending frames are claimed by another."""
        async with asyncio.TaskGroup() as tasks:
            batching = tasks.create_task(self._shop.batcher.run())
            while not self._stopping.is_set():
                self._health.beat()
                await self._tick(tasks)
                await _wait(self._stopping, self._leases.tick_s)
            await self._drain()
            batching.cancel()

    async def _tick(self, tasks: asyncio.TaskGroup) -> None:
        """Keep the cameras, say that this worker lives, take cameras, let go of one at most."""
        reached = await self._each(self._keep, self._owned)
        reached &= await self._each(lambda _: self._rebalance(tasks), ("the workers",))
        self._shop.metrics.owned.set(len(self._owned))
        if reached:
            self._health.set("redis", None)
            self._health.started()

    async def _each(self, step: Callable[[str], Awaitable[None]], names: Iterable[str]) -> bool:
        """Do the step for all at once, so that a shard which is away costs only its own cameras;
        False where Redis failed for any."""
        names = list(names)
        outcomes = await asyncio.gather(*map(step, names), return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for error in failures:
            if not isinstance(error, UNREACHABLE):
                raise error
            self._shop.metrics.redis_errors.inc()
        if failures:
            self._health.set("redis", f"Redis cannot be reached: {failures[0]}")
            log.warning("Redis cannot be reached; trying again: %s", failures[0])
        return not failures

    async def _keep(self, camera: str) -> None:
        """Renew the lease of an owned camera, and show its account."""
        owned = self._owned.get(camera)
        if not owned:  # let go since the tick began
            return
        if not await self._leases.renew(owned.lease):
            self._shop.metrics.fenced.inc()
            log.warning("the lease has moved on", extra={"camera": camera})
            owned.task.cancel()
            return
        ledger = await read_ledger(self._client, camera)
        if camera in self._owned:  # it may have gone meanwhile, and its gauges with it
            self._shop.metrics.account(ledger)

    async def _rebalance(self, tasks: asyncio.TaskGroup) -> None:
        """Take the cameras that this worker should have, and hand over one that it should not."""
        await self._shop.clock.adjust(self._client)
        peers = await self._leases.heartbeat()
        wanted = await self._attached.wanting_an_owner(self._shop.clock_ms())
        assigned = assign(wanted, {worker: peer.weight for worker, peer in peers.items()})
        missing = {name: owner for name, owner in assigned.items() if name not in self._owned}

        async def take(camera: str) -> None:
            await self._take(camera, missing[camera], tasks)

        mine = [name for name, owner in missing.items() if owner == self._leases.owner]
        await self._each(take, mine)
        await self._each(take, await self._orphans(missing))
        self._let_go_of_one(assigned, peers)

    async def _orphans(self, missing: Mapping[str, str]) -> list[str]:
        """Cameras that nobody took for the time of a lease, though another worker should have, if
        this one is idle; it takes them then."""
        if self._shop.slots.taken:
            self._free_since = {}
            return []
        others = [name for name, owner in missing.items() if owner != self._leases.owner]
        now_ms, now = self._shop.clock_ms(), time.monotonic()
        free = await asyncio.gather(*(self._leases.is_free(name, now_ms) for name in others))
        self._free_since = {
            name: self._free_since.get(name, now)
            for name, is_free in zip(others, free, strict=True)
            if is_free
        }
        return [
            name for name, since in self._free_since.items() if now - since > self._leases.lease_s
        ]

    async def _take(self, camera: str, should: str, tasks: asyncio.TaskGroup) -> None:
        lease = await self._leases.acquire(camera)
        if lease is None:
            return
        log.info("owning", extra={"camera": camera, "epoch": lease.epoch})
        stream = CameraStream(self._client, lease, self._retention)
        pipeline = CameraPipeline(stream, self._shop)
        task = tasks.create_task(self._run(camera, pipeline, lease))
        instead_of = None if should == self._leases.owner else should
        self._owned[camera] = Owned(lease, pipeline, task, instead_of)
        # A callback, since a task that is cancelled before its first step never runs.
        task.add_done_callback(lambda _: self._forget(camera))

    def _forget(self, camera: str) -> None:
        del self._owned[camera]
        self._shop.metrics.forget(camera)

    async def _run(self, camera: str, pipeline: CameraPipeline, lease: Lease) -> None:
        """Run a camera's pipeline until it is stopped, fenced or cancelled."""
        try:
            await pipeline.run()
        except* Fenced:
            self._shop.metrics.fenced.inc()
            log.warning("fenced: another worker has it", extra={"camera": camera})
        else:
            await self._release(lease)

    async def _release(self, lease: Lease) -> None:
        try:
            await self._leases.release(lease)
        except UNREACHABLE as error:  # then it runs out by itself
            log.warning("lease not given up: %s", error, extra={"camera": lease.camera})
        log.info("let go", extra={"camera": lease.camera})

    def _let_go_of_one(self, assigned: Mapping[str, str], peers: Mapping[str, Peer]) -> None:
        """One at a time: a worker that joins must not stop many cameras at once."""
        for camera, owned in self._owned.items():
            should = assigned.get(camera)
            # One taken from a worker that did not come for it stays here: it would not come again.
            stays = should in (self._leases.owner, owned.instead_of)
            if should is None or (not stays and peers[should].fresh):
                if not owned.leaving:
                    owned.leaving = True
                    owned.pipeline.stop()
                return

    async def _drain(self) -> None:
        """Stop reading everywhere, then finish within DRAIN_S. The worker leaves the workers first,
        so that the others come for its cameras as their leases are given up."""
        deadline = self._stop_at + DRAIN_S
        self._health.set("stop", "stopping")
        for owned in self._owned.values():
            owned.pipeline.stop()
        try:
            await asyncio.wait_for(self._leases.leave(), _SIGN_OFF_S)
        except (*UNREACHABLE, TimeoutError) as error:
            log.warning("not signed off: %s", error)
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline - time.monotonic()):
                await self._finish()
        await self._abandon(list(self._owned.values()))

    async def _finish(self) -> None:
        """Wait until all pipelines have ended; meanwhile their leases must not run out."""
        while self._owned:
            self._health.beat()
            running = [owned.task for owned in self._owned.values()]
            await asyncio.wait(running, timeout=self._leases.tick_s)
            await self._each(self._keep, self._owned)

    async def _abandon(self, unfinished: list[Owned]) -> None:
        """End what did not finish in time; its frames stay pending for the next owner."""
        for owned in unfinished:
            log.warning("not finished in time", extra={"camera": owned.lease.camera})
            owned.task.cancel()
        if unfinished:
            await asyncio.wait([owned.task for owned in unfinished])
            releases = asyncio.gather(*(self._release(owned.lease) for owned in unfinished))
            try:
                await asyncio.wait_for(releases, _SIGN_OFF_S)
            except TimeoutError:
                log.warning("leases not given up: Redis does not answer")


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
