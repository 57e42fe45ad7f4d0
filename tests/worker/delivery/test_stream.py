"""What an owner does with its camera's streams, on a real server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis
from redis.exceptions import ResponseError

from emotion_streams import keys
from emotion_streams.connection import connect
from emotion_streams.ledger import Ledger, Outcome, read_ledger
from worker.delivery.stream import CameraStream, Delivery, Ending, Fenced, Lease, Retention
from worker.ownership.lease import Leases

CAMERA = "lobby"
FRAMES = keys.frames(CAMERA)

Step = Callable[[CameraStream], Awaitable[object]]


def own(url: str, *steps: Step, owner: str = "me", retention: Retention | None = None) -> Ledger:
    """Take the camera, do the steps, and read the account."""

    async def main() -> Ledger:
        client = connect(url)
        try:
            lease = await Leases(client, owner).acquire(CAMERA)
            assert lease
            stream = CameraStream(client, lease, retention or Retention())
            for step in steps:
                await step(stream)
            return await read_ledger(client, CAMERA)
        finally:
            await client.aclose()

    return asyncio.run(main())


def store(client: redis.Redis, *numbers: int) -> None:
    for number in numbers:
        client.xadd(FRAMES, {"frame": f"frame {number}"}, f"{number}-0")


def analysed(number: int) -> Ending:
    return Ending(f"{number}-0", Outcome.ANALYSED, b"event", 5)


async def start(stream: CameraStream) -> None:
    await stream.claim(())


async def read_all(stream: CameraStream) -> None:
    await stream.read()


def test_frames_come_in_order_and_once(redis_url: str, client: redis.Redis) -> None:
    store(client, 1, 2, 3)

    async def read(stream: CameraStream) -> None:
        assert await stream.read() == [Delivery(f"{n}-0", f"frame {n}".encode()) for n in (1, 2, 3)]
        assert await stream.read() == []

    ledger = own(redis_url, start, read)
    assert (ledger.in_flight, ledger.queued, ledger.balanced) == (3, 0, True)


def test_a_group_that_vanished_is_made_again_and_gives_all_frames(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, 1)

    async def read(stream: CameraStream) -> None:
        with pytest.raises(ResponseError, match="NOGROUP"):
            await stream.read()
        assert await stream.claim(()) == ([], True)
        assert len(await stream.read()) == 1

    own(redis_url, read)


def test_an_end_is_counted_once_however_often_it_is_sent(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, 1, 2)

    async def commit(stream: CameraStream) -> None:
        endings = [analysed(1), Ending("2-0", Outcome.EXPIRED)]
        assert await stream.commit(endings) == ["analysed", "expired"]
        assert await stream.commit(endings) == ["repeated", "repeated"]

    ledger = own(redis_url, start, read_all, commit)
    assert (ledger.analysed, ledger.expired, ledger.events) == (1, 1, 1)
    assert client.xlen(FRAMES) == 0
    assert client.xrange(keys.emotions(CAMERA)) == [(b"1-0", {b"event": b"event"})]


def test_an_event_older_than_the_newest_is_late(redis_url: str, client: redis.Redis) -> None:
    store(client, 1, 2)

    async def commit(stream: CameraStream) -> None:
        assert await stream.commit([analysed(2), analysed(1)]) == ["analysed", "late"]

    ledger = own(redis_url, start, read_all, commit)
    assert (ledger.analysed, ledger.late, ledger.balanced) == (1, 1, True)


def test_a_successor_claims_what_was_pending_and_counts_what_was_trimmed(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, 1, 2, 3)
    own(redis_url, start, read_all, owner="fallen")
    client.hset(keys.lease(CAMERA), "expires_ms", 1)
    client.xtrim(FRAMES, minid="2-0", approximate=False)

    async def claim(stream: CameraStream) -> None:
        deliveries, complete = await stream.claim(())
        assert [(d.frame_id, d.deliveries) for d in deliveries] == [("2-0", 2), ("3-0", 2)]
        assert complete
        assert await stream.claim(["2-0", "3-0"]) == ([], True)
        await stream.commit([analysed(2), analysed(3)])

    ledger = own(redis_url, claim, start)
    assert (ledger.lost, ledger.analysed, ledger.balanced) == (1, 2, True)
    assert client.xinfo_consumers(FRAMES, keys.GROUP) == []  # the fallen is cleared away


def test_only_the_frames_that_a_worker_began_are_held_against_it(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, 1, 2)
    own(redis_url, start, read_all, owner="first")

    async def begin_one(stream: CameraStream) -> None:
        deliveries, _ = await stream.claim(())
        for _ in range(2):  # the first reply may have been lost
            await stream.begin(deliveries[0].frame_id, deliveries[0].deliveries)

    async def claim(stream: CameraStream) -> None:
        deliveries, _ = await stream.claim(())
        assert [(d.frame_id, d.deliveries) for d in deliveries] == [("1-0", 3), ("2-0", 2)]

    for owner, step in (("second", begin_one), ("third", claim)):
        client.hset(keys.lease(CAMERA), "expires_ms", 1)
        own(redis_url, step, owner=owner)


def test_a_frame_trimmed_before_it_is_begun_again_is_lost(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, 1)
    own(redis_url, start, read_all, owner="fallen")
    client.hset(keys.lease(CAMERA), "expires_ms", 1)

    async def begin(stream: CameraStream) -> None:
        ((delivery,), _) = await stream.claim(())
        client.xtrim(FRAMES, 0)
        await stream.begin(delivery.frame_id, delivery.deliveries)
        assert await stream.commit([analysed(1)]) == ["repeated"]
        client.delete(FRAMES)  # nor does it matter that all is gone
        await stream.begin(delivery.frame_id, delivery.deliveries)

    own(redis_url, begin)
    assert client.hget(keys.ledger(CAMERA), "lost") == b"1"


def test_a_delivery_whose_reply_was_lost_is_claimed_but_not_held_against_the_frame(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, 1, 2)

    async def claim(stream: CameraStream) -> None:
        for _ in range(5):  # replies to claims may be lost too
            deliveries, _ = await stream.claim(["2-0"])
            assert [(d.frame_id, d.deliveries) for d in deliveries] == [("1-0", 1)]

    own(redis_url, start, read_all, claim)


def test_a_long_backlog_is_claimed_in_parts(redis_url: str, client: redis.Redis) -> None:
    store(client, *range(1, 71))

    async def read_on(stream: CameraStream) -> None:
        for _ in range(3):
            await stream.read()

    own(redis_url, start, read_on, owner="fallen")
    client.hset(keys.lease(CAMERA), "expires_ms", 1)

    async def claim(stream: CameraStream) -> None:
        known: list[str] = []
        for size, complete in ((32, False), (32, False), (6, True)):
            deliveries, is_all = await stream.claim(known)
            assert (len(deliveries), is_all) == (size, complete)
            known += [delivery.frame_id for delivery in deliveries]
        assert known == [f"{number}-0" for number in range(1, 71)]

    own(redis_url, claim)


def test_a_dead_letter_says_what_and_why_but_holds_no_picture(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, 1)

    async def commit(stream: CameraStream) -> None:
        await stream.commit([Ending("1-0", Outcome.DEAD, b"not msgpack", 7)])

    ledger = own(redis_url, start, read_all, commit)
    assert (ledger.dead, ledger.dead_letters) == (1, 1)
    letters: Any = client.xrange(keys.dead(CAMERA))
    assert letters[0][1] == {
        b"frame": b"1-0", b"reason": b"not msgpack", b"size": b"7", b"deliveries": b"1",
    }  # fmt: skip


@pytest.mark.parametrize("right", [Lease(CAMERA, "me", 9), Lease(CAMERA, "other", 1)])
def test_who_has_not_the_lease_is_refused_and_changes_nothing(
    redis_url: str, client: redis.Redis, right: Lease
) -> None:
    store(client, 1)

    async def trespass(stream: CameraStream) -> None:
        async with connect(redis_url) as connection:
            other = CameraStream(connection, right, Retention())
            with pytest.raises(Fenced, match=CAMERA):
                await other.commit([analysed(1)])
            with pytest.raises(Fenced, match=CAMERA):
                await other.claim(())
            with pytest.raises(Fenced, match=CAMERA):
                await other.begin("1-0", 2)

    ledger = own(redis_url, start, read_all, trespass)
    assert (ledger.in_flight, ledger.analysed, ledger.events) == (1, 0, 0)


def test_at_the_memory_limit_frames_still_end(redis_url: str, client: redis.Redis) -> None:
    store(client, 1, 2)

    async def fill(stream: CameraStream) -> None:
        client.config_set("maxmemory", 1)

    async def commit(stream: CameraStream) -> None:
        endings = [analysed(1), Ending("2-0", Outcome.DEAD, b"why", 1)]
        assert await stream.commit(endings) == ["analysed", "dead"]

    try:
        ledger = own(redis_url, start, read_all, fill, commit, start)
    finally:
        client.config_set("maxmemory", 0)
    assert ledger.balanced


def test_events_are_kept_by_count(redis_url: str, client: redis.Redis) -> None:
    store(client, *range(1, 31))

    async def commit(stream: CameraStream) -> None:
        # Whole nodes of a stream are dropped, and one holds 4 KB.
        big = [Ending(f"{n}-0", Outcome.ANALYSED, b"e" * 5_000, 1) for n in range(1, 31)]
        await stream.commit(big)

    ledger = own(redis_url, start, read_all, commit, retention=Retention(events=10))
    assert ledger.balanced
    assert client.xlen(keys.emotions(CAMERA)) == 10


def test_events_and_dead_letters_are_kept_by_age(redis_url: str, client: redis.Redis) -> None:
    seconds, _ = client.time()
    for key in (keys.emotions(CAMERA), keys.dead(CAMERA)):
        for age_s in (100, 50, 0):
            client.xadd(key, {"a": "b"}, f"{(seconds - age_s) * 1000}-0")

    async def claim(stream: CameraStream) -> None:
        await stream.claim((), behind_ms=0)

    own(redis_url, claim, retention=Retention(age_ms=60_000))
    assert client.xlen(keys.emotions(CAMERA)) == 2
    assert client.xlen(keys.dead(CAMERA)) == 2


def test_events_dated_by_a_clock_that_is_behind_are_kept_as_long(
    redis_url: str, client: redis.Redis
) -> None:
    behind_ms = 7_200_000
    seconds, _ = client.time()
    for key in (keys.emotions(CAMERA), keys.dead(CAMERA)):
        for age_s in (100, 50, 0):
            client.xadd(key, {"a": "b"}, f"{(seconds - age_s) * 1000 - behind_ms}-0")

    async def claim(stream: CameraStream) -> None:
        await stream.claim((), behind_ms=behind_ms)

    own(redis_url, start, retention=Retention(age_ms=60_000))  # it does not know the clock yet
    assert client.xlen(keys.emotions(CAMERA)) == 3
    assert client.xlen(keys.dead(CAMERA)) == 0  # these are dated by Redis
    own(redis_url, claim, start, retention=Retention(age_ms=60_000))
    assert client.xlen(keys.emotions(CAMERA)) == 2


def test_an_entry_of_something_else_is_given_out_without_a_frame(
    redis_url: str, client: redis.Redis
) -> None:
    client.xadd(FRAMES, {"something": "else"}, "1-0")

    async def read(stream: CameraStream) -> None:
        assert await stream.read() == [Delivery("1-0", None)]
        assert await stream.claim(()) == ([Delivery("1-0", None, 1)], True)

    own(redis_url, start, read)


def test_scripts_that_the_server_forgot_are_loaded_again(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, 1)

    async def flush(stream: CameraStream) -> None:
        client.script_flush()

    async def commit(stream: CameraStream) -> None:
        assert await stream.commit([analysed(1)]) == ["analysed"]

    own(redis_url, start, read_all, flush, commit)
