"""What others write for one camera into a real Redis stays that camera's own trouble."""

from collections.abc import Callable
from typing import Any

import pytest
import redis

from emotion_streams import EmotionEvent, keys
from emotion_streams.wire import pack
from tests.gateway.clients import read
from tests.gateway.feeder import Feeder, event, face, now_ms, publish, register
from tests.gateway.processes import Gateway
from tests.servers import eventually

BAD = "zz"

WRONG_TYPES: dict[str, Callable[[Any], object]] = {
    "camera": lambda client: client.xadd(keys.camera_info(BAD), {"a": "b"}),
    "lease": lambda client: client.set(keys.lease(BAD), "x"),
    "frames": lambda client: client.hset(keys.frames(BAD), "a", "b"),
    "emotions": lambda client: client.sadd(keys.emotions(BAD), "a"),
}
NONSENSE: dict[str, dict[Any, Any]] = {
    "a state of its own": {"state": "<b>fine</b>"},
    "a rate without end": {"fps": "inf"},
    "a number of 5,000 digits": {"width": "9" * 5000},
    "a number that no browser holds": {"last_frame_ms": "9" * 16},
    "a negative size": {"height": "-1"},
}


@pytest.mark.parametrize("key", WRONG_TYPES)
def test_a_key_of_another_type_blinds_the_gateway_for_no_other_camera(
    client: redis.Redis, redis_url: str, key: str
) -> None:
    """Whether it is there when the gateway starts, or comes while it runs."""
    client.zadd(keys.CAMERAS, {BAD: now_ms()})
    WRONG_TYPES[key](client)
    with Feeder(redis_url, "sound"), Gateway(redis_url) as gateway:
        sees_the_sound_one(gateway)
        client.delete(*(getattr(keys, name)(BAD) for name in ("frames", "emotions", "lease")))
        client.delete(keys.camera_info(BAD))
        eventually(lambda: status(gateway, BAD)["error"] == "")
        WRONG_TYPES[key](client)
        if key == "emotions":
            answer = gateway.get(f"/api/cameras/{BAD}/events")
            assert (answer.status_code, "wrong type" in answer.json()["error"]) == (502, True)
        else:
            eventually(lambda: "cannot be read" in status(gateway, BAD)["error"])
        sees_the_sound_one(gateway)
        assert gateway.probe("/readyz").status_code == 200


def test_a_mended_key_is_read_again(client: redis.Redis, redis_url: str) -> None:
    client.sadd(keys.emotions(BAD), "a")
    register(client, BAD)
    with Gateway(redis_url) as gateway:
        eventually(lambda: f"camera {BAD} is left out" in gateway.log())
        client.delete(keys.emotions(BAD))
        publish(client, event(BAD, now_ms(), face()))
        eventually(lambda: gateway.get(f"/api/cameras/{BAD}/history").json()["seconds"])
        assert gateway.log().count("is left out") == 1


@pytest.mark.parametrize("written", NONSENSE)
def test_nonsense_in_a_camera_s_hash_is_shown_as_its_own(
    client: redis.Redis, redis_url: str, written: str
) -> None:
    with Feeder(redis_url, "sound"), Gateway(redis_url) as gateway:
        register(client, BAD)
        client.hset(keys.camera_info(BAD), mapping=NONSENSE[written])
        eventually(lambda: "cannot be read" in status(gateway, BAD)["error"])
        assert len(status(gateway, BAD)["error"]) <= 500
        sees_the_sound_one(gateway)


@pytest.mark.parametrize(("times", "state"), [(5_000, "down"), (1_000_000, "gone")])
def test_a_long_text_of_a_producer_is_cut(
    client: redis.Redis, redis_url: str, times: int, state: str
) -> None:
    with Feeder(redis_url, "sound"), Gateway(redis_url) as gateway:
        register(client, BAD, state="down", error="down /key" * times, lasting=True)
        eventually(lambda: status(gateway, BAD)["state"] == state)
        assert len(status(gateway, BAD)["error"]) <= 510
        sees_the_sound_one(gateway)


FORGED: dict[str, dict[str, Any]] = {
    "latencies whose sum is infinite": {"latency": {"total_ms": 1.7e308}},
    "a capture after 2200": {"captured_ms": 2**62},
    "another camera's name": {"camera": "sound"},
}


@pytest.mark.parametrize("kind", FORGED)
def test_a_forged_event_is_skipped(client: redis.Redis, redis_url: str, kind: str) -> None:
    with Gateway(redis_url) as gateway:
        register(client, BAD)
        for ms in (now_ms(), now_ms() + 1, now_ms() + 2):
            client.xadd(
                keys.emotions(BAD), {"event": forged(event(BAD, ms, face()), FORGED[kind])},
                id=f"{ms}-0",
            )  # fmt: skip
        publish(client, event(BAD, now_ms() + 3, face("anger")))
        eventually(lambda: gateway.get(f"/api/cameras/{BAD}/history").json()["seconds"])
        answers = [gateway.get(f"/api/cameras/{BAD}/{what}") for what in ("history", "events")]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert sum(second["events"] for second in answers[0].json()["seconds"]) == 1
        assert len(answers[1].json()["events"]) == 1


def forged(true: EmotionEvent, changes: dict[str, Any]) -> bytes:
    fields = true.to_dict()
    for name, value in changes.items():
        fields[name] = {**fields[name], **value} if isinstance(value, dict) else value
    return pack(fields)


def status(gateway: Gateway, camera: str) -> dict[str, Any]:
    cameras: list[dict[str, Any]] = gateway.get("/api/cameras").json().get("cameras", [])
    return next(
        (each for each in cameras if each["camera"] == camera), {"error": "not listed", "state": ""}
    )


def sees_the_sound_one(gateway: Gateway) -> None:
    """Its state, its minutes, its picture, its events as they come, and for who resumes."""
    eventually(lambda: status(gateway, "sound")["state"] == "up")
    eventually(lambda: gateway.get("/api/cameras/sound/frame.jpg").status_code == 200)
    eventually(lambda: gateway.get("/api/cameras/sound/history").json()["seconds"])
    assert read(gateway, 2)[0].data["camera"] == "sound"
    assert read(gateway, 2, last_id="")[0].data["camera"] == "sound"
