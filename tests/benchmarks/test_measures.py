"""What the benchmarks reckon with: ages, memory, percentiles, shares."""

import argparse
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import redis

from emotion_streams import keys
from tests.benchmarks import options
from tests.benchmarks.accuracy import Judged, compare
from tests.benchmarks.ages import Ages, percentiles
from tests.benchmarks.background import Background
from tests.benchmarks.engines import whole_rounds
from tests.benchmarks.memory import Memory, growth
from tests.benchmarks.stages import shared_out
from tests.benchmarks.system import System
from tests.servers import eventually


def test_an_error_in_a_thread_is_raised_when_it_is_closed() -> None:
    def fail(_: threading.Event) -> None:
        raise OSError("gone")

    work = Background(fail)
    eventually(lambda: not work.running)
    with pytest.raises(OSError, match="gone"):
        work.close()


def publish(client: redis.Redis, camera: str, age_ms: int = 0, seq: int = 0) -> None:
    client.xadd(
        keys.emotions(camera), {"event": b""}, id=f"{int(time.time() * 1000) - age_ms}-{seq}"
    )


def follow(url: str, *cameras: str) -> Ages:
    return Ages(cast("System", SimpleNamespace(url=url, cameras=cameras)))


def test_ages_are_those_of_every_event_since_the_beginning(
    redis_url: str, client: redis.Redis
) -> None:
    publish(client, "lobby", age_ms=90_000)
    ages = follow(redis_url, "lobby", "door")
    publish(client, "lobby", age_ms=500)
    for seq in range(100):
        publish(client, "door", seq=seq)
    found = ages.close()
    assert len(found) == 101
    assert 500 <= max(found) < 90_000


def test_a_subscriber_that_was_cut_off_is_an_error_and_not_a_shorter_list_of_ages(
    redis_url: str, client: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise redis.ConnectionError("cut off")

    ages = follow(redis_url, "lobby")
    publish(client, "lobby")
    eventually(lambda: len(ages) == 1)
    monkeypatch.setattr(ages.client, "xread", refuse)
    publish(client, "lobby", seq=1)
    with pytest.raises(redis.ConnectionError, match="cut off"):
        ages.close()


def test_percentiles_are_of_all_values() -> None:
    assert percentiles(range(101)) == (50, 95, 99)
    with pytest.raises(RuntimeError, match="1 events came"):
        percentiles([3.0])


def test_growth_is_the_slope_of_the_second_half() -> None:
    filling = [(float(second), 100.0 + 10 * min(second, 30)) for second in range(60)]
    found = growth(filling)
    assert found.grown_mb == 300
    assert found.slope == pytest.approx(0, abs=1e-6)
    leaking = [(float(second), 100.0 + second / 60 * 3) for second in range(60)]
    assert growth(leaking).slope == pytest.approx(3)
    with pytest.raises(RuntimeError, match="memory was read 5 times"):
        growth(filling[:5])


def test_memory_that_cannot_be_read_any_more_is_an_error() -> None:
    readings = iter([100.0] * 8)
    memory = Memory(lambda: next(readings))
    eventually(lambda: not memory.reading.running)
    with pytest.raises(StopIteration):
        memory.close()


@pytest.mark.parametrize(
    ("faces", "instances", "parts"), [(1, 2, [1]), (3, 2, [2, 1]), (3, 1, [3]), (20, 2, [7, 7, 6])]
)
def test_a_lone_frames_faces_are_shared_out_as_the_worker_does(
    faces: int, instances: int, parts: list[int]
) -> None:
    engine = cast("Any", SimpleNamespace(instances=instances, max_batch=8))
    crops = np.zeros((faces, 4, 4, 3), np.uint8)
    assert [len(part) for part in shared_out(crops, engine)] == parts


@pytest.mark.parametrize(
    ("asked", "instances", "max_batch", "faces"),
    [(16, 2, 8, 48), (24, 2, 8, 48), (49, 2, 8, 64), (24, 2, 4, 32), (48, 3, 8, 48), (8, 4, 8, 64)],
)
def test_engines_are_given_whole_rounds_of_full_batches(
    asked: int, instances: int, max_batch: int, faces: int
) -> None:
    engine = cast("Any", SimpleNamespace(instances=instances, max_batch=max_batch))
    assert whole_rounds(asked, engine) == faces


def test_accuracy_is_also_of_the_faces_that_all_find() -> None:
    picky = Judged({"a": True, "b": True}, not_found=2)
    keen = Judged({"a": True, "b": False, "c": True, "d": False}, not_found=0)
    found = compare({"picky": picky, "keen": keen})
    assert found["picky"] == {
        "accuracy": 1.0, "count": 2, "not_found": 2, "accuracy_of_common": 1.0, "common": 2,
    }  # fmt: skip
    assert (found["keen"]["accuracy"], found["keen"]["accuracy_of_common"]) == (0.5, 0.5)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (options.count, "0"),
        (options.count, "two"),
        (options.count, "-1"),
        (options.count, "1.5"),
        (options.counts, "1,a"),
        (options.counts, ""),
        (options.at_least(1.0), "0.5"),
        (options.at_least(1.0), "nan"),
        (options.at_least(1.0), "inf"),
        (options.some_of("a", "b"), "a,c"),
        (options.some_of("a", "b"), "a,a"),
    ],
)
def test_a_value_that_nothing_can_be_measured_with_is_refused(
    read: Callable[[str], object], text: str
) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not"):
        read(text)


def test_values_are_read_as_they_are_meant() -> None:
    assert options.counts("1,2") == [1, 2]
    assert options.at_least(0.1)("2.5") == 2.5
    assert options.some_of("a", "b")("b,a") == ["b", "a"]
