"""What an owner does with its camera's streams, on a real server."""

import dataclasses
import re
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.exceptions import ResponseError

from emotion_streams import keys
from emotion_streams.connection import connect_async
from emotion_streams.frames import MAX_FRAME_BYTES
from emotion_streams.ledger import Ledger, Outcome, read_ledger
from worker.delivery.stream import READ_BYTES, CameraStream, FencedError
from worker.delivery.types import (
    Claimed,
    Committed,
    Completion,
    Lease,
    QueuedFrame,
    Retention,
    TracksUpdate,
)
from worker.ownership.lease import Leases

CAMERA = "lobby"
FRAMES = keys.frames(CAMERA)

Step = Callable[[CameraStream], Awaitable[object]]


async def own(
    url: str, *steps: Step, owner: str = "me", retention: Retention | None = None
) -> Ledger:
    """Take the camera, do the steps, and read the account."""
    async with connect_async(url) as client:
        lease = await Leases(client, owner).acquire(CAMERA)
        assert lease
        stream = CameraStream(client, lease, retention or Retention())
        for step in steps:
            await step(stream)
        return await read_ledger(client, CAMERA)


def store(client: redis.Redis, *numbers: int) -> None:
    for number in numbers:
        client.xadd(FRAMES, {"frame": f"frame {number}"}, f"{number}-0")


def analysed(number: int) -> Completion:
    return Completion(f"{number}-0", Outcome.ANALYSED, b"event", 5)


async def sweep(stream: CameraStream, known: Collection[str]) -> Claimed:
    """What the owner does once a second."""
    await stream.maintain()
    return await stream.claim(known)


async def start(stream: CameraStream) -> None:
    await sweep(stream, ())


async def read_all(stream: CameraStream) -> None:
    await stream.read()


async def test_frames_come_in_order_and_once(redis_url: str, client: redis.Redis) -> None:
    store(client, 1, 2, 3)

    async def read(stream: CameraStream) -> None:
        assert [queued.frame_id for queued in await stream.read()] == ["1-0", "2-0", "3-0"]
        assert await stream.read() == []

    ledger = await own(redis_url, start, read)
    assert (ledger.pending, ledger.queued, ledger.balanced) == (3, 0, True)


async def test_a_group_that_vanished_is_made_again_and_gives_all_frames(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, 1)

    async def read(stream: CameraStream) -> None:
        with pytest.raises(ResponseError, match="NOGROUP"):
            await stream.read()
        assert await sweep(stream, ()) == Claimed([], complete=True)
        assert len(await stream.read()) == 1

    await own(redis_url, read)


async def test_an_end_is_counted_once_however_often_it_is_sent(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, 1, 2)

    async def commit(stream: CameraStream) -> None:
        endings = [analysed(1), Completion("2-0", Outcome.EXPIRED)]
        assert (await stream.commit(endings)).outcomes == ["analysed", "expired"]
        assert (await stream.commit(endings)).outcomes == ["repeated", "repeated"]

    ledger = await own(redis_url, start, read_all, commit)
    assert (ledger.analysed, ledger.expired, ledger.events) == (1, 1, 1)
    assert client.xlen(FRAMES) == 0
    assert client.xrange(keys.emotions(CAMERA)) == [(b"1-0", {b"event": b"event"})]


async def test_an_event_older_than_the_newest_is_late(redis_url: str, client: redis.Redis) -> None:
    store(client, 1, 2)

    async def commit(stream: CameraStream) -> None:
        assert (await stream.commit([analysed(2), analysed(1)])).outcomes == [
            "analysed",
            "superseded",
        ]

    ledger = await own(redis_url, start, read_all, commit)
    assert (ledger.analysed, ledger.superseded, ledger.balanced) == (1, 1, True)


async def test_a_repeated_commit_stores_no_tracks_of_a_superseded_frame(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, 1, 2)

    async def commit(stream: CameraStream) -> None:
        await stream.commit([analysed(2)])
        late = [dataclasses.replace(analysed(1), moves_tracks=True)]
        tracks = TracksUpdate(expected=b"", version=b"1", state=b"state", episodes=[b"episode"])
        assert await stream.commit(late, tracks) == Committed(["superseded"], tracks_stored=False)
        # The reply was lost.
        assert await stream.commit(late, tracks) == Committed(["repeated"], tracks_stored=False)

    await own(redis_url, start, read_all, commit)
    assert not client.exists(keys.tracks(CAMERA), keys.episodes(CAMERA))


