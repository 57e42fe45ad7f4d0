"""Workers among themselves: taking, handing over, stepping in, letting go, stopping."""

import asyncio
import gc
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import Any

import numpy as np
import pytest
import redis
from prometheus_client import CollectorRegistry

import emotion_streams.connection
from emotion_streams import EndReason, Episode, EpisodeType, keys
from emotion_streams.connection import Client, connect_async
from emotion_streams.faces import Box
from emotion_streams.frames import Frame
from emotion_streams.registry import MAX_CAMERAS_PER_WORKER
from service.health import Health
from tests import samples
from tests.servers import PATIENCE_S, RedisProcess, Stopwatch
from tests.worker.stubs import Brightest, Indifferent, OneFace, stub_context, until
from worker import app, hangs
from worker.app import Worker
from worker.delivery.types import Lease, Retention
from worker.hangs import FrameHungError
from worker.ownership import admission, lease, registry
from worker.ownership.lease import Leases, assign
from worker.ownership.registry import SILENT_MS
from worker.tracking import Policy, Sighting
from worker.tracking.camera_tracker import CameraTracker

LEASE_MS = 1_000
PATIENT_MS = lease.MAX_LEASE_MS
"""For leases that must not run out, however busy the machine is."""


class Crew:
    """Workers in one loop, under names of the test's choice."""

    def __init__(self, url: str, client: redis.Redis) -> None:
        self.client = client
        self._url = url
        self._ends = ExitStack()
        self._connections: list[Client] = []
        self.workers: dict[str, Worker] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.health: dict[str, Health] = {}
        self.registries: dict[str, CollectorRegistry] = {}

    def join(
        self,
        name: str,
        finder: OneFace | None = None,
        lease_ms: int = LEASE_MS,
        engine: Indifferent | None = None,
        in_flight: int = 4,
        threads: int = 4,
        detector: Brightest | None = None,
    ) -> None:
        leases = self.place(name, lease_ms)
        self.registries[name] = CollectorRegistry()
        context = self._ends.enter_context(
            stub_context(finder, in_flight, engine, self.registries[name], threads, detector)
        )
        self.health[name] = Health()
        self.workers[name] = Worker(
            self._connections[-1],
            leases,
            context,
            self.health[name],
            Retention(age_ms=3_600_000),
        )
        self.tasks[name] = asyncio.create_task(self.workers[name].run())

    def place(self, name: str, lease_ms: int = LEASE_MS) -> Leases:
        """A place among the workers, without a worker."""
        connection = connect_async(self._url)
        self._connections.append(connection)
        return Leases(connection, name, lease_ms=lease_ms)

    async def leave(self, name: str) -> None:
        self.workers[name].stop()
        await asyncio.wait_for(self.tasks.pop(name), PATIENCE_S)

    async def fall(self, name: str) -> None:
        """As a crash: nothing is given back."""
        task = self.tasks.pop(name)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def end(self) -> None:
        for name in list(self.tasks):
            await self.fall(name)
        for connection in self._connections:
            await connection.aclose()
        self._ends.close()

    def attach(self, *cameras: str, silent_ms: int = 0) -> None:
        heartbeat_ms = time.time() * 1000 - silent_ms
        self.client.zadd(keys.CAMERAS, dict.fromkeys(cameras, heartbeat_ms))

    def owners(self, *cameras: str) -> Counter[str]:
        owners: list[Any] = [self.client.hget(keys.lease(camera), "owner") for camera in cameras]
        return Counter((owner or b"").decode() for owner in owners)


@asynccontextmanager
async def crew_of(url: str, client: redis.Redis) -> AsyncIterator[Crew]:
    crew = Crew(url, client)
    try:
        yield crew
    finally:
        await crew.end()


CAMERAS = [f"cam{number}" for number in range(8)]


async def test_a_new_camera_is_picked_up_within_two_seconds(
    redis_url: str, client: redis.Redis
) -> None:
    async with crew_of(redis_url, client) as crew:
        crew.join("a", lease_ms=lease.LEASE_MS)
        await until(lambda: client.zcard(keys.WORKERS) == 1)
        watch = Stopwatch()
        crew.attach("lobby")
        await until(lambda: crew.owners("lobby") == {"a": 1})
        assert watch.read_s() < 4


