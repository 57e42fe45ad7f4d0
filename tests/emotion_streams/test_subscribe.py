"""Subscriptions, against a real server."""

import asyncio
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, closing
from itertools import islice

import pytest
import redis
from redis.exceptions import (
    NoPermissionError,
    RedisClusterException,
    ResponseError,
)

from emotion_streams import EmotionEvent, keys, subscribe, subscribe_async
from emotion_streams.redis_url import InvalidRedisUrlError
from tests import samples
from tests.servers import PATIENCE_S, RedisProcess, eventually, free_port
from tests.topologies import Cluster


def publish(client: redis.Redis, *ids: str, camera: str = "lobby") -> None:
    client.zadd(keys.CAMERAS, {camera: 1})
    for frame_id in ids:
        packed = samples.event(camera, frame_id).pack()
        client.xadd(keys.emotions(camera), {"event": packed}, id=frame_id)


async def take(events: AsyncIterator[EmotionEvent], count: int) -> list[str]:
    async with asyncio.timeout(PATIENCE_S):
        return [(await anext(events)).frame_id for _ in range(count)]


def test_from_the_start_yields_every_event_in_order(client: redis.Redis, redis_url: str) -> None:
    publish(client, "1-0", "2-0", "3-0")
    events = subscribe(redis_url, "lobby", after="start")
    assert [event.frame_id for event in islice(events, 3)] == ["1-0", "2-0", "3-0"]
    events.close()


def test_an_event_that_names_another_camera_or_id_than_its_entry_is_passed_over(
    client: redis.Redis, redis_url: str
) -> None:
    for entry_id, foreign in (
        ("1-0", samples.event("lobby", "9-0")),
        ("2-0", samples.event("door", "2-0")),
    ):
        client.xadd(keys.emotions("lobby"), {"event": foreign.pack()}, id=entry_id)
    publish(client, "3-0")
    events = subscribe(redis_url, "lobby", after="start")
    assert next(events).frame_id == "3-0"
    events.close()


async def test_after_an_id_resumes_behind_it(client: redis.Redis, redis_url: str) -> None:
    publish(client, "1-0", "2-0", "3-0")
    async with aclosing(subscribe_async(redis_url, "lobby", after="1-0")) as events:
        assert await take(events, 2) == ["2-0", "3-0"]


async def test_from_now_leaves_out_earlier_events(client: redis.Redis, redis_url: str) -> None:
    publish(client, "1-0")
    async with aclosing(subscribe_async(redis_url, "lobby")) as events:
        first = asyncio.ensure_future(take(events, 1))
        number = 1
        # Whenever the subscription has begun, the next event is its first.
        while not first.done():
            number += 1
            publish(client, f"{number}-0")
            await asyncio.sleep(0.05)
        assert first.result() != ["1-0"]


async def test_all_cameras_include_one_that_is_attached_later(
    client: redis.Redis, redis_url: str
) -> None:
    publish(client, "1-0", camera="lobby")
    async with aclosing(subscribe_async(redis_url, after="start")) as events:
        assert await take(events, 1) == ["1-0"]
        publish(client, "5-0", camera="door")
        assert await take(events, 1) == ["5-0"]


async def test_names_that_no_camera_can_have_end_no_subscription_to_all(
    client: redis.Redis, redis_url: str
) -> None:
    client.zadd(keys.CAMERAS, {b"\xff": 1, b"": 1, b"a}b": 1})
    publish(client, "1-0")
    async with aclosing(subscribe_async(redis_url, after="start")) as events:
        assert await take(events, 1) == ["1-0"]


