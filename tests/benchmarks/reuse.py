"""Frames per second at saturation with and without `--reuse-ms`, and how many labels differ."""

import argparse
import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Final

from emotion_streams import EmotionEvent, Face, keys
from emotion_streams.frames import Frame
from tests.benchmarks import machine, options
from tests.benchmarks.material import Picture, pictures, released
from tests.benchmarks.system import System
from tests.servers import eventually

SHORT: Final = {"rounds": 1, "frames": 100}

_FILLED_TO: Final = 12
_EVERY_S: Final = 0.02
_ROUND_MAY_TAKE_S: Final = 300.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    options.add_worker(parser)
    parser.add_argument("--cameras", type=options.count, default=8)
    parser.add_argument("--reuse-ms", type=options.count, default=500)
    parser.add_argument("--fps", type=options.count, default=10, help="of the capture times")
    parser.add_argument("--rounds", type=options.count, default=4, help="alternations of the two")
    parser.add_argument("--frames", type=options.count, default=300, help="per camera and round")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Give both systems the same frames, with the same capture times, in turns."""
    clip = pictures(arguments.clip, arguments.width)
    cameras = [f"bench{n}" for n in range(arguments.cameras)]
    ages_ms = (0, arguments.reuse_ms)
    seconds, cpu_s = dict.fromkeys(ages_ms, 0.0), dict.fromkeys(ages_ms, 0.0)
    with released(arguments.model, arguments.input_size) as (name, _), ExitStack() as ends:
        systems = {}
        for age_ms in ages_ms:
            own = [*options.of_worker(arguments, name), "--reuse-ms", str(age_ms)]
            systems[age_ms] = ends.enter_context(System(cameras, own))
        others = machine.OtherLoad(*(pid for system in systems.values() for pid in system.pids))
        base_ms = int(time.time() * 1000)
        for turn in range(arguments.rounds):
            for age_ms, system in systems.items():
                feed = PlayedClip(system, clip, base_ms, 1000 // arguments.fps)
                first = turn * arguments.frames
                cpu_before = system.worker_cpu_s()
                seconds[age_ms] += feed.play(range(first, first + arguments.frames))
                cpu_s[age_ms] += system.worker_cpu_s() - cpu_before
        every, reused = (events(systems[age_ms]) for age_ms in ages_ms)
        other = others.cores()
    frames = len(cameras) * arguments.frames * arguments.rounds
    return {
        "reuse_over_all": round(seconds[0] / seconds[arguments.reuse_ms], 3),
        # What neighbours on the same cores take, this leaves out.
        "reuse_over_all_cpu": round(cpu_s[0] / cpu_s[arguments.reuse_ms], 3),
        "frames_per_s": {str(age): round(frames / took, 1) for age, took in seconds.items()},
        **compare(every, reused),
        "other_load_cores": other,
    }


class PlayedClip:
    """Plays a clip to every camera, forth and back, as fast as the frames are taken.

    Not from its beginning again and again: people do not jump across the picture.
    """

    def __init__(self, system: System, clip: Sequence[Picture], base_ms: int, step_ms: int) -> None:
        self._system = system
        self._clip = [*clip, *reversed(clip)]
        self._base_ms = base_ms
        self._step_ms = step_ms

    def play(self, frames: range) -> float:
        """Store these frames of each camera; return the seconds until all are analysed."""
        client, left = self._system.client, dict.fromkeys(self._system.cameras, frames.start)
        client.zadd(keys.CAMERAS, dict.fromkeys(left, time.time() * 1000))
        self._store(left, frames)
        self._system.await_owners()
        began = time.perf_counter()
        while any(number < frames.stop for number in left.values()):
            time.sleep(_EVERY_S)
            self._store(left, frames)
        eventually(
            lambda: all(
                client.xlen(keys.emotions(camera)) == frames.stop for camera in self._system.cameras
            ),
            _ROUND_MAY_TAKE_S,
        )
        return time.perf_counter() - began

    def _store(self, left: dict[str, int], frames: range) -> None:
        client = self._system.client
        client.zadd(keys.CAMERAS, dict.fromkeys(left, time.time() * 1000))
        for camera in left:
            for _ in range(_FILLED_TO - client.xlen(keys.frames(camera))):
                if left[camera] == frames.stop:
                    break
                number = left[camera]
                picture = self._clip[number % len(self._clip)]
                captured_ms = self._base_ms + number * self._step_ms
                frame = Frame(
                    captured_ms, picture.width, picture.height, picture.jpeg, "bench", number
                )
                client.xadd(keys.frames(camera), {"frame": frame.pack()}, id=f"{captured_ms}-0")
                left[camera] += 1


def events(system: System) -> dict[tuple[str, str], EmotionEvent]:
    """The events that Redis keeps, by camera and frame id."""
    found = {}
    for camera in system.cameras:
        entries: Any = system.client.xrange(keys.emotions(camera))
        for entry_id, fields in entries:
            found[camera, entry_id.decode()] = EmotionEvent.unpack(fields[b"event"])
    return found


def compare(
    every: dict[tuple[str, str], EmotionEvent], reused: dict[tuple[str, str], EmotionEvent]
) -> dict[str, Any]:
    """Compare the steady labels of the same frames; both runs detect the same faces."""
    pairs: list[tuple[Face, Face]] = [
        pair
        for key in every.keys() & reused.keys()
        for pair in zip(every[key].faces, reused[key].faces, strict=False)
        if pair[0].label is not None
    ]
    differ = sum(ours.label != theirs.label for theirs, ours in pairs)
    was_reused = sum(ours.classified_ms is not None for _, ours in pairs)
    return {
        "labels": len(pairs),
        "labels_differ": round(differ / max(1, len(pairs)), 4),
        "faces_reused": round(was_reused / max(1, len(pairs)), 3),
    }
