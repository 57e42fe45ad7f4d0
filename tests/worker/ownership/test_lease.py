"""Who should own a camera, and who may."""

import math
import os
import subprocess
import sys
from collections import Counter
from statistics import mean
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from emotion_streams import keys
from emotion_streams.connection import connect_async
from worker.delivery.types import Lease
from worker.ownership.lease import EVEN_UP_TO, LEASE_MS, Leases, Peer, assign

NAMES = st.text("abcdefgh0123", min_size=1, max_size=6)
CAMERAS = st.sets(NAMES, max_size=30)
WEIGHTS = st.dictionaries(NAMES, st.sampled_from([0.5, 1.0, 2.0, 4.0]), min_size=1, max_size=6)


@given(CAMERAS, WEIGHTS)
def test_every_camera_has_a_worker_and_no_worker_much_more_than_its_share(
    cameras: set[str], weights: dict[str, float]
) -> None:
    owners = assign(cameras, weights)
    assert owners.keys() == cameras
    total = sum(weights.values())
    for worker, count in Counter(owners.values()).items():
        share = len(cameras) * weights[worker] / total
        assert count <= math.ceil(share if share <= EVEN_UP_TO else 1.25 * share)


@given(st.lists(NAMES, unique=True, max_size=20), WEIGHTS, st.randoms(use_true_random=False))
def test_all_workers_come_to_the_same_result(
    cameras: list[str], weights: dict[str, float], random: Any
) -> None:
    shuffled = random.sample(cameras, len(cameras))
    peers = dict(random.sample(list(weights.items()), len(weights)))
    assert assign(shuffled, peers) == assign(cameras, weights)


def test_processes_of_different_hash_seeds_come_to_the_same_result() -> None:
    """A set's order is each process' own, and sums of fractions follow it."""
    code = (
        "from worker.ownership.lease import assign\n"
        "weights = {'a': 0.1, 'b': 0.2, 'c': 0.3}\n"
        "print(sorted(assign([f'cam{n}' for n in range(6)], weights).items()))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            check=True,
            capture_output=True,
        ).stdout
        for seed in range(6)
    }
    assert len(said) == 1


def test_eight_cameras_are_four_and_four() -> None:
    owners = assign([f"cam{n}" for n in range(8)], {"a": 1.0, "b": 1.0})
    assert Counter(owners.values()) == {"a": 4, "b": 4}


def test_a_worker_of_three_times_the_weight_has_three_times_the_cameras() -> None:
    owners = assign([f"cam{n}" for n in range(40)], {"a": 3.0, "b": 1.0})
    counts = Counter(owners.values())
    assert counts == {"a": pytest.approx(30, abs=2), "b": pytest.approx(10, abs=2)}


@pytest.mark.parametrize(("cameras", "workers"), [(100, 10), (1000, 50)])
def test_a_worker_that_comes_or_goes_moves_little_more_than_its_share(
    cameras: int, workers: int
) -> None:
    names = [f"cam{n}" for n in range(cameras)]
    peers = {f"w{n}": 1.0 for n in range(workers)}
    owners = assign(names, peers)
    moved = []
    for worker in list(peers)[:5]:
        without = assign(names, {peer: 1.0 for peer in peers if peer != worker})
        moved.append(sum(owners[name] != without[name] for name in names))
    # Lost, or the other way about joined. Some workers have more than the others.
    assert mean(moved) <= 1.6 * cameras / workers
    assert max(Counter(owners.values()).values()) <= 1.25 * cameras / workers


async def test_a_lease_is_given_to_one_and_to_the_next_under_a_greater_epoch(
    redis_url: str, client: redis.Redis
) -> None:
    async with connect_async(redis_url) as connection:
        one, two = Leases(connection, "one"), Leases(connection, "two")
        assert await one.acquire("lobby") == Lease("lobby", "one", 1)
        assert await two.acquire("lobby") is None
        assert await one.acquire("lobby") == Lease("lobby", "one", 1)  # its reply may be lost
        assert not await two.is_free("lobby", now_ms=client.time()[0] * 1000)
        await one.release(Lease("lobby", "one", 1))
        assert await two.is_free("lobby", now_ms=client.time()[0] * 1000)
        assert await two.acquire("lobby") == Lease("lobby", "two", 2)
        assert not await one.renew(Lease("lobby", "one", 1))


