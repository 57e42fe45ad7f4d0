"""The account stays exact in any order of what producers, workers, crashes and pauses do.

A state machine runs the scripts against a real server, beside a model of what must be."""

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import redis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import worker.delivery.stream
import worker.ownership.lease
from emotion_streams import keys
from emotion_streams.camera_report import MAX_REPORT_BYTES
from emotion_streams.frames import MAX_AHEAD_MS
from emotion_streams.ledger import Ledger, Outcome, ledger_script_args, parse_ledger
from tests.servers import RedisProcess
from worker.delivery.stream import MAX_DELIVERIES, READ_BYTES
from worker.redis_scripts import load_script

KEPT: Final = 8
"""Frames that the stream holds at most: few, so that trimming happens often."""

LONG_MS: Final = 3_600_000
WORKERS: Final = st.sampled_from([0, 1, 2, None, None, None])
"""One of the three, or the worker that has the lease, which makes for longer stories."""

OUTCOMES: Final = st.lists(
    st.sampled_from([Outcome.ANALYSED, Outcome.ANALYSED, Outcome.EXPIRED, Outcome.DEAD]),
    min_size=1,
    max_size=6,
)

EXAMPLES: Final = 2 * settings().max_examples
STEPS: Final = 50

FIRST_MS: Final = int(time.time() * 1000)
"""Frames' ids are times; they are young enough for their events to be kept."""

_names = itertools.count()


@dataclass
class Hand:
    """A worker as it sees itself: the lease that it believes to have, the frames it holds, with the
    deliveries of each, and the version of the tracking state that it continues from."""

    owner: str
    epoch: int = 0
    held: dict[str, int] = field(default_factory=dict)
    strikes: int = 0
    version: bytes = b""

    @property
    def given_before(self) -> list[str]:
        return [frame_id for frame_id, deliveries in self.held.items() if deliveries > 1]


@dataclass
class Given:
    """A pending frame: which consumer has it, and how many workers it was given to."""

    consumer: str
    deliveries: int = 1


