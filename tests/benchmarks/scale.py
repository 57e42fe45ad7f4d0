"""More workers on this machine, and a thousand cameras on fifty workers that come and go."""

import argparse
import asyncio
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack, aclosing
from typing import Any, Final
from unittest.mock import patch

from redis.asyncio import BlockingConnectionPool, Redis

from emotion_streams import keys
from emotion_streams.connection import Client
from service.health import Health
from tests.benchmarks import options
from tests.benchmarks.feed import Feed
from tests.benchmarks.material import Picture, pictures, released
from tests.benchmarks.system import System
from tests.servers import RedisProcess
from tests.worker.stubs import stub_context
from worker.app import Worker
from worker.context import WorkerContext
from worker.delivery.types import Retention
from worker.ownership.lease import Leases, assign

_SETTLE_MAY_TAKE_S: Final = 180.0


SHORT: Final = {
    "seconds": 6.0,
    "simulated_cameras": 100,
    "simulated_workers": 10,
    "lease_ms": 5000,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    options.add_worker(parser)
    parser.set_defaults(threads=1)
    parser.add_argument(
        "--workers", type=options.counts, default="1,2", help="how many, one after the other"
    )
    parser.add_argument("--cameras", type=options.count, default=16)
    parser.add_argument(
        "--seconds", type=options.at_least(1.0), default=15.0, help="per number of workers"
    )
    parser.add_argument("--simulated-cameras", type=options.count, default=1000)
    parser.add_argument("--simulated-workers", type=options.whole(2), default=50)
    parser.add_argument(
        "--lease-ms", type=options.whole(500), default=20_000, help="of the simulation"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """The rates of each number of workers, then the simulation."""
    frames = pictures(arguments.clip, arguments.width)
    rates = {}
    with released(arguments.model, arguments.input_size) as (name, _):
        for workers in arguments.workers:
            rates[workers] = _rate(arguments, name, frames, workers)
    one = rates[min(rates)]
    return {
        "frames_per_s": {str(workers): round(rate, 1) for workers, rate in rates.items()},
        "over_one": {str(workers): round(rate / one, 2) for workers, rate in rates.items()},
        "assign_ms": _assign_ms(arguments),
        "simulation": asyncio.run(simulate(arguments)),
    }


def _rate(arguments: argparse.Namespace, model: str, frames: list[Picture], workers: int) -> float:
    cameras = [f"bench{n}" for n in range(arguments.cameras)]
    with (
        System(cameras, options.of_worker(arguments, model), workers) as system,
        Feed(system, frames),
    ):
        system.await_owners()
        system.await_frames(arguments.cameras)
        return system.watch(arguments.seconds).frames_per_s


def _assign_ms(arguments: argparse.Namespace) -> float:
    """What it costs a worker to compute who should own which camera, when that changed."""
    cameras, workers = _names(arguments)
    start = time.process_time()
    assign(cameras, dict.fromkeys(workers, 1.0))
    return round(1000 * (time.process_time() - start), 1)


def _names(arguments: argparse.Namespace) -> tuple[list[str], list[str]]:
    cameras = [f"camera{number}" for number in range(arguments.simulated_cameras)]
    return cameras, [f"worker{number}" for number in range(arguments.simulated_workers)]


async def simulate(arguments: argparse.Namespace) -> dict[str, Any]:
    """The workers' own code and leases on a real server, all in this process; no frame flows.
    After the start a worker vanishes, and another one joins."""
    cameras, names = _names(arguments)
    with (
        patch("worker.ownership.owned.CameraPipeline", _IdlePipeline),
        RedisProcess() as server,
        stub_context() as context,
    ):
        # One pool for all: by themselves they would open more files than a process may.
        pool = BlockingConnectionPool.from_url(server.url, max_connections=200, timeout=None)
        async with AsyncExitStack() as ends:
            client = await ends.enter_async_context(aclosing(Redis.from_pool(pool)))
            site = _Site(client, cameras, arguments.lease_ms, context)
            ends.push_async_callback(site.close)
            start_s, _ = await site.settle(join=names)
            loss_s, moved_by_loss = await site.settle(lose=names[0])
            join_s, moved_by_join = await site.settle(join=["newcomer"])
    share = len(cameras) / len(names)
    return {
        "cameras": len(cameras),
        "workers": len(names),
        "lease_ms": arguments.lease_ms,
        "start_s": round(start_s, 1),
        "loss_s": round(loss_s, 1),
        "join_s": round(join_s, 1),
        "moved_by_loss": moved_by_loss,
        "moved_by_join": moved_by_join,
        "least_to_move": round(share),
    }


class _IdlePipeline:
    """Has nothing to read: one event loop could not wait on a thousand streams for all workers."""

    def __init__(self, *_: object) -> None:
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        await self._stopping.wait()


class _Site:
    def __init__(
        self,
        client: Client,
        cameras: list[str],
        lease_ms: int,
        context: WorkerContext,
    ) -> None:
        self._client = client
        self._cameras = cameras
        self._lease_ms = lease_ms
        self._context = context
        self._running: dict[str, asyncio.Task[None]] = {}

    async def settle(self, join: Iterable[str] = (), lose: str = "") -> tuple[float, int]:
        """Seconds from the change until every camera has the owner it should, and how many
        cameras have another one than before."""
        before = await self._owners()
        began = time.monotonic()
        for name in join:  # all first, or each would see another number of workers
            await Leases(self._client, name, 1.0, self._lease_ms).heartbeat()
        for name in join:
            self._running[name] = asyncio.create_task(self._run(name))
        if lose:  # it vanishes: nothing is given up
            self._running.pop(lose).cancel()
        while time.monotonic() - began < _SETTLE_MAY_TAKE_S:
            await asyncio.sleep(0.25)
            for task in self._running.values():
                if task.done():
                    task.result()  # raises what ended it
            now_ms = time.time() * 1000
            await self._client.zadd(keys.CAMERAS, dict.fromkeys(self._cameras, now_ms))
            owners = await self._owners()
            should = assign(self._cameras, dict.fromkeys(self._running, 1.0))
            if owners == should:
                moved = sum(before[c] != owners[c] for c in self._cameras if before[c])
                return time.monotonic() - began, moved
        wrong = sum(owners[camera] != should[camera] for camera in self._cameras)
        raise RuntimeError(f"not settled within {_SETTLE_MAY_TAKE_S:g} s: {wrong} cameras are not")

    async def close(self) -> None:
        for task in self._running.values():
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _run(self, name: str) -> None:
        leases = Leases(self._client, name, 1.0, self._lease_ms)
        await Worker(self._client, leases, self._context, Health(), Retention()).run()

    async def _owners(self) -> dict[str, str]:
        async with self._client.pipeline(transaction=False) as pipe:
            for camera in self._cameras:
                pipe.hmget(keys.lease(camera), "owner", "expires_ms")
            leases: list[list[bytes | None]] = await pipe.execute()
        now_ms = time.time() * 1000
        return {
            camera: (owner or b"").decode() if float(expires_ms or 0) > now_ms else ""
            for camera, (owner, expires_ms) in zip(self._cameras, leases, strict=True)
        }
