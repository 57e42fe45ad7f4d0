"""One hostile camera among others, on the shipped configuration: it harms none but itself."""

import json
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pytest
import redis

from emotion_streams import keys
from emotion_streams.events import EmotionEvent
from emotion_streams.frames import Frame
from emotion_streams.registry import MAX_CAMERAS as REGISTRY_LIMIT
from emotion_streams.registry import MAX_CAMERAS_PER_WORKER
from tests.deploy.processes import start
from tests.deploy.valkey import Valkey, password
from tests.emotion_streams.test_jpeg import with_scans
from tests.faults.ailing import KILLS, ailing
from tests.faults.feed import picture
from tests.faults.processes import YUNET, Running, start_worker
from tests.servers import PATIENCE_S, Stopwatch, eventually, free_port
from worker.inference.faces import MAX_FACES

pytestmark = pytest.mark.timeout(300)  # on a busy machine a server answers in seconds

LARGEST_ID: Final = f"{2**64 - 1}-{2**64 - 1}"


class Place:
    """Valkey as start.sh starts it, cameras that store frames, and workers, each by its role.

    `client` has all rights; `producer` those of a hostile producer.
    """

    def __init__(self, folder: Path, ends: ExitStack) -> None:
        # The conf wants more cores than threads, and machines that run tests are small.
        self.server = ends.enter_context(Valkey("--io-threads", "1"))
        self.client = ends.enter_context(self.server.client("admin"))
        self.producer = ends.enter_context(self.server.client("producer"))
        self._folder = folder
        self._ends = ends

    def worker(self, *options: str, program: str = "worker") -> Running:
        role = {
            "EMOTION_REDIS_USERNAME": "worker",
            "EMOTION_REDIS_PASSWORD": password("worker"),
        }
        worker = start_worker(
            self._folder, self.server.url, *options, program=program, environ=role
        )
        return self._ends.enter_context(worker)

    def gateway(self) -> Callable[[], set[str]]:
        """Start a gateway. Returns what asks it for the names of the cameras."""
        port = free_port()
        url = f"http://127.0.0.1:{port}/api/cameras"
        gateway = self._ends.enter_context(start("gateway", self.server, "--port", str(port)))
        eventually(gateway.ready)

        def listed() -> set[str]:
            with urllib.request.urlopen(url, timeout=PATIENCE_S) as reply:
                return {camera["camera"] for camera in json.load(reply)["cameras"]}

        return listed

    def register(self, *cameras: str, ahead_s: int = 0) -> None:
        seconds: Any = self.producer.time()
        heartbeat_ms = (seconds[0] + ahead_s) * 1000
        self.producer.zadd(keys.CAMERAS, dict.fromkeys(cameras, heartbeat_ms))

    def store(
        self, camera: str, jpeg: bytes = b"", max_age_ms: int | None = None, at: str = "*"
    ) -> None:
        self.register(camera)
        now_ms = int(time.time() * 1000)
        frame = Frame(now_ms, 128, 96, jpeg or ailing(), "session_id", 0, max_age_ms=max_age_ms)
        self.producer.xadd(keys.frames(camera), {"frame": frame.pack()}, at)

    def ended_as(self, camera: str, outcome: str) -> int:
        return int(self.client.hget(keys.ledger(camera), outcome) or 0)

    def serves(self, camera: str = "good") -> None:
        """Store a frame of a sound camera, and wait for its event."""
        before = self.ended_as(camera, "analysed")
        self.store(camera)
        eventually(lambda: self.ended_as(camera, "analysed") > before)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as ends:
        yield Place(tmp_path, ends)


def asked(worker: Running, path: str) -> str:
    found = re.search(r"metrics at (http://\S+)/metrics", worker.logged())
    assert found
    with urllib.request.urlopen(f"{found.group(1)}{path}") as reply:
        text: str = reply.read().decode()
    return text


def is_ready(worker: Running) -> bool:
    try:
        return asked(worker, "/readyz") == "ok\n"
    except urllib.error.HTTPError as error:  # such as while Redis waits for a processor
        error.close()
        return False


def metric(worker: Running, series: str) -> float:
    found = re.search(rf"^{re.escape(series)} (\S+)$", asked(worker, "/metrics"), re.MULTILINE)
    return float(found[1]) if found else 0.0


def large_jpeg() -> bytes:
    """4.2 MB of noise."""
    noise = np.random.default_rng(1).integers(0, 256, (2400, 1500, 3), np.uint8)
    jpeg: bytes = cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    return jpeg


