"""The sink `webhook`, with a real HTTP server that answers as receivers do."""

import base64
import hashlib
import hmac
import time
from collections import defaultdict
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from emotion_streams import keys
from sinks.webhook import retry_after
from tests.peers.producer import within
from tests.peers.receiver import Answer, Receiver, Request
from tests.peers.sinks import PASSWORD, Sinks, add, attach, dead_letters, minutes, visit
from tests.servers import Stopwatch, free_port


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


def options(receiver: Receiver, **more: Any) -> dict[str, Any]:
    common = {"type": "webhook", "url": receiver.url, "start": "beginning", "states": False}
    return {"hook": {**common, **more}}


def ids_of(*numbers: int, camera: str = "lobby") -> list[str]:
    """The ids of all records of these visits, as their events have them."""
    return [
        f"{record.id}/{record.type.value}"
        + (f"/{record.frame_id}" if record.type.value == "emotion.updated" else "")
        for number in numbers
        for record in visit(number, camera)
    ]


def test_every_record_is_a_cloudevent_signed_over_its_body_and_time(
    redis_url: str, client: redis.Redis, tmp_path: Path, receiver: Receiver
) -> None:
    add(client, *visit(0), *minutes("lobby", 1))
    attach(client)
    secret = "whsec_" + base64.b64encode(b"a key of thirty-two bytes, no less").decode()
    more = {"records": ["episodes", "minutes"], "secret": secret, "headers": {"X-Site": "a b"}}
    with Sinks(redis_url, options(receiver, **more), tmp_path):
        within(lambda: len(receiver.accepted) == 7)
    started = receiver.accepted[1]
    assert started == {
        "specversion": "1.0",
        "id": "lobby/1700000000000-0.0/1/emotion.started",
        "source": "/cameras/lobby",
        "subject": "1700000000000-0.0",
        "type": "emotion-streams.emotion.started",
        "time": "2023-11-14T22:13:20.400Z",
        "datacontenttype": "application/json",
        "sequence": started["sequence"],
        "data": visit(0)[1].to_dict(),
    }
    sequences = [event["sequence"] for event in receiver.accepted if "subject" in event]
    assert sequences == sorted(sequences)
    assert receiver.accepted[-1]["type"] == "emotion-streams.minute"
    for request in receiver.requests:
        assert request.headers["content-type"].startswith("application/cloudevents+json")
        assert request.headers["x-site"] == "a b"
        stamp = request.headers["webhook-timestamp"]
        assert abs(time.time() - int(stamp)) < 30
        signed = f"{request.event['id']}.{stamp}.".encode() + request.body
        digest = hmac.new(b"a key of thirty-two bytes, no less", signed, hashlib.sha256).digest()
        expected = f"v1,{base64.b64encode(digest).decode()}"
        assert request.headers["webhook-signature"] == expected


@pytest.mark.parametrize("status", [500, 503, 401, 404])
def test_a_temporary_error_is_retried_in_order_until_it_is_accepted(
    redis_url: str, client: redis.Redis, tmp_path: Path, receiver: Receiver, status: int
) -> None:
    attach(client)
    add(client, *visit(0))
    answers = [status] * 3
    receiver.answer = lambda _: Answer(answers.pop() if answers else 200)
    with Sinks(redis_url, options(receiver), tmp_path) as process:
        within(lambda: len(process.entries(f"cannot deliver, trying again: HTTP {status}")) == 1)
        within(lambda: receiver.ids() == ids_of(0))
        within(lambda: process.is_up("hook"))
    assert client.xlen(keys.sink_dead("hook")) == 0


def test_too_many_requests_waits_for_as_long_as_it_says(
    redis_url: str, client: redis.Redis, tmp_path: Path, receiver: Receiver
) -> None:
    attach(client)
    add(client, *visit(0))
    watches: list[Stopwatch] = []
    waited: list[float] = []

    def answer(_: Request) -> Answer:
        if len(receiver.requests) == 3:
            watches.append(Stopwatch())
            return Answer(429, {"Retry-After": "3"})
        if len(receiver.requests) == 4:
            waited.append(watches[0].read_s())
        return Answer()

    receiver.answer = answer
    with Sinks(redis_url, options(receiver), tmp_path):
        within(lambda: receiver.ids() == ids_of(0))
    third, fourth = receiver.requests[2:4]
    assert third.event["id"] == fourth.event["id"]
    assert fourth.at - third.at >= 3
    assert waited[0] < 6


