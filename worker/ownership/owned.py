"""The cameras that a worker has: each with its lease, and a pipeline that runs under it."""

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from emotion_streams.backoff import REDIS_ERRORS
from emotion_streams.connection import Client
from emotion_streams.ledger import read_ledger
from emotion_streams.redaction import short_message
from worker.context import Workshop
from worker.delivery.camera import CameraPipeline
from worker.delivery.stream import CameraStream, Fenced, Lease, Retention
from worker.ownership.lease import Leases, Peer
from worker.ownership.periodic import Ticks
from worker.ownership.sharding import few_at_once

SIGN_OFF_S: Final = 1.0
"""What a worker that stops waits at most for Redis to hear of it."""

log = logging.getLogger(__name__)


@dataclass
class Owned:
    """A camera that this worker has: its lease, its pipeline, the task that runs it, and the one
    that keeps the lease meanwhile.

    `instead_of`: the worker that should have it, but did not take it. `leaving_since`: when it was
    told to stop, by the monotonic clock; None while it stays.
    """

    lease: Lease
    pipeline: CameraPipeline
    task: "asyncio.Task[None]"
    keeping: "asyncio.Task[None]"
    instead_of: str | None
    leaving_since: float | None = None


class OwnedCameras:
    """Takes cameras, keeps them, and lets them go."""

    def __init__(
        self, client: Client, leases: Leases, shop: Workshop, retention: Retention, ticks: Ticks
    ) -> None:
        self._client = client
        self._leases = leases
        self._shop = shop
        self._retention = retention
        self._ticks = ticks
        self._keep_in_turn = few_at_once(client, self._keep)
        self._owned: dict[str, Owned] = {}

    def __contains__(self, camera: str) -> bool:
        return camera in self._owned

    def __iter__(self) -> Iterator[str]:
        return iter(self._owned)

    def __len__(self) -> int:
        return len(self._owned)

    async def take(self, camera: str, should: str, tasks: asyncio.TaskGroup) -> None:
        """Run the camera among `tasks`, if its lease can be had; `should` is the worker that it is
        meant for."""
        lease = await self._leases.acquire(camera)
        if lease is None:
            return
        log.info("owning", extra={"camera": camera, "epoch": lease.epoch})
        self._shop.metrics.init_camera(camera)
        stream = CameraStream(self._client, lease, self._retention)
        pipeline = CameraPipeline(stream, self._shop)
        task = tasks.create_task(self._run(camera, pipeline, lease))
        keep = self._ticks.repeat(
            f"lease of {camera}", lambda: self._keep_in_turn(camera), asyncio.Event()
        )
        instead_of = None if should == self._leases.owner else should
        self._owned[camera] = Owned(lease, pipeline, task, tasks.create_task(keep), instead_of)
        # A callback, since a task that is cancelled before its first step never runs.
        task.add_done_callback(lambda _: self._forget(camera))

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
            self._shop.metrics.observe_ledger(ledger)

    def let_go_of_one(self, assigned: Mapping[str, str], peers: Mapping[str, Peer]) -> None:
        """Stop one camera that another should have, or nobody: one at a time, for a worker that
        joins must not stop many at once. One that does not stop within a lease's time is waited
        for no longer: its own frame is stuck, not the others'."""
        now = time.monotonic()
        for camera, owned in self._owned.items():
            should = assigned.get(camera)
            # One taken from a worker that did not come for it stays here: it would not come again.
            stays = should in (self._leases.owner, owned.instead_of)
            if should is None or (not stays and peers[should].fresh):
                if owned.leaving_since is None:
                    owned.leaving_since = now
                    owned.pipeline.stop()
                    return
                if now - owned.leaving_since < self._leases.lease_s:
                    return

    def stop(self) -> None:
        """Read nothing more of any camera."""
        for owned in self._owned.values():
            owned.pipeline.stop()

    async def wait(self, seconds: float) -> None:
        """Wait for pipelines to end, all of them or as many as do in time."""
        if self._owned:
            await asyncio.wait([owned.task for owned in self._owned.values()], timeout=seconds)

    async def abandon(self, within_s: float) -> None:
        """End what did not finish in time; its frames stay pending for the next owner."""
        unfinished = list(self._owned.values())
        for owned in unfinished:
            log.warning("not finished in time", extra={"camera": owned.lease.camera})
            owned.task.cancel()
        if unfinished:
            try:
                async with asyncio.timeout(within_s):
                    await asyncio.wait([owned.task for owned in unfinished])
                    await asyncio.gather(*(self._release(owned.lease) for owned in unfinished))
            except TimeoutError:
                log.warning("leases not given up: Redis does not answer")

    def _forget(self, camera: str) -> None:
        self._owned.pop(camera).keeping.cancel()
        self._shop.metrics.remove_camera(camera)

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
        except REDIS_ERRORS as error:  # then it runs out by itself
            log.warning(
                "lease not given up: %s", short_message(error), extra={"camera": lease.camera}
            )
        log.info("let go", extra={"camera": lease.camera})