async def test_a_successor_claims_what_was_pending_and_counts_what_was_trimmed(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, 1, 2, 3)
    await own(redis_url, start, read_all, owner="fallen")
    client.hset(keys.lease(CAMERA), "expires_ms", 1)
    client.xtrim(FRAMES, minid="2-0", approximate=False)

    async def claim(stream: CameraStream) -> None:
        claimed = await sweep(stream, ())
        assert [(d.frame_id, d.deliveries) for d in claimed.frames] == [("2-0", 2), ("3-0", 2)]
        assert claimed.complete
        assert await sweep(stream, ["2-0", "3-0"]) == Claimed([], complete=True, strikes=1)
        await stream.commit([analysed(2), analysed(3)])

    ledger = await own(redis_url, claim, start)
    assert (ledger.lost, ledger.analysed, ledger.balanced) == (1, 2, True)
    assert client.xinfo_consumers(FRAMES, keys.GROUP) == []  # the fallen is cleared away


async def test_only_the_frames_that_a_worker_began_are_held_against_it(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, 1, 2)
    await own(redis_url, start, read_all, owner="first")

    async def begin_one(stream: CameraStream) -> None:
        deliveries = (await sweep(stream, ())).frames
        for _ in range(2):  # the first reply may have been lost
            await stream.begin(deliveries[0].frame_id, deliveries[0].deliveries)

    async def claim(stream: CameraStream) -> None:
        deliveries = (await sweep(stream, ())).frames
        assert [(d.frame_id, d.deliveries) for d in deliveries] == [("1-0", 3), ("2-0", 2)]

    for owner, step in (("second", begin_one), ("third", claim)):
        client.hset(keys.lease(CAMERA), "expires_ms", 1)
        await own(redis_url, step, owner=owner)


async def test_a_frame_trimmed_before_it_is_begun_again_is_lost(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, 1)
    await own(redis_url, start, read_all, owner="fallen")
    client.hset(keys.lease(CAMERA), "expires_ms", 1)

    async def begin(stream: CameraStream) -> None:
        (delivery,) = (await sweep(stream, ())).frames
        client.xtrim(FRAMES, 0)
        await stream.begin(delivery.frame_id, delivery.deliveries)
        assert (await stream.commit([analysed(1)])).outcomes == ["repeated"]
        client.delete(FRAMES)  # nor does it matter that all is gone
        await stream.begin(delivery.frame_id, delivery.deliveries)

    await own(redis_url, begin)
    assert client.hget(keys.ledger(CAMERA), "lost") == b"1"


async def test_a_delivery_whose_reply_was_lost_is_claimed_but_not_held_against_the_frame(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, 1, 2)

    async def claim(stream: CameraStream) -> None:
        for _ in range(5):  # replies to claims may be lost too
            deliveries = (await sweep(stream, ["2-0"])).frames
            assert [(d.frame_id, d.deliveries) for d in deliveries] == [("1-0", 1)]

    await own(redis_url, start, read_all, claim)


async def test_a_long_backlog_is_claimed_in_parts(redis_url: str, client: redis.Redis) -> None:
    store(client, *range(1, 71))

    async def read_on(stream: CameraStream) -> None:
        for _ in range(3):
            await stream.read()

    await own(redis_url, start, read_on, owner="fallen")
    client.hset(keys.lease(CAMERA), "expires_ms", 1)

    async def claim(stream: CameraStream) -> None:
        known: list[str] = []
        for size, complete in ((32, False), (32, False), (6, True)):
            claimed = await sweep(stream, known)
            assert (len(claimed.frames), claimed.complete) == (size, complete)
            known += [delivery.frame_id for delivery in claimed.frames]
        assert known == [f"{number}-0" for number in range(1, 71)]

    await own(redis_url, claim)


async def test_a_dead_letter_says_what_and_why_but_holds_no_picture(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, 1)

    async def commit(stream: CameraStream) -> None:
        await stream.commit([Completion("1-0", Outcome.DEAD, b"not msgpack", 7)])

    ledger = await own(redis_url, start, read_all, commit)
    assert (ledger.dead, ledger.dead_letters) == (1, 1)
    letters: Any = client.xrange(keys.dead(CAMERA))
    assert letters[0][1] == {
        b"frame": b"1-0", b"reason": b"not msgpack", b"size": b"7", b"deliveries": b"1",
    }  # fmt: skip