@pytest.mark.parametrize(("with_its_events", "again"), [(True, "1-0"), (False, "6-0")])
async def test_a_removed_camera_is_forgotten_once_its_events_are_gone(
    client: redis.Redis, redis_url: str, with_its_events: bool, again: str
) -> None:
    """One that comes back restarts if they are, and repeats none of them if they are not."""
    publish(client, "5-0", camera="lobby")
    async with aclosing(subscribe_async(redis_url, after="start")) as events:
        assert await take(events, 1) == ["5-0"]
        client.zrem(keys.CAMERAS, "lobby")
        if with_its_events:
            client.delete(keys.emotions("lobby"))
        # The second is read after the registry was: that happens between any two reads.
        for other in ("7-0", "8-0"):
            publish(client, other, camera="door")
            assert await take(events, 1) == [other]
        publish(client, again, camera="lobby")
        assert await take(events, 1) == [again]


async def test_a_mapping_gives_each_camera_its_own_place(
    client: redis.Redis, redis_url: str
) -> None:
    publish(client, "1-0", "2-0", camera="lobby")
    publish(client, "3-0", camera="door")
    async with aclosing(
        subscribe_async(redis_url, ["lobby", "door"], after={"lobby": "1-0"})
    ) as events:
        assert sorted(await take(events, 2)) == ["2-0", "3-0"]


async def test_an_entry_that_is_not_an_event_is_skipped(
    client: redis.Redis, redis_url: str
) -> None:
    client.xadd(keys.emotions("lobby"), {"event": b"\xc1"}, id="1-0")
    client.xadd(keys.emotions("lobby"), {"other": b"x"}, id="2-0")
    publish(client, "3-0")
    async with aclosing(subscribe_async(redis_url, "lobby", after="start")) as events:
        assert await take(events, 1) == ["3-0"]


async def test_a_subscription_survives_a_restart_of_redis() -> None:
    with RedisProcess(port=free_port()) as server, redis.Redis(port=server.port) as client:
        publish(client, "1-0")
        async with aclosing(subscribe_async(server.url, "lobby", after="start")) as events:
            assert await take(events, 1) == ["1-0"]
            server.kill()
            await asyncio.to_thread(server.restart)
            publish(client, "1-0", "2-0")  # the server came back empty
            assert await take(events, 1) == ["2-0"]


def test_a_subscription_waits_for_a_redis_that_is_not_there_yet() -> None:
    port = free_port()
    seen: list[EmotionEvent] = []
    thread = threading.Thread(
        target=lambda: seen.extend(
            islice(subscribe(f"redis://127.0.0.1:{port}", "lobby", "start"), 1)
        )
    )
    thread.start()
    with RedisProcess(port=port) as server, redis.Redis(port=server.port) as client:
        publish(client, "7-0")
        thread.join(PATIENCE_S)
    assert [event.frame_id for event in seen] == ["7-0"]


@pytest.mark.parametrize("call", [subscribe, subscribe_async])
def test_a_wrong_url_camera_or_place_is_an_error_in_the_call(call: Callable[..., object]) -> None:
    with pytest.raises(InvalidRedisUrlError):
        call("http://box")
    with pytest.raises(ValueError, match="camera name"):
        call("redis://127.0.0.1:1", "no such {name}")
    for after in ("bogus", "$", "", "-5", "1-2-3", "\u0663-0", "9" * 20, {"lobby": "later"}):
        with pytest.raises(ValueError, match=r"after .*: use 'now', 'start', or an event's id"):
            call("redis://127.0.0.1:1", "lobby", after)


def test_a_refusal_is_raised_rather_than_waited_out(client: redis.Redis, redis_url: str) -> None:
    client.set(keys.emotions("text"), "no stream")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        next(subscribe(redis_url, "text", after="start"))
    with RedisProcess("--requirepass", "right") as server:
        with pytest.raises(redis.exceptions.ConnectionError, match="password"):
            next(subscribe(f"unix://:wrong@{server.socket}"))
        with redis.Redis(unix_socket_path=str(server.socket), password="right") as admin:
            rights = ("+@connection", "+zrange", "+xrevrange", "~*")
            admin.execute_command("ACL", "SETUSER", "blind", "on", ">pw", *rights)
        with pytest.raises(NoPermissionError):
            next(subscribe(f"unix://blind:pw@{server.socket}", "lobby"))


