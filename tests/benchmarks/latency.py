"""From capture to event at light load, against the stages alone at the same pace."""

import argparse
import time
from statistics import quantiles
from typing import Any, Final

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
    parser.add_argument("--cameras", type=int, default=1)
    parser.add_argument("--fps", type=float, default=5.0, help="per camera")
    parser.add_argument("--seconds", type=float, default=60.0)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Feed at the rate, and take an event's age as a subscriber does: as it arrives. After each
    event the stages run here once, by themselves: both meet the same machine."""
    frames = pictures(arguments.clip, arguments.width)
    cameras = [f"bench{n}" for n in range(arguments.cameras)]
    with released(arguments.model, arguments.input_size) as (name, release):
        stages = Stages(arguments.detector, arguments.engine, release)
        with System(cameras, options.of_worker(arguments, name)) as system:
            others = machine.OtherLoad(*system.pids)
            ages = Ages(system)
            with Feed(system, frames, rate=arguments.fps * arguments.cameras, max_age_ms=5000):
                system.await_owners()
                system.await_frames(5)
                ages.clear()
                if arguments.cameras == 1:
                    service_ms = _between_events(ages, stages, frames, arguments.seconds)
                else:
                    time.sleep(arguments.seconds)
            total_ms = ages.close()
            if arguments.cameras > 1:
                service_ms = [_once_ms(stages, frame) for frame in frames]
            other = others.cores()
    p50, p95, p99 = _percentiles(total_ms)
    alone50, _, alone99 = _percentiles(service_ms)
    return {
        "p50_ms": round(p50, 1),
        "p95_ms": round(p95, 1),
        "p99_ms": round(p99, 1),
        "service_ms": round(alone50, 1),
        "service_p99_ms": round(alone99, 1),
        "p50_over_service": round(p50 / alone50, 2),
        "p99_over_service": round(p99 / alone50, 2),
        "events": len(total_ms),
        "cameras": arguments.cameras,
        "fps": arguments.fps,
        "other_load_cores": other,
        "input_size": release.card.input_size,
    }


def _between_events(
    ages: Ages, stages: Stages, frames: list[Picture], seconds: float
) -> list[float]:
    """What the stages take alone, in milliseconds: once after each event, when the worker rests."""
    service_ms: list[float] = []
    seen, ends = 0, time.monotonic() + seconds
    while time.monotonic() < ends:
        if len(ages) == seen:
            time.sleep(0.002)
            continue
        seen = len(ages)
        service_ms.append(_once_ms(stages, frames[len(service_ms) % len(frames)]))
    return service_ms


def _once_ms(stages: Stages, picture: Picture) -> float:
    return 1000 * sum(cost.wall_s for cost in stages.once(picture)[0].values())


def _percentiles(values: list[float]) -> tuple[float, float, float]:
    cuts = quantiles(values, n=100, method="inclusive")
    return cuts[49], cuts[94], cuts[98]
