"""Saturated rate from Redis to event, against what the cores could do with the stages alone."""

import argparse
from typing import Any, Final

from tests.benchmarks import machine, options
from tests.benchmarks.feed import Feed
from tests.benchmarks.material import pictures, released
from tests.benchmarks.stages import Cost, Stages
from tests.benchmarks.system import Published, System

SHORT: Final = {"rounds": 2, "seconds": 5.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    options.add_worker(parser)
    parser.add_argument("--cameras", type=options.count, default=8)
    parser.add_argument(
        "--rounds", type=options.count, default=4, help="alternations of alone and system"
    )
    parser.add_argument(
        "--seconds", type=options.at_least(1.0), default=10.0, help="of the system, per round"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Alternate: the stages alone, then the system at saturation, for a few rounds."""
    frames = pictures(arguments.clip, arguments.width)
    cameras = [f"bench{n}" for n in range(arguments.cameras)]
    alone: list[dict[str, Cost]] = []
    published = []
    with released(arguments.model, arguments.input_size) as (name, release):
        stages = Stages(arguments.detector, arguments.engine, release, threads=1)
        faces = sum(stages.once(picture)[1] for picture in frames) / len(frames)
        with System(cameras, options.of_worker(arguments, name)) as system:
            others = machine.OtherLoad(*system.pids)
            redis_before = system.redis_cpu_s()
            for _ in range(arguments.rounds):
                alone.append(stages.measure(frames))
                with Feed(system, frames):
                    system.await_owners()
                    system.await_frames(arguments.cameras)
                    published.append(system.watch(arguments.seconds))
                system.settle()
            redis_cpu_s = system.redis_cpu_s() - redis_before
            memory_mb = system.workers[0].memory_mb()
            start_s = system.start_s
            other = others.cores()
    return {
        **summary(alone, published),
        "redis_cpu_s": round(redis_cpu_s, 2),
        "faces_per_frame": round(faces, 2),
        "worker_memory_mb": round(memory_mb),
        "worker_start_s": round(start_s, 1),
        "other_load_cores": other,
        "worker_options": options.of_worker(arguments, arguments.model),
        "frame": f"{frames[0].width}x{frames[0].height}",
        "input_size": release.card.input_size,
        "rounds": arguments.rounds,
    }


def summary(alone: list[dict[str, Cost]], published: list[Published]) -> dict[str, Any]:
    """The figures, from what each round measured of the stages alone and of the system."""
    cpu_s = {stage: sum(costs[stage].cpu_s for costs in alone) / len(alone) for stage in alone[0]}
    rates = [part.frames_per_s for part in published]
    frames = sum(part.frames for part in published)
    seconds = sum(part.seconds for part in published)
    worker_cpu_s = sum(part.worker_cpu_s for part in published)
    possible = machine.cores() / sum(cpu_s.values())
    return {
        "faces_per_s": round(sum(part.faces for part in published) / seconds, 1),
        "frames_per_s": round(frames / seconds, 1),
        "frames_per_s_of_rounds": [round(rate, 1) for rate in rates],
        "efficiency": round(frames / seconds / possible, 3),
        # Without the time that other processes on the same cores take.
        "cpu_efficiency": round(sum(cpu_s.values()) * frames / worker_cpu_s, 3),
        "cpu_ms_per_frame": {stage: round(1000 * cost, 2) for stage, cost in cpu_s.items()},
        "worker_cpu_ms_per_frame": round(1000 * worker_cpu_s / frames, 2),
        "worker_cores": round(worker_cpu_s / seconds, 2),
    }