def test_a_refused_record_is_a_dead_letter_with_the_reason_and_the_others_arrive(
    redis_url: str, client: redis.Redis, tmp_path: Path, receiver: Receiver
) -> None:
    attach(client)
    add(client, *visit(0), *visit(1))
    refused = ids_of(0)[1]

    def answer(request: Request) -> Answer:
        if request.event["id"] == refused:
            return Answer(400, body=b"no such emotion:\n" + b"happiness " * 100)
        return Answer()

    receiver.answer = answer
    with Sinks(redis_url, options(receiver), tmp_path) as process:
        within(lambda: receiver.ids() == [one for one in ids_of(0, 1) if one != refused])
        within(lambda: process.metric("emotion_sink_dead_letters_total", "hook") == 1)
        assert [request.event["id"] for request in receiver.requests].count(refused) == 1
    (letter,) = dead_letters(client, "hook")
    assert letter["id"] == refused
    assert letter["reason"].startswith("HTTP 400: no such emotion: happiness")
    assert len(letter["reason"]) < 300


def test_a_receiver_that_never_answers_is_given_up_and_asked_again(
    redis_url: str, client: redis.Redis, tmp_path: Path, receiver: Receiver
) -> None:
    attach(client)
    add(client, *visit(0))
    receiver.answer = lambda _: Answer(None if len(receiver.requests) == 2 else 200)
    with Sinks(redis_url, options(receiver, timeout_s=5), tmp_path) as process:
        within(lambda: receiver.ids() == ids_of(0))
        assert process.entries("no answer within 5 s")


def test_a_redirect_is_followed_on_the_same_host_and_to_no_other(
    redis_url: str, client: redis.Redis, tmp_path: Path, receiver: Receiver
) -> None:
    attach(client)
    add(client, *visit(0))
    moved = {"/hook": Answer(307, {"Location": "/new"})}
    receiver.answer = lambda request: moved.get(request.path, Answer())
    with Receiver() as elsewhere:
        with Sinks(redis_url, options(receiver), tmp_path) as process:
            within(lambda: receiver.ids() == ids_of(0))
            moved["/hook"] = Answer(308, {"Location": elsewhere.url})
            add(client, *visit(1))
            within(lambda: "redirects to another host are not followed" in process.get("/readyz"))
            moved["/hook"] = Answer(302, {"Location": "/new"})  # it would become a GET
            within(lambda: "HTTP 302" in process.get("/readyz"))
            moved["/hook"] = Answer(307, {"Location": "/hook"})  # without end
            within(lambda: "HTTP 307" in process.get("/readyz"))
            moved.clear()
            within(lambda: receiver.ids() == ids_of(0, 1))
        assert elsewhere.requests == []


def test_a_camera_whose_record_fails_holds_up_no_other_camera(
    redis_url: str, client: redis.Redis, tmp_path: Path, receiver: Receiver
) -> None:
    attach(client)
    attach(client, "yard")
    add(client, *visit(0), *visit(0, "yard"))
    failing = ids_of(0)[2]
    broken = True
    receiver.answer = lambda it: Answer(500 if broken and it.event["id"] == failing else 200)
    with Sinks(redis_url, options(receiver), tmp_path):
        before = {*ids_of(0, camera="yard"), *ids_of(0)[:2]}
        within(lambda: before <= set(receiver.ids()))
        assert set(receiver.ids()) == before
        broken = False
        within(lambda: len(receiver.ids()) == 12)
    by_camera = defaultdict(list)
    for event in receiver.accepted:
        by_camera[event["source"]].append(event["id"])
    assert by_camera == {
        "/cameras/lobby": ids_of(0), "/cameras/yard": ids_of(0, camera="yard"),
    }  # fmt: skip


def test_filters_choose_by_camera_type_emotion_duration_and_age(
    redis_url: str, client: redis.Redis, tmp_path: Path, receiver: Receiver
) -> None:
    attach(client)
    attach(client, "yard")
    add(client, *visit(0), *visit(1, emotion="anger"), *visit(0, "yard"))
    filters = {"cameras": ["lobby"], "types": ["emotion.updated", "emotion.ended"]}
    more = {**filters, "emotions": ["anger"], "min_duration_ms": 700}
    with Receiver() as young:
        sinks = {**options(receiver, **more), "young": options(young, max_age_s=60)["hook"]}
        with Sinks(redis_url, sinks, tmp_path) as process:
            within(lambda: len(receiver.accepted) == 2)
            within(lambda: process.metric("emotion_sink_filtered_records_total", "hook") == 10)
            within(lambda: process.metric("emotion_sink_filtered_records_total", "young") == 18)
        assert young.requests == []
    assert receiver.ids() == [ids_of(1)[3], ids_of(1)[4]]


def test_after_a_crash_it_goes_on_where_it_was_and_repeats_have_the_same_id(
    redis_url: str, client: redis.Redis, tmp_path: Path, receiver: Receiver
) -> None:
    attach(client)
    receiver.answer = lambda _: Answer(after_s=0.01)
    with Sinks(redis_url, options(receiver), tmp_path) as process:
        for number in range(40):
            add(client, *visit(number))
        within(lambda: len(receiver.ids()) > 60)
        process.kill()
        process.start()
        within(lambda: set(receiver.ids()) == set(ids_of(*range(40))))
    assert list(dict.fromkeys(receiver.ids())) == ids_of(*range(40))