def test_large_pictures_that_all_count_are_analysed(place: Place) -> None:
    jpeg = large_jpeg()
    assert len(jpeg) > 3_500_000
    count = 20
    assert count * len(jpeg) > 64 << 20  # the limit of one reply
    for _ in range(count):
        place.store("large", jpeg)
    worker = place.worker()
    eventually(lambda: place.ended_as("large", "analysed") == count)
    assert "closed by server" not in worker.logged()  # as it does with replies over the limit


def test_pictures_of_thousands_of_scans_are_dead_letters_and_hold_no_other_camera_up(
    place: Place,
) -> None:
    """Decoded, each would keep a thread busy for more than ten seconds."""
    jpeg = with_scans(15_000, side=4096)
    worker = place.worker()
    place.serves()
    epoch = place.client.hget(keys.lease("good"), "epoch")
    for _ in range(5):
        place.store("hostile", jpeg)
    place.store("hostile")  # a sound picture, which is analysed after them
    watch = Stopwatch()
    place.serves()
    assert watch.read_s() < 10
    eventually(lambda: place.ended_as("hostile", "analysed") == 1)
    assert place.ended_as("hostile", "dead") == 5
    letters: Any = place.client.xrange(keys.dead("hostile"))
    assert {fields[b"reason"] for _, fields in letters} == {b"has 15000 scans, the limit is 64"}
    assert {fields[b"deliveries"] for _, fields in letters} == {b"1"}
    assert not worker.ended
    assert place.client.hget(keys.lease("good"), "epoch") == epoch
    assert place.ended_as("good", "analysed") == 2
    eventually(lambda: is_ready(worker))


def test_a_clock_at_1970_stops_neither_its_camera_nor_the_retirement_of_others(
    place: Place,
) -> None:
    for camera in ("gone", "unwell"):
        place.producer.zadd(keys.CAMERAS, {camera: 1})
        place.client.hset(keys.ledger(camera), "analysed", 1)
    for number in range(1, 6):
        frame = Frame(number, 128, 96, ailing(), "session_id", number, max_age_ms=None)
        place.producer.xadd(keys.frames("old"), {"frame": frame.pack()}, f"{number}-0")
    place.register("old")
    worker = place.worker()
    eventually(lambda: place.ended_as("old", "analysed") == 5)
    eventually(lambda: place.client.zrange(keys.CAMERAS, 0, -1) == [b"old"])
    place.serves()
    eventually(lambda: is_ready(worker))


def test_a_camera_that_crashes_workers_and_trims_its_frames_is_set_aside(place: Place) -> None:
    for number in range(3):
        place.store("hostile", ailing(KILLS))
        worker = place.worker(program="tests.faults.ailing")
        worker.wait(PATIENCE_S)
        place.producer.xtrim(keys.frames("hostile"), 0)
        assert place.ended_as("hostile", "dead") == 0, number
    place.worker(program="tests.faults.ailing")
    place.serves()
    for _ in range(5):
        place.store("hostile", ailing(KILLS))
    eventually(lambda: place.ended_as("hostile", "dead") == 6)
    assert place.ended_as("hostile", "lost") == 2
    place.serves()


