"""The process of the sinks: its settings while it runs, its health, a Redis that comes and goes."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from emotion_streams import keys
from emotion_streams.connection import connect
from tests.peers.producer import within
from tests.peers.receiver import Answer, Receiver
from tests.peers.sinks import Sinks, add, attach, minutes, visit
from tests.servers import RedisProcess, free_port
from tests.topologies import Cluster

DRAIN_S = 1.2
"""For so long a sink that ends delivers."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def hook(receiver: Receiver, **more: Any) -> dict[str, Any]:
    return {"type": "webhook", "url": receiver.url, "start": "beginning", "states": False, **more}


def test_a_changed_file_changes_the_sinks_and_leaves_the_others_alone(
    redis_url: str, client: redis.Redis, tmp_path: Path, receiver: Receiver
) -> None:
    attach(client)
    with (
        Receiver() as second,
        Receiver() as third,
        Sinks(redis_url, {"a": hook(receiver), "b": hook(second)}, tmp_path) as process,
    ):
        add(client, *visit(0))
        within(lambda: len(receiver.accepted) == len(second.accepted) == 6)
        process.configure({"a": hook(receiver), "c": hook(third)})
        process.process.send_signal(signal.SIGHUP)
        within(lambda: len(third.accepted) == 6)
        within(lambda: 'emotion_sink_up{sink="b"}' not in process.get("/metrics"))
        process.config.write_text("sinks: {a: {type: carrier pigeon}}")
        within(lambda: process.entries("reload failed; keeping the previous configuration"))
        assert "emotion_sink_config_valid 0.0" in process.get("/metrics")
        add(client, *visit(1))
        within(lambda: len(receiver.accepted) == len(third.accepted) == 12)
        assert len(second.accepted) == 6
        assert len(receiver.requests) == 12  # nothing twice
        assert process.stop() < 5


def test_a_redis_that_was_killed_is_waited_for_and_its_new_records_are_delivered(
    tmp_path: Path, receiver: Receiver
) -> None:
    with RedisProcess() as server, redis.Redis(unix_socket_path=str(server.socket)) as client:
        attach(client)
        with Sinks(server.url, {"a": hook(receiver)}, tmp_path) as process:
            add(client, *visit(0))
            within(lambda: len(receiver.accepted) == 6)
            server.kill()
            within(lambda: "a cannot read Redis" in process.get("/readyz"))
            server.restart()  # it has forgotten everything
            attach(client)
            add(client, *visit(1))
            within(lambda: len(receiver.accepted) == 12)
            within(lambda: process.get("/readyz") == "ok\n")


def test_a_target_that_is_away_degrades_the_process_and_does_not_end_it(
    redis_url: str, client: redis.Redis, tmp_path: Path
) -> None:
    attach(client)
    away = {"type": "mqtt", "url": f"mqtt://127.0.0.1:{free_port()}"}
    with Sinks(redis_url, {"home": away}, tmp_path) as process:
        within(lambda: "degraded: home: " in process.get("/readyz"))
        assert process.get("/readyz").startswith("ok\n")
        assert process.get("/healthz") == "ok\n"
        assert process.stop() < 5


@pytest.mark.parametrize("start", ["now", "beginning"])
def test_a_stream_of_another_type_holds_up_no_other(
    redis_url: str, client: redis.Redis, tmp_path: Path, receiver: Receiver, start: str
) -> None:
    attach(client)
    attach(client, "yard")
    client.set(keys.episodes("yard"), "no stream")
    with Sinks(redis_url, {"a": hook(receiver, start=start)}, tmp_path) as process:
        within(lambda: process.is_up("a"))
        add(client, *visit(0))
        within(lambda: len(receiver.accepted) == 6)
        within(lambda: process.entries("is left out"))
        client.delete(keys.episodes("yard"))
        add(client, *visit(0, "yard"))
        within(lambda: len(receiver.accepted) == 12)


def test_malformed_entries_are_counted_and_skipped(
    redis_url: str, client: redis.Redis, tmp_path: Path, receiver: Receiver
) -> None:
    attach(client)
    client.xadd(keys.episodes("lobby"), {"episode": b"no msgpack"})
    client.xadd(keys.episodes("lobby"), {"other": b""})
    add(client, *visit(0))
    with Sinks(redis_url, {"a": hook(receiver)}, tmp_path) as process:
        within(lambda: len(receiver.accepted) == 6)
        within(lambda: process.metric("emotion_sink_unreadable_records_total", "a") == 2)