async def test_a_joining_worker_receives_its_share_one_camera_at_a_time(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, owned = Leases.release, list[int]()

    async def release_watched(leases: Leases, lease: Lease) -> None:
        owned.append(crew.owners(*CAMERAS)["a"])
        await release(leases, lease)

    monkeypatch.setattr(Leases, "release", release_watched)
    async with crew_of(redis_url, client) as crew:
        crew.attach(*CAMERAS)
        crew.join("a", lease_ms=PATIENT_MS)
        await until(lambda: crew.owners(*CAMERAS) == {"a": 8})
        crew.join("b", lease_ms=PATIENT_MS)
        await until(lambda: crew.owners(*CAMERAS) == {"a": 4, "b": 4})
    assert owned == [8, 7, 6, 5]  # when each was released: none before the last one was


async def test_cameras_of_a_worker_that_crashed_are_taken_over(
    redis_url: str, client: redis.Redis
) -> None:
    async with crew_of(redis_url, client) as crew:
        crew.attach(*CAMERAS)
        crew.join("a")
        crew.join("b")
        await until(lambda: crew.owners(*CAMERAS) == {"a": 4, "b": 4})
        await crew.fall("a")
        await until(lambda: crew.owners(*CAMERAS) == {"b": 8})


async def test_a_stopping_worker_gives_its_cameras_to_the_others_at_once(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "SIGN_OFF_S", PATIENCE_S)
    monkeypatch.setattr(app, "DRAIN_S", 2 * PATIENCE_S)
    async with crew_of(redis_url, client) as crew:
        crew.attach(*CAMERAS)
        crew.join("a", lease_ms=lease.LEASE_MS)
        crew.join("b", lease_ms=lease.LEASE_MS)
        await until(lambda: crew.owners(*CAMERAS) == {"a": 4, "b": 4})
        await crew.leave("a")
        watch = Stopwatch()
        assert crew.owners(*CAMERAS)["a"] == 0
        assert b"1@a" not in client.zrange(keys.WORKERS, 0, -1)
        # Sooner than the leases would have run out.
        await until(lambda: crew.owners(*CAMERAS) == {"b": 8})
        assert watch.read_s() < 4


async def test_a_camera_that_its_worker_does_not_come_for_is_taken_by_another_and_kept(
    redis_url: str, client: redis.Redis
) -> None:
    async with crew_of(redis_url, client) as crew:
        # It lives, but takes nothing: cut off from the shard, say.
        idle = crew.place("idle", PATIENT_MS)
        theirs = [n for n, owner in assign(CAMERAS, {"idle": 1, "a": 1}).items() if owner == "idle"]
        await idle.heartbeat()
        crew.attach(*CAMERAS)
        crew.join("a")
        began = time.monotonic()
        await until(lambda: crew.owners(*CAMERAS) == {"a": 8})
        assert time.monotonic() - began >= LEASE_MS / 1000
        await asyncio.sleep(2 * LEASE_MS / 1000)  # in which they might be given back
        epochs = [client.hget(keys.lease(camera), "epoch") for camera in theirs]
        assert epochs == [b"1"] * 4  # and the workers do not pass them around
        assert crew.owners(*CAMERAS) == {"a": 8}


async def test_names_that_no_camera_can_have_stop_no_worker(
    redis_url: str, client: redis.Redis
) -> None:
    async with crew_of(redis_url, client) as crew:
        client.zadd(keys.CAMERAS, {b"\xff": time.time() * 1000, b"": 1, b"a}b": 1})
        crew.attach("lobby")
        crew.join("a")
        await until(lambda: crew.owners("lobby") == {"a": 1})


async def test_many_cameras_of_another_worker_take_few_connections(
    redis_url: str, client: redis.Redis
) -> None:
    cameras = [f"cam{number}" for number in range(300)]
    silent = [f"silent{number}" for number in range(300)]
    expires_ms = int(time.time() * 1000) + 60_000
    for camera in cameras:
        client.hset(
            keys.lease(camera), mapping={"owner": "other", "epoch": 1, "expires_ms": expires_ms}
        )
    async with crew_of(redis_url, client) as crew:
        await crew.place("other", lease_ms=60_000).heartbeat()
        crew.attach(*cameras)
        crew.attach(*silent, silent_ms=SILENT_MS + 1_000)
        crew.join("a")
        await until(lambda: crew.health["a"].not_ready() is None)
        assert client.info("clients")["connected_clients"] < 64
        assert crew.owners(*cameras) == {"other": 300}


async def test_a_lease_that_cannot_be_read_keeps_no_other_camera_from_being_taken(
    redis_url: str, client: redis.Redis
) -> None:
    async with crew_of(redis_url, client) as crew:
        idle = crew.place("idle", PATIENT_MS)  # it lives, but takes nothing
        unreadable, *others = sorted(
            CAMERAS, key=lambda name: assign(CAMERAS, {"idle": 1, "a": 1})[name], reverse=True
        )
        client.set(keys.lease(unreadable), "of a foreign type")
        await idle.heartbeat()
        crew.attach(*CAMERAS)
        crew.join("a")
        await until(lambda: crew.owners(*others) == {"a": 7})


async def test_no_camera_is_handed_to_a_worker_that_may_have_fallen(
    redis_url: str, client: redis.Redis
) -> None:
    async with crew_of(redis_url, client) as crew:
        lease_ms = 2 * LEASE_MS
        mute = crew.place("mute", PATIENT_MS)
        crew.attach(*CAMERAS)
        crew.join("a", lease_ms=lease_ms)
        await until(lambda: crew.owners(*CAMERAS) == {"a": 8})
        beats = set[float]()
        async with asyncio.timeout(PATIENCE_S):
            while len(beats) < 8:
                beats.add(client.zscore(keys.WORKERS, "1@a") or 0)
                # Registered, and without a heartbeat for more than half of a lease's time.
                client.zadd(keys.WORKERS, {"1@mute": time.time() * 1000 + 0.4 * lease_ms})
                assert crew.owners(*CAMERAS) == {"a": 8}
                await asyncio.sleep(0.02)
        await mute.heartbeat()  # after its heartbeat, it is given its share
        await until(lambda: crew.owners(*CAMERAS)["a"] < 8)


async def test_one_camera_that_cannot_finish_keeps_the_others_only_for_a_leases_time(
    redis_url: str, client: redis.Redis
) -> None:
    gate, begun = threading.Event(), threading.Event()

    def before(jpeg: bytes) -> None:
        begun.set()
        assert gate.wait(PATIENCE_S)

    async with crew_of(redis_url, client) as crew:
        owners = assign(CAMERAS, {"a": 1, "b": 1})
        stuck, *others = (camera for camera in CAMERAS if owners[camera] == "b")
        frame = Frame(int(time.time() * 1000), 64, 48, b"jpeg", "session_id", 0)
        client.xadd(keys.frames(stuck), {"frame": frame.pack()})
        crew.attach(stuck)
        crew.join("a", OneFace(before), lease_ms=lease.LEASE_MS)
        await until(begun.is_set)  # it is the first that "a" has, and the first that it releases
        crew.attach(*CAMERAS)
        await until(lambda: crew.owners(*CAMERAS) == {"a": 8})
        crew.join("b", lease_ms=lease.LEASE_MS)
        await until(lambda: crew.owners(*others) == {"b": 3})
        assert crew.owners(stuck) == {"a": 1}
        gate.set()
        await until(lambda: crew.owners(stuck) == {"b": 1})


async def test_a_camera_without_heartbeat_is_released_when_no_frame_of_it_is_queued(
    redis_url: str, client: redis.Redis
) -> None:
    async with crew_of(redis_url, client) as crew:
        crew.attach("lobby", "yard")
        crew.join("a")
        await until(lambda: crew.owners("lobby", "yard") == {"a": 2})
        crew.attach("lobby", silent_ms=SILENT_MS + 1_000)
        await until(lambda: crew.owners("lobby", "yard") == {"a": 1, "": 1})
        frame = Frame(int(time.time() * 1000), 64, 48, b"jpeg", "session_id", 0)
        client.xadd(keys.frames("lobby"), {"frame": frame.pack()})
        await until(lambda: client.xlen(keys.emotions("lobby")) == 1)


async def test_of_a_retired_camera_only_the_epoch_is_kept(
    redis_url: str, client: redis.Redis
) -> None:
    for key in (keys.frames("old"), keys.emotions("old"), keys.dead("old")):
        client.xadd(key, {"a": "b"}, "1-0")
    client.xtrim(keys.frames("old"), 0)
    client.hset(keys.ledger("old"), "analysed", 1)
    client.hset(keys.camera_info("old"), "state", "up")
    client.hset(keys.lease("old"), mapping={"owner": "", "epoch": 7, "expires_ms": 0})
    client.zadd(keys.CAMERAS, {"old": 1, "silent": 1})
    client.zadd(keys.ANALYSED, {"old": 1, "silent": 1})
    client.xadd(keys.emotions("silent"), {"a": "b"})
    async with crew_of(redis_url, client) as crew:
        crew.join("a")
        await until(lambda: client.zrange(keys.CAMERAS, 0, -1) == [b"silent"])
        assert set(client.keys("*old*")) == {keys.lease("old").encode()}
        await until(lambda: client.zrange(keys.ANALYSED, 0, -1) == [b"silent"])
        assert client.xlen(keys.emotions("silent")) == 1


async def test_a_camera_that_is_gone_is_acquired_once_more_to_close_its_tracks(
    redis_url: str, client: redis.Redis
) -> None:
    """Its owner crashed, and its producer sends nothing any more."""
    tracker = CameraTracker("gone", Policy())
    began_ms = int(time.time() * 1000) - 600_000
    for number in range(3):
        frame = samples.frame(began_ms + 100 * number, number)
        seen = (Sighting(Box(10.0, 10.0, 60.0, 60.0), 0.9),)
        tracked = tracker.associate(f"{frame.captured_ms}-0", frame.captured_ms, seen)
        row = np.full((1, 8), 0.125, np.float32)
        tracker.commit(tracker.advance(tracker.state, frame, tracked, row, (None,)).state, b"7")
    stored = {"version": b"7", "state": tracker.state.pack(), "people": 1, "open": 1}
    client.hset(keys.tracks("gone"), mapping=stored)  # type: ignore[arg-type]  # its stubs want text
    client.hset(keys.ledger("gone"), "analysed", 3)
    client.zadd(keys.CAMERAS, {"gone": 1})
    async with crew_of(redis_url, client) as crew:
        crew.join("a")
        await until(lambda: client.hget(keys.tracks("gone"), "open") == b"0")
        entries: Any = client.xrange(keys.episodes("gone"))
        (left,) = [Episode.unpack(fields[b"episode"]) for _, fields in entries]
        assert (left.type, left.reason) == (EpisodeType.FACE_LEFT, EndReason.CAMERA_DOWN)
        assert left.end_ms == began_ms + 200
        await until(lambda: crew.owners("gone") == {"": 1})


async def test_a_camera_whose_keys_cannot_be_retired_keeps_no_other_from_it(
    redis_url: str, client: redis.Redis
) -> None:
    """Leases without a time and keys of other types among cameras that are long gone."""
    gone = [f"gone{number}" for number in range(5)]
    for camera in gone:
        client.hset(keys.ledger(camera), "analysed", 1)
        client.hset(keys.lease(camera), mapping={"owner": "", "epoch": 1, "expires_ms": 0})
    client.hset(keys.lease("gone1"), mapping={"expires_ms": "soon"})
    client.set(keys.frames("gone2"), "of a foreign type")
    client.set(keys.emotions("gone3"), "of a foreign type")
    client.xadd(keys.frames("gone4"), {"a": "b"}, f"{2**64 - 1}-1")
    client.xtrim(keys.frames("gone4"), 0)
    client.zadd(keys.CAMERAS, dict.fromkeys(gone, 1))
    async with crew_of(redis_url, client) as crew:
        crew.join("a")
        await until(lambda: client.zcard(keys.CAMERAS) == 0)
        assert not client.keys("ledger:*")
        await until(lambda: crew.health["a"].not_ready() is None)


async def test_a_failing_retirement_is_reported_by_readiness_and_stops_no_other(
    redis_url: str, client: redis.Redis
) -> None:
    # It may see that nothing of "bad" is left to do, and not touch the keys that it should retire.
    permitted = ["*{good}*", "cameras", "analysed:*", "workers", "frames:{bad}", "tracks:{bad}"]
    client.acl_setuser(
        "limited", enabled=True, passwords=["+pw"], categories=["+@all"], keys=permitted
    )
    client.zadd(keys.CAMERAS, {"bad": 1, "good": 1})
    async with crew_of(redis_url.replace("unix://", "unix://limited:pw@"), client) as crew:
        crew.join("a")
        await until(lambda: client.zrange(keys.CAMERAS, 0, -1) == [b"bad"])
        await until(lambda: "bad (retire: " in crew.health["a"].degraded())
        await until(lambda: crew.health["a"].not_ready() is None)
    client.acl_deluser("limited")


async def test_nonsense_in_one_cameras_keys_keeps_the_others_and_the_worker_ready(
    redis_url: str, client: redis.Redis
) -> None:
    bad = ["frames", "emotions", "dead", "ledger", "lease", "numbers"]
    for camera in bad[:-1]:
        client.set(f"{camera}:{{{camera}}}", "of a foreign type")
    client.hset(keys.ledger("numbers"), mapping={"analysed": "many", "lost": "9" * 5000})
    client.hset(keys.lease("numbers"), mapping={"expires_ms": "soon", "epoch": "x", "owner": "y"})
    async with crew_of(redis_url, client) as crew:
        crew.attach(*bad, "good")
        crew.join("a")
        await until(lambda: crew.owners("good") == {"a": 1})
        await until(lambda: all(client.exists(keys.frames(camera)) for camera in (*bad, "good")))
        await until(lambda: crew.owners(*bad) == {"a": len(bad)})
        for camera in (*bad, "good"):
            frame = Frame(int(time.time() * 1000), 64, 48, b"jpeg", "session_id", 0)
            client.xadd(keys.frames(camera), {"frame": frame.pack()})
        events = [keys.emotions(camera) for camera in (*bad, "good")]
        await until(lambda: all(client.type(key) == b"stream" for key in events))
        await until(lambda: all(client.xlen(key) == 1 for key in events))
        await until(lambda: crew.health["a"].not_ready() is None)
        assert not crew.tasks["a"].done()


async def test_a_name_with_a_future_heartbeat_is_not_a_camera_until_it_has_frames(
    redis_url: str, client: redis.Redis
) -> None:
    async with crew_of(redis_url, client) as crew:
        crew.attach("future", silent_ms=-3_600_000)
        crew.attach("lobby")
        crew.join("a")
        await until(lambda: crew.owners("lobby") == {"a": 1})
        assert crew.owners("future") == {"": 1}


async def test_more_cameras_than_a_worker_takes_displace_none_that_were_analysed(
    redis_url: str,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(admission, "MAX_CAMERAS_PER_WORKER", 10)
    fakes = [f"fake{number:03}" for number in range(200)]
    for camera in CAMERAS:
        client.hset(keys.ledger(camera), "analysed", 1)
    async with crew_of(redis_url, client) as crew:
        crew.attach(*fakes, *CAMERAS)
        crew.join("a")
        await until(lambda: crew.owners(*CAMERAS) == {"a": 8})
        await until(lambda: crew.owners(*fakes)["a"] == 2)
        await until(lambda: crew.health["a"].not_ready() is None)
        exported = crew.registries["a"]
        await until(lambda: exported.get_sample_value("emotion_cameras_over_limit") == 198)
        assert crew.owners(*CAMERAS) == {"a": 8}
    assert "beyond the 10" in caplog.text


async def test_cameras_of_which_a_frame_was_analysed_are_recorded_up_to_a_limit(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "MAX_CAMERAS", 3)
    client.zadd(keys.ANALYSED, {f"earlier{number}": number for number in range(3)})
    async with crew_of(redis_url, client) as crew:
        crew.attach("lobby", "silent")
        crew.join("a")
        await until(lambda: crew.owners("lobby", "silent") == {"a": 2})
        frame = Frame(int(time.time() * 1000), 64, 48, b"jpeg", "session_id", 0)
        client.xadd(keys.frames("lobby"), {"frame": frame.pack()})
        known = [b"earlier1", b"earlier2", b"lobby"]
        await until(lambda: client.zrange(keys.ANALYSED, 0, -1) == known)


async def test_a_name_that_no_camera_can_have_is_removed_from_the_registry(
    redis_url: str, client: redis.Redis
) -> None:
    good = ["0", "a.b_c-d", "x" * 63]
    bad: list[bytes] = [b"", b"-x", b"x" * 64, b"a b", b"a}b", b"\xff", b"a\n"]
    async with crew_of(redis_url, client) as crew:
        crew.attach(*good)
        client.zadd(keys.CAMERAS, dict.fromkeys(bad, time.time() * 1000))
        client.zadd(keys.CAMERAS, {b"later" + name: "+inf" for name in bad[1:]})
        crew.join("a")
        await until(lambda: client.zcard(keys.CAMERAS) == len(good))
        assert all(client.zscore(keys.CAMERAS, name) for name in good)


@pytest.mark.filterwarnings("error")
async def test_a_worker_that_ends_while_it_takes_cameras_leaves_no_coroutine_behind(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquiring = asyncio.Event()

    async def acquire(leases: Leases, camera: str) -> Lease:
        acquiring.set()
        with suppress(asyncio.CancelledError):  # as redis-py does at times
            await asyncio.sleep(60)
        return Lease(camera, leases.owner, 1)

    monkeypatch.setattr(Leases, "acquire", acquire)
    async with crew_of(redis_url, client) as crew:
        crew.attach(*CAMERAS)
        crew.join("a")
        await acquiring.wait()
        await crew.fall("a")
    gc.collect()


def test_a_worker_has_connections_for_all_its_cameras_and_its_leases() -> None:
    assert 2 * MAX_CAMERAS_PER_WORKER + 200 <= emotion_streams.connection.MAX_CONNECTIONS


async def test_one_that_cannot_finish_in_time_leaves_the_rest_to_its_successor(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease_ms = 3_000
    monkeypatch.setattr(app, "SIGN_OFF_S", PATIENCE_S)
    monkeypatch.setattr(app, "DRAIN_S", PATIENCE_S + 1.5 * lease_ms / 1000)
    gate, begun = threading.Event(), threading.Event()
    release, epochs = Leases.release, list[Any]()

    async def release_watched(leases: Leases, lease: Lease) -> None:
        epochs.append(client.hget(keys.lease("lobby"), "epoch"))
        await release(leases, lease)

    monkeypatch.setattr(Leases, "release", release_watched)

    def before(jpeg: bytes) -> None:
        begun.set()
        assert gate.wait(PATIENCE_S)

    async with crew_of(redis_url, client) as crew:
        frame = Frame(int(time.time() * 1000), 64, 48, b"jpeg", "session_id", 0)
        client.xadd(keys.frames("lobby"), {"frame": frame.pack()})
        crew.attach("lobby")
        crew.join("slow", OneFace(before), lease_ms=lease_ms)
        await until(begun.is_set)
        leaving = asyncio.create_task(crew.leave("slow"))
        crew.join("b", lease_ms=lease_ms)
        # Longer than a lease, for which it keeps the camera all the same.
        await leaving
        assert epochs == [b"1"]
        gate.set()
        await until(lambda: client.xlen(keys.emotions("lobby")) == 1)


async def test_the_frame_that_hangs_is_named_and_not_those_that_wait_behind_it(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hangs, "HUNG_S", 2.0)
    gate = threading.Event()
    cameras = [f"camera{number}" for number in range(6)]
    hanging: list[str] = []

    def before(jpeg: bytes) -> None:
        hanging.append(jpeg.decode())
        assert gate.wait(PATIENCE_S)

    async with crew_of(redis_url, client) as crew:
        for camera in cameras:
            frame = Frame(int(time.time() * 1000), 64, 48, camera.encode(), "boot", 0)
            client.xadd(keys.frames(camera), {"frame": frame.pack()})
        crew.attach(*cameras)
        crew.join("a", OneFace(before), threads=1, in_flight=len(cameras))
        with pytest.raises(ExceptionGroup) as hung:
            await asyncio.wait_for(crew.tasks["a"], PATIENCE_S)
        (camera,) = hanging
        gate.set()
        assert f"of camera {camera} has hung" in str(hung.value.exceptions[0])


async def test_every_frame_of_a_batch_that_hangs_in_the_engine_is_named(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hangs, "HUNG_S", 2.0)
    engine = Indifferent()
    engine.gate.clear()
    async with crew_of(redis_url, client) as crew:
        frame = Frame(int(time.time() * 1000), 64, 48, b"jpeg", "boot", 0)
        frame_id: Any = client.xadd(keys.frames("lobby"), {"frame": frame.pack()})
        crew.attach("lobby")
        crew.join("a", engine=engine)
        with pytest.raises(ExceptionGroup) as hung:
            await asyncio.wait_for(crew.tasks["a"], PATIENCE_S)
        engine.gate.set()
        (stuck,) = hung.value.exceptions
        assert isinstance(stuck, FrameHungError)
        assert f"frame {frame_id.decode()} of camera lobby, has hung" in str(stuck)


async def test_every_frame_of_a_batch_that_hangs_in_the_detector_is_named(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hangs, "HUNG_S", 2.0)
    detector = Brightest()
    detector.gate.clear()
    async with crew_of(redis_url, client) as crew:
        frame = Frame(int(time.time() * 1000), 64, 48, samples.jpeg(64, 48), "boot", 0)
        frame_id: Any = client.xadd(keys.frames("lobby"), {"frame": frame.pack()})
        crew.attach("lobby")
        crew.join("a", detector=detector)
        with pytest.raises(ExceptionGroup) as hung:
            await asyncio.wait_for(crew.tasks["a"], PATIENCE_S)
        detector.gate.set()
        (stuck,) = hung.value.exceptions
        assert str(stuck).startswith(
            f"the detector, with frame {frame_id.decode()} of camera lobby, has hung"
        )


async def test_a_worker_outlives_redis(client: redis.Redis) -> None:
    with RedisProcess() as server, redis.Redis(unix_socket_path=str(server.socket)) as own:
        async with crew_of(server.url, own) as crew:
            crew.attach("lobby")
            crew.join("a")
            await until(lambda: crew.owners("lobby") == {"a": 1})
            await until(lambda: crew.health["a"].not_ready() is None)
            server.kill()
            await until(lambda: "cannot be reached" in (crew.health["a"].not_ready() or ""))
            await asyncio.to_thread(server.restart)
            crew.attach("lobby")
            await until(lambda: crew.owners("lobby") == {"a": 1})
            await until(lambda: crew.health["a"].not_ready() is None)


async def test_the_message_about_unreachable_sentinels_is_short(
    client: redis.Redis, caplog: pytest.LogCaptureFixture
) -> None:
    async with crew_of("redis+sentinel://127.0.0.1:1/mymaster", client) as crew:
        crew.join("a")
        await until(lambda: "cannot be reached" in (crew.health["a"].not_ready() or ""))
        assert "<redis" not in f"{crew.health['a'].not_ready()}{caplog.text}"


async def test_the_account_of_owned_cameras_is_in_the_metrics(
    redis_url: str, client: redis.Redis
) -> None:
    frame = Frame(int(time.time() * 1000), 64, 48, b"jpeg", "session_id", 0)
    client.xadd(keys.frames("lobby"), {"frame": frame.pack()})
    async with crew_of(redis_url, client) as crew:
        crew.attach("lobby")
        crew.join("a")
        exported = crew.registries["a"]

        def shown(state: str) -> float | None:
            labels = {"camera": "lobby", "state": state}
            return exported.get_sample_value("emotion_ledger_frames", labels)

        def balanced() -> float | None:
            return exported.get_sample_value("emotion_ledger_balanced", {"camera": "lobby"})

        await until(lambda: shown("analysed") == 1)
        assert (shown("added"), shown("trimmed"), shown("pending")) == (1, 0, 0)
        assert balanced() == 1
        client.hincrby(keys.ledger("lobby"), "analysed", 1)  # as if one had ended twice
        await until(lambda: balanced() == 0)
