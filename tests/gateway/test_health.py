"""Health, readiness and metrics, and a Redis that goes away and comes back."""

import json
from contextlib import ExitStack
from typing import Any

import pytest
import redis

from emotion_streams import keys
from tests.gateway.feeder import Feeder, again, event, face, now_ms, publish, register
from tests.gateway.processes import Gateway
from tests.servers import RedisProcess, eventually, free_port


def test_it_is_alive_and_ready_and_counts(redis_url: str) -> None:
    with Gateway(redis_url) as gateway, Feeder(redis_url, "counted"):
        assert gateway.probe("/healthz").text == "ok\n"
        eventually(lambda: gateway.get("/api/cameras").json()["cameras"])
        gateway.get("/api/cameras/counted/frame.jpg")
        gateway.get("/nothing")
        text = gateway.probe("/metrics").text
    assert 'emotion_build_info{process="gateway"' in text
    assert 'emotion_gateway_requests_total{route="list_cameras",status="200"}' in text
    assert 'emotion_gateway_requests_total{route="none",status="404"} 1.0' in text
    assert "emotion_gateway_frames_read_bytes_total" in text


def test_names_that_no_camera_can_have_keep_it_from_nothing(
    client: redis.Redis, redis_url: str
) -> None:
    client.zadd(keys.CAMERAS, {b"\xff": 1, b"": 1, b"a}b": 1})
    with Gateway(redis_url) as gateway, Feeder(redis_url, "sound"):
        eventually(lambda: gateway.get("/api/cameras").json()["cameras"])
        (camera,) = gateway.get("/api/cameras").json()["cameras"]
    assert camera["camera"] == "sound"


def test_without_redis_it_says_so_and_goes_on_once_it_is_back() -> None:
    with RedisProcess(port=free_port()) as server, Gateway(server.url) as gateway:
        assert gateway.get("/api/cameras").status_code == 200
        server.kill()
        eventually(lambda: gateway.probe("/readyz").status_code == 503)
        eventually(lambda: gateway.get("/api/cameras").status_code == 503)
        answer = gateway.get("/api/cameras/lobby/events")
        assert answer.json() == {"error": "Redis unreachable; try again"}
        assert gateway.probe("/healthz").status_code == 200, "alive it is"
        server.restart()
        with Feeder(server.url, "back"):
            eventually(lambda: gateway.probe("/readyz").status_code == 200)
            eventually(lambda: gateway.get("/api/cameras/back/history").json().get("seconds"))


@pytest.mark.parametrize(
    ("options", "reason"), [(None, "connect"), (("--requirepass", "x"), "authenticated")]
)
def test_a_redis_that_was_never_read_is_reported_once_with_the_reason(
    options: tuple[str, ...] | None, reason: str
) -> None:
    with ExitStack() as servers:
        url = f"redis://127.0.0.1:{free_port()}"
        if options is not None:
            url = servers.enter_context(RedisProcess(*options)).url
        with Gateway(url, awaited="/healthz") as gateway:
            eventually(lambda: gateway.metric("emotion_gateway_redis_errors_total") > 6)
            ready = gateway.probe("/readyz")
            lines = [json.loads(line) for line in gateway.log().splitlines()]
    assert ready.status_code == 503
    for part in ("the cameras", "the events"):
        assert f"cannot read {part}: " in ready.text
        (logged,) = (line for line in lines if line["message"].startswith(f"cannot read {part}"))
        assert reason in logged["why"]
        assert (logged["level"], reason in ready.text) == ("warning", True)


def test_without_pictures_it_needs_no_right_to_frames(client: Any, redis_url: str) -> None:
    rights = (
        "reset on >secret -@all +@connection +time +xread +xrange +xrevrange "
        "%R~emotions:* %R~episodes:* %R~minutes:* "
        "%R~cameras %R~analysed:{cameras} %R~camera:* %R~lease:* +zrange +zinter +hmget +hstrlen"
    )
    client.execute_command("ACL", "SETUSER", "events", *rights.split())
    user = {"EMOTION_REDIS_USERNAME": "events", "EMOTION_REDIS_PASSWORD": "secret"}
    publish(client, event("lobby", now_ms(), face()))
    with (
        again(lambda: register(client, "lobby", lasting=True)),
        Gateway(redis_url, "--no-pictures", environment=user) as gateway,
    ):
        (camera,) = gateway.get("/api/cameras").json()["cameras"]
        assert gateway.get("/api/cameras/lobby/events").json()["events"]
    client.execute_command("ACL", "DELUSER", "events")
    assert (camera["state"], camera["backlog"]) == ("up", None)
