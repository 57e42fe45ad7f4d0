"""What a GPU does: faces/s and pictures/s by batch, the share of its matrix rate, and the whole
system from Redis to event with its latency at half load. Ends with 2 if no GPU is visible."""

import argparse
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.benchmarks import machine, options
from tests.benchmarks.ages import Ages, percentiles
from tests.benchmarks.feed import Feed
from tests.benchmarks.material import CLIP, YUNET, BadInputError, Picture, pictures, released
from tests.benchmarks.system import Published, System
from worker.inference.devices import visible_gpus

SHORT: Final = {"seconds": 4.0, "rounds": 2}

_WIDTH: Final = 640
_WARM_UP_FRAMES: Final = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    options.add_model(parser)
    parser.add_argument("--clip", type=Path, default=CLIP)
    parser.add_argument("--threads", type=options.count, default=machine.cores())
    parser.add_argument("--cameras", type=options.count, default=64)
    parser.add_argument("--processes", type=options.count, default=1, help="workers on the GPU")
    parser.add_argument("--rounds", type=options.count, default=5, help="of each batch size")
    parser.add_argument(
        "--seconds", type=options.at_least(1.0), default=15.0, help="of the system, per load"
    )
    parser.add_argument(
        "--matrix", type=options.count, default=8192, help="side of the square matrices"
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """The parts alone, one after the other, and then the system."""
    if not visible_gpus():
        raise BadInputError("no GPU is visible (a driver, and CUDA_VISIBLE_DEVICES)")
    return measure(arguments, "keras")


def measure(arguments: argparse.Namespace, engine: str) -> dict[str, Any]:
    """All figures, with the worker's `engine`."""
    from tests.benchmarks import gpu_parts  # imports Keras and its backend, which takes seconds

    with released(arguments.model, arguments.input_size) as (name, release):
        parts = gpu_parts.measure(
            release, arguments.clip, arguments.threads, arguments.rounds, arguments.matrix
        )
        system = _system(arguments, engine, name)
    return {"gpu": _gpu("name"), "input_size": release.card.input_size, **parts, **system}


def _system(arguments: argparse.Namespace, engine: str, model: str) -> dict[str, Any]:
    """The rate at saturation, and the ages of events at half of that."""
    frames = pictures(arguments.clip, _WIDTH)
    worker = [
        *("--model", model, "--engine", engine, "--threads", str(arguments.threads)),
        *("--detector", "yunet", "--detector-model", str(YUNET)),
    ]
    cameras = [f"bench{n}" for n in range(arguments.cameras)]
    with System(cameras, worker, workers=arguments.processes) as system:
        with Feed(system, frames):
            system.await_owners()
            system.await_frames(_WARM_UP_FRAMES)
            full = system.watch(arguments.seconds)
        system.settle()
        ages_ms = _ages_ms(system, frames, full, arguments.seconds)
        memory = [round(worker.memory_mb()) for worker in system.workers]
        start_s = system.start_s
        gpu_memory = _gpu("memory.used")
    p50, _, p99 = percentiles(ages_ms)
    return {
        "frames_per_s": round(full.frames_per_s, 1),
        "system_faces_per_s": round(full.faces_per_s, 1),
        "worker_cores": round(full.worker_cpu_s / full.seconds, 2),
        "half_load_p50_ms": round(p50, 1),
        "half_load_p99_ms": round(p99, 1),
        "worker_memory_mb": memory,
        "gpu_memory": gpu_memory,
        "worker_start_s": round(start_s, 1),
    }


def _ages_ms(
    system: System, frames: Sequence[Picture], full: Published, seconds: float
) -> list[float]:
    ages = Ages(system)
    with Feed(system, frames, rate=full.frames_per_s / 2, max_age_ms=5000):
        time.sleep(1.0)
        ages.clear()
        time.sleep(seconds)
    return ages.close()


def _gpu(field: str) -> str | None:
    """What nvidia-smi says of the first visible GPU, None if it says nothing."""
    command = ["nvidia-smi", f"--query-gpu={field}", "--format=csv,noheader", "-i"]
    try:
        asked = [*command, next(iter(visible_gpus()), "0")]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
