"""Frames into Redis: ids, resends, memory. Against a real server, at times through a bad line."""

import threading
import time
from collections.abc import Iterator

import pytest
import redis

from emotion_streams import keys
from emotion_streams.connection import Client
from emotion_streams.frames import Frame
from producer.messages import Counts
from producer.picture import EncodedPicture
from producer.publish import Publisher
from producer.redis_clock import SYNC_EVERY_S
from tests.peers.pictures import jpeg
from tests.peers.tcp import TcpProxy
from tests.servers import PATIENCE_S, RedisProcess, eventually, free_port
from tests.topologies import Cluster

PICTURE = EncodedPicture(jpeg(64, 48), 64, 48)
KEY = keys.frames("lobby")


class Setup:
    """A publisher, what it counts, and its stream as others see it."""

    def __init__(self, client: Client, url: str, max_age_ms: int | None = 60_000) -> None:
        self.client = client
        self.url = url
        self.counts = Counts()
        self.stop = threading.Event()
        self.publisher = Publisher(url, "lobby", 10, max_age_ms, self.counts, self.stop)

    def frames(self) -> dict[str, Frame]:
        entries = self.client.xrange(KEY)
        return {entry_id.decode(): Frame.unpack(fields[b"frame"]) for entry_id, fields in entries}


@pytest.fixture
def setup(client: Client, redis_url: str) -> Iterator[Setup]:
    built = Setup(client, redis_url)
    yield built
    built.publisher.close()


@pytest.fixture
def server() -> Iterator[RedisProcess]:
    with RedisProcess(port=free_port()) as running:
        yield running


def test_frame_is_stored_with_its_capture_time_as_id(setup: Setup) -> None:
    assert setup.publisher.store(PICTURE, 1_700_000_000_000)
    ((entry_id, frame),) = setup.frames().items()
    assert entry_id == "1700000000000-0"
    assert (frame.captured_ms, frame.width, frame.height) == (1_700_000_000_000, 64, 48)
    assert (frame.jpeg, frame.seq, frame.max_age_ms) == (PICTURE.jpeg, 0, 60_000)


def test_ids_grow_although_the_clock_does_not(setup: Setup) -> None:
    for captured_ms in (1000, 1000, 1000, 500, 1001):
        setup.publisher.store(PICTURE, captured_ms)
    frames = setup.frames()
    assert list(frames) == ["1000-0", "1000-1", "1000-2", "1000-3", "1001-0"]
    assert [frame.seq for frame in frames.values()] == [0, 1, 2, 3, 4]
    assert [frame.captured_ms for frame in frames.values()] == [1000, 1000, 1000, 500, 1001]


def test_publisher_with_an_earlier_clock_skips_past_the_newest_id(
    setup: Setup,
) -> None:
    setup.client.xadd(KEY, {"frame": b""}, id="100000-0")
    setup.publisher.store(PICTURE, 40_000)
    setup.publisher.store(PICTURE, 40_100)
    ids = [int(entry_id.split(b"-")[0]) for entry_id, _ in setup.client.xrange(KEY)]
    assert ids == sorted(ids)
    assert len(ids) == 3
    assert 100_000 <= ids[1] < 200_000
    assert setup.counts.published == 2


@pytest.mark.parametrize("last", [f"{2**64 - 1}-{2**64 - 1}", f"{2**63}-0", "99000000000-0"])
def test_stream_blocked_by_a_far_id_is_used_again_after_its_reset(setup: Setup, last: str) -> None:
    setup.client.xadd(KEY, {"frame": b""}, id=last)
    for captured_ms in (40_000, 40_100):
        assert not setup.publisher.store(PICTURE, captured_ms)
    assert setup.counts.dropped_refused == 2
    setup.client.delete(KEY)
    assert setup.publisher.store(PICTURE, 40_200)
    assert list(setup.frames()) == ["40200-0"]


def test_stream_never_exceeds_its_bound(setup: Setup) -> None:
    for index in range(25):
        setup.publisher.store(PICTURE, 1000 + index)
    assert setup.client.xlen(KEY) == 10
    assert setup.counts.published == 25


def test_counts_of_lost_frames_travel_in_the_next_frame(setup: Setup) -> None:
    setup.counts.dropped_newer, setup.counts.dropped_stale = 3, 1
    setup.counts.rate_skipped, setup.counts.motion_skipped = 20, 2
    setup.publisher.store(PICTURE, 1000)
    ((_, frame),) = setup.frames().items()
    assert (frame.capture_drops, frame.skipped) == (4, 22)


def test_every_start_has_its_own_session_id(client: Client, redis_url: str) -> None:
    for captured_ms in (1000, 2000):
        setup = Setup(client, redis_url)
        setup.publisher.store(PICTURE, captured_ms)
        setup.publisher.close()
    session_ids = [frame.session_id for frame in setup.frames().values()]
    assert len(set(session_ids)) == 2


