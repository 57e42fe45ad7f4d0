"""The sink `mqtt`, with a real mosquitto."""

import asyncio
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from emotion_streams import CameraState, connect_async, keys
from sinks.mqtt import MqttTarget
from sinks.options import MqttOptions
from sinks.redis_places import AnnouncedCameras
from sinks.states import CameraSnapshot
from tests.peers.mosquitto import Mosquitto, Subscriber
from tests.peers.producer import within
from tests.peers.sinks import Sinks, add, attach, dead_letters, minutes, visit
from tests.proxy import CuttingProxy
from tests.samples import event

BASE = "emotion-streams"
EPISODES = f"{BASE}/lobby/episode"


@pytest.fixture
def broker() -> Iterator[Mosquitto]:
    with Mosquitto() as broker:
        yield broker


def options(broker: Mosquitto, **more: Any) -> dict[str, Any]:
    return {"home": {"type": "mqtt", "url": broker.url, "start": "beginning", **more}}


def ids(messages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(message["id"], message["type"]) for message in messages]


@pytest.mark.parametrize("secured", [False, True])
def test_every_record_arrives_in_order_with_and_without_tls_and_password(
    redis_url: str, client: redis.Redis, tmp_path: Path, secured: bool
) -> None:
    attach(client)
    add(client, *visit(0), *visit(1), *minutes("lobby", 3))
    with Mosquitto(tls=secured, password=secured) as broker, Subscriber(broker) as received:
        more = {"ca_file": str(broker.folder / "tls.crt")} if secured else {}
        with Sinks(redis_url, options(broker, **more), tmp_path):
            within(
                lambda: (
                    len(received.on(EPISODES)) == 8 and len(received.on(f"{EPISODES}/updated")) == 4
                )
            )
            within(lambda: len(received.on(f"{BASE}/lobby/minute")) == 3)
        assert [message["event_type"] for message in received.on(EPISODES)[:4]] == [
            "face_entered", "emotion_started", "emotion_ended", "face_left",
        ]  # fmt: skip
        whole = [
            (record.id, record.type.value)
            for number in (0, 1)
            for record in visit(number)
            if record.type.value != "emotion.updated"
        ]
        assert ids(received.on(EPISODES)) == whole
        starts = [message["start_ms"] for message in received.on(f"{BASE}/lobby/minute")]
        assert starts == [minute.start_ms for minute in minutes("lobby", 3)]


def test_a_wrong_password_or_authority_is_named_and_the_password_is_not(
    redis_url: str, client: redis.Redis, tmp_path: Path
) -> None:
    attach(client)
    with Mosquitto(tls=True, password=True) as broker:
        wrong = broker.url.replace("emotion:", "stranger:")
        trusted = {"ca_file": str(broker.folder / "tls.crt")}
        sinks = {
            "stranger": {"type": "mqtt", "url": wrong, **trusted},
            "distrustful": {"type": "mqtt", "url": broker.url},
        }
        with Sinks(redis_url, sinks, tmp_path) as process:
            within(lambda: "stranger: the broker refuses" in process.get("/readyz"))
            within(lambda: "CERTIFICATE_VERIFY_FAILED" in process.get("/readyz"))


def test_the_state_is_retained_and_said_only_when_it_changes(
    redis_url: str, client: redis.Redis, tmp_path: Path, broker: Mosquitto
) -> None:
    def show(people: int) -> None:
        at = f"{round(time.time() * 1000)}-0"
        shown = event("lobby", at)
        faces = tuple(replace(*shown.faces, track=f"1-0.{n}") for n in range(people))
        client.xadd(keys.emotions("lobby"), {"event": replace(shown, faces=faces).pack()}, at)
        attach(client)

    show(2)
    with Subscriber(broker) as received, Sinks(redis_url, options(broker), tmp_path):
        within(lambda: received.on(f"{BASE}/lobby/state"))
        for _ in range(8):
            show(2)
            time.sleep(0.4)
        show(0)
        within(lambda: len(received.on(f"{BASE}/lobby/state")) == 2)
        first, second = received.on(f"{BASE}/lobby/state")
        assert (first["people"], first["emotion"], first["shares"]) == (
            2, "surprise", {"surprise": 1.0},
        )  # fmt: skip
        assert (second["people"], second["emotion"], second["shares"]) == (0, None, {})
        assert second["since_ms"] > first["since_ms"]
        with Subscriber(broker, name="late") as late:
            within(lambda: late.on(f"{BASE}/lobby/state"))
            assert late.on(f"{BASE}/lobby/state") == [second]
            assert [kept for topic, _, kept in late.messages if "/state" in topic] == [True]