class Delivery(RuleBasedStateMachine):
    """One camera, three workers. What a paused worker does on waking needs no rule of its own: it
    goes on with what it holds, when others have long taken over."""

    client: redis.Redis

    def __init__(self) -> None:
        super().__init__()
        # Each example has a camera of its own, which is quicker than to empty the server.
        camera = f"cam{next(_names)}"
        self.frames, self.lease = keys.frames(camera), keys.lease(camera)
        self.emotions, self.dead = keys.emotions(camera), keys.dead(camera)
        self.ledger_key, self.camera = keys.ledger(camera), camera
        self.keys = keys.camera_keys(camera)
        self.but_the_lease = [key for key in self.keys if key != self.lease]
        self.episodes_key = keys.episodes(camera)
        self.outlive_it = (self.episodes_key, keys.minutes(camera))
        self.script = {
            name: load_script(self.client, folder, name)
            for folder, names in (
                (worker.ownership.lease.__file__, ("acquire", "renew", "release", "retire")),
                (worker.delivery.stream.__file__, ("maintain", "claim", "begin", "commit")),
            )
            for name in names
        }
        self.hands = [self._new_hand() for _ in range(3)]
        self.number = 0
        self._no_lease()
        self._no_frames()

    def _no_lease(self) -> None:
        self.strikes = 0  # workers in a row that crashed on frames trimmed since
        self.right: tuple[str, int] | None = None  # who may commit: owner and epoch
        self.running = False  # whether that lease has not run out
        self.epoch = 0

    def _no_frames(self) -> None:
        self.group = False
        self.added = 0
        self.stored: list[str] = []  # in the stream, oldest first
        self.unread: set[str] = set()
        self.pending: dict[str, Given] = {}
        self.ended: dict[str, str] = {}
        self.expected: Counter[str] = Counter()
        self.dropped = 0
        self.events: set[str] = set()
        self.version = b""
        self.episodes: list[bytes] = []

    def _new_hand(self) -> Hand:
        return Hand(f"worker{next(_names)}")

    def _hand(self, number: int | None) -> Hand:
        if number is not None:
            return self.hands[number]
        return next(filter(self._may, self.hands), self.hands[0])

    def _may(self, hand: Hand) -> bool:
        return self.right == (hand.owner, hand.epoch)

    def _trim(self, keep: int) -> None:
        gone, self.stored = (
            self.stored[: max(0, len(self.stored) - keep)],
            self.stored[max(0, len(self.stored) - keep) :],
        )
        self.dropped += len(self.unread.intersection(gone))
        self.unread -= set(gone)

    @rule(count=st.integers(1, 4))
    def produce(self, count: int) -> None:
        for _ in range(count):
            self.number += 1
            self.added += 1
            frame_id = f"{FIRST_MS + self.number}-0"
            self.client.xadd(self.frames, {"frame": b"f"}, frame_id, KEPT, approximate=False)
            self.stored.append(frame_id)
            self.unread.add(frame_id)
            self._trim(KEPT)

    @rule(keep=st.integers(2, KEPT))
    def trim(self, keep: int) -> None:
        self.client.xtrim(self.frames, keep, approximate=False)
        self._trim(keep)

    @rule(number=WORKERS)
    def acquire(self, number: int | None) -> None:
        hand = self._hand(number)
        epoch = self.script["acquire"](keys=self.keys, args=[hand.owner, LONG_MS, LONG_MS])
        owner = self.right[0] if self.right else None
        if owner not in (None, hand.owner) and self.running:
            assert epoch == 0
            return
        if owner != hand.owner:
            self.epoch += 1
        assert epoch == self.epoch
        self.right, self.running = (hand.owner, epoch), True
        if hand.epoch != epoch:  # a camera acquired again comes without frames
            hand.epoch, hand.held = epoch, {}
            hand.version = self.version

    @rule()
    def lease_runs_out(self) -> None:
        if self.right:
            self.client.hset(self.lease, "expires_ms", 0)
            self.running = False

    @rule(number=st.integers(0, 2))
    def take_over(self, number: int) -> None:
        """While the owner is paused. It will not know."""
        self.lease_runs_out()
        self.acquire(number)

    @rule(number=WORKERS)
    def renew(self, number: int | None) -> None:
        hand = self._hand(number)
        renewal = [hand.owner, hand.epoch, LONG_MS, MAX_REPORT_BYTES]
        renewed = self.script["renew"](keys=self.keys, args=renewal)
        assert bool(renewed) == self._may(hand)
        self.running = self.running or bool(renewed)

    @rule(number=WORKERS)
    def release(self, number: int | None) -> None:
        hand = self._hand(number)
        released = self.script["release"](keys=self.keys, args=[hand.owner, hand.epoch])
        assert bool(released) == self._may(hand)
        if released:
            self.right, hand.held = None, {}
            hand.epoch = 0

    @rule()
    def everything_is_flushed(self) -> None:
        """No worker knows: those that held a lease go on until they are refused."""
        self.client.delete(self.lease, *self.but_the_lease)
        self._no_lease()
        self._no_frames()

    @rule()
    def the_group_is_destroyed(self) -> None:
        """By another client. Once the owner has created it again, pending frames return."""
        if not self.group:
            return
        self.client.xgroup_destroy(self.frames, keys.GROUP)
        self.group = False
        self.dropped += len(self.pending.keys() - set(self.stored))  # no worker reads these again
        self.unread = set(self.stored)
        self.pending = {}

    @rule(age_ms=st.sampled_from([0, LONG_MS]))
    def retire(self, age_ms: int) -> None:
        """A worker finds the camera silent, be it right or not."""
        gone = self.script["retire"](keys=self.keys, args=[age_ms, MAX_AHEAD_MS, MAX_REPORT_BYTES])
        if gone:
            assert not (self.right and self.running), "of a camera that has an owner"
            assert not self.stored, "with frames that no worker read"
            assert age_ms == 0 or not self.events, "with events that are not past their age"
            assert not self.client.exists(*set(self.but_the_lease) - set(self.outlive_it))
            episodes = self.episodes
            self._no_frames()
            self.episodes = episodes
        elif not (self.right and self.running) and age_ms == 0 and not self.stored:
            self.events &= set(self._events())

    @rule(number=WORKERS)
    def crash(self, number: int | None) -> None:
        """It starts again under another name, and knows nothing."""
        self.hands[self.hands.index(self._hand(number))] = self._new_hand()

    @rule(number=WORKERS, count=st.integers(1, 4), reply_is_lost=st.booleans())
    def deliver(self, number: int | None, count: int, reply_is_lost: bool) -> None:
        hand = self._hand(number)
        if not hand.epoch:
            return
        if not self.group:
            with pytest.raises(redis.ResponseError, match="NOGROUP"):
                self.client.xreadgroup(keys.GROUP, hand.owner, {self.frames: ">"})
            return
        reply: Any = self.client.xreadgroup(keys.GROUP, hand.owner, {self.frames: ">"}, count=count)
        got = [entry_id.decode() for _, entries in reply for entry_id, _ in entries]
        assert got == [frame_id for frame_id in self.stored if frame_id in self.unread][:count]
        self.unread -= set(got)
        self.pending |= {frame_id: Given(hand.owner) for frame_id in got}
        if not reply_is_lost:
            hand.held |= dict.fromkeys(got, 1 + hand.strikes)

    @rule(number=WORKERS, most=st.integers(1, 5), reply_is_lost=st.booleans())
    def claim(self, number: int | None, most: int, reply_is_lost: bool) -> None:
        hand = self._hand(number)
        there = [frame_id for frame_id in self.stored if frame_id in self.pending]
        expected = {
            frame_id: given.deliveries + (given.consumer != hand.owner)
            for frame_id, given in self.pending.items()
            if frame_id in there and frame_id not in hand.held
        }
        resets = self.script["maintain"](
            keys=self.keys, args=[*self._proof(hand), hand.owner, LONG_MS, LONG_MS, MAX_AHEAD_MS]
        )
        with self._losing(claiming=hand):
            reply = self.script["claim"](
                keys=self.keys,
                args=[
                    *self._proof(hand), hand.owner, most, READ_BYTES, READ_BYTES,
                    MAX_DELIVERIES, *hand.held,
                ],
            )  # fmt: skip
        if not self._may(hand):
            assert resets == reply == b"FENCED"
            return
        self.group = True
        strikes, complete, entries = reply
        hand.strikes = strikes
        assert (strikes, resets) == (self.strikes, 0)
        assert bool(complete) == (len(expected) <= most)
        got = {frame_id.decode(): deliveries for frame_id, _, _, deliveries in entries}
        # The oldest that are pending and there, but what it holds already.
        assert list(got.items()) == sorted(expected.items(), key=_order_of_item)[:most]
        if not reply_is_lost:
            hand.held = dict(sorted((hand.held | got).items(), key=_order_of_item))

    @precondition(lambda self: any(hand.given_before for hand in self.hands))
    @rule(number=WORKERS, reply_is_lost=st.booleans())
    def begin(self, number: int | None, reply_is_lost: bool) -> None:
        """The oldest frame that others had. A reply that was lost is asked for again."""
        able = [(hand, hand.given_before) for hand in self.hands if hand.given_before]
        hand, (frame_id, *_) = able[(number or 0) % len(able)]
        deliveries = hand.held[frame_id]
        for _ in range(1 + reply_is_lost):
            with self._losing():
                reply = self.script["begin"](
                    keys=self.keys,
                    args=[*self._proof(hand), hand.owner, frame_id, deliveries],
                )
            assert (reply == b"FENCED") != self._may(hand)
        if self._may(hand) and frame_id in self.pending:
            self.pending[frame_id] = Given(hand.owner, deliveries)

    @contextmanager
    def _losing(self, claiming: Hand | None = None) -> Iterator[None]:
        """Scripts that find trimmed frames pending count each: as dead if a claim finds that it
        crashed three workers, else as lost. The camera keeps the deliveries of those."""
        before = self._counts()
        yield
        gone = self.pending.keys() - self._in_redis()
        assert not gone & set(self.stored)
        for frame_id in gone:
            given = self.pending[frame_id]
            is_dead = claiming and given.deliveries >= MAX_DELIVERIES
            if claiming and given.consumer != claiming.owner:
                self.strikes = max(self.strikes, min(given.deliveries, MAX_DELIVERIES))
            outcome = "dead" if is_dead else "lost"
            self.expected[outcome] += 1
            before[outcome] += 1
            self._end(frame_id, outcome)
        assert self._counts() == before

    def _counts(self) -> dict[str, int]:
        return {
            name: int(self.client.hget(self.ledger_key, name) or 0) for name in ("lost", "dead")
        }

    def _in_redis(self) -> dict[str, Given]:
        """What is pending by its word."""
        if not self.group:
            return {}
        entries: Any = self.client.xpending_range(self.frames, keys.GROUP, "-", "+", 1000)
        return {
            entry["message_id"].decode(): Given(
                entry["consumer"].decode(), entry["times_delivered"]
            )
            for entry in entries
        }

    def _proof(self, hand: Hand) -> list[Any]:
        return [hand.owner, hand.epoch, keys.GROUP]

    def _holder(self, number: int | None) -> Hand:
        holders = [hand for hand in self.hands if hand.held]
        return holders[(number or 0) % len(holders)]

    def _end(self, frame_id: str, outcome: str) -> None:
        assert frame_id not in self.ended, "it ended twice"
        self.ended[frame_id] = outcome
        self.pending.pop(frame_id, None)
        if frame_id in self.stored:
            self.stored.remove(frame_id)

    @precondition(lambda self: any(hand.held for hand in self.hands))
    @rule(
        number=WORKERS,
        outcomes=OUTCOMES,
        reply_is_lost=st.booleans(),
    )
    def commit(self, number: int | None, outcomes: list[Outcome], reply_is_lost: bool) -> None:
        hand = self._holder(number)
        endings = list(zip(hand.held, outcomes, strict=False))
        version = b"%d" % next(_names)
        reply = self._commit(hand, endings, version)
        if not self._may(hand):
            assert reply == b"FENCED"
            hand.held = {}
            return
        reply, tracks_stored = reply
        is_valid = all(
            outcome != Outcome.ANALYSED or said == b"analysed"
            for (_, outcome), said in zip(endings, reply, strict=True)
        )
        assert tracks_stored == (is_valid and hand.version == self.version)
        if tracks_stored:
            self.version = version
            self.episodes.append(version)
        if reply_is_lost:  # the same call again changes nothing
            again = self._commit(hand, endings, version)
            assert again == [[b"repeated"] * len(endings), int(tracks_stored)]
        hand.version = self.version
        for (frame_id, wanted), said in zip(endings, reply, strict=True):
            outcome = said.decode()
            if outcome == "repeated":
                assert frame_id not in self.pending
                continue
            assert outcome == wanted or (wanted == "analysed" and outcome == "superseded")
            if wanted == Outcome.ANALYSED and self.pending[frame_id].deliveries > 1:
                self.strikes = 0
            self.expected[outcome] += 1
            self._end(frame_id, outcome)
            if outcome == Outcome.ANALYSED:
                self.events.add(frame_id)
        if not reply_is_lost:  # otherwise it holds on to them, and ends them once more
            for frame_id, _ in endings:
                del hand.held[frame_id]

    @rule(
        count=st.integers(1, 4),
        outcomes=OUTCOMES,
        read_reply_is_lost=st.booleans(),
        reply_is_lost=st.booleans(),
    )
    def work(
        self, count: int, outcomes: list[Outcome], read_reply_is_lost: bool, reply_is_lost: bool
    ) -> None:
        """The usual course of things, so that it is not the rare one here."""
        if not self.right:
            self.acquire(0)
        self.produce(count)
        if not self.group:
            self.claim(None, 5, reply_is_lost=False)
        self.deliver(None, count, read_reply_is_lost)
        if any(hand.held for hand in self.hands):
            self.commit(None, outcomes, reply_is_lost)

    def _commit(self, hand: Hand, endings: list[tuple[str, Outcome]], version: bytes) -> Any:
        args: list[Any] = [
            *self._proof(hand), 10_000, 1_000, MAX_AHEAD_MS, 10_000, LONG_MS, LONG_MS,
            hand.version, version, b"state", 0, 0, 1, version, 0,
        ]  # fmt: skip
        for frame_id, outcome in endings:
            moves_tracks = int(outcome is Outcome.ANALYSED)
            args += (frame_id, outcome.value, b"payload", 1, moves_tracks)
        return self.script["commit"](keys=self.keys, args=args)

    @invariant()
    def the_account_is_exact(self) -> None:
        ledger = self._ledger()
        assert ledger.balanced
        assert ledger.trimmed == self.dropped
        assert ledger.added == self.added
        assert ledger.pending == len(self.pending)
        assert self._in_redis() == self.pending
        assert ledger.queued == len(self.unread)
        assert all(getattr(ledger, name) == self.expected[name] for name in map(str, Outcome))

    def _ledger(self) -> Ledger:
        return parse_ledger(self.camera, self.client.eval_ro(*ledger_script_args(self.camera)))

    @invariant()
    def events_are_in_order_and_one_per_frame(self) -> None:
        ids = self._events()
        assert ids == sorted(set(ids), key=_order)
        assert set(ids) == self.events

    @invariant()
    def each_step_of_the_tracks_is_stored_once_with_its_records(self) -> None:
        assert (self.client.hget(self.keys[6], "version") or b"") == self.version
        entries: Any = self.client.xrange(self.episodes_key)
        assert [fields[b"episode"] for _, fields in entries] == self.episodes

    def _events(self) -> list[str]:
        entries: Any = self.client.xrange(self.emotions)
        return [entry_id.decode() for entry_id, _ in entries]

    def teardown(self) -> None:
        """A worker takes over and finishes: nothing is left, and everything has ended once."""
        self.lease_runs_out()
        self.hands[0] = self._new_hand()
        self.acquire(0)
        self.claim(0, 1000, reply_is_lost=False)
        self.deliver(0, count=1000, reply_is_lost=False)
        if self.hands[0].held:
            self.commit(0, [Outcome.ANALYSED] * len(self.hands[0].held), reply_is_lost=False)
        self.the_account_is_exact()
        ledger = self._ledger()
        assert (ledger.pending, ledger.queued) == (0, 0)
        assert len(self.ended) + self.dropped == self.added
        self.client.delete(self.lease, *self.but_the_lease)


def _order(frame_id: str) -> int:
    return int(frame_id.partition("-")[0])


def _order_of_item(item: tuple[str, int]) -> int:
    return _order(item[0])


@pytest.fixture
def machine(redis_server: RedisProcess) -> Iterator[type[Delivery]]:
    with redis.Redis(unix_socket_path=str(redis_server.socket)) as client:
        Delivery.client = client
        yield Delivery


@pytest.mark.timeout(1800)
def test_any_order_of_events_keeps_the_account_exact(machine: type[Delivery]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
