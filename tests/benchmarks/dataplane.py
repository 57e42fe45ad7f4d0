"""Frames per second through one worker whose stages do nothing, 30 KB each."""

import argparse
import os
from typing import Any, Final

from tests.benchmarks import machine, options
from tests.benchmarks.feed import Feed
from tests.benchmarks.material import Picture
from tests.benchmarks.system import System

SHORT: Final = {"seconds": 8.0}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--cameras", type=options.count, default=16)
    parser.add_argument("--frame-kb", type=options.at_least(0.1), default=30.0)
    parser.add_argument("--in-flight", type=options.count, default=64)
    parser.add_argument("--seconds", type=options.at_least(1.0), default=20.0)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Keep every camera's stream filled, and count what comes out."""
    frame = [Picture(os.urandom(round(arguments.frame_kb * 1000)), 480, 270)]
    cameras = [f"bench{n}" for n in range(arguments.cameras)]
    options = ["--in-flight", str(arguments.in_flight)]
    with System(cameras, options, module="tests.benchmarks.stub_worker") as system:
        others = machine.OtherLoad(*system.pids)
        with Feed(system, frame, filled_to=28):
            system.await_owners()
            system.await_frames(1000)
            redis_before = system.redis_cpu_s()
            published = system.watch(arguments.seconds)
            redis_cpu_s = system.redis_cpu_s() - redis_before
        other = others.cores()
    return {
        "frames_per_s": round(published.frames_per_s),
        # What the worker alone could do, were it given a core of its own all the time.
        "frames_per_worker_cpu_s": round(published.frames / published.worker_cpu_s),
        "worker_cores": round(published.worker_cpu_s / published.seconds, 2),
        "redis_cores": round(redis_cpu_s / published.seconds, 2),
        "frame_kb": arguments.frame_kb,
        "cameras": arguments.cameras,
        "other_load_cores": other,
    }
