"""The package `fer` on the same clip, interleaved with ours; it is installed where --venv says."""

import argparse
import subprocess
import sys
import venv
from pathlib import Path
from statistics import median
from typing import Any, Final, Self

from tests.benchmarks import machine, options
from tests.benchmarks.feed import Feed
from tests.benchmarks.material import pictures, released
from tests.benchmarks.system import System
from worker.detect.choose import cache_folder

# fer asks for pkg_resources, which later versions of setuptools no longer have.
_PACKAGES: Final = ("fer", "setuptools<80")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    options.add_worker(parser)
    parser.add_argument("--venv", type=Path, default=cache_folder() / "peers")
    parser.add_argument("--modes", default="tflite,keras,mtcnn")
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each, per round")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Alternate: each mode of fer, then ours, each with the whole machine."""
    if arguments.short:
        arguments.rounds, arguments.seconds, arguments.modes = 2, 6.0, "tflite"
    modes = arguments.modes.split(",")
    frames = pictures(arguments.clip, arguments.width)
    cameras = [f"bench{n}" for n in range(arguments.cameras)]
    rates: dict[str, list[float]] = {mode: [] for mode in modes}
    ours = []
    with (
        released(arguments.model, arguments.input_size) as (name, release),
        Fer(_python(arguments.venv), arguments.clip) as fer,
        System(cameras, options.of_worker(arguments, name)) as system,
    ):
        for mode in modes:
            fer.faces_per_s(mode, 0.1)  # builds it
        others = machine.OtherLoad(*system.pids, fer.pid)
        for _ in range(arguments.rounds):
            for mode in modes:
                rates[mode].append(fer.faces_per_s(mode, arguments.seconds))
            with Feed(system, frames):
                system.await_owners()
                system.await_frames(arguments.cameras)
                ours.append(system.watch(arguments.seconds).faces_per_s)
            system.settle()
        other = others.cores()
    medians = {mode: median(rate) for mode, rate in rates.items()}
    fastest = max(medians, key=medians.__getitem__)
    return {
        "over_fer": round(median(a / b for a, b in zip(ours, rates[fastest], strict=True)), 2),
        "faces_per_s": round(median(ours), 1),
        "fer_faces_per_s": {mode: round(rate, 1) for mode, rate in medians.items()},
        "fer_fastest": fastest,
        "input_size": release.card.input_size,
        "rounds": arguments.rounds,
        "other_load_cores": other,
    }


def _python(folder: Path) -> Path:
    """The interpreter of fer's environment, made where it is missing."""
    python = folder / "bin" / "python"
    if not python.is_file():
        print(f"installing fer into {folder}: some minutes, 3 GB", file=sys.stderr)
        venv.create(folder, with_pip=True)
    check = [str(python), "-c", "import fer.fer, pkg_resources"]
    if subprocess.run(check, capture_output=True, check=False).returncode:
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *_PACKAGES], check=True)
    return python


class Fer:
    """fer in a process of its own."""

    def __init__(self, python: Path, clip: Path) -> None:
        self._process = subprocess.Popen(
            [str(python), str(Path(__file__).with_name("fer_process.py")), str(clip)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.pid = self._process.pid
        self._read()

    def faces_per_s(self, mode: str, seconds: float) -> float:
        """Let it run for so long, over and over the clip."""
        assert self._process.stdin
        self._process.stdin.write(f"{mode} {seconds}\n")
        self._process.stdin.flush()
        faces, _, elapsed = self._read().split()
        return int(faces) / float(elapsed)

    def _read(self) -> str:
        assert self._process.stdout
        while line := self._process.stdout.readline():
            if line.startswith("ready") or len(line.split()) == 3:  # it prints other things too
                return line
        raise RuntimeError("fer ended; run fer_process.py with its python to see why")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
