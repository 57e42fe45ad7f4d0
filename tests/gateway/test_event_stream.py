"""Events as they come, by server-sent events."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain, islice
from statistics import median
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from emotion_streams import keys
from emotion_streams.stream_id import ZERO, StreamId
from gateway.cursor import Positions
from gateway.follow import Started, follow_events
from gateway.hub import Hub
from gateway.published import Published, PublishedEpisode
from service.metrics import GatewayMetrics
from tests import samples
from tests.gateway.clients import (
    Message,
    attach,
    latencies_ms,
    never_reading,
    parse,
    read,
    records,
)
from tests.gateway.feeder import CALM, Feeder, event, face, now_ms, publish, register
from tests.gateway.processes import Gateway
from tests.servers import PATIENCE_S, RedisProcess, Stopwatch, eventually

WATCHERS = 49
MIN_TURNS, MAX_TURNS = 3, 12


def of(camera: str, message: Message) -> bool:
    return bool(message.data["camera"] == camera)


def ids(messages: Any) -> list[str]:
    return [message.data["frame_id"] for message in messages]


def events_of(camera: str, messages: Iterator[Message]) -> Iterator[Message]:
    """The camera's events: a stream of all cameras has those of other tests."""
    return (each for each in messages if each.name == "emotion" and of(camera, each))


def test_events_come_as_they_are_committed(
    gateway: Gateway, redis_server: RedisProcess, store: Any, camera: str
) -> None:
    attach(gateway, store, camera)
    with Feeder(redis_server.url, camera) as feeder:
        messages = read(gateway, 5, query=f"?camera={camera}")
    assert {message.data["camera"] for message in messages} == {camera}
    assert set(ids(messages)) <= set(feeder.ids)


@pytest.mark.parametrize("query", ["", "?camera={}"])
def test_a_client_resumes_after_the_last_event_it_saw(
    gateway: Gateway, store: Any, camera: str, query: str
) -> None:
    """All that came while it was away follows, once and in order; then the stream goes on."""
    attach(gateway, store, camera)
    made = [event(camera, now_ms() + n, face()) for n in range(6)]
    query = query.format(camera)
    with gateway.stream(f"/api/events/stream{query}") as answer:
        messages = records(answer)
        assert next(messages).name == "position"
        for each in made[:2]:
            publish(store, each)
        seen = list(islice(events_of(camera, messages), 2))
    for each in made[2:]:
        publish(store, each)
    resumed = read(gateway, 4, last_id=seen[-1].id, query=query, camera=camera)
    assert ids(seen) + ids(resumed) == [each.frame_id for each in made]


def test_a_client_that_saw_no_event_resumes_from_where_it_connected(
    gateway: Gateway, store: Any, camera: str
) -> None:
    attach(gateway, store, camera)
    publish(store, event(camera, now_ms() - 50, face()))
    eventually(lambda: gateway.get(f"/api/cameras/{camera}/history").json()["seconds"])
    with gateway.stream("/api/events/stream") as answer:
        position = next(records(answer)).id
    missed = event(camera, now_ms(), face())
    publish(store, missed)
    assert ids(read(gateway, 1, last_id=position, camera=camera)) == [missed.frame_id]


async def test_no_event_falls_between_a_new_client_s_position_and_its_first_event() -> None:
    """Every event after the client has its position is the client's."""
    hub = Hub(GatewayMetrics(CollectorRegistry()))
    old, new = (Published.of(event("lobby", ms)) for ms in (1, 2))
    hub.publish(old)
    stream = follow_events(hub, None, None, ["lobby"], None)
    assert await anext(stream) == Started(Positions({"lobby": StreamId(1, 0)}, {"lobby": ZERO}))
    hub.publish(new)
    async with asyncio.timeout(PATIENCE_S):
        assert await anext(stream) is new


def test_an_event_s_own_id_resumes_one_camera(gateway: Gateway, store: Any, camera: str) -> None:
    attach(gateway, store, camera)
    made = [event(camera, now_ms() + n, face()) for n in range(3)]
    for each in made:
        publish(store, each)
    resumed = read(gateway, 2, last_id=made[0].frame_id, query=f"?camera={camera}")
    assert ids(resumed) == [each.frame_id for each in made[1:]]


def test_a_camera_attached_while_the_client_was_away_is_followed_from_its_start(
    gateway: Gateway, store: Any, camera: str
) -> None:
    with gateway.stream("/api/events/stream") as answer:
        position = next(records(answer)).id
    attach(gateway, store, camera)
    first = event(camera, now_ms(), face())
    publish(store, first)
    with gateway.stream("/api/events/stream", headers={"Last-Event-ID": position}) as answer:
        messages = records(answer)
        sent = next(events_of(camera, messages))
    assert sent.data == first.to_dict()


