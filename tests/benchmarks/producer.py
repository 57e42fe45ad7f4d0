"""CPU seconds of a camera's process per minute of 1080p25 H.264, against FFmpeg's own program."""

import argparse
import re
import shutil
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
from tests.benchmarks.material import CLIP, BadInputError
from tests.faults.processes import Running
from tests.peers.live_stream import LiveStream
from tests.servers import RedisProcess

SHORT: Final = {"seconds": 4.0, "rounds": 1}

_CLIP_S: Final = 20
_MBIT: Final = 4
_FPS: Final = 25
_SETTLED_S: Final = 6.0
"""Seconds of video after which both have started, and the producer knows the key frames."""

_MAY_TAKE_S: Final = 600.0


@dataclass(frozen=True)
class Stream:
    """The camera, and its number of bytes for a second of video."""

    camera: LiveStream
    bytes_per_s: float

    @property
    def sent_s(self) -> float:
        """Seconds of video that clients were sent so far."""
        return self.camera.sent_bytes / self.bytes_per_s


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
    if shutil.which("ffmpeg") is None:
        raise BadInputError("ffmpeg is not installed: apt-get install ffmpeg")
    others = machine.OtherLoad()
    spent: dict[str, list[float]] = {each.name: [] for each in CONTENDERS}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = stack.enter_context(RedisProcess())
        clip = _encode(arguments.clip, folder / "live.ts")
        camera = stack.enter_context(LiveStream(clip))
        stream = Stream(camera, clip.stat().st_size / _CLIP_S)
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


def _encode(clip: Path, target: Path) -> Path:
    """Write 20 s of the clip as a camera would send it: 1920x1080, 4 Mbit/s, with a sensor's noise,
    without B frames, with a key frame a second."""
    filters = f"fps={_FPS},scale=1920:1080,noise=alls=6:allf=t"
    command = [
        "ffmpeg", "-v", "error", "-y", "-stream_loop", "-1", "-i", str(clip), "-t", str(_CLIP_S),
        "-vf", filters, "-pix_fmt", "yuv420p", "-an",
        "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "main", "-bf", "0",
        "-b:v", f"{_MBIT}M", "-maxrate", f"{_MBIT}M", "-bufsize", f"{2 * _MBIT}M",
        "-g", str(_FPS), "-keyint_min", str(_FPS), "-sc_threshold", "0", str(target),
    ]  # fmt: skip
    if subprocess.run(command, check=False).returncode:
        raise BadInputError(f"{clip}: ffmpeg cannot make a stream of it")
    return target


def _cpu_s_per_minute(
    contender: Contender, stream: Stream, redis_url: str, folder: Path, seconds: float
) -> float:
    before_it_s = stream.sent_s
    with _started(contender, stream.camera.url, redis_url, folder) as pid:
        _await(stream, before_it_s + _SETTLED_S)
        began_s, before_s = stream.sent_s, _family_cpu_s(pid)
        _await(stream, began_s + seconds)
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


def _await(stream: Stream, video_s: float) -> None:
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