def test_the_status_of_sink_and_camera_is_retained(
    redis_url: str, client: redis.Redis, tmp_path: Path, broker: Mosquitto
) -> None:
    attach(client)
    with Subscriber(broker) as received, Sinks(redis_url, options(broker), tmp_path) as process:
        within(lambda: received.texts(f"{BASE}/lobby/status") == ["online"])
        within(lambda: received.texts(f"{BASE}/status") == ["online"])
        attach(client, state="down")
        within(lambda: received.texts(f"{BASE}/lobby/status") == ["online", "offline"])
        process.kill()
        within(lambda: received.texts(f"{BASE}/status") == ["online", "offline"])
        process.start()
        within(lambda: received.texts(f"{BASE}/status") == ["online", "offline", "online"])
        assert process.stop() < 5
        within(lambda: received.texts(f"{BASE}/status")[-1] == "offline")


def test_a_broker_that_was_killed_gets_all_of_it_and_repeats_have_the_same_id(
    redis_url: str, client: redis.Redis, tmp_path: Path
) -> None:
    attach(client)
    with (
        Mosquitto(lasting=True) as broker,
        Subscriber(broker) as received,
        Sinks(redis_url, options(broker), tmp_path) as process,
    ):
        within(lambda: process.is_up("home"))
        for number in range(60):
            add(client, *visit(number))
            if number == 20:
                broker.kill()
            if number == 40:
                within(lambda: not process.is_up("home"))
                broker.start()
            time.sleep(0.02)
        wanted = [
            (record.id, record.type.value)
            for number in range(60)
            for record in visit(number)
            if record.type.value != "emotion.updated"
        ]
        within(lambda: set(ids(received.on(EPISODES))) == set(wanted))
        assert list(dict.fromkeys(ids(received.on(EPISODES)))) == wanted
        # After a reconnection the sink says again what there is.
        within(lambda: received.texts(f"{BASE}/status")[-1] == "online")


def test_a_slow_broker_gets_all_of_it_once(
    redis_url: str, client: redis.Redis, tmp_path: Path, broker: Mosquitto
) -> None:
    attach(client)
    add(client, *(record for number in range(50) for record in visit(number)))
    with CuttingProxy(broker.port, {}, delay_s=0.02) as slow, Subscriber(broker) as received:
        url = f"mqtt://127.0.0.1:{slow.port}"
        with Sinks(redis_url, options(broker, url=url), tmp_path) as process:
            within(lambda: len(received.on(EPISODES)) == 200)
            within(lambda: process.metric("emotion_sink_records_total", "home") == 300)
            assert process.entries("cannot deliver") == []
        assert len(set(ids(received.on(EPISODES)))) == 200