def test_no_event_is_lost_over_a_restart_of_the_gateway(
    redis_server: RedisProcess, store: Any, camera: str
) -> None:
    with (
        Gateway(redis_server.url) as gateway,
        Feeder(redis_server.url, camera, fps=20) as feeder,
    ):
        attach(gateway, store, camera)
        before = read(gateway, 10, camera=camera)
        gateway.stop()
        gateway.start()
        after = read(gateway, 20, last_id=before[-1].id, camera=camera)
        feeder.stop()
    seen = ids(before) + ids(after)
    start = feeder.ids.index(seen[0])
    assert seen == feeder.ids[start : start + 30]


def test_a_change_of_state_is_sent_at_once(gateway: Gateway, store: Any, camera: str) -> None:
    attach(gateway, store, camera)
    with gateway.stream(f"/api/events/stream?camera={camera}") as answer:
        messages = parse(answer.iter_lines())
        next(messages)
        register(store, camera, state="down", error="no route to host", **CALM)
        changed = next(message for message in messages if message.name == "camera")
    assert (changed.data["state"], changed.data["error"]) == ("down", "no route to host")


def test_a_client_that_shows_figures_hears_of_each_pause(redis_url: str) -> None:
    """As messages: a browser does not report comments to a page."""
    with (
        Gateway(redis_url) as gateway,
        gateway.stream("/api/events/stream?figures=true") as answer,
    ):
        sent = list(islice(parse(answer.iter_lines()), 3))
    assert [message.name for message in sent] == ["started", "heartbeat", "heartbeat"]
    assert sent[-1].id == sent[0].id


@pytest.mark.parametrize("last_id", ["nonsense", "a=1", "camera=1-2-3", "=1-1", f"a={2**64}-0"])
def test_a_wrong_position_is_refused(gateway: Gateway, last_id: str) -> None:
    answer = gateway.get("/api/events/stream", headers={"Last-Event-ID": last_id})
    assert answer.status_code == 400
    assert "after: " in answer.json()["error"]


def test_an_event_with_another_id_than_its_entry_is_sent_to_no_client(
    gateway: Gateway, store: Any, camera: str
) -> None:
    """It would push the camera's place beyond all events to come, or lines into the stream."""
    attach(gateway, store, camera)
    with gateway.stream(f"/api/events/stream?camera={camera}") as answer:
        messages = records(answer)
        next(messages)
        ms = now_ms()
        far = replace(event(camera, ms), frame_id=f"{2**62}-0")
        forged = replace(event("a\nevent: camera\ndata: {}", ms), frame_id=f"{ms + 1}-0")
        for number, foreign in enumerate((far, forged)):
            store.xadd(keys.emotions(camera), {"event": foreign.pack()}, id=f"{ms + number}-0")
        own = event(camera, ms + 2, face())
        publish(store, own)
        sent = next(messages)
    assert (sent.name, sent.data) == ("emotion", own.to_dict())
    assert sent.id == f"{camera}={own.frame_id}/0-0"


@pytest.mark.parametrize("minutes", [-10, 0, 10])
def test_a_camera_whose_clock_is_wrong_is_followed_from_the_start(
    redis_server: RedisProcess, store: Any, camera: str, minutes: int
) -> None:
    """With any clock: its history is there after a restart, and its events come live."""

    def own_ms() -> int:
        return now_ms() + minutes * 60_000

    for age_ms in (400_000, 200_000, 0):
        publish(store, event(camera, own_ms() - age_ms, face()))
    with Gateway(redis_server.url) as gateway:
        attach(gateway, store, camera)
        path = f"/api/cameras/{camera}/history"
        eventually(lambda: len(gateway.get(path).json()["seconds"]) == 2)
        with gateway.stream(f"/api/events/stream?camera={camera}") as answer:
            messages = records(answer)
            next(messages)
            new, began = event(camera, own_ms() + 1000, face()), time.monotonic()
            publish(store, new)
            assert next(messages).data == new.to_dict()
        history = gateway.get(path).json()
        elapsed_s = time.monotonic() - began
    assert (history["last"], history["seconds"][-1]["at"]) == (
        new.frame_id,
        new.captured_ms // 1000,
    )
    assert 0 <= history["age_ms"] < 1000 * (elapsed_s + 1), "it came just now"


