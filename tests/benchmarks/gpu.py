"""What a GPU does: faces/s and pictures/s by batch, the share of its matrix rate, and the whole
system from Redis to event with its latency at half load. Ends with 2 if no GPU is visible."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tests.benchmarks import machine, options
from tests.benchmarks.ages import Ages, percentiles
from tests.benchmarks.feed import Feed
from tests.benchmarks.material import (
    CLIP,
    YUNET,
    BadInputError,
    Picture,
    encoded,
    fitted,
    images,
    released,
)
from tests.benchmarks.system import Published, System
from worker.inference.devices import visible_gpus

SHORT: Final = {"seconds": 4.0, "rounds": 2}

_WIDTH, _HEIGHT = 640, 480
_START_MAY_TAKE_S: Final = 300.0
"""Each worker compiles ten functions for a GPU."""

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
    with released(arguments.model, arguments.input_size) as (name, release):
        parts = _parts(arguments, name)
        system = _system(arguments, engine, name)
    return {"gpu": _gpu("name"), "input_size": release.card.input_size, **parts, **system}


def _parts(arguments: argparse.Namespace, model: str) -> dict[str, Any]:
    """What gpu_parts measures, in a process that has given its GPU memory back when it ends."""
    values = {
        "model": model,
        "clip": arguments.clip,
        "width": _WIDTH,
        "height": _HEIGHT,
        "threads": arguments.threads,
        "rounds": arguments.rounds,
        "matrix": arguments.matrix,
    }
    given = [text for name, value in values.items() for text in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "tests.benchmarks.gpu_parts", *given]
    printed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    figures: dict[str, Any] = json.loads(printed)
    return figures


def worker_options(arguments: argparse.Namespace, engine: str, model: str) -> list[str]:
    """The command line of each worker: several share the threads."""
    threads = max(1, arguments.threads // arguments.processes)
    return [
        *("--model", model, "--engine", engine, "--threads", str(threads)),
        *("--detector", "yunet", "--detector-model", str(YUNET)),
    ]


def _system(arguments: argparse.Namespace, engine: str, model: str) -> dict[str, Any]:
    """The rate at saturation with its profile, and the ages of events at half of that."""
    frames = [encoded(fitted(image, _WIDTH, _HEIGHT)) for image in images(arguments.clip)]
    worker = worker_options(arguments, engine, model)
    cameras = [f"bench{n}" for n in range(arguments.cameras)]
    used_before = _gpu("memory.used")
    with System(
        cameras, worker, workers=arguments.processes, start_may_take_s=_START_MAY_TAKE_S
    ) as system:
        with Feed(system, frames):
            system.await_owners()
            system.await_frames(_WARM_UP_FRAMES)
            profile = Profile(system)
            full = system.watch(arguments.seconds)
            busy = profile.shares()
        system.settle()
        ages_ms = _ages_ms(system, frames, full, arguments.seconds)
        memory = [round(worker.memory_mb()) for worker in system.workers]
        start_s = system.start_s
        gpu_memory = _gpu("memory.used")
    p50, _, p99 = percentiles(ages_ms)
    return {
        "frame": f"{frames[0].width}x{frames[0].height}",
        "worker_options": worker,
        "busy": busy,
        "frames_per_s": round(full.frames_per_s, 1),
        "system_faces_per_s": round(full.faces_per_s, 1),
        "worker_cores": round(full.worker_cpu_s / full.seconds, 2),
        "half_load_p50_ms": round(p50, 1),
        "half_load_p99_ms": round(p99, 1),
        "worker_memory_mb": memory,
        "gpu_memory": gpu_memory,
        "gpu_memory_of_others": used_before,
        "worker_start_s": round(start_s, 1),
    }


class Profile:
    """How busy each part of the workers was since this was made: what holds them."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._before = system.busy_s()
        self._began = time.perf_counter()

    def shares(self) -> list[dict[str, float]]:
        """Per worker: the share of a core of its event loop, the busy share of its threads, its
        engine, and its detector where that takes batches."""
        elapsed = time.perf_counter() - self._began
        return [
            {part: round((after[part] - before.get(part, 0.0)) / elapsed, 3) for part in after}
            for before, after in zip(self._before, self._system.busy_s(), strict=True)
        ]


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
