"""What became of every frame, read in one step."""

from typing import Any

import pytest
import redis

from emotion_streams import keys
from emotion_streams.connection import connect_async
from emotion_streams.ledger import Ledger, Outcome, read_ledger

CAMERA = "lobby"
FRAMES = keys.frames(CAMERA)


async def read(url: str) -> Ledger:
    async with connect_async(url) as client:
        return await read_ledger(client, CAMERA)


def store(client: redis.Redis, *numbers: int, kept: int | None = None) -> None:
    for number in numbers:
        client.xadd(FRAMES, {"frame": b"f"}, f"{number}-0", maxlen=kept, approximate=False)


def account(**counts: int) -> Ledger:
    names = [name for name in Ledger.__dataclass_fields__ if name != "camera"]
    return Ledger(CAMERA, **{**dict.fromkeys(names, 0), **counts})


async def test_a_camera_never_seen_has_an_empty_account(redis_url: str) -> None:
    ledger = await read(redis_url)
    assert ledger == account()
    assert ledger.balanced


async def test_frames_that_no_worker_has_read_are_queued(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, 1, 2, 3)
    assert await read(redis_url) == account(added=3, queued=3)


async def test_frames_that_no_worker_read_before_they_were_trimmed_count_as_trimmed(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, *range(1, 11), kept=4)
    ledger = await read(redis_url)
    assert (ledger.queued, ledger.trimmed) == (4, 6)


async def test_frames_trimmed_while_a_worker_has_them_stay_pending(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, 1, 2)
    client.xgroup_create(FRAMES, keys.GROUP, "0")
    client.xreadgroup(keys.GROUP, "me", {FRAMES: ">"})
    store(client, 3, 4, 5, kept=2)
    ledger = await read(redis_url)
    assert (ledger.pending, ledger.queued, ledger.trimmed) == (2, 2, 1)


async def test_each_outcome_is_counted(redis_url: str, client: redis.Redis) -> None:
    counts: dict[Any, Any] = {outcome.value: n for n, outcome in enumerate(Outcome, 1)}
    client.hset(keys.ledger(CAMERA), mapping=counts)
    ledger = await read(redis_url)
    assert {name: getattr(ledger, name) for name in counts} == counts


@pytest.mark.parametrize(
    ("counts", "balances"),
    [
        ({"added": 3, "analysed": 2, "events": 2, "queued": 1}, True),
        ({"added": 1, "analysed": 2, "events": 2}, False),
        ({"added": 2, "analysed": 2, "events": 1}, False),
        ({"added": 2, "dead": 2, "dead_letters": 3}, False),
        ({"added": 5, "analysed": 1, "events": 1, "lost": 1, "pending": 1}, True),
    ],
)
def test_it_balances_when_no_frame_counts_twice_and_each_count_has_its_entry(
    counts: dict[str, int], balances: bool
) -> None:
    assert account(**counts).balanced == balances


def test_the_states_add_up_to_what_was_added() -> None:
    states = account(added=9, analysed=2, expired=1, lost=1, pending=1, queued=1).frames()
    assert states.pop("added") == sum(states.values()) == 9