@pytest.mark.parametrize("right", [Lease(CAMERA, "me", 9), Lease(CAMERA, "other", 1)])
async def test_a_worker_without_the_lease_is_refused_and_changes_nothing(
    redis_url: str, client: redis.Redis, right: Lease
) -> None:
    store(client, 1)

    async def trespass(stream: CameraStream) -> None:
        async with connect_async(redis_url) as connection:
            other = CameraStream(connection, right, Retention())
            with pytest.raises(FencedError, match=CAMERA):
                await other.commit([analysed(1)])
            with pytest.raises(FencedError, match=CAMERA):
                await sweep(other, ())
            with pytest.raises(FencedError, match=CAMERA):
                await other.begin("1-0", 2)

    ledger = await own(redis_url, start, read_all, trespass)
    assert (ledger.pending, ledger.analysed, ledger.events) == (1, 0, 0)


async def test_at_the_memory_limit_frames_still_end(redis_url: str, client: redis.Redis) -> None:
    store(client, 1, 2)

    async def fill(stream: CameraStream) -> None:
        client.config_set("maxmemory", 1)

    async def commit(stream: CameraStream) -> None:
        endings = [analysed(1), Completion("2-0", Outcome.DEAD, b"why", 1)]
        assert (await stream.commit(endings)).outcomes == ["analysed", "dead"]

    try:
        ledger = await own(redis_url, start, read_all, fill, commit, start)
    finally:
        client.config_set("maxmemory", 0)
    assert ledger.balanced


async def test_events_are_kept_by_count(redis_url: str, client: redis.Redis) -> None:
    store(client, *range(1, 31))

    async def commit(stream: CameraStream) -> None:
        # Whole nodes of a stream are dropped, and one holds 4 KB.
        big = [Completion(f"{n}-0", Outcome.ANALYSED, b"e" * 5_000, 1) for n in range(1, 31)]
        await stream.commit(big)

    ledger = await own(redis_url, start, read_all, commit, retention=Retention(events=10))
    assert ledger.balanced
    assert client.xlen(keys.emotions(CAMERA)) == 10


async def test_events_and_dead_letters_are_kept_by_age(redis_url: str, client: redis.Redis) -> None:
    seconds, _ = client.time()
    for key in (keys.emotions(CAMERA), keys.dead(CAMERA)):
        for age_s in (1_000, 50, 0):
            client.xadd(key, {"a": "b"}, f"{(seconds - age_s) * 1000}-0")

    async def claim(stream: CameraStream) -> None:
        await sweep(stream, ())

    await own(redis_url, claim, retention=Retention(age_ms=600_000))
    assert client.xlen(keys.emotions(CAMERA)) == 2
    assert client.xlen(keys.dead(CAMERA)) == 2


async def test_an_entry_of_something_else_is_given_out_without_a_frame(
    redis_url: str, client: redis.Redis
) -> None:
    client.xadd(FRAMES, {"something": "else"}, "1-0")

    async def read(stream: CameraStream) -> None:
        expected = QueuedFrame("1-0", 1, 0, None, "no field `frame`")
        assert await stream.read() == [expected]
        assert (await sweep(stream, ())).frames == [expected]

    await own(redis_url, start, read)


async def test_scripts_that_the_server_forgot_are_loaded_again(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, 1)

    async def flush(stream: CameraStream) -> None:
        client.script_flush()

    async def commit(stream: CameraStream) -> None:
        assert (await stream.commit([analysed(1)])).outcomes == ["analysed"]

    await own(redis_url, start, read_all, flush, commit)


@pytest.mark.parametrize("block_ms", [None, 50])
async def test_a_read_is_bounded_by_bytes(
    redis_url: str, client: redis.Redis, block_ms: int | None
) -> None:
    size = READ_BYTES // 3
    for number in range(1, 9):
        client.xadd(FRAMES, {"frame": bytes(size)}, f"{number}-0")

    async def read(stream: CameraStream) -> None:
        assert [d.frame_id for d in await stream.read(block_ms)] == ["1-0", "2-0", "3-0"]

    await own(redis_url, start, read)


def test_the_largest_reply_is_within_the_limits_of_the_shipped_configuration() -> None:
    conf = (Path(__file__).parents[3] / "deploy/valkey/valkey.conf").read_text()
    found = re.search(r"^client-output-buffer-limit normal (\d+)mb (\d+)mb", conf, re.MULTILINE)
    assert found
    largest_mb = max(2 * MAX_FRAME_BYTES, READ_BYTES + MAX_FRAME_BYTES) / 2**20 + 1
    assert largest_mb < int(found[2]) <= int(found[1])


