"""How a worker's process ends: on request, or by a frame that cannot be analysed."""

import re
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from emotion_streams import keys
from emotion_streams.events import EmotionEvent
from emotion_streams.frames import Frame
from tests.faults.ailing import HANGS, KILLS, ailing
from tests.faults.feed import picture
from tests.faults.processes import Running, start_worker
from tests.faults.site import SCHEDULING_S
from tests.homeless import HOMELESS, require_homeless
from tests.servers import RedisProcess, eventually, free_port

HUNG_S = 10
"""Shorter than the default, and long enough to see that all is well until then."""

STOP_S = 8.0
"""The promise for a worker that is asked to stop."""


class Place:
    """One Redis, cameras with what is stored of them, and workers that come one after another."""

    def __init__(self, server: RedisProcess, folder: Path, ends: ExitStack) -> None:
        self.server = server
        self.client = ends.enter_context(redis.Redis(port=server.port))
        self._folder = folder
        self._ends = ends

    def worker(self, **environ: str) -> Running:
        worker = start_worker(
            self._folder, self.server.url, environ=environ, program="tests.faults.ailing"
        )
        return self._ends.enter_context(worker)

    def store(self, camera: str, *marks: bytes) -> None:
        """Frames that all count, of which some are marked."""
        _, width, height = picture(face=False)
        now_ms = int(time.time() * 1000)
        for number, mark in enumerate(marks):
            frame = Frame(
                now_ms, width, height, ailing(mark), "session_id", number, max_age_ms=None
            )
            self.client.xadd(keys.frames(camera), {"frame": frame.pack()})
        self.client.zadd(keys.CAMERAS, {camera: now_ms})

    def ended_as(self, camera: str, outcome: str) -> int:
        return int(self.client.hget(keys.ledger(camera), outcome) or 0)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as ends:
        server = ends.enter_context(RedisProcess(port=free_port()))
        yield Place(server, tmp_path, ends)


def healthy(worker: Running) -> bool:
    found = re.search(r"metrics at (http://\S+)/metrics", worker.logged())
    assert found
    with urllib.request.urlopen(f"{found.group(1)}/healthz") as reply:
        return bool(reply.status == 200)


def test_a_frame_that_crashes_its_workers_takes_no_valid_frame_along(place: Place) -> None:
    place.store("file", KILLS, *[b""] * 19)
    place.store("other", *[b""] * 20)
    for _ in range(3):
        place.worker().wait()
    place.worker()
    eventually(lambda: place.ended_as("file", "analysed") == 19)
    eventually(lambda: place.ended_as("other", "analysed") == 20)
    assert (place.ended_as("file", "dead"), place.ended_as("other", "dead")) == (1, 0)


def test_a_worker_in_which_a_frame_hangs_says_so_and_ends_and_another_goes_on(
    place: Place,
) -> None:
    place.store("file", HANGS, b"", b"")
    stuck = place.worker(HUNG_S=str(HUNG_S))
    eventually(lambda: "lease acquired" in stuck.logged())
    assert healthy(stuck)
    assert stuck.wait_at_most(HUNG_S + 2 + SCHEDULING_S) == 1
    frame_id = place.client.xpending_range(keys.frames("file"), keys.GROUP, "-", "+", 1)
    assert f"frame {frame_id[0]['message_id'].decode()} of camera file has hung" in stuck.logged()
    assert "most recent call first" in stuck.logged()  # every thread's stack
    assert "Traceback" not in stuck.logged()
    place.worker(HUNG_S="3").wait()  # it hangs there too
    place.worker(HUNG_S="3").wait()
    place.worker()
    eventually(lambda: place.ended_as("file", "analysed") == 2)
    assert place.ended_as("file", "dead") == 1


def test_a_worker_in_which_a_frame_hangs_stops_on_request(place: Place) -> None:
    place.store("file", HANGS)
    worker = place.worker(SIGN_OFF_S="5")

    def begun() -> bool:
        groups = place.client.xinfo_groups(keys.frames("file"))
        return any(group["pending"] for group in groups)

    eventually(begun)
    worker.terminate()
    assert worker.wait_at_most(STOP_S + SCHEDULING_S) == 0
    assert "not finished in time" in worker.logged()
    assert place.client.hget(keys.lease("file"), "owner") == b""
    assert begun()


def test_a_worker_stops_in_time_while_redis_hangs(place: Place) -> None:
    place.store("lobby", b"")
    worker = place.worker()
    eventually(lambda: place.ended_as("lobby", "analysed"))
    place.server.pause()
    time.sleep(1)  # calls hang
    worker.terminate()
    try:
        assert worker.wait_at_most(STOP_S + SCHEDULING_S) == 0
    finally:
        place.server.resume()


def test_a_worker_of_a_user_without_a_home_folder_warns_and_detects_by_haar(
    place: Place, tmp_path: Path
) -> None:
    require_homeless()
    place.store("lobby", b"")
    options = ("--redis", place.server.url, "--metrics-port", "0", "--threads", "1")
    with Running(tmp_path, "worker", *options, behind=HOMELESS) as worker:
        eventually(lambda: place.ended_as("lobby", "analysed") == 1)
        assert "this user has no home folder; set XDG_CACHE_HOME" in worker.logged()
    assert "Traceback" not in worker.logged()
    ((_, event),) = place.client.xrange(keys.emotions("lobby"))
    assert EmotionEvent.unpack(event[b"event"]).model.detector == "haar"


def test_a_worker_that_is_still_starting_stops_at_once(place: Place) -> None:
    worker = place.worker()
    eventually(lambda: "metrics at" in worker.logged())
    worker.terminate()
    assert worker.wait_at_most(STOP_S + SCHEDULING_S) == 0
    assert "lease acquired" not in worker.logged()
