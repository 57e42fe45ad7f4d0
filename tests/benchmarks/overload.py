"""Several times more frames than can be analysed: what is published stays fresh, nothing grows."""

import argparse
import threading
import time
from statistics import quantiles
from typing import Any

import numpy as np

from emotion_streams import keys
from emotion_streams.connection import connect_sync
from tests.benchmarks import machine, options
from tests.benchmarks.feed import Feed
from tests.benchmarks.material import pictures, released
from tests.benchmarks.stages import Stages
from tests.benchmarks.system import System


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    options.add_worker(parser)
    parser.add_argument("--factor", type=float, default=4.0, help="offered over possible")
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--max-age-ms", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=120.0, help="of overload")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Saturate it, overload it, saturate it again, let it come to rest, and read the account."""
    if arguments.short:
        arguments.seconds = 15.0
    frames = pictures(arguments.clip, arguments.width)
    cameras = [f"bench{n}" for n in range(arguments.cameras)]
    with released(arguments.model, arguments.input_size) as (name, release):
        costs = Stages(arguments.detector, arguments.engine, release).measure(frames)
        service_ms = 1000 * sum(cost.wall_s for cost in costs.values())
        with System(cameras, options.of_worker(arguments, name)) as system:
            others = machine.OtherLoad(*system.pids)
            before = _saturated(system, frames, arguments)
            rate = arguments.factor * before
            ages = _Ages(system)
            memory = _Memory(system.workers[0].memory_mb)
            with Feed(system, frames, rate=rate, max_age_ms=arguments.max_age_ms) as feed:
                time.sleep(3.0)  # until it is in the midst of it
                ages.clear()
                memory.clear()
                published = system.watch(arguments.seconds)
                offered = feed.stored
            ages_ms, slope = ages.close(), memory.close()
            after = _saturated(system, frames, arguments)
            balanced, outcomes = _account(system)
            other = others.cores()
    saturated = (before + after) / 2
    return {
        "p99_age_ms": round(quantiles(ages_ms, n=100, method="inclusive")[98], 1),
        "max_seen_age_ms": round(max(ages_ms), 1),
        "max_age_ms": arguments.max_age_ms,
        "service_ms": round(service_ms, 1),
        "rss_slope_mb_per_min": round(slope, 2),
        "balanced": balanced,
        "frames_per_s": round(published.frames_per_s, 1),
        "faces_per_s": round(published.faces_per_s, 1),
        "saturated_frames_per_s": round(saturated, 1),
        "over_saturation": round(published.frames_per_s / saturated, 3),
        "offered_frames_per_s": round(rate, 1),
        "stored": offered,
        "outcomes": outcomes,
        "other_load_cores": other,
        "input_size": release.card.input_size,
    }


def _saturated(system: System, frames: list[Any], arguments: argparse.Namespace) -> float:
    with Feed(system, frames):
        system.await_owners()
        system.await_frames(arguments.cameras)
        rate = system.watch(min(15.0, arguments.seconds / 2)).frames_per_s
    system.settle()  # what counts without an age must not stand in the next one's way
    return rate


def _account(system: System) -> tuple[bool, dict[str, int]]:
    """When all has ended: whether every camera's account balances, and their sum."""
    ledgers = system.settle()
    outcomes: dict[str, int] = {}
    for ledger in ledgers:
        for state, count in ledger.frames().items():
            outcomes[state] = outcomes.get(state, 0) + count
    return all(ledger.balanced for ledger in ledgers), outcomes


class _Ages:
    """How old events are as they arrive at a subscriber of all cameras."""

    def __init__(self, system: System) -> None:
        self._client = connect_sync(system.url)
        self._after: dict[str, Any] = {keys.emotions(camera): "$" for camera in system.cameras}
        self._ages_ms: list[float] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def clear(self) -> None:
        self._ages_ms.clear()

    def close(self) -> list[float]:
        self._stop.set()
        self._thread.join()
        self._client.close()
        return self._ages_ms

    def _read(self) -> None:
        while not self._stop.is_set():
            reply = self._client.xread(self._after, block=200)
            now_ms = time.time() * 1000
            for stream, entries in reply or ():
                for entry_id, _ in entries:
                    self._after[stream.decode()] = entry_id
                    self._ages_ms.append(now_ms - int(entry_id.partition(b"-")[0]))


class _Memory:
    """A process' resident memory, each half second, and its slope."""

    def __init__(self, read_mb: Any) -> None:
        self._read_mb = read_mb
        self._samples: list[tuple[float, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def clear(self) -> None:
        self._samples.clear()

    def close(self) -> float:
        """MB per minute, by least squares."""
        self._stop.set()
        self._thread.join()
        at, mb = np.array(self._samples).T
        return float(np.polyfit((at - at[0]) / 60, mb, 1)[0])

    def _sample(self) -> None:
        while not self._stop.wait(0.5):
            self._samples.append((time.monotonic(), self._read_mb()))