async def test_a_claim_is_bounded_by_bytes_and_says_that_there_is_more(
    redis_url: str, client: redis.Redis
) -> None:
    for number in range(1, 6):
        client.xadd(FRAMES, {"frame": bytes(READ_BYTES // 2)}, f"{number}-0")

    async def read_each(stream: CameraStream) -> None:
        for _ in range(3):
            await stream.read()

    async def claim(stream: CameraStream) -> None:
        claimed = await sweep(stream, ())
        assert ([d.frame_id for d in claimed.frames], claimed.complete) == (
            ["1-0", "2-0"], False,
        )  # fmt: skip
        claimed = await sweep(stream, ["1-0", "2-0", "3-0"])
        assert ([d.frame_id for d in claimed.frames], claimed.complete) == (
            ["4-0", "5-0"], True,
        )  # fmt: skip

    await own(redis_url, start, read_each, claim)


async def test_entries_larger_than_any_frame_are_looked_at_one_at_a_time(
    redis_url: str, client: redis.Redis
) -> None:
    """A script copies all that it looks at, while the server does nothing else."""
    for number in range(1, 4):
        client.xadd(FRAMES, {"a": bytes(MAX_FRAME_BYTES), "b": bytes(2_000)}, f"{number}-0")

    async def read(stream: CameraStream) -> None:
        for number in range(1, 4):
            assert [queued.frame_id for queued in await stream.read()] == [f"{number}-0"]
        claimed = await sweep(stream, ())
        assert ([queued.frame_id for queued in claimed.frames], claimed.complete) == (
            ["1-0"], False,
        )  # fmt: skip

    await own(redis_url, start, read)


async def test_an_entry_larger_than_any_frame_is_delivered_without_its_content(
    redis_url: str, client: redis.Redis
) -> None:
    client.xadd(FRAMES, {"frame": bytes(MAX_FRAME_BYTES), "more": bytes(2_000)}, "1-0")
    size = MAX_FRAME_BYTES + 2_000 + len("framemore")

    async def read(stream: CameraStream) -> None:
        (queued,) = await stream.read()
        assert (queued.frame_id, queued.size, queued.frame) == ("1-0", size, None)
        assert "the limit is" in queued.error
        assert (await sweep(stream, ())).frames == [queued]

    await own(redis_url, start, read)


@pytest.mark.parametrize("key", [FRAMES, keys.emotions(CAMERA), keys.dead(CAMERA)])
async def test_a_key_that_holds_something_else_is_reset_by_the_cameras_owner(
    redis_url: str, client: redis.Redis, key: str
) -> None:
    store(client, 1)

    async def commit_one(stream: CameraStream) -> None:
        await stream.read()
        await stream.commit([analysed(1)])

    async def spoil(stream: CameraStream) -> None:
        client.delete(key)
        client.set(key, "of a foreign type")

    async def claim(stream: CameraStream) -> None:
        assert await stream.maintain() == 1
        assert await stream.maintain() == 0
        store(client, 2)
        await stream.read()
        assert (await stream.commit([analysed(2)])).outcomes == ["analysed"]

    ledger = await own(redis_url, start, commit_one, spoil, claim)
    assert (ledger.added, ledger.analysed, ledger.trimmed) == (2, 2, 0)


@pytest.mark.parametrize("value", ["many", "-1", "1.5", "9" * 5_000])
async def test_a_ledger_of_nonsense_is_an_account_that_does_not_balance(
    redis_url: str, client: redis.Redis, value: str
) -> None:
    store(client, 1)
    client.hset(keys.ledger(CAMERA), "expired", value)

    async def commit(stream: CameraStream) -> None:
        assert (await stream.commit([Completion("1-0", Outcome.EXPIRED)])).outcomes == ["expired"]

    ledger = await own(redis_url, start, read_all, commit)
    assert ledger.pending == 0


async def test_a_ledger_that_is_not_a_hash_is_reset(redis_url: str, client: redis.Redis) -> None:
    client.set(keys.ledger(CAMERA), "of a foreign type")

    async def read_account(stream: CameraStream) -> None:
        async with connect_async(redis_url) as connection:
            assert (await read_ledger(connection, CAMERA)).analysed == 0

    await own(redis_url, read_account, start)
    assert not client.exists(keys.ledger(CAMERA))


@pytest.mark.parametrize(
    "fields", [{"epoch": "first"}, {"epoch": "1e300"}, {"expires_ms": "soon", "owner": "x"}]
)
async def test_a_lease_of_nonsense_can_be_acquired(
    redis_url: str, client: redis.Redis, fields: dict[Any, Any]
) -> None:
    client.hset(keys.lease(CAMERA), mapping=fields)
    store(client, 1)

    async def commit(stream: CameraStream) -> None:
        assert (await stream.commit([analysed(1)])).outcomes == ["analysed"]

    await own(redis_url, start, read_all, commit)


async def test_a_lease_that_is_not_a_hash_is_acquired_again_and_its_former_owner_fenced(
    redis_url: str, client: redis.Redis
) -> None:
    async def spoil(stream: CameraStream) -> None:
        client.set(keys.lease(CAMERA), "of a foreign type")
        with pytest.raises(FencedError):
            await sweep(stream, ())

    await own(redis_url, start, spoil, owner="first")
    await own(redis_url, start, owner="second")
    assert client.hget(keys.lease(CAMERA), "owner") == b"second"


async def test_a_stream_that_the_largest_id_blocks_is_reset_and_its_account_goes_on(
    redis_url: str, client: redis.Redis
) -> None:
    store(client, 1)
    largest = f"{2**64 - 1}-{2**64 - 1}"
    client.xadd(FRAMES, {"frame": "x"}, largest)

    async def work(stream: CameraStream) -> None:
        with pytest.raises(ResponseError):
            store(client, 2)
        await stream.read()
        assert await stream.maintain() == 0  # not while frames are there
        endings = [analysed(1), Completion(largest, Outcome.ANALYSED, b"event", 5)]
        assert (await stream.commit(endings)).outcomes == ["analysed", "dead"]
        assert await stream.maintain() == 1
        store(client, 2)
        await stream.read()
        assert (await stream.commit([analysed(2)])).outcomes == ["analysed"]

    ledger = await own(redis_url, start, work)
    assert (ledger.added, ledger.analysed, ledger.dead, ledger.trimmed) == (3, 2, 1, 0)
    assert ledger.balanced
    letters: Any = client.xrange(keys.dead(CAMERA))
    assert b"ahead of the time of Redis" in letters[0][1][b"reason"]


async def crash_with_trimmed_frame(url: str, client: redis.Redis, number: int) -> int:
    """A worker reads a frame, starts it as the camera's strikes ask for, and crashes; the frame is
    trimmed. Returns the strikes that it knew of."""
    store(client, number)
    strikes = []

    async def crash(stream: CameraStream) -> None:
        claimed = await sweep(stream, ())
        strikes.append(claimed.strikes)
        await stream.read()
        if claimed.strikes:
            await stream.begin(f"{number}-0", 1 + claimed.strikes)

    await own(url, crash, owner=f"worker {number}")
    client.hset(keys.lease(CAMERA), "expires_ms", 1)
    client.xtrim(FRAMES, 0)
    return strikes[0]


async def test_deliveries_are_counted_across_trimming_until_the_camera_is_set_aside(
    redis_url: str, client: redis.Redis
) -> None:
    assert [await crash_with_trimmed_frame(redis_url, client, n) for n in (1, 2, 3)] == [0, 1, 2]

    async def claim(stream: CameraStream) -> None:
        assert (await sweep(stream, ())).strikes == 3
        client.hincrby(keys.lease(CAMERA), "struck_ms", -61_000)
        assert (await sweep(stream, ())).strikes == 2  # one more try

    ledger = await own(redis_url, claim, owner="worker 4")
    assert (ledger.lost, ledger.dead, ledger.balanced) == (2, 1, True)
    client.hset(keys.lease(CAMERA), "expires_ms", 1)
    await crash_with_trimmed_frame(redis_url, client, 5)

    async def claim_later(stream: CameraStream) -> None:
        for strikes in (3, 2):  # after two minutes, twice as long as before
            client.hincrby(keys.lease(CAMERA), "struck_ms", -61_000)
            assert (await sweep(stream, ())).strikes == strikes

    await own(redis_url, start, claim_later, owner="worker 6")


async def test_a_frame_that_completes_clears_its_cameras_strikes(
    redis_url: str, client: redis.Redis
) -> None:
    for number in (1, 2):
        await crash_with_trimmed_frame(redis_url, client, number)
    store(client, 3)

    async def succeed(stream: CameraStream) -> None:
        assert (await sweep(stream, ())).strikes == 2
        await stream.read()
        await stream.begin("3-0", 3)
        await stream.commit([analysed(3)])
        assert (await sweep(stream, ())).strikes == 0

    await own(redis_url, succeed)


async def test_frames_that_were_read_but_not_started_add_no_strike_to_those_before(
    redis_url: str, client: redis.Redis
) -> None:
    await crash_with_trimmed_frame(redis_url, client, 1)
    store(client, 2)

    async def read_only(stream: CameraStream) -> None:
        assert (await sweep(stream, ())).strikes == 1
        await stream.read()

    await own(redis_url, read_only, owner="other")
    client.hset(keys.lease(CAMERA), "expires_ms", 1)
    client.xtrim(FRAMES, 0)

    async def claim(stream: CameraStream) -> None:
        assert (await sweep(stream, ())).strikes == 1

    await own(redis_url, claim, owner="third")
