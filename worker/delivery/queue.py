"""A camera's frames that were read and not yet begun: which comes next, and which end early."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from emotion_streams.frames import MAX_FRAME_BYTES, Frame
from emotion_streams.ledger import Outcome
from emotion_streams.wire import MalformedMessage
from worker.delivery.skew import ClockSkew
from worker.delivery.stream import MAX_DELIVERIES, Delivery, Ending

_PACE_FOLLOWS: Final = 1 / 16
"""How much of the difference to the latest frame the pace takes over."""

_LONGEST_REASON: Final = 500
"""Bytes of a dead letter's reason."""


@dataclass
class Pace:
    """How long a frame takes from its beginning to its event: a moving average, milliseconds."""

    ms: float = 0.0

    def saw(self, took_ms: float) -> None:
        """One more frame is done."""
        self.ms += _PACE_FOLLOWS * (took_ms - self.ms)


@dataclass(frozen=True)
class Arrival:
    """A delivery, opened: its frame, or what is wrong with it; `size` is what it had in bytes.

    Without the bytes themselves: the frame holds its picture, and frames may wait for long.
    """

    frame_id: str
    deliveries: int
    size: int
    frame: Frame | None
    fault: str = ""


class Waiting:
    """Arrivals, oldest first. `now_ms` is the clock of Redis, `strikes` as in Claimed.

    A frame is stale that would be older than its `max_age_ms` by the time its event is out, at the
    `pace` of late; but half of `max_age_ms` is always left, so that a camera with a limit that
    this worker cannot keep gets late events rather than none.
    """

    def __init__(self, now_ms: Callable[[], float]) -> None:
        self.strikes = 0
        self.skew = ClockSkew()
        self.pace = Pace()
        self._now_ms = now_ms
        self._arrivals: deque[Arrival] = deque()

    def __len__(self) -> int:
        return len(self._arrivals)

    @property
    def behind(self) -> bool:
        """Whether a frame is too old by now."""
        return any(map(self._is_stale, self._arrivals))

    def add(self, arrivals: Sequence[Arrival], *, just_stored: bool) -> None:
        """Add what a read or a claim brought. `just_stored`: the newest of them was stored since
        the last time, so that it tells of the producer's clock."""
        self._arrivals.extend(arrivals)
        if just_stored:
            self.skew.saw([a.frame for a in arrivals if a.frame], self._now_ms())

    def next_worth_it(self) -> tuple[list[Ending], Arrival | None]:
        """The next frame to analyse, if there is one, and how those before it end: a camera that
        fell behind goes on with its newest frame, unless every frame counts."""
        ended: list[Ending] = []
        behind = self.behind
        while self._arrivals:
            arrival = self._arrivals.popleft()
            ending = self._early_end(arrival, behind)
            if not ending:
                return ended, arrival
            ended.append(ending)
        return ended, None

    def _early_end(self, arrival: Arrival, behind: bool) -> Ending | None:
        """How a frame ends that is not worth analysing; None for one that is."""
        if arrival.frame is None:
            return dead(arrival, arrival.fault)
        if arrival.deliveries > MAX_DELIVERIES:
            return dead(arrival, f"delivered {arrival.deliveries - 1} times, never completed")
        if self.strikes >= MAX_DELIVERIES:
            return dead(arrival, f"camera set aside: its frames crashed {self.strikes} workers")
        may_expire = arrival.frame.max_age_ms is not None
        if self._is_stale(arrival) or (behind and may_expire and self._has_a_sound_one()):
            return Ending(arrival.frame_id, Outcome.EXPIRED)
        return None

    def _has_a_sound_one(self) -> bool:
        """Whether a frame waits that can be analysed instead of those before it."""
        return any(a.frame and self.attempt(a) <= MAX_DELIVERIES for a in self._arrivals)

    def attempt(self, arrival: Arrival) -> int:
        """Which attempt at this frame comes next, 1 for the first. A camera whose frames crashed
        workers and were trimmed starts each with the attempts of those, its `strikes`."""
        return max(arrival.deliveries, 1 + self.strikes)

    def _is_stale(self, arrival: Arrival) -> bool:
        frame = arrival.frame
        if frame is None or frame.max_age_ms is None:
            return False
        limit_ms = max(frame.max_age_ms - self.pace.ms, frame.max_age_ms / 2)
        return self.skew.age_ms(frame, self._now_ms()) > limit_ms


def open_delivery(delivery: Delivery) -> Arrival:
    """Parse a delivery's frame."""
    frame, fault = None, "no field `frame`"
    if delivery.blob is not None:
        try:
            frame, fault = Frame.unpack(delivery.blob), ""
        except MalformedMessage as error:
            fault = str(error)
    elif delivery.size > MAX_FRAME_BYTES:
        fault = f"{delivery.size} bytes, the limit is {MAX_FRAME_BYTES}"
    return Arrival(delivery.frame_id, delivery.deliveries, delivery.size, frame, fault)


def dead(arrival: Arrival, reason: str) -> Ending:
    """The end of a frame that cannot be analysed."""
    text = reason.encode(errors="replace")[:_LONGEST_REASON]
    return Ending(arrival.frame_id, Outcome.DEAD, text, arrival.size)
