"""A worker among workers: which cameras it takes and hands over, and how it stops."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Final

from emotion_streams.backoff import UNREACHABLE
from emotion_streams.connection import Client, brief
from emotion_streams.service.health import Health
from worker.at_once import few_at_once
from worker.attached import Attached
from worker.lease import Leases, assign
from worker.owned import OwnedCameras
from worker.stream import Retention
from worker.workshop import Workshop

DRAIN_S: Final = 8.0
"""How long a worker that stops may take over what is in the works; what is left then stays
pending, and its next owner claims it. Below the ten seconds that containers are given."""

_SIGN_OFF_S: Final = 1.0

log = logging.getLogger(__name__)


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
        self._attached = Attached(client, retention)
        self._owned = OwnedCameras(client, leases, shop, retention)
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
        reached = await self._each(self._owned.keep, self._owned)
        reached &= await self._each(lambda _: self._rebalance(tasks), ("the workers",))
        self._shop.metrics.owned.set(len(self._owned))
        if reached:
            self._health.set("redis", None)
            self._health.started()

    async def _each(self, step: Callable[[str], Awaitable[None]], names: Iterable[str]) -> bool:
        """Do the step for all at once, so that a shard which is away costs only its own cameras;
        False where Redis failed for any."""
        names = list(names)
        outcomes = await asyncio.gather(*map(few_at_once(step), names), return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        for error in failures:
            if not isinstance(error, UNREACHABLE):
                raise error
            self._shop.metrics.redis_errors.inc()
        if failures:
            reason = brief(failures[0])
            self._health.set("redis", f"Redis cannot be reached: {reason}")
            log.warning("Redis cannot be reached; trying again: %s", reason)
        return not failures

    async def _rebalance(self, tasks: asyncio.TaskGroup) -> None:
        """Take the cameras that this worker should have, and hand over one that it should not."""
        await self._shop.clock.adjust(self._client)
        peers = await self._leases.heartbeat()
        wanted = await self._attached.wanting_an_owner(self._shop.clock_ms())
        assigned = assign(wanted, {worker: peer.weight for worker, peer in peers.items()})
        missing = {name: owner for name, owner in assigned.items() if name not in self._owned}

        async def take(camera: str) -> None:
            await self._owned.take(camera, missing[camera], tasks)

        mine = [name for name, owner in missing.items() if owner == self._leases.owner]
        await self._each(take, mine)
        await self._each(take, await self._orphans(missing))
        self._owned.let_go_of_one(assigned, peers)

    async def _orphans(self, missing: Mapping[str, str]) -> list[str]:
        """Cameras that nobody took for the time of a lease, though another worker should have, if
        this one is idle; it takes them then."""
        if self._shop.slots.taken:
            self._free_since = {}
            return []
        others = [name for name, owner in missing.items() if owner != self._leases.owner]
        now_ms, now = self._shop.clock_ms(), time.monotonic()

        async def is_free(camera: str) -> bool:
            try:
                return await self._leases.is_free(camera, now_ms)
            except UNREACHABLE:  # nobody knows; the others are looked after all the same
                self._shop.metrics.redis_errors.inc()
                return False

        free = await asyncio.gather(*map(few_at_once(is_free), others))
        self._free_since = {
            name: self._free_since.get(name, now)
            for name, is_free in zip(others, free, strict=True)
            if is_free
        }
        return [
            name for name, since in self._free_since.items() if now - since > self._leases.lease_s
        ]

    async def _drain(self) -> None:
        """Stop reading everywhere, then finish within DRAIN_S. The worker leaves the workers first,
        so that the others come for its cameras as their leases are given up."""
        deadline = self._stop_at + DRAIN_S
        self._health.set("stop", "stopping")
        self._owned.stop()
        try:
            await asyncio.wait_for(self._leases.leave(), _SIGN_OFF_S)
        except (*UNREACHABLE, TimeoutError) as error:
            log.warning("not signed off: %s", brief(error))
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline - time.monotonic()):
                await self._finish()
        await self._owned.abandon()

    async def _finish(self) -> None:
        """Wait until all pipelines have ended; meanwhile their leases must not run out."""
        while self._owned:
            self._health.beat()
            await self._owned.wait(self._leases.tick_s)
            await self._each(self._owned.keep, self._owned)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
