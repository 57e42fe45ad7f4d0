"""What the live page costs a browser: its main thread's CPU time and memory with many cameras.

Frames and events are made here, so that no worker takes part. CPU time is what the kernel accounts
to the thread, which a busy machine changes little.
"""

import argparse
import itertools
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import redis

from emotion_streams import EMOTIONS, Box, Face, keys
from tests.benchmarks import options
from tests.benchmarks.background import Background
from tests.benchmarks.material import BadInputError
from tests.benchmarks.memory import growth
from tests.gateway import browser, feeder
from tests.gateway.processes import Gateway
from tests.servers import RedisProcess

SHORT: Final = {"seconds": 20.0}
_SETTLE_S: Final = 8.0
_MEMORY_EVERY_S: Final = 15.0
_CHOOSE_DENSITY: Final = """
    for (const button of document.querySelectorAll('.density button')) {
        if (button.textContent === arguments[0]) button.click();
    }
"""
_TICKS_S: Final = os.sysconf("SC_CLK_TCK")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Its options."""
    parser.add_argument("--cameras", type=options.count, default=40)
    parser.add_argument("--fps", type=options.at_least(0.1), default=2.0, help="per camera")
    parser.add_argument("--seconds", type=options.at_least(2.0), default=60.0)
    parser.add_argument("--density", default="40", choices=("6", "12", "20", "40"))


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Open the wall, feed its cameras, and account the seconds after it has settled."""
    if reason := browser.missing():
        raise BadInputError(reason)
    names = [f"cam{number:02}" for number in range(arguments.cameras)]
    with RedisProcess() as server, redis.Redis(unix_socket_path=str(server.socket)) as client:
        feeding = Background(lambda stop: _feed(client, names, arguments.fps, stop))
        try:
            with Gateway(server.url) as gateway, browser.Browser() as window:
                return _measure(window, gateway, arguments)
        finally:
            feeding.close()


def _measure(
    window: browser.Browser, gateway: Gateway, arguments: argparse.Namespace
) -> dict[str, Any]:
    window.size(1440, 900)
    window.open(gateway.base)
    window.wait(lambda: len(window.all("[data-camera]")) == arguments.cameras)
    window.js(_CHOOSE_DENSITY, arguments.density)
    time.sleep(_SETTLE_S)
    pid = max(_renderers(window), key=_main_thread_s)
    before, events, began = _main_thread_s(pid), _events(window), time.monotonic()
    heaps = list(_heaps(window, arguments.seconds))
    took = time.monotonic() - began
    result: dict[str, Any] = {
        "shown": window.text("#totals"),
        "main_thread_percent": round(100 * (_main_thread_s(pid) - before) / took, 1),
        "events_per_second": round((_events(window) - events) / took, 1),
        "heap_mb": [round(heaps[0][1], 2), round(heaps[-1][1], 2)],
        "resident_mb": _resident_mb(pid),
    }
    if len(heaps) >= 12:
        slope = growth(heaps)
        result["heap_mb_per_minute"] = [round(slope.slope, 3), round(slope.error, 3)]
    return result


def _heaps(window: browser.Browser, seconds: float) -> Iterator[tuple[float, float]]:
    """Yield (time, MB) of live JavaScript objects."""
    until = time.monotonic() + seconds
    while (now := time.monotonic()) < until:
        window.driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
        used = window.driver.execute_cdp_cmd("Runtime.getHeapUsage", {})["usedSize"]
        yield now, used / 1e6
        time.sleep(min(_MEMORY_EVERY_S, max(0.0, until - time.monotonic())))


def _events(window: browser.Browser) -> int:
    return int(window.modules(
        "let count = 0; for (const each of cameras.values()) count += each.count; done(count)"
    ))  # fmt: skip


def _renderers(window: browser.Browser) -> list[int]:
    """Process ids of this browser's renderers."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if b"--type=renderer" in line and window.profile.encode() in line:
            found.append(int(folder.name))
    return found


def _main_thread_s(pid: int) -> float:
    """Return the CPU time of the process's first thread in seconds."""
    stat = Path(f"/proc/{pid}/task/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(stat[11]) + int(stat[12])) / _TICKS_S


def _resident_mb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) // 1024
    return 0


def _feed(client: feeder.Client, names: list[str], fps: float, stop: threading.Event) -> None:
    """One camera after the other, evenly over time: a frame, and at the next turn its event."""
    pause, began = 1 / (fps * len(names)), time.monotonic()
    stored: tuple[str, int] | None = None
    for number, name in enumerate(itertools.cycle(names)):
        if stop.wait(max(0.0, began + number * pause - time.monotonic())):
            return
        with client.pipeline(transaction=False) as pipe:
            if stored:
                camera, ms = stored
                feeder.publish(pipe, feeder.event(camera, ms, *_faces(number)))
                pipe.xdel(keys.frames(camera), f"{ms}-0")
            stored = name, feeder.now_ms()
            feeder.store(pipe, *stored, feeder.portrait())
            feeder.register(pipe, name)
            pipe.hset(keys.camera_info(name), "fps", str(fps))
            pipe.execute()


def _faces(number: int) -> Iterator[Face]:
    """Two people who move a little, and change what they show every few seconds."""
    for person in range(2):
        emotion = EMOTIONS[(number // 400 + person) % len(EMOTIONS)]
        box = Box(100 + 250 * person + number % 37, 80 + number % 11, 110, 130)
        shown = feeder.face(emotion, 0.5 + number % 40 / 100, box)
        yield replace(
            shown, track=f"1-0.{person}", label=emotion, label_since_ms=0,
            smoothed=shown.probabilities,
        )  # fmt: skip