def test_frame_without_a_reply_is_resent_and_stored_once(server: RedisProcess) -> None:
    client = redis.Redis(port=server.port)
    with TcpProxy(server.port) as line, client:
        setup = Setup(client, f"redis://127.0.0.1:{line.port}")
        setup.publisher.store(PICTURE, 1000)
        line.mute.set()
        sending = threading.Thread(target=setup.publisher.store, args=(PICTURE, 2000))
        sending.start()
        eventually(lambda: client.xlen(KEY) == 2)
        line.cut()
        line.mute.clear()
        sending.join(PATIENCE_S)
        setup.publisher.store(PICTURE, 3000)
        setup.publisher.close()
        assert list(setup.frames()) == ["1000-0", "2000-0", "3000-0"]
        assert client.xinfo_stream(KEY)["entries-added"] == 3
        assert (setup.counts.published, setup.counts.lost) == (3, 0)
        assert setup.counts.redis_errors >= 1


def test_frame_is_retried_and_reported_during_an_outage(server: RedisProcess) -> None:
    client = redis.Redis(port=server.port)
    with client:
        setup = Setup(client, server.url)
        setup.publisher.store(PICTURE, 1000)
        server.kill()
        sending = threading.Thread(target=setup.publisher.store, args=(PICTURE, 2000))
        sending.start()
        eventually(lambda: setup.publisher.error)
        server.restart()
        sending.join(PATIENCE_S)
        setup.publisher.close()
        assert list(setup.frames()) == ["2000-0"]
        assert setup.publisher.error == ""


@pytest.mark.parametrize("url", ["redis://{}", "redis+cluster://{}", "redis+sentinel://{}/main"])
def test_publisher_retries_an_unreachable_redis_until_stopped(url: str, client: Client) -> None:
    setup = Setup(client, url.format(f"127.0.0.1:{free_port()}"))
    sending = threading.Thread(target=setup.publisher.store, args=(PICTURE, 1000))
    sending.start()
    eventually(lambda: setup.publisher.error)
    assert len(setup.publisher.error) < 200
    setup.stop.set()
    sending.join(PATIENCE_S)
    assert not sending.is_alive()


BIG = EncodedPicture(jpeg(64, 48) + bytes(200_000), 64, 48)


def test_full_redis_replaces_the_oldest_frame_by_the_newest(server: RedisProcess) -> None:
    with redis.Redis(port=server.port) as client:
        setup = Setup(client, server.url)
        for index in range(10):
            setup.publisher.store(BIG, 1000 + index)
        # Too little for another frame, as it is when frames have filled it.
        client.config_set("maxmemory", client.info("memory")["used_memory"] + 100_000)
        assert setup.publisher.store(BIG, 2000)
        setup.publisher.close()
        assert list(setup.frames())[-1] == "2000-0"
        assert client.xlen(KEY) == 10
        assert setup.counts.lost == 0


def test_redis_filled_by_others_drops_frames_without_waiting(server: RedisProcess) -> None:
    with redis.Redis(port=server.port) as client:
        setup = Setup(client, server.url)
        client.config_set("maxmemory", "1")
        assert not setup.publisher.store(BIG, 1000)
        assert setup.counts.dropped_full == 1
        assert "maxmemory" in setup.publisher.error
        client.config_set("maxmemory", "0")
        assert setup.publisher.store(BIG, 2000)
        setup.publisher.close()
        assert setup.publisher.error == ""
        assert setup.frames()["2000-0"].capture_drops == 1


def test_full_redis_is_reported_once_until_a_frame_is_stored(
    server: RedisProcess, caplog: pytest.LogCaptureFixture
) -> None:
    with redis.Redis(port=server.port) as client:
        setup = Setup(client, server.url)
        client.config_set("maxmemory", "1")
        assert not setup.publisher.publish(BIG, time.monotonic())
        time.sleep(SYNC_EVERY_S)  # the clock is read again, which a full Redis allows
        assert not setup.publisher.publish(BIG, time.monotonic())
        assert [record.levelname for record in caplog.records] == ["WARNING"]
        assert "maxmemory" in setup.publisher.error
        client.config_set("maxmemory", "0")
        assert setup.publisher.publish(BIG, time.monotonic())
        assert setup.publisher.error == ""
        setup.publisher.close()


def test_policy_every_waits_for_a_full_redis(server: RedisProcess) -> None:
    with redis.Redis(port=server.port) as client:
        setup = Setup(client, server.url, max_age_ms=None)
        for index in range(9):
            setup.publisher.store(BIG, 1000 + index)
        client.config_set("maxmemory", "1")
        sending = threading.Thread(target=setup.publisher.store, args=(BIG, 2000))
        sending.start()
        eventually(lambda: "maxmemory" in setup.publisher.error)
        client.config_set("maxmemory", "0")
        sending.join(PATIENCE_S)
        setup.publisher.close()
        assert len(setup.frames()) == 10
        assert (setup.counts.published, setup.counts.lost) == (10, 0)