def test_a_backlog_of_ten_thousand_arrives_in_order_and_once(
    redis_url: str, client: redis.Redis, tmp_path: Path, broker: Mosquitto
) -> None:
    attach(client)
    visits = range(10_000 // 6 + 1)
    add(client, *(record for number in visits for record in visit(number)))
    with Subscriber(broker) as received, Sinks(redis_url, options(broker), tmp_path):
        updated = f"{EPISODES}/updated"
        within(lambda: len(received.on(EPISODES)) + len(received.on(updated)) >= len(visits) * 6)
    wanted = [
        (record.id, record.type.value)
        for number in visits
        for record in visit(number)
        if record.type.value != "emotion.updated"
    ]
    assert ids(received.on(EPISODES)) == wanted
    frames = [message["frame_id"] for message in received.on(updated)]
    assert frames == [record.frame_id for number in visits for record in visit(number)[2:4]]


@pytest.mark.parametrize(
    ("limit", "reason"),
    [
        ("max_packet_size", "MQTT: larger than the broker's limit of 2000 bytes"),
        # mosquitto's answer to this one is not in MQTT 5, and the client ends the connection.
        # Which side ends it first, and so the error's name, differs.
        (
            "message_size_limit",
            r"MQTT: the connection ended: (Protocol|Unspecified) error, each time",
        ),
    ],
)
def test_a_record_that_the_broker_refuses_is_a_dead_letter_and_the_next_ones_arrive(
    redis_url: str, client: redis.Redis, tmp_path: Path, limit: str, reason: str
) -> None:
    attach(client)
    first, *rest = visit(0)
    long = [record for record in visit(1) if record.type.value == "face.left"]
    big = [type(record)(**{**vars(record), "peak_frame_id": "x" * 3000}) for record in long]
    add(client, first, *big, *rest)
    with (
        Mosquitto(f"{limit} 2000") as broker,
        Subscriber(broker) as received,
        Sinks(redis_url, options(broker, discovery=""), tmp_path) as process,
    ):
        within(lambda: len(set(ids(received.on(EPISODES)))) == 4)
        within(lambda: process.metric("emotion_sink_dead_letters_total", "home") == 1)
    (letter,) = dead_letters(client, "home")
    assert letter["id"] == f"{big[0].id}/face.left"
    assert re.match(reason, letter["reason"])
    assert "peak_frame_id" in letter["record"]


def test_records_wait_until_the_broker_permits_them(
    redis_url: str, client: redis.Redis, tmp_path: Path
) -> None:
    attach(client)
    add(client, *visit(0))
    rules = tmp_path / "acl"
    rules.write_text("topic read #\n")
    with (
        Mosquitto(f"acl_file {rules}") as broker,
        Subscriber(broker) as received,
        Sinks(redis_url, options(broker, discovery="", states=False), tmp_path) as process,
    ):
        within(lambda: "Not authorized" in process.get("/readyz"))
        rules.write_text("topic readwrite #\n")
        broker.reload()
        within(lambda: len(received.on(EPISODES)) == 4)
    assert client.xlen(keys.sink_dead("home")) == 0


async def test_a_retired_camera_is_removed_from_the_broker_after_a_restart_too(
    redis_url: str, client: redis.Redis, broker: Mosquitto
) -> None:
    sink = MqttOptions.model_validate({"type": "mqtt", "url": broker.url})
    up = {
        name: CameraSnapshot(name, CameraState.UP, "", 640, 480, 10.0) for name in ("lobby", "yard")
    }
    lobby = {"lobby": up["lobby"]}

    async def live(*shown: dict[str, CameraSnapshot]) -> None:
        """The life of a process that sees these cameras, one look after the other."""
        async with connect_async(redis_url) as redis_client:
            target = MqttTarget("home", sink, AnnouncedCameras("home", redis_client), 0.2)
            await target.open()
            for cameras in shown:
                await target.show(cameras)
                await asyncio.sleep(0.1)
            await target.close()

    config = "homeassistant/device/emotion_streams_yard/config"
    with Subscriber(broker) as received:
        await live(up)
        within(lambda: received.on(config))
        await live(lobby)  # too short a time: its server may only just be back
        assert client.smembers(keys.sink_cameras("home")) == {b"lobby", b"yard"}
        await live(lobby, lobby, lobby, lobby)
        within(lambda: received.texts(config)[-1] == "")
    assert client.smembers(keys.sink_cameras("home")) == {b"lobby"}
    with Subscriber(broker, name="late") as late:
        within(lambda: late.texts("homeassistant/device/emotion_streams_lobby/config"))
        assert not [topic for topic, _, _ in late.messages if "yard" in topic]
