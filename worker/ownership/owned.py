"""The cameras that a worker owns: each has a lease, and a pipeline that runs under it."""

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from redis.exceptions import ResponseError

from emotion_streams.backoff import REDIS_ERRORS, is_wrong_type
from emotion_streams.cancellation import create_task
from emotion_streams.connection import Client
from emotion_streams.ledger import read_ledger
from emotion_streams.redaction import short_message
from worker.context import WorkerContext
from worker.delivery.camera import CameraPipeline
from worker.delivery.stream import CameraStream, FencedError
from worker.delivery.types import Lease, Retention
from worker.ownership.failures import CameraFailures
from worker.ownership.lease import Leases, Peer
from worker.ownership.periodic import PeriodicTasks
from worker.ownership.sharding import limit_per_shard

SIGN_OFF_S: Final = 1.0
"""How long a stopping worker waits for Redis to end its membership."""

log = logging.getLogger(__name__)


@dataclass
class Owned:
    """A camera that this worker owns: its lease, its pipeline, and their tasks.

    `preferred_owner`: the worker that should own it but did not acquire it; None if that is this
    worker. `is_analysed`: whether a frame of it was ever analysed. `draining_since`: when it was
    stopped, by the monotonic clock; None while it is kept.
    """

    lease: Lease
    pipeline: CameraPipeline
    task: "asyncio.Task[None]"
    renewing: "asyncio.Task[None]"
    preferred_owner: str | None
    is_analysed: bool = False
    draining_since: float | None = None


class OwnedCameras:
    """Acquires cameras, renews their leases, and releases them."""

    def __init__(
        self,
        client: Client,
        leases: Leases,
        context: WorkerContext,
        retention: Retention,
        periodic: PeriodicTasks,
        failures: CameraFailures,
    ) -> None:
        self._client = client
        self._leases = leases
        self._context = context
        self._retention = retention
        self._periodic = periodic
        self._failures = failures
        self._renew_in_turn = limit_per_shard(client, self._renew)
        self._owned: dict[str, Owned] = {}

    def __contains__(self, camera: str) -> bool:
        return camera in self._owned

    def __iter__(self) -> Iterator[str]:
        return iter(self._owned)

    def __len__(self) -> int:
        return len(self._owned)

    def analysed(self) -> list[str]:
        """Return the cameras of which a frame was analysed."""
        return [camera for camera, owned in self._owned.items() if owned.is_analysed]

    async def acquire(self, camera: str, should: str, tasks: asyncio.TaskGroup) -> None:
        """Run the camera among `tasks` if its lease is free; `should` is its assigned worker."""
        lease = await self._leases.acquire(camera)
        if lease is None:
            return
        log.info("lease acquired", extra={"camera": camera, "epoch": lease.epoch})
        self._context.metrics.init_camera(camera)
        stream = CameraStream(self._client, lease, self._retention)
        pipeline = CameraPipeline(stream, self._context)
        task = create_task(tasks, self._run(camera, pipeline, lease))
        renewing = create_task(
            tasks,
            self._periodic.run(
                f"lease of {camera}", lambda: self._renew_in_turn(camera), asyncio.Event()
            ),
        )
        preferred_owner = None if should == self._leases.owner else should
        self._owned[camera] = Owned(lease, pipeline, task, renewing, preferred_owner)
        # This is a callback, because a task that is cancelled before its first step never runs.
        task.add_done_callback(lambda _: self._remove(camera))

    async def _renew(self, camera: str) -> None:
        """Renew the lease of an owned camera, and export its ledger as metrics."""
        owned = self._owned.get(camera)
        if not owned:  # released since the step began
            return
        if not await self._leases.renew(owned.lease):
            self._context.metrics.ownership.fenced.inc()
            log.warning("the lease has moved on", extra={"camera": camera})
            owned.task.cancel()
            return
        try:
            ledger = await read_ledger(self._client, camera)
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
            self._failures.failed(camera, "account", error)
            return
        owned.is_analysed = ledger.analysed > 0
        if camera in self._owned:  # it may have been released meanwhile, and its gauges removed
            self._failures.succeeded(camera)
            self._context.metrics.account.observe(ledger)

    def release_one(self, assigned: Mapping[str, str], peers: Mapping[str, Peer]) -> None:
        """Stop at most one camera that another worker should own, or that needs no owner.

        It stops one at a time, so that a joining worker does not interrupt many. If a camera has
        not drained within one lease, the next one follows.
        """
        now = time.monotonic()
        for camera, owned in self._owned.items():
            should = assigned.get(camera)
            # It also stays if its preferred owner is assigned, which did not acquire it.
            stays = should in (self._leases.owner, owned.preferred_owner)
            if should is None or (not stays and peers[should].fresh):
                if owned.draining_since is None:
                    owned.draining_since = now
                    owned.pipeline.stop()
                    return
                if now - owned.draining_since < self._leases.lease_s:
                    return

    def stop(self) -> None:
        """Stop reading the frames of all cameras."""
        for owned in self._owned.values():
            owned.pipeline.stop()

    async def wait(self, seconds: float) -> None:
        """Wait until all pipelines have ended, for at most `seconds`."""
        if self._owned:
            await asyncio.wait([owned.task for owned in self._owned.values()], timeout=seconds)

    async def cancel_remaining(self, within_s: float) -> None:
        """Cancel unfinished pipelines; their frames stay pending for the next owner."""
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
                log.warning("leases not released: Redis does not answer")

    def _remove(self, camera: str) -> None:
        self._owned.pop(camera).renewing.cancel()
        self._failures.succeeded(camera)
        self._context.metrics.remove_camera(camera)

    async def _run(self, camera: str, pipeline: CameraPipeline, lease: Lease) -> None:
        """Run a camera's pipeline until it is stopped, fenced or cancelled."""
        try:
            await pipeline.run()
        except* FencedError:
            self._context.metrics.ownership.fenced.inc()
            log.warning("fenced: another worker owns it", extra={"camera": camera})
        else:
            await self._release(lease)

    async def _release(self, lease: Lease) -> None:
        try:
            await self._leases.release(lease)
        except REDIS_ERRORS as error:  # the lease then expires
            log.warning(
                "lease not released: %s", short_message(error), extra={"camera": lease.camera}
            )
        log.info("lease released", extra={"camera": lease.camera})