def crowd_jpeg(faces: int) -> bytes:
    """The same face, 32 pixels small, as many times in rows of twenty."""
    jpeg = np.frombuffer(picture(face=True).jpeg, np.uint8)
    face = cv2.resize(np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR)), (32, 32))
    crowd: bytes = cv2.imencode(".jpg", np.tile(face, (faces // 20, 20, 1)))[1].tobytes()
    return crowd


@pytest.mark.skipif(not YUNET.is_file(), reason="YuNet's file is not here")
def test_pictures_of_crowds_end_no_worker_and_leave_the_engine_to_others(place: Place) -> None:
    crowds, usual = 12, 20
    for _ in range(crowds):
        place.store("crowd", crowd_jpeg(400))
    for _ in range(usual):
        place.store("good", picture(face=True).jpeg)
    worker = place.worker()
    eventually(lambda: place.ended_as("good", "analysed") == usual)
    assert place.ended_as("crowd", "analysed") < crowds
    eventually(lambda: place.ended_as("crowd", "analysed") == crowds)
    assert not worker.ended
    ((_, stored),) = place.client.xrevrange(keys.emotions("crowd"), count=1)
    event = EmotionEvent.unpack(stored[b"event"])
    assert len(event.faces) == MAX_FACES
    assert event.faces_omitted > 400 * 0.9 - MAX_FACES


def test_nested_messages_and_entries_of_any_size_hold_no_other_camera_up(place: Place) -> None:
    inner = b"\xdc\x10\x00" + b"\x90" * 4096
    nested = b"\x81\xa6schema\xdc\x0f\x20" + inner * 0x0F20
    worker = place.worker()
    place.serves()
    before_mb = worker.memory_mb()
    for _ in range(4):
        place.producer.xadd(keys.frames("hostile"), {"frame": nested})
    for _ in range(2):  # more than a frame may have, in fields that are each small enough
        fields: Any = {f"field{number}": bytes(15 << 20) for number in range(2)}
        place.producer.xadd(keys.frames("hostile"), fields)
    with pytest.raises(redis.RedisError):
        place.producer.xadd(keys.frames("hostile"), {"frame": bytes(100 << 20)})
    place.register("hostile")
    place.serves()
    eventually(lambda: place.ended_as("hostile", "dead") == 6)
    place.serves()
    assert worker.memory_mb() - before_mb < 400


def test_keys_of_other_types_and_the_largest_id_block_no_camera(place: Place) -> None:
    worker = place.worker()
    place.serves()
    place.client.hset(keys.frames("typed"), "a", "b")
    place.client.set(keys.lease("typed"), "a")
    place.client.set(keys.ledger("typed"), "a")
    place.register("typed")
    place.store("largest", at=LARGEST_ID)
    resets = 'emotion_key_resets_total{camera="%s"}'
    eventually(lambda: metric(worker, resets % "typed") >= 2)
    eventually(lambda: metric(worker, resets % "largest") == 1)
    for camera in ("typed", "largest", "good"):
        place.serves(camera)
    assert place.ended_as("largest", "dead") == 1
    assert "Traceback" not in worker.logged()
    eventually(lambda: is_ready(worker))


def test_two_thousand_names_take_no_camera_from_a_worker(place: Place) -> None:
    worker = place.worker()
    place.serves()
    epoch = place.client.hget(keys.lease("good"), "epoch")
    names = [f"fake{number}" for number in range(2_000)]
    until = time.monotonic() + float(os.environ.get("STORM_S", "12"))
    while time.monotonic() < until:
        place.register("good", *names)
        place.serves()
        time.sleep(0.2)
    clients: Any = place.client.info("clients")
    assert clients["connected_clients"] < 1_000
    eventually(lambda: metric(worker, "emotion_owned_cameras") == MAX_CAMERAS_PER_WORKER)
    assert place.client.hget(keys.lease("good"), "epoch") == epoch


def test_names_beyond_the_registrys_limit_hide_no_camera_that_was_analysed(place: Place) -> None:
    """Each name is new, and seems to have been alive more recently than any camera."""
    own_lease = ("--lease-ms", "20000")  # hundreds of cameras in a short lease are work
    worker = place.worker(*own_lease)  # a second one would be given some of them
    listed = place.gateway()
    cameras = [f"good{number}" for number in range(4)]
    for camera in cameras:
        place.serves(camera)
    eventually(lambda: place.client.zcard(keys.ANALYSED) == len(cameras))
    epochs = [place.client.hget(keys.lease(camera), "epoch") for camera in cameras]
    names = count()

    def storm() -> None:
        place.register(*(f"fake{next(names)}" for _ in range(REGISTRY_LIMIT + 100)), ahead_s=50)
        assert listed() >= set(cameras)
        for camera in cameras:
            place.serves(camera)

    until = time.monotonic() + float(os.environ.get("STORM_S", "12"))
    while time.monotonic() < until:
        storm()
    assert [place.client.hget(keys.lease(camera), "epoch") for camera in cameras] == epochs
    worker.terminate()
    worker.wait()
    place.worker(*own_lease)  # it has not seen the cameras before
    storm()


def test_names_of_any_length_hide_no_camera(place: Place) -> None:
    place.worker()
    place.serves()
    for number in range(5):  # together more than the limit of one reply
        place.producer.zadd(keys.CAMERAS, {b"%d" % number + bytes(15 << 20): 2**63})
        place.register(f"{number}" + "x" * (15 << 20))
    place.serves("new")
    eventually(lambda: place.client.zcard(keys.CAMERAS) == 2)
    assert place.gateway()() == {"good", "new"}
