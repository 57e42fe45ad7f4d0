"""Frames are stamped in Redis' time, for any clock of the producer's machine."""

import os
import threading
import time
from pathlib import Path

import pytest

import emotion_streams
from emotion_streams import keys
from emotion_streams.connection import Client
from emotion_streams.frames import Frame
from producer.messages import Counts
from producer.picture import EncodedPicture
from producer.publish import Publisher
from producer.redis_clock import SYNC_EVERY_S, RedisClock
from tests.peers.pictures import jpeg
from tests.peers.producer import Producer, within

PICTURE = EncodedPicture(jpeg(64, 48), 64, 48)
HOUR_S = 3600.0
BUSY_S = HOUR_S / 2
"""How old a frame may be on a busy machine. The wrong clock is off by more."""


def redis_ms(client: Client) -> float:
    seconds, microseconds = client.time()
    return float(seconds * 1000 + microseconds / 1000)


def stored(client: Client, camera: str = "lobby") -> list[Frame]:
    return [Frame.unpack(fields[b"frame"]) for _, fields in client.xrange(keys.frames(camera))]


class Server:
    """Replies to TIME with its own clock. Each reply takes `takes_s`, all of it on the way back."""

    def __init__(self) -> None:
        self.machine_s = 100.0
        self.ahead_s = 5000.0
        self.takes_s = 0.0

    def time(self) -> tuple[int, int]:
        now_s = self.machine_s + self.ahead_s
        self.machine_s += self.takes_s
        return int(now_s), int(now_s % 1 * 1_000_000)


@pytest.mark.parametrize("wrong_s", [-HOUR_S, HOUR_S, -1_700_000_000])
def test_frames_have_redis_time_although_the_machine_clock_is_wrong(
    client: Client, redis_url: str, monkeypatch: pytest.MonkeyPatch, wrong_s: float
) -> None:
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + wrong_s)
    publisher = Publisher(redis_url, "lobby", 10, 1000, Counts(), threading.Event())
    before = redis_ms(client)
    assert publisher.publish(PICTURE, time.monotonic())
    assert publisher.publish(PICTURE, time.monotonic() - HOUR_S)  # it waited for the publisher
    after = redis_ms(client)
    publisher.close()
    first, waited = stored(client)
    # Redis' clock is known to within half of the time that reading it takes.
    assert before - (after - before) - 1 <= first.captured_ms <= after + 1
    assert waited.captured_ms == first.captured_ms + 1  # never before the previous one
    assert [int(entry.split(b"-")[0]) for entry, _ in client.xrange(keys.frames("lobby"))] == [
        first.captured_ms,
        waited.captured_ms,
    ]


def test_a_frame_that_waited_for_the_publisher_keeps_its_time_of_arrival(
    client: Client, redis_url: str
) -> None:
    publisher = Publisher(redis_url, "lobby", 10, 1000, Counts(), threading.Event())
    before = redis_ms(client)
    assert publisher.publish(PICTURE, time.monotonic() - HOUR_S)
    after = redis_ms(client)
    publisher.close()
    arrived_ms = stored(client)[0].captured_ms + HOUR_S * 1000
    assert before - (after - before) - 1 <= arrived_ms <= after + 1


def test_capture_times_grow_with_each_frame_although_redis_clock_is_set_back(
    client: Client, redis_url: str
) -> None:
    boot_s = [1000.0, 1000.0, 1000.0, 400.0, 400.0, 400.0]  # TIME is read once, then it goes back
    clock = RedisClock(lambda: boot_s.pop(0) if len(boot_s) > 1 else boot_s[0])
    publisher = Publisher(redis_url, "lobby", 10, 1000, Counts(), threading.Event(), clock)
    for _ in range(3):
        assert publisher.publish(PICTURE, time.monotonic())
    publisher.close()
    times = [frame.captured_ms for frame in stored(client)]
    assert times == sorted(set(times))
    assert len(times) == 3


def test_refused_time_command_counts_the_frame_as_refused(client: Client, redis_url: str) -> None:
    client.acl_setuser(
        "camera", enabled=True, passwords=["+secret"], commands=["+xadd"], keys=["*"], reset=True
    )
    url = redis_url.replace("unix://", "unix://camera:secret@")
    counts = Counts()
    publisher = Publisher(url, "lobby", 10, 1000, counts, threading.Event())
    assert not publisher.publish(PICTURE, time.monotonic())
    publisher.close()
    client.acl_deluser("camera")
    assert counts.dropped_refused == 1
    assert "permission" in publisher.error.lower()


def test_slow_reply_does_not_change_a_correct_offset() -> None:
    server = Server()
    clock = RedisClock(lambda: server.machine_s)
    clock.sync(server)
    server.takes_s = 4.0
    clock.sync(server)
    assert clock.unix_ms(0) == pytest.approx((server.machine_s + server.ahead_s) * 1000, abs=1)


@pytest.mark.parametrize("step_s", [-HOUR_S, -3.0, 3.0, HOUR_S])
def test_step_of_redis_clock_is_followed(step_s: float) -> None:
    server = Server()
    clock = RedisClock(lambda: server.machine_s)
    clock.sync(server)
    assert not clock.is_due
    server.ahead_s += step_s
    server.machine_s += SYNC_EVERY_S
    assert clock.is_due
    clock.sync(server)
    assert clock.unix_ms(0) == pytest.approx((server.machine_s + server.ahead_s) * 1000, abs=1)
    assert clock.unix_ms(2.5) == pytest.approx(
        (server.machine_s + server.ahead_s) * 1000 - 2500, abs=1
    )


def test_producer_on_a_machine_with_a_wrong_clock_publishes_redis_time(
    client: Client, redis_url: str, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        f"import time\nright = time.time\ntime.time = lambda: right() - {HOUR_S}\n"
    )
    path = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    with Producer(redis_url, "--camera", "lobby", PYTHONPATH=path) as producer:
        within(lambda: client.xlen(keys.frames("lobby")) > 5)
        assert redis_ms(client) - stored(client)[-1].captured_ms < BUSY_S * 1000
        with emotion_streams.Client(redis_url) as streams:
            within(lambda: streams.cameras()[0].last_frame_age_ms is not None)
            age_ms = streams.cameras()[0].last_frame_age_ms
        assert age_ms is not None
        assert 0 <= age_ms < BUSY_S * 1000
        assert producer.metric("emotion_camera_frame_age_seconds", "lobby") < BUSY_S
        timestamp = "emotion_camera_last_frame_timestamp_seconds"
        within(lambda: producer.metric(timestamp, "lobby"))
        assert abs(redis_ms(client) / 1000 - producer.metric(timestamp, "lobby")) < BUSY_S
