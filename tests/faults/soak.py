"""Many cameras in one producer for a long time: do frames flow, and does memory stay flat?

usage: python -m tests.faults.soak [--cameras 20] [--seconds 600]

Prints one line of JSON; exit code 1 where memory grew, a camera was slow, or a process crashed. An
RTSP camera is among them where GStreamer can serve one (see CONTRIBUTING.md).
"""

import argparse
import contextlib
import itertools
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import redis
import yaml

from emotion_streams import keys
from emotion_streams.connection import Client
from tests.peers.mjpeg_server import MjpegServer
from tests.peers.pictures import jpeg
from tests.peers.producer import Producer
from tests.peers.rtsp import RtspServer, has_gstreamer
from tests.servers import PATIENCE_S, RedisProcess, eventually

_SAMPLE_EVERY_S = 0.25
_PARTS = 8
_FPS = 10
_SLOWEST_FPS = 5.0
_GROWTH_BYTES_PER_FRAME = 200
# Garbage that waits for its collector takes some tens for minutes.
_WARM_UP_S = 60.0
# Decoders' pools, and malloc's arenas, grow for their first minute.


@dataclass(frozen=True)
class Result:
    """`growth_bytes_per_frame`: how much more memory one part of the time takes than the part
    before, the median over all parts, all processes of the producer together, by the frames that
    they stored in a part: what leaks with each frame shows in full, however short the run; what
    only fluctuates, or is taken once, does not. Memory, in MB, is what is each process' own: how
    much of the rest is, depends on others. `slowest_fps`: stored per second of the slowest
    camera."""

    cameras: int
    kinds: int
    cores: int
    seconds: float
    memory_mb: float
    growth_bytes_per_frame: float
    slowest_fps: float
    mean_fps: float
    dropped: int
    restarts: int

    def passed(self, growth_bytes_per_frame: float) -> bool:
        """Whether memory grew by less than this, and frames flowed."""
        return (
            self.growth_bytes_per_frame < growth_bytes_per_frame
            and self.slowest_fps > _SLOWEST_FPS
            and self.restarts == 0
        )


class Soak:
    """A Redis, an HTTP camera, with `rtsp` another, and a producer whose cameras show the demo and
    those in turn. No worker takes frames out: the streams stay at their bound, the fullest they can
    be. `environment`: of the producer, beside our own."""

    def __init__(self, cameras: int, *, rtsp: bool = False, **environment: str) -> None:
        self._names = [f"camera{index}" for index in range(cameras)]
        self._rtsp = rtsp
        self._environment = environment
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        server = self._stack.enter_context(RedisProcess())
        http = self._stack.enter_context(
            MjpegServer([jpeg(640, 480, index) for index in range(20)], fps=15)
        )
        self._client: Client = self._stack.enter_context(
            redis.Redis(unix_socket_path=str(server.socket))
        )
        sources = ["demo", http.url]
        if self._rtsp:
            sources.append(self._stack.enter_context(RtspServer()).url("h264"))
        self._kinds = len(sources)
        config = folder / "cameras.yaml"
        cameras = {
            name: {"source": source}
            for name, source in zip(self._names, itertools.cycle(sources), strict=False)
        }
        config.write_text(yaml.safe_dump({"defaults": {"fps": _FPS}, "cameras": cameras}))
        self._producer = self._stack.enter_context(
            Producer(server.url, "--config", str(config), **self._environment)
        )
        eventually(lambda: all(self._stored().values()))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, warm_up_s: float, duration_s: float, least_frames: int = 0) -> Result:
        """Warm up, then look, each for so long and until each camera stored so many frames."""
        self._sample(warm_up_s, least_frames)
        before, started = self._stored(), time.monotonic()
        memory = self._sample(duration_s, least_frames)
        lasted_s = time.monotonic() - started
        rates = [(count - before[name]) / lasted_s for name, count in self._stored().items()]
        frames_per_part = sum(rates) * lasted_s / _PARTS
        return Result(
            cameras=len(self._names),
            kinds=self._kinds,
            cores=os.cpu_count() or 0,
            seconds=round(lasted_s, 1),
            memory_mb=round(statistics.median(memory), 1),
            growth_bytes_per_frame=round(_growth_mb(memory) * (1 << 20) / frames_per_part),
            slowest_fps=round(min(rates), 2),
            mean_fps=round(statistics.mean(rates), 2),
            dropped=round(self._sum("emotion_capture_drops_total")),
            restarts=round(self._sum("emotion_camera_restarts_total")),
        )

    def _sample(self, duration_s: float, least_frames: int) -> list[float]:
        """Return the processes' memory in MB, as it was while each camera stored so many frames."""
        processes = [self._producer.process.pid, *self._producer.children().values()]
        before, until = self._stored(), time.monotonic() + duration_s
        memory = list[float]()

        def is_enough() -> bool:
            memory.append(sum(_own_mb(process) for process in processes))
            fewest = min(count - before[name] for name, count in self._stored().items())
            return time.monotonic() >= until and fewest >= least_frames

        eventually(is_enough, duration_s + PATIENCE_S, every_s=_SAMPLE_EVERY_S)
        return memory

    def _stored(self) -> dict[str, int]:
        """Frames ever stored, by camera."""
        return {
            name: self._client.xinfo_stream(keys.frames(name))["entries-added"]
            if self._client.exists(keys.frames(name))
            else 0
            for name in self._names
        }

    def _sum(self, metric: str) -> float:
        lines = self._producer.get("/metrics")[1].splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(metric + "{"))


def _growth_mb(memory: Sequence[float]) -> float:
    """How much more one part of the samples has than the part before: the median over all parts."""
    bounds = [len(memory) * part // _PARTS for part in range(_PARTS + 1)]
    means = [statistics.mean(memory[first:end]) for first, end in itertools.pairwise(bounds)]
    return statistics.median(after - before for before, after in itertools.pairwise(means))


def _own_mb(process: int) -> float:
    """Its own memory. A process that crashed counts as nothing: the count of restarts shows it."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith("Anonymous:"):
                return int(line.split()[1]) / 1024
    return 0.0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cameras", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=600)
    arguments = parser.parse_args()
    with Soak(arguments.cameras, rtsp=has_gstreamer()) as soak:
        result = soak.run(_WARM_UP_S, arguments.seconds)
    passed = result.passed(_GROWTH_BYTES_PER_FRAME)
    print(json.dumps({**asdict(result), "passed": passed}))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