def test_a_cluster_that_refuses_says_so_too() -> None:
    with Cluster() as cluster:
        for node in cluster.nodes:
            with redis.Redis(unix_socket_path=str(node.socket)) as client:
                client.config_set("requirepass", "right")
        with pytest.raises(RedisClusterException, match="password"):
            next(subscribe(cluster.url.replace("//", "//:wrong@"), "lobby"))


async def test_a_refusal_in_mid_course_is_waited_out_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with RedisProcess() as server, redis.Redis(unix_socket_path=str(server.socket)) as client:
        publish(client, "1-0")
        async with aclosing(subscribe_async(server.url, after="start")) as events:
            assert await take(events, 1) == ["1-0"]
            following = asyncio.ensure_future(take(events, 1))
            client.execute_command("ACL", "SETUSER", "default", "-xread")
            await asyncio.to_thread(eventually, lambda: caplog.messages)
            client.execute_command("ACL", "SETUSER", "default", "+xread")
            publish(client, "2-0")
            assert await following == ["2-0"]
    assert len(caplog.messages) == 1


async def test_subscribe_works_beside_a_running_event_loop_as_in_a_notebook(
    client: redis.Redis, redis_url: str
) -> None:
    publish(client, "1700000000123-0")
    with closing(subscribe(redis_url, "lobby", after="start")) as events:
        assert next(events).frame_id == "1700000000123-0"


SCRIPT = """
import sys
from emotion_streams import subscribe

events = subscribe(sys.argv[1], "lobby", after="start")
for event in events:
    print(event.frame_id, flush=True)
    if sys.argv[2] == "leaves":
        break
"""


INTERRUPTED = """
import signal, sys, threading
from emotion_streams import subscribe

events = subscribe(sys.argv[1], "lobby", after="start")
print(next(events).frame_id, flush=True)
threading.Timer(1, lambda: signal.pthread_kill(threading.get_ident(), signal.SIGINT)).start()
next(events)
"""


def start_script(url: str, manner: str) -> subprocess.Popen[str]:
    """A program that reads events until it is interrupted, or leaves an open subscription."""
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, url, manner],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_program_that_leaves_a_subscription_open_ends(
    client: redis.Redis, redis_url: str
) -> None:
    publish(client, "1-0")
    with start_script(redis_url, "leaves") as program:
        try:
            assert program.communicate(timeout=PATIENCE_S) == ("1-0\n", "")
        finally:
            program.kill()
    assert program.returncode == 0


def test_ctrl_c_ends_a_subscription_that_waits_as_any_program(
    client: redis.Redis, redis_url: str
) -> None:
    publish(client, "1-0")
    with start_script(redis_url, "waits") as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline() == "1-0\n"
            program.send_signal(signal.SIGINT)
            _, errors = program.communicate(timeout=PATIENCE_S)
        finally:
            program.kill()
    assert program.returncode == -signal.SIGINT
    assert errors.count("Traceback") == 1
    assert errors.endswith("KeyboardInterrupt\n")


def test_ctrl_c_that_another_thread_receives_ends_a_subscription_that_waits(
    client: redis.Redis, redis_url: str
) -> None:
    """Its handler runs in the main thread, which is not interrupted for it."""
    publish(client, "1-0")
    command = [sys.executable, "-c", INTERRUPTED, redis_url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert (done.returncode, done.stdout) == (-signal.SIGINT, "1-0\n")
    assert done.stderr.endswith("KeyboardInterrupt\n")


def test_a_subscription_that_is_closed_leaves_no_thread(
    client: redis.Redis, redis_url: str
) -> None:
    publish(client, "1-0")
    before = set(threading.enumerate())
    events = subscribe(redis_url, "lobby", after="start")
    next(events)
    assert "subscribe" in [thread.name for thread in set(threading.enumerate()) - before]
    events.close()
    assert set(threading.enumerate()) <= before
