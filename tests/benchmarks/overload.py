"""Several times more frames than can be analysed: what is published stays fresh, nothing grows."""

import argparse
import threading
import time
from dataclasses import dataclass
from statistics import quantiles
from typing import Any, Final

import numpy as np

from tests.benchmarks import machine, options
from tests.benchmarks.ages import Ages
from tests.benchmarks.feed import Feed
from tests.benchmarks.material import Picture, pictures, released
from tests.benchmarks.stages import Stages
from tests.benchmarks.system import System

SHORT: Final = {"seconds": 15.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    options.add_worker(parser)
    parser.add_argument("--factor", type=float, default=4.0, help="offered over possible")
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--max-age-ms", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=120.0, help="of overload")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Saturate it, overload it, saturate it again, let it come to rest, and read the account."""
    frames = pictures(arguments.clip, arguments.width)
    cameras = [f"bench{n}" for n in range(arguments.cameras)]
    with released(arguments.model, arguments.input_size) as (name, release):
        costs = Stages(arguments.detector, arguments.engine, release).measure(frames)
        service_ms = 1000 * sum(cost.wall_s for cost in costs.values())
        with System(cameras, options.of_worker(arguments, name)) as system:
            others = machine.OtherLoad(*system.pids)
            before, stored = _saturated(system, frames, arguments)
            rate = arguments.factor * before
            ages = Ages(system)
            memory = _Memory(system.workers[0].memory_mb)
            with Feed(system, frames, rate=rate, max_age_ms=arguments.max_age_ms) as feed:
                time.sleep(3.0)  # until it is in the midst of it
                ages.clear()
                memory.clear()
                published = system.watch(arguments.seconds)
            ages_ms, growth = ages.close(), memory.close()
            after, stored_after = _saturated(system, frames, arguments)
            stored += feed.stored + stored_after
            balanced, outcomes = _account(system)
            other = others.cores()
    saturated = (before + after) / 2
    return {
        "p99_age_ms": round(quantiles(ages_ms, n=100, method="inclusive")[98], 1),
        "max_seen_age_ms": round(max(ages_ms), 1),
        "max_age_ms": arguments.max_age_ms,
        "service_ms": round(service_ms, 1),
        "rss_slope_mb_per_min": round(growth.slope, 2),
        "rss_slope_error": round(growth.error, 2),
        "rss_grown_mb": round(growth.grown_mb, 1),
        "balanced": balanced and outcomes["added"] == stored,
        "frames_per_s": round(published.frames_per_s, 1),
        "faces_per_s": round(published.faces_per_s, 1),
        "saturated_frames_per_s": round(saturated, 1),
        "over_saturation": round(published.frames_per_s / saturated, 3),
        "offered_frames_per_s": round(rate, 1),
        "stored": stored,
        "outcomes": outcomes,
        "other_load_cores": other,
        "input_size": release.card.input_size,
    }


def _saturated(
    system: System, frames: list[Picture], arguments: argparse.Namespace
) -> tuple[float, int]:
    """Frames per second, and how many frames were stored for it."""
    with Feed(system, frames) as feed:
        system.await_owners()
        system.await_frames(arguments.cameras)
        rate = system.watch(min(15.0, arguments.seconds / 2)).frames_per_s
    system.settle()  # what counts without an age must not stand in the next one's way
    return rate, feed.stored


def _account(system: System) -> tuple[bool, dict[str, int]]:
    """When all has ended: whether every camera's account balances, and their sum."""
    ledgers = system.settle()
    outcomes: dict[str, int] = {}
    for ledger in ledgers:
        for state, count in ledger.frames().items():
            outcomes[state] = outcomes.get(state, 0) + count
    return all(ledger.balanced for ledger in ledgers), outcomes


@dataclass(frozen=True)
class _Growth:
    """Of resident memory: all in all, and MB per minute with its standard error over the second
    half, when queues and allocator have taken what this load needs."""

    grown_mb: float
    slope: float
    error: float


class _Memory:
    """A process' resident memory, each half second, and how it grew."""

    def __init__(self, read_mb: Any) -> None:
        self._read_mb = read_mb
        self._samples: list[tuple[float, float]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def clear(self) -> None:
        self._samples.clear()

    def close(self) -> _Growth:
        """Since it was cleared; the slope by least squares."""
        self._stop.set()
        self._thread.join()
        at, mb = np.array(self._samples).T
        half = len(at) // 2
        (slope, _), covariance = np.polyfit(at[half:] / 60, mb[half:], 1, cov=True)
        return _Growth(float(mb[-1] - mb[0]), float(slope), float(np.sqrt(covariance[0, 0])))

    def _sample(self) -> None:
        while not self._stop.wait(0.5):
            self._samples.append((time.monotonic(), self._read_mb()))
