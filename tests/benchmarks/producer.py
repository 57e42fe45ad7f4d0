"""CPU seconds of a camera's process per minute of 1080p25 H.264, against FFmpeg's own program."""

import argparse
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from deploy.processor_time import child_pids
from tests.benchmarks import machine, options
from tests.benchmarks.live_stream import LiveStream, encode
from tests.benchmarks.material import CLIP
from tests.faults.processes import Running
from tests.servers import RedisProcess

SHORT: Final = {"seconds": 10.0, "rounds": 1}

_SETTLED_S: Final = 6.0
"""Seconds of video after which both have started, and the producer knows the key frames."""

_MAY_TAKE_S: Final = 600.0


@dataclass(frozen=True)
class Contender:
    """A program that reads the stream. `decode` is the producer's option, None for FFmpeg."""

    name: str
    fps: int
    decode: str | None = None


CONTENDERS: Final = (
    Contender("ffmpeg 5 fps", 5),
    Contender("all 5 fps", 5, "all"),
    Contender("ffmpeg 1 fps", 1),
    Contender("all 1 fps", 1, "all"),
    Contender("keyframes 1 fps", 1, "keyframes"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--clip", type=Path, default=CLIP)
    parser.add_argument("--rounds", type=options.count, default=3)
    parser.add_argument("--seconds", type=options.at_least(2.0), default=30.0, help="of video")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Let each read so many seconds of the stream, in turn, and count the CPU seconds of its
    processes after they have started."""
    others = machine.OtherLoad()
    spent: dict[str, list[float]] = {each.name: [] for each in CONTENDERS}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(RedisProcess())
        stream = stack.enter_context(LiveStream(encode(arguments.clip, folder / "live.ts", 1)))
        for _ in range(arguments.rounds):
            for contender in CONTENDERS:
                spent[contender.name].append(
                    _cpu_s_per_minute(contender, stream, redis.url, folder, arguments.seconds)
                )
    return {**summary(spent), "ffmpeg": _version(), "other_load_cores": others.cores()}


def summary(spent: dict[str, list[float]]) -> dict[str, Any]:
    """The medians, and the medians of the rounds' ratios to FFmpeg."""

    def over(name: str, reference: str) -> float:
        pairs = zip(spent[name], spent[reference], strict=True)
        return round(median(ours / theirs for ours, theirs in pairs), 3)

    return {
        "cpu_s_per_minute": {name: round(median(each), 2) for name, each in spent.items()},
        "all_5fps_over_ffmpeg": over("all 5 fps", "ffmpeg 5 fps"),
        "all_1fps_over_ffmpeg": over("all 1 fps", "ffmpeg 1 fps"),
        "keyframes_over_ffmpeg": over("keyframes 1 fps", "ffmpeg 5 fps"),
        "keyframes_over_ffmpeg_1fps": over("keyframes 1 fps", "ffmpeg 1 fps"),
    }


def _cpu_s_per_minute(
    contender: Contender, stream: LiveStream, redis_url: str, folder: Path, seconds: float
) -> float:
    stream.forget()
    with _started(contender, stream.url, redis_url, folder) as pid:
        _await(stream, _SETTLED_S)
        began_s, before_s = stream.sent_s, _family_cpu_s(pid)
        _await(stream, _SETTLED_S + seconds)
        spent_s, video_s = _family_cpu_s(pid) - before_s, stream.sent_s - began_s
    return spent_s * 60 / video_s


@contextmanager
def _started(contender: Contender, url: str, redis_url: str, folder: Path) -> Iterator[int]:
    if contender.decode is None:
        scaled = f"fps={contender.fps},scale=640:-1"
        command = ["ffmpeg", "-v", "error", "-i", url, "-vf", scaled, "-f", "mjpeg", "-y"]
        with subprocess.Popen([*command, "/dev/null"], stdin=subprocess.DEVNULL) as process:
            try:
                yield process.pid
            finally:
                process.kill()
        return
    own = ("--redis", redis_url, "--metrics-port", "0", "--camera", "bench", "--source", url)
    rate = ("--fps", str(contender.fps))
    how = () if contender.decode == "all" else ("--decode", contender.decode)
    producer = Running(folder, "producer", *own, *rate, *how)
    try:
        yield producer.process.pid
    finally:
        producer.kill()


def _await(stream: LiveStream, video_s: float) -> None:
    deadline = time.monotonic() + _MAY_TAKE_S
    while stream.sent_s < video_s:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the stream was not read for {video_s:.0f} s of its video")
        time.sleep(0.02)


def _family_cpu_s(pid: int) -> float:
    return sum(machine.cpu_s(each) for each in (pid, *child_pids(pid)))


def _version() -> str:
    printed = subprocess.run(["ffmpeg", "-version"], capture_output=True, text=True, check=True)
    found = re.search(r"ffmpeg version (\S+)", printed.stdout)
    return found[1] if found else "unknown"
