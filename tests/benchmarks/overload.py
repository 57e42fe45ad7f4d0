"""Several times more frames than can be analysed: what is published stays fresh, nothing grows."""

import argparse
import time
from collections.abc import Sequence
from typing import Any, Final

from tests.benchmarks import machine, options
from tests.benchmarks.ages import Ages, percentiles
from tests.benchmarks.feed import Feed
from tests.benchmarks.material import Picture, pictures, released
from tests.benchmarks.memory import Growth, Memory
from tests.benchmarks.stages import Stages
from tests.benchmarks.system import Published, System

SHORT: Final = {"seconds": 15.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    options.add_worker(parser)
    parser.add_argument(
        "--factor", type=options.at_least(1.0), default=4.0, help="offered over possible"
    )
    parser.add_argument("--cameras", type=options.count, default=8)
    parser.add_argument("--max-age-ms", type=options.count, default=1000)
    parser.add_argument(
        "--seconds", type=options.at_least(5.0), default=120.0, help="of overload, 5 at least"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Saturate it, overload it, saturate it again, let it come to rest, and read the account."""
    frames = pictures(arguments.clip, arguments.width)
    cameras = [f"bench{n}" for n in range(arguments.cameras)]
    with released(arguments.model, arguments.input_size) as (name, release):
        stages = Stages(arguments.detector, arguments.engine, release, arguments.threads)
        service_ms = 1000 * sum(cost.wall_s for cost in stages.measure(frames).values())
        with System(cameras, options.of_worker(arguments, name)) as system:
            others = machine.OtherLoad(*system.pids)
            before, stored = _saturated(system, frames, arguments)
            rate = arguments.factor * before
            ages = Ages(system)
            memory = Memory(system.workers[0].memory_mb)
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
    return {
        **summary(published, ages_ms, growth, service_ms, (before + after) / 2),
        "max_age_ms": arguments.max_age_ms,
        "balanced": balanced and outcomes["added"] == stored,
        "offered_frames_per_s": round(rate, 1),
        "stored": stored,
        "outcomes": outcomes,
        "other_load_cores": other,
        "input_size": release.card.input_size,
    }


def summary(
    published: Published,
    ages_ms: Sequence[float],
    growth: Growth,
    service_ms: float,
    saturated: float,
) -> dict[str, Any]:
    """The figures, from what was published under overload, how old it was at its subscriber, and
    the frames per second before and after."""
    return {
        "p99_age_ms": round(percentiles(ages_ms)[2], 1),
        "max_seen_age_ms": round(max(ages_ms), 1),
        "service_ms": round(service_ms, 1),
        "rss_slope_mb_per_min": round(growth.slope, 2),
        "rss_slope_error": round(growth.error, 2),
        "rss_grown_mb": round(growth.grown_mb, 1),
        "frames_per_s": round(published.frames_per_s, 1),
        "faces_per_s": round(published.faces_per_s, 1),
        "saturated_frames_per_s": round(saturated, 1),
        "over_saturation": round(published.frames_per_s / saturated, 3),
    }


def _saturated(
    system: System, frames: list[Picture], arguments: argparse.Namespace
) -> tuple[float, int]:
    """Frames per second, and how many frames were stored for it."""
    ages = Ages(system)  # the same subscriber as under overload: it takes CPU time as well
    with Feed(system, frames) as feed:
        system.await_owners()
        system.await_frames(arguments.cameras)
        rate = system.watch(min(15.0, arguments.seconds / 2)).frames_per_s
    ages.close()
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