def test_a_new_sink_begins_now_and_later_goes_on_from_its_place(
    redis_url: str, client: redis.Redis, tmp_path: Path, receiver: Receiver
) -> None:
    attach(client)
    add(client, *visit(0))
    with Sinks(redis_url, options(receiver, start="now"), tmp_path) as process:
        within(lambda: process.is_up("hook"))
        add(client, *visit(1))
        within(lambda: receiver.ids() == ids_of(1))
        process.stop()
        add(client, *visit(2))
        attach(client, "yard")  # it came while the sink was away: none of it is old
        add(client, *visit(3, "yard"))
        process.start()
        within(lambda: len(receiver.ids()) == 18)
    assert set(receiver.ids()) == {*ids_of(1, 2), *ids_of(3, camera="yard")}


def test_a_camera_that_goes_down_is_an_event(
    redis_url: str, client: redis.Redis, tmp_path: Path, receiver: Receiver
) -> None:
    attach(client)
    with Sinks(redis_url, options(receiver, states=True), tmp_path):
        within(lambda: [one["type"] for one in receiver.accepted] == ["emotion-streams.camera.up"])
        client.hset(keys.camera_info("lobby"), mapping={"state": "down", "error": "no route"})
        within(lambda: len(receiver.accepted) == 2)
    down = receiver.accepted[1]
    assert down["type"] == "emotion-streams.camera.down"
    assert down["data"] == {"camera": "lobby", "state": "down", "error": "no route"}


def test_a_backlog_arrives_in_order(
    redis_url: str, client: redis.Redis, tmp_path: Path, receiver: Receiver
) -> None:
    attach(client)
    visits = range(300)  # 1,800 records; those of 10,000 take a minute and a half with this server
    add(client, *(record for number in visits for record in visit(number)))
    with Sinks(redis_url, options(receiver), tmp_path):
        within(lambda: len(receiver.ids()) >= len(ids_of(*visits)))
    assert receiver.ids() == ids_of(*visits)


def test_one_target_that_is_away_leaves_the_delay_of_the_others_as_it_is(
    redis_url: str, client: redis.Redis, tmp_path: Path, receiver: Receiver
) -> None:
    attach(client)
    nowhere = free_port()
    with Receiver() as silent:
        silent.answer = lambda _: Answer(None)
        sinks = {
            **options(receiver),
            "away": {"type": "mqtt", "url": f"mqtt://127.0.0.1:{nowhere}"},
            "silent": options(silent, timeout_s=1)["hook"],
            "lost": {"type": "sql", "url": f"postgresql://x@127.0.0.1:{nowhere}/x"},
        }
        with Sinks(redis_url, sinks, tmp_path) as process:
            within(lambda: process.is_up("hook") and process.entries("cannot deliver"))
            watch, delays = Stopwatch(), list[float]()

            def answer(_: Request) -> Answer:
                delays.append(watch.read_s())
                return Answer()

            receiver.answer = answer
            for number in range(20):
                record, watch = visit(number)[0], Stopwatch()
                add(client, record)
                within(lambda: len(receiver.requests) > number)  # noqa: B023 - at once
            for sink in ("away", "silent", "lost"):
                assert not process.is_up(sink)
                assert process.metric("emotion_sink_lag_seconds", sink) > 1
    assert sorted(delays)[10] < 0.1
    assert max(delays) < 1


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), ("", None), ("soon", None), ("-1", None), (formatdate(1000, usegmt=True), 10.0)],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after(httpx.Headers({"retry-after": value}), now_s=990) == seconds


def test_the_secret_is_on_no_page_and_in_no_log(
    redis_url: str, client: redis.Redis, tmp_path: Path, receiver: Receiver
) -> None:
    attach(client)
    add(client, *visit(0))
    path = "a1b2c3d4e5f6g7"  # of which receivers like to talk
    receiver.answer = lambda request: Answer(
        503, body=f"{request.headers['authorization']} {request.path}".encode()
    )
    more = {
        "secret": "0123456789${HOOK_SECRET}",
        "headers": {"Authorization": "${HOOK_SECRET}"},
        "url": f"{receiver.url}/{path}",
    }
    with Sinks(redis_url, options(receiver, **more), tmp_path) as process:
        within(lambda: "HTTP 503" in process.get("/readyz"))
        assert receiver.requests[0].headers["authorization"] == PASSWORD
        shown = process.get("/readyz") + process.get("/metrics") + process.log()
        assert PASSWORD not in shown
        assert path not in shown
