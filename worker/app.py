"""A worker: owns cameras by lease, runs a pipeline for each, and lets go in good order."""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import Final

from emotion_streams import keys
from emotion_streams.backoff import UNREACHABLE
from emotion_streams.connection import Client
from emotion_streams.service.health import Health
from worker.camera import CameraPipeline
from worker.lease import TICK_S, Leases, rendezvous
from worker.stream import CameraStream, Fenced, Lease, Retention
from worker.workshop import Workshop

SILENT_MS: Final = 60_000
"""A camera not heard for this long is let go once nothing of it waits."""

DRAIN_S: Final = 8.0
"""How long a worker that stops may take over what is in the works; what is left then stays
pending, and its next owner claims it."""

log = logging.getLogger(__name__)


@dataclass
class Owned:
    """A camera that this worker has: its lease, its pipeline and the task that runs it."""

    lease: Lease
    pipeline: CameraPipeline
    task: "asyncio.Task[None]"
    leaving: bool = field(default=False)


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
        self._owned: dict[str, Owned] = {}
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Finish what is in the works, give the cameras up and return from run()."""
        self._stopping.set()

    async def run(self) -> None:
        """Work until stopped. Whatever is neither a bad frame nor an unreachable Redis ends it
        with an exception: its pending frames are claimed by another."""
        async with asyncio.TaskGroup() as tasks:
            batching = tasks.create_task(self._shop.batcher.run())
            while not self._stopping.is_set():
                await self._tick_safely(tasks)
                await _wait(self._stopping, TICK_S)
            await self._drain()
            batching.cancel()

    async def _tick_safely(self, tasks: asyncio.TaskGroup) -> None:
        self._health.beat()
        try:
            await self._tick(tasks)
        except UNREACHABLE as error:
            self._shop.metrics.redis_errors.inc()
            self._health.set("redis", f"Redis cannot be reached: {error}")
            log.warning("Redis cannot be reached; trying again: %s", error)
        else:
            self._health.set("redis", None)
            self._health.started()

    async def _tick(self, tasks: asyncio.TaskGroup) -> None:
        """Say that this worker lives, keep its leases, take cameras, and let go of one at most."""
        await self._shop.clock.adjust(self._client)
        live = await self._leases.heartbeat()
        await self._renew()
        wanted = await self._attached()
        for camera in wanted - self._owned.keys():
            if rendezvous(camera, live) == self._leases.owner:
                await self._take(camera, tasks)
        self._let_go_of_one(wanted, live)
        self._shop.metrics.owned.set(len(self._owned))

    async def _renew(self) -> None:
        for camera, owned in list(self._owned.items()):
            if not owned.task.done() and not await self._leases.renew(owned.lease):
                log.warning("the lease has moved on", extra={"camera": camera})
                owned.task.cancel()

    async def _attached(self) -> set[str]:
        """Cameras that somebody must own: heard lately, or with frames left."""
        now_ms = self._shop.clock_ms()
        heard: list[tuple[bytes, float]] = await self._client.zrange(
            keys.CAMERAS, 0, -1, withscores=True
        )
        wanted = set()
        for name, heard_ms in heard:
            camera = name.decode()
            silent = now_ms - heard_ms > SILENT_MS
            if camera in self._owned or silent:
                backlog: int = await self._client.xlen(keys.frames(camera))
                if camera in self._owned:
                    self._shop.metrics.backlog.labels(camera).set(backlog)
                if silent and not backlog:
                    continue
            wanted.add(camera)
        return wanted

    async def _take(self, camera: str, tasks: asyncio.TaskGroup) -> None:
        lease = await self._leases.acquire(camera)
        if lease is None:
            return
        log.info("owning", extra={"camera": camera, "epoch": lease.epoch})
        stream = CameraStream(self._client, lease, self._retention)
        pipeline = CameraPipeline(stream, self._shop)
        task = tasks.create_task(self._run(camera, pipeline, lease))
        self._owned[camera] = Owned(lease, pipeline, task)

    async def _run(self, camera: str, pipeline: CameraPipeline, lease: Lease) -> None:
        """Run a camera's pipeline until it is stopped, fenced or cancelled."""
        try:
            await pipeline.run()
        except* Fenced:
            self._shop.metrics.fenced.inc()
            log.warning("fenced: another worker has it", extra={"camera": camera})
        else:
            await self._release(lease)
        finally:
            del self._owned[camera]
            self._shop.metrics.forget(camera)

    async def _release(self, lease: Lease) -> None:
        try:
            await self._leases.release(lease)
        except UNREACHABLE as error:  # then it runs out by itself
            log.warning("lease not given up: %s", error, extra={"camera": lease.camera})
        log.info("let go", extra={"camera": lease.camera})

    def _let_go_of_one(self, wanted: set[str], live: dict[str, float]) -> None:
        """One at a time: a worker that joins must not stop many cameras at once."""
        for camera, owned in self._owned.items():
            if camera not in wanted or rendezvous(camera, live) != self._leases.owner:
                if not owned.leaving:
                    owned.leaving = True
                    owned.pipeline.stop()
                return

    async def _drain(self) -> None:
        """Stop reading everywhere, then finish within DRAIN_S. The worker leaves the workers first,
        so that the others come for its cameras as their leases are given up."""
        self._health.set("stop", "stopping")
        deadline = time.monotonic() + DRAIN_S
        try:
            await asyncio.wait_for(self._leases.leave(), 1.0)
        except (*UNREACHABLE, TimeoutError) as error:
            log.warning("not signed off: %s", error)
        tasks = []
        for owned in self._owned.values():
            owned.pipeline.stop()
            tasks.append(owned.task)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=deadline - time.monotonic())
            for task in late:
                task.cancel()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