def test_policy_every_waits_for_room_after_an_error(setup: Setup) -> None:
    wait_for_source = Setup(setup.client, setup.url, max_age_ms=None)
    setup.client.set(KEY, "not a stream")
    waiting = threading.Thread(target=wait_for_source.publisher.wait_for_room)
    waiting.start()
    eventually(lambda: "WRONGTYPE" in wait_for_source.publisher.error)
    assert waiting.is_alive()
    setup.client.delete(KEY)
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()
    wait_for_source.publisher.close()


def test_missing_permission_drops_and_counts_the_frame(server: RedisProcess) -> None:
    with redis.Redis(port=server.port) as client:
        client.acl_setuser("camera", enabled=True, passwords=["+secret"], reset=True)
        setup = Setup(client, f"redis://camera:secret@127.0.0.1:{server.port}")
        assert not setup.publisher.store(PICTURE, 1000)
        assert setup.counts.dropped_refused == 1
        setup.publisher.close()


def test_refused_frame_is_counted_and_the_next_one_is_stored(setup: Setup) -> None:
    setup.client.set(KEY, "not a stream")
    assert not setup.publisher.store(PICTURE, 1000)
    assert "WRONGTYPE" in setup.publisher.error
    setup.client.delete(KEY)
    assert setup.publisher.store(PICTURE, 2000)
    assert (setup.counts.dropped_refused, setup.counts.published) == (1, 1)
    assert setup.frames()["2000-0"].capture_drops == 1


def test_wait_for_room_ends_when_a_worker_removes_a_frame(setup: Setup) -> None:
    for index in range(10):
        assert setup.publisher.wait_for_room()
        setup.publisher.store(PICTURE, 1000 + index)
    waiting = threading.Thread(target=setup.publisher.wait_for_room)
    waiting.start()
    time.sleep(0.1)
    assert waiting.is_alive()
    setup.client.xdel(KEY, "1000-0")
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()


def test_cluster_stores_frames_in_redis_time() -> None:
    with Cluster() as cluster:
        counts = Counts()
        publisher = Publisher(cluster.url, "lobby", 10, 60_000, counts, threading.Event())
        for _ in range(3):
            assert publisher.wait_for_room()
            assert publisher.publish(PICTURE, time.monotonic())
        publisher.close()
        assert (counts.published, counts.redis_errors) == (3, 0)


def test_producer_needs_no_permission_to_read_frames(server: RedisProcess) -> None:
    with redis.Redis(port=server.port) as client:
        client.acl_setuser(
            "camera",
            enabled=True,
            passwords=["+secret"],
            commands=["+xadd", "+xtrim", "+xlen", "+time"],
            keys=["%W~frames:*"],
            reset=True,
        )
        client.xadd(KEY, {"frame": b""}, id="5000-0")
        setup = Setup(client, f"redis://camera:secret@127.0.0.1:{server.port}")
        assert setup.publisher.wait_for_room()
        assert setup.publisher.publish(PICTURE, time.monotonic())
        setup.publisher.close()
        assert client.xlen(KEY) == 2


def test_a_recording_is_dated_from_its_first_frame_on(client: Client, redis_url: str) -> None:
    setup = Setup(client, redis_url, max_age_ms=None)
    before_ms = time.time() * 1000
    for position_ms in (0, 40, 7_200_000):
        assert setup.publisher.publish_recorded(PICTURE, position_ms)
    after_ms = time.time() * 1000
    setup.publisher.close()
    frames = list(setup.frames().values())
    assert before_ms - 1000 < frames[0].captured_ms < after_ms + 1000
    assert [each.captured_ms - frames[0].captured_ms for each in frames] == [0, 40, 7_200_000]
    assert [each.position_ms for each in frames] == [0, 40, 7_200_000]


def test_a_recording_with_a_fixed_beginning_is_stored_once_however_often_it_is_read(
    client: Client, redis_url: str
) -> None:
    def read(*positions_ms: int) -> Counts:
        counts = Counts()
        publisher = Publisher(
            redis_url, "lobby", 10, None, counts, threading.Event(), recorded_ms=0
        )
        for position_ms in positions_ms:
            assert publisher.publish_recorded(PICTURE, position_ms)
        publisher.close()
        return counts

    read(0, 40, 80)
    assert read(0, 40, 80, 120, 120).published == 5
    frames = Setup(client, redis_url).frames()
    assert list(frames) == ["0-1", "40-0", "80-0", "120-0", "120-1"]
    assert [frame.seq for frame in frames.values()] == [0, 1, 2, 0, 1]
