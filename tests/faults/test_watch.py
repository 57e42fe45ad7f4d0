"""The eye on the events sees what it is there for, and forgets nothing."""

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import redis

from emotion_streams import keys
from emotion_streams.connection import connect
from tests import samples
from tests.faults.watch import Watch

CAMERA = "lobby"


@pytest.fixture
def watch(redis_url: str, client: redis.Redis) -> Iterator[Watch]:
    with ExitStack() as ends:
        watch = Watch(lambda: connect(redis_url))
        ends.callback(watch.close)
        watch.follow(CAMERA)
        yield watch


def publish(client: redis.Redis, *numbers: int, took_ms: float = 1.0) -> None:
    for number in numbers:
        event = samples.event(CAMERA, f"{number}-0")
        latency = dataclasses.replace(event.latency, total_ms=took_ms)
        event = dataclasses.replace(event, latency=latency)
        client.xadd(keys.emotions(CAMERA), {"event": event.pack()}, event.frame_id)


def roll_back(client: redis.Redis) -> None:
    client.delete(keys.emotions(CAMERA))


def counts(watch: Watch) -> tuple[int, int, int]:
    watch.catch_up()
    return watch.duplicates, watch.repeated, watch.violations


def test_a_second_event_of_a_frame_is_a_duplicate(watch: Watch, client: redis.Redis) -> None:
    publish(client, 1, 2)
    assert counts(watch) == (0, 0, 0)
    roll_back(client)
    publish(client, 1)
    assert counts(watch) == (0, 0, 0)  # the same event, in a stream that restarts
    publish(client, 2, took_ms=2.0)
    assert counts(watch) == (1, 0, 0)


def test_an_event_before_others_breaks_the_order(watch: Watch, client: redis.Redis) -> None:
    publish(client, 1, 3)
    watch.catch_up()
    roll_back(client)
    publish(client, 2)
    assert counts(watch) == (0, 0, 1)


def test_loss_of_data_excuses_what_repeats_meanwhile_and_nothing_else(
    watch: Watch, client: redis.Redis
) -> None:
    publish(client, 1, 3)
    assert counts(watch) == (0, 0, 0)
    with watch.losing_data(["another"]):
        roll_back(client)
        publish(client, 1, took_ms=2.0)
    assert counts(watch) == (1, 0, 0)
    with watch.losing_data([CAMERA]):
        roll_back(client)
        publish(client, 2)
        publish(client, 3, took_ms=2.0)
    assert counts(watch) == (1, 1, 1)
