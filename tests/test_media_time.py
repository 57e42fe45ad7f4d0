"""A recording gives the same tables however fast, and by how many workers, it is analysed."""

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import redis

from emotion_streams import EmotionEvent, Episode, Minute, keys
from tests.faults.processes import Running, start_producer, start_worker
from tests.servers import PATIENCE_S, RedisProcess, eventually

CAMERA = "clip"
FRAMES = 246
RECORDED_MS = int(time.time() / 60 - 60) * 60_000
"""The beginning of a minute an hour ago, so that the recording lies in one minute."""


@pytest.fixture(scope="module")
def recording(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip six times over: long enough to end a worker in the middle, however late the test
    comes to it."""
    path = tmp_path_factory.mktemp("recording") / "clip.avi"
    clip = shared / "clips" / "face-demographics-walking-and-pause.avi"
    command = f"ffmpeg -v error -stream_loop 5 -i {clip} -c copy {path}".split()
    subprocess.run(command, check=True)
    return path


class Analysis:
    """The recording, a producer that reads it, and workers, until all of it is committed."""

    def __init__(self, folder: Path, recording: Path, workers: int, server: RedisProcess) -> None:
        self.client = redis.Redis(unix_socket_path=str(server.socket))
        options = ["--policy", "every", "--recorded-ms", str(RECORDED_MS)]
        options += ["--source", str(recording), "--max-queued", "10"]
        self.producer = start_producer(folder, server.url, CAMERA, *options)
        self.workers = [start_worker(folder, server.url) for _ in range(workers)]

    def __enter__(self) -> "Analysis":
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self.producer, *self.workers):
            process.kill()
        self.client.close()

    def owner(self) -> Running:
        """The worker that has the camera's lease."""
        found: list[Running] = []

        def is_owned() -> bool:
            owner: Any = self.client.hget(keys.lease(CAMERA), "owner") or b""
            names = [(f"-{each.process.pid}-", each) for each in self.workers]
            found.extend(each for name, each in names if name in owner.decode())
            return bool(found)

        eventually(is_owned)  # on its way from one to another it has no owner
        return found[0]

    def analysed(self) -> int:
        count: Any = self.client.xlen(keys.emotions(CAMERA))
        return int(count)

    def wait_for(self, frames: int) -> None:
        eventually(lambda: self.analysed() >= frames)

    def finish(self) -> tuple[list[Any], list[Any], list[Any]]:
        """Its events, episodes and minutes, without what a clock says."""
        assert self.producer.wait(PATIENCE_S) == 0, self.producer.logged()
        eventually(lambda: self.client.hget(keys.tracks(CAMERA), "open") == b"0")
        read: Any = self.client.xrange
        events = [EmotionEvent.unpack(f[b"event"]) for _, f in read(keys.emotions(CAMERA))]
        return (
            [(e.frame_id, e.captured_ms, e.position_ms, e.faces) for e in events],
            [Episode.unpack(f[b"episode"]) for _, f in read(keys.episodes(CAMERA))],
            [Minute.unpack(f[b"minute"]) for _, f in read(keys.minutes(CAMERA))],
        )


@pytest.fixture(scope="module")
def undisturbed(
    recording: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Any], list[Any], list[Any]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    with RedisProcess() as server, Analysis(folder, recording, 1, server) as analysis:
        return analysis.finish()


def test_frames_are_dated_by_their_place_in_the_recording(
    undisturbed: tuple[list[Any], list[Any], list[Any]],
) -> None:
    events, episodes, minutes = undisturbed
    assert len(events) == FRAMES
    positions = [position for _, _, position, _ in events]
    assert positions == [round(n * 1000 / 12) for n in range(FRAMES)]
    assert [captured for _, captured, _, _ in events] == [RECORDED_MS + at for at in positions]
    assert {each.start_position_ms for each in episodes} <= set(positions)
    assert all(each.start_ms == RECORDED_MS + each.start_position_ms for each in episodes)
    assert [(each.start_ms, each.frames) for each in minutes] == [(RECORDED_MS, FRAMES)]


def test_a_worker_killed_and_a_producer_held_up_change_nothing(
    recording: Path, undisturbed: tuple[list[Any], list[Any], list[Any]], tmp_path: Path
) -> None:
    with RedisProcess() as server, Analysis(tmp_path, recording, 4, server) as analysis:
        analysis.wait_for(30)
        analysis.owner().kill()
        analysis.wait_for(60)
        # For longer than a camera may be silent before its tracks are closed, and for less than a
        # camera's process may be without a report.
        (child,) = _children(analysis.producer.process.pid)
        os.kill(child, signal.SIGSTOP)
        time.sleep(5)
        os.kill(child, signal.SIGCONT)
        assert analysis.finish() == undisturbed


def _children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
