"""The tracker on generated scenes, beside ByteTrack and OC-SORT of the package `trackers`, which
--venv installs; and what a frame costs. Constants and options were chosen on other seeds."""

import argparse
import json
import subprocess
import sys
import time
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any, Final

import numpy as np

from tests.benchmarks import options
from tests.worker.tracking.scenes import Ids, SceneFrame, quality, scene, tracked
from worker.tracking import Policy, TrackingState, advance, associate

SHORT: Final = {"seeds": 2}

FPS: Final = (2, 5, 10, 25)

PEERS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "bytetrack": ("ByteTrackTracker", {"lost_track_buffer": 45}),
    "bytetrack_tuned": (
        "ByteTrackTracker",
        {"lost_track_buffer": 45, "iou": "DIoU", "minimum_iou_threshold": -0.3},
    ),
    "ocsort": ("OCSORTTracker", {"lost_track_buffer": 45}),
    "ocsort_tuned": (
        "OCSORTTracker",
        {"lost_track_buffer": 45, "minimum_consecutive_frames": 2, "minimum_iou_threshold": 0.01},
    ),
}
"""As they come, and with the options that gave the best mean IDF1 on the seeds 0 to 3. All keep a
track for 1.5 s, as ours does."""

_PACKAGES: Final = ("numpy", "scipy", "opencv-python-headless", "pydeprecate<0.14", "rich",
    "requests", "pyyaml", "tqdm", "pillow", "defusedxml", "matplotlib", "av")  # fmt: skip
_FIRST_SEED: Final = 1000
_COST_FACES: Final = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--seeds", type=options.count, default=10)
    parser.add_argument("--venv", type=Path, help="compare with the package `trackers`, here")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Every tracker on the same scenes."""
    peers = _Peers(install(arguments.venv)) if arguments.venv else None
    table = {}
    for fps in FPS:
        scenes = [scene(_FIRST_SEED + seed, fps) for seed in range(arguments.seeds)]
        rows = {"ours": _scores(scenes, [tracked(frames) for frames in scenes])}
        for name, (kind, chosen) in PEERS.items():
            if peers:
                ids = [peers.ids(kind, chosen, fps, each) for each in scenes]
                rows[name] = _scores(scenes, ids)
        table[f"{fps}fps"] = rows
    return {"scenes": arguments.seeds, "quality": table, "cost": frame_cost()}


def _scores(scenes: Sequence[Sequence[SceneFrame]], ids: Sequence[Ids]) -> dict[str, float]:
    found = [quality(frames, each) for frames, each in zip(scenes, ids, strict=True)]
    return {
        "switches": sum(each.switches for each in found),
        "idf1": round(mean(each.idf1 for each in found), 3),
        "mota": round(mean(each.mota for each in found), 3),
        "named": round(mean(each.named for each in found), 3),
        "ids": sum(each.ids for each in found),
        "people": sum(each.people for each in found),
    }


def frame_cost(frames: int = 500) -> dict[str, float]:
    """Microseconds of a frame with ten faces, and bytes of state per track."""
    noise = np.random.default_rng(0)
    state = TrackingState.empty("bench")
    chain = state.tracks
    parts: dict[str, list[float]] = {"associate": [], "advance": [], "pack": []}
    size = 0
    crowd = scene(0, 25, people=14)
    for frame in [each for each in crowd if len(each.boxes) == _COST_FACES][:frames]:
        rows = noise.dirichlet(np.ones(8) / 2, _COST_FACES).astype(np.float32)
        start = time.thread_time()
        association = associate(chain, frame.frame_id, frame.captured_ms, frame.sightings)
        associated = time.thread_time()
        step = advance(state, association, frame.sightings, rows, Policy())
        advanced = time.thread_time()
        size = len(step.state.pack()) // max(1, len(step.state.tracks.items))
        packed = time.thread_time()
        chain, state = association.after, step.state
        parts["associate"].append(associated - start)
        parts["advance"].append(advanced - associated)
        parts["pack"].append(packed - advanced)
    spent = {f"{name}_us": round(1e6 * median(part)) for name, part in parts.items()}
    return {**spent, "bytes_per_track": size}


def install(folder: Path) -> Path:
    """The interpreter of the environment of `trackers`, made where it is missing."""
    python = folder / "bin" / "python"
    if not python.is_file():
        venv.create(folder, with_pip=True)
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, *_PACKAGES], check=True)
        # Without what it asks for: it would bring the OpenCV that needs libGL.
        subprocess.run([*pip, "--no-deps", "trackers==2.6.1", "supervision==0.31.2"], check=True)
    return python


class _Peers:
    def __init__(self, python: Path) -> None:
        script = Path(__file__).with_name("tracker_process.py")
        self._process = subprocess.Popen(
            [str(python), str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=sys.stderr,
            text=True,
        )

    def ids(
        self, kind: str, chosen: Mapping[str, Any], fps: float, frames: Sequence[SceneFrame]
    ) -> Ids:
        """What a tracker makes of a scene."""
        assert self._process.stdin
        assert self._process.stdout
        rows = [
            (
                (frame.captured_ms - frames[0].captured_ms) / 1000,
                [(b.x, b.y, b.x + b.width, b.y + b.height) for b in frame.boxes],
            )
            for frame in frames
        ]
        question = {"tracker": kind, "options": dict(chosen), "fps": fps, "frames": rows}
        print(json.dumps(question), file=self._process.stdin, flush=True)
        answer = json.loads(self._process.stdout.readline())
        found: Ids = answer["ids"]
        return found
