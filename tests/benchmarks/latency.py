"""From capture to event at light load, against the stages alone at the same pace."""

import argparse
import time
from collections.abc import Sequence
from typing import Any, Final

from tests.benchmarks import machine, options
from tests.benchmarks.ages import Ages, percentiles
from tests.benchmarks.feed import Feed
from tests.benchmarks.material import Picture, pictures, released
from tests.benchmarks.stages import Stages
from tests.benchmarks.system import System

SHORT: Final = {"seconds": 15.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    options.add_worker(parser)
    parser.add_argument("--cameras", type=options.count, default=1)
    parser.add_argument("--fps", type=options.at_least(0.1), default=5.0, help="per camera")
    parser.add_argument("--seconds", type=options.at_least(2.0), default=60.0)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Feed at the rate, and take an event's age as a subscriber does: as it arrives. After each
    event the stages run here once, by themselves, in turn with the worker's threads and with one:
    all meet the same machine."""
    frames = pictures(arguments.clip, arguments.width)
    cameras = [f"bench{n}" for n in range(arguments.cameras)]
    with released(arguments.model, arguments.input_size) as (name, release):
        stages = [
            Stages(arguments.detector, arguments.engine, release, threads)
            for threads in (arguments.threads, 1)
        ]
        with System(cameras, options.of_worker(arguments, name)) as system:
            others = machine.OtherLoad(*system.pids)
            ages = Ages(system)
            with Feed(system, frames, rate=arguments.fps * arguments.cameras, max_age_ms=5000):
                system.await_owners()
                system.await_frames(5)
                ages.clear()
                if arguments.cameras == 1:
                    alone_ms = _between_events(ages, stages, frames, arguments.seconds)
                else:
                    time.sleep(arguments.seconds)
            total_ms = ages.close()
            if arguments.cameras > 1:
                alone_ms = [[each.once_ms(frame) for frame in frames] for each in stages]
            other = others.cores()
    return {
        **summary(total_ms, *alone_ms),
        "cameras": arguments.cameras,
        "fps": arguments.fps,
        "other_load_cores": other,
        "input_size": release.card.input_size,
    }


def summary(
    total_ms: Sequence[float], service_ms: Sequence[float], single_thread_ms: Sequence[float]
) -> dict[str, Any]:
    """The figures, from the ages of events, and from what the stages of a frame take alone: as the
    worker runs them, its faces shared out over the instances, and on one thread."""
    p50, p95, p99 = percentiles(total_ms)
    alone50, _, alone99 = percentiles(service_ms)
    single50 = percentiles(single_thread_ms)[0]
    return {
        "p50_ms": round(p50, 1),
        "p95_ms": round(p95, 1),
        "p99_ms": round(p99, 1),
        "service_ms": round(alone50, 1),
        "service_p99_ms": round(alone99, 1),
        "single_thread_ms": round(single50, 1),
        "p50_over_service": round(p50 / alone50, 2),
        "p99_over_service": round(p99 / alone50, 2),
        "p50_over_single_thread": round(p50 / single50, 2),
        "p99_over_single_thread": round(p99 / single50, 2),
        "events": len(total_ms),
    }


def _between_events(
    ages: Ages, stages: Sequence[Stages], frames: list[Picture], seconds: float
) -> list[list[float]]:
    """What the stages take alone, in milliseconds, each in turn: one after each event, when the
    worker rests."""
    alone_ms: list[list[float]] = [[] for _ in stages]
    turn = 0
    seen, ends = 0, time.monotonic() + seconds
    while time.monotonic() < ends:
        if len(ages) == seen:
            time.sleep(0.002)
            continue
        seen = len(ages)
        # The same pictures for each of them.
        picture = frames[turn // len(stages) % len(frames)]
        alone_ms[turn % len(stages)].append(stages[turn % len(stages)].once_ms(picture))
        turn += 1
    return alone_ms