def test_the_last_records_of_a_retired_camera_are_delivered_and_its_place_is_removed(
    redis_url: str, client: redis.Redis, tmp_path: Path, receiver: Receiver
) -> None:
    attach(client)
    attach(client, "yard")
    place = keys.episodes("yard").encode()
    with Sinks(redis_url, {"a": hook(receiver)}, tmp_path):
        add(client, *visit(0, "yard"))
        within(lambda: len(receiver.accepted) == 6)
        client.zrem(keys.CAMERAS, "yard")
        add(client, *visit(1, "yard"))
        within(lambda: len(receiver.accepted) == 12)
        assert place in client.hkeys(keys.sink_places("a"))
        client.delete(keys.episodes("yard"))
        within(lambda: place not in client.hkeys(keys.sink_places("a")))
        attach(client, "yard")
        add(client, *visit(2, "yard"))
        within(lambda: len(receiver.accepted) == 18)


def test_a_cluster_is_read_like_one_server(tmp_path: Path, receiver: Receiver) -> None:
    with Cluster() as cluster, connect(cluster.url) as client:
        for camera in ("lobby", "yard", "gate"):
            attach(client, camera)
        with Sinks(cluster.url, {"a": hook(receiver, records=["episodes", "minutes"])}, tmp_path):
            for camera in ("lobby", "yard", "gate"):
                for episode in visit(0, camera):
                    add(client, episode)
                for minute in minutes(camera, 2):
                    add(client, minute)
            within(lambda: len(receiver.accepted) == 24)
        for camera in ("lobby", "yard", "gate"):
            ids = [one["id"] for one in receiver.accepted if one["source"] == f"/cameras/{camera}"]
            assert len(ids) == len(set(ids)) == 8


def test_pending_records_are_delivered_before_the_process_ends(
    redis_url: str, client: redis.Redis, tmp_path: Path, receiver: Receiver
) -> None:
    attach(client)
    receiver.answer = lambda _: Answer(after_s=0.02)
    with Sinks(redis_url, {"a": hook(receiver)}, tmp_path) as process:
        within(lambda: process.is_up("a"))
        for number in range(5):
            add(client, *visit(number))
        took_s = process.stop()
        assert took_s < 5
        # A machine that gave it less time than it grants its sinks shows nothing.
        drained = len(receiver.accepted) == 30
        assert drained or took_s < DRAIN_S
        process.start()
        within(lambda: process.is_up("a"))
        add(client, *visit(5))
        within(lambda: len(set(receiver.ids())) == 36)
    assert len(receiver.requests) == 36 or not drained, "nothing twice"


@pytest.mark.parametrize("kind", ["webhook", "sql"])
def test_an_added_kind_begins_now_and_a_removed_camera_ends(
    redis_url: str, client: redis.Redis, tmp_path: Path, receiver: Receiver, kind: str
) -> None:
    attach(client)
    attach(client, "yard")
    sql = {"type": "sql", "url": f"sqlite:///{tmp_path}/faces.db", "states": False}
    options = {**(hook(receiver) if kind == "webhook" else sql), "start": "now"}

    def delivered() -> tuple[float, float]:
        name = "emotion_sink_records_total"
        return tuple(process.metric(name, "a", kind=one) for one in ("episodes", "minutes"))  # type: ignore[return-value]

    with Sinks(redis_url, {"a": {**options, "records": ["episodes"]}}, tmp_path) as process:
        within(lambda: process.is_up("a"))
        add(client, *visit(0), *visit(0, "yard"), *minutes("lobby", 2))
        within(lambda: delivered() == (12, 0))
        later = {**options, "records": ["episodes", "minutes"], "cameras": ["lobby"]}
        process.configure({"a": later})
        process.process.send_signal(signal.SIGHUP)
        within(lambda: process.entries("configuration reloaded"))
        within(lambda: process.is_up("a"))  # the later one; the earlier one has ended
        add(client, *visit(1), *visit(1, "yard"), *minutes("lobby", 3)[2:])
        within(lambda: delivered() == (18, 1))
        assert process.entries("cannot deliver") == []