async def test_a_lease_that_ran_out_is_renewed_unless_another_took_it(
    redis_url: str, client: redis.Redis
) -> None:
    async with connect_async(redis_url) as connection:
        one, two = Leases(connection, "one"), Leases(connection, "two")
        lease = await one.acquire("lobby")
        assert lease
        client.hset(keys.lease("lobby"), "expires_ms", 1)
        assert await one.renew(lease)
        client.hset(keys.lease("lobby"), "expires_ms", 1)
        assert await two.acquire("lobby") == Lease("lobby", "two", 2)
        assert not await one.renew(lease)
        await one.release(lease)  # which is another's now
        assert client.hget(keys.lease("lobby"), "owner") == b"two"


async def test_heartbeats_show_live_workers_and_their_weights(
    redis_url: str, client: redis.Redis
) -> None:
    async with connect_async(redis_url) as connection:
        await Leases(connection, "one", 2.5).heartbeat()
        seconds, _ = client.time()
        client.zadd(keys.WORKERS, {"1@gone": seconds * 1000 - 1})
        client.zadd(keys.WORKERS, {"1@silent": seconds * 1000 + LEASE_MS / 3})
        assert await Leases(connection, "two").heartbeat() == {
            "one": Peer(2.5, fresh=True),
            "two": Peer(1.0, fresh=True),
            "silent": Peer(1.0, fresh=False),
        }


@pytest.mark.parametrize("member", [b"x", b"x@y", b"1@", b"nan@y", b"-1@y", b"inf@y", b"\xff@y"])
async def test_an_invalid_member_stops_no_worker(
    redis_url: str, client: redis.Redis, member: bytes
) -> None:
    seconds, _ = client.time()
    client.zadd(keys.WORKERS, {member: (seconds + 5) * 1000})
    async with connect_async(redis_url) as connection:
        assert (await Leases(connection, "one").heartbeat()).keys() == {"one"}


async def test_a_lease_from_before_redis_clock_was_set_back_has_expired(
    redis_url: str, client: redis.Redis
) -> None:
    now_ms = client.time()[0] * 1000
    set_back_ms = now_ms + 3_600_000 + LEASE_MS
    client.hset(
        keys.lease("lobby"), mapping={"owner": "dead", "epoch": 1, "expires_ms": set_back_ms}
    )
    client.zadd(keys.WORKERS, {"1@dead": set_back_ms})
    async with connect_async(redis_url) as connection:
        one = Leases(connection, "one")
        assert (await one.heartbeat()).keys() == {"one"}
        assert await one.is_free("lobby", now_ms)
        assert await one.acquire("lobby") == Lease("lobby", "one", 2)


async def test_a_worker_that_leaves_is_gone_at_once(redis_url: str) -> None:
    async with connect_async(redis_url) as connection:
        one, two = Leases(connection, "one"), Leases(connection, "two")
        await one.heartbeat()
        await one.leave()
        assert (await two.heartbeat()).keys() == {"two"}


@pytest.mark.parametrize(("lease_ms", "tick_s"), [(5_000, 1.0), (1_500, 0.3), (60_000, 1.0)])
async def test_a_worker_looks_often_enough(redis_url: str, lease_ms: int, tick_s: float) -> None:
    async with connect_async(redis_url) as connection:
        assert Leases(connection, "one", lease_ms=lease_ms).tick_s == pytest.approx(tick_s)


async def test_the_owner_of_a_camera_deletes_a_report_that_is_too_large_for_readers(
    redis_url: str, client: redis.Redis
) -> None:
    info = keys.camera_info("lobby")
    async with connect_async(redis_url) as connection:
        leases = Leases(connection, "one")
        lease = await leases.acquire("lobby")
        assert lease
        usual = {"state": "up", "title": "x" * 80, "error": "x" * 2_000}
        many = {f"field{number}": "x" for number in range(10_000)}
        for report, is_kept in ((usual, True), ({"any": bytes(1 << 20)}, False), (many, False)):
            client.hset(info, mapping=report)  # type: ignore[arg-type]  # redis-py's is too narrow
            assert await leases.renew(lease)
            assert bool(client.exists(info)) == is_kept
        client.set(info, "of another type")
        assert await leases.renew(lease)