def test_positions_of_removed_cameras_are_forgotten() -> None:
    hub = Hub(GatewayMetrics(CollectorRegistry()))
    for name in ("lobby", "door"):
        hub.advance(name, StreamId(5, 0))
        hub.advance(name, StreamId(6, 0), "episode")
    hub.keep({"lobby"})
    assert (hub.tip("lobby"), hub.tip("door")) == ((5, 0), ZERO)
    assert (hub.tip("lobby", "episode"), hub.tip("door", "episode")) == ((6, 0), ZERO)


def test_one_client_that_never_reads_does_not_slow_the_others(
    redis_server: RedisProcess, store: Any, camera: str
) -> None:
    """49 clients alone and beside one whose queue has overflown, in turn. What the machine does
    otherwise only adds to a turn's latency: of each kind the best turn counts, and there are more
    turns while the machine is restless."""
    alone: list[float] = []
    beside: list[float] = []
    with Gateway(redis_server.url) as gateway, Feeder(redis_server.url, camera, fps=10):

        def listen(to: list[float]) -> None:
            found = asyncio.run(latencies_ms(gateway.port, camera, WATCHERS, 12))
            to.append(median(chain(*found)))

        def is_slowed() -> bool:
            return min(beside) >= 1.5 * min(alone)

        attach(gateway, store, camera)
        read(gateway, 1, camera=camera)
        for turn in range(MAX_TURNS):
            if turn >= MIN_TURNS and not is_slowed():
                break
            listen(alone)
            with never_reading(gateway.port, "/api/events/stream"):
                eventually(lambda: gateway.metric("emotion_gateway_streams") == 1)
                overflow(gateway, store, f"{camera}-{turn}")
                assert gateway.metric("emotion_gateway_dropped_events_total") > 500 * (turn + 1)
                listen(beside)
            eventually(lambda: gateway.metric("emotion_gateway_streams") == 0)
    times = f"{min(alone):.1f} ms alone, {min(beside):.1f} ms beside a stuck client"
    print(f"median latency of the best of {len(alone)} turns: {times}")
    assert not is_slowed(), times


def test_a_queue_that_overflows_drops_events_and_keeps_episodes() -> None:
    hub = Hub(GatewayMetrics(CollectorRegistry()))
    with hub.subscribe(None) as subscription:
        hub.publish(PublishedEpisode.of(samples.episode("lobby", entry_id="5-0")))
        for number in range(1_000):
            hub.publish(Published.of(samples.event("lobby", f"{number + 1}-0")))
        taken = asyncio.run(subscription.take(1.0))
    assert [item.kind for item in taken.items].count("episode") == 1
    assert len(taken.items) + taken.dropped == 1_001


def test_a_queue_of_nothing_but_episodes_is_bounded_as_well() -> None:
    hub = Hub(GatewayMetrics(CollectorRegistry()))
    with hub.subscribe(None) as subscription:
        for number in range(1_000):
            hub.publish(PublishedEpisode.of(samples.episode("lobby", entry_id=f"{number + 1}-0")))
        taken = asyncio.run(subscription.take(1.0))
    assert len(taken.items) < 1_000
    assert len(taken.items) + taken.dropped == 1_000


def test_it_stops_soon_and_cleanly_with_any_clients(
    redis_server: RedisProcess, store: Any, camera: str
) -> None:
    with Gateway(redis_server.url) as gateway, Feeder(redis_server.url, camera):
        attach(gateway, store, camera)
        paths = ("/api/events/stream", f"/api/cameras/{camera}/live.mjpeg?fps=0.1")
        with ExitStack() as clients:
            for path in paths:
                clients.enter_context(never_reading(gateway.port, path))
            eventually(lambda: gateway.metric("emotion_gateway_streams") == len(paths))
            overflow(gateway, store, f"{camera}-flood")
            watch = Stopwatch()
            gateway.stop()
            assert watch.read_s() < 3
        assert '"error"' not in gateway.log()


def overflow(gateway: Gateway, store: Any, camera: str) -> None:
    """Flood, and wait until the gateway has seen all of it."""
    last, history = flood(store, camera), f"/api/cameras/{camera}/history"
    eventually(lambda: gateway.get(history).json().get("last") == last)


def flood(store: Any, camera: str) -> str:
    """More than a connection, its buffers and its queue hold: 800 events of 10 kB. The last id."""
    register(store, camera)
    crowd = [face() for _ in range(30)]
    start = now_ms()
    with store.pipeline() as pipe:
        for n in range(800):
            publish(pipe, event(camera, start + n // 100, *crowd, number=n % 100))
        pipe.execute()
    return f"{start + 7}-99"
