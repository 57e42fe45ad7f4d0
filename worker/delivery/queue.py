"""A camera's frames that are read but not started: which is next, and which end early."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from emotion_streams.frames import MAX_AHEAD_MS, Frame
from emotion_streams.ledger import Outcome
from worker.delivery.skew import ClockSkew
from worker.delivery.stream import MAX_DELIVERIES
from worker.delivery.types import Completion, QueuedFrame

_SMOOTHING: Final = 1 / 16
"""Weight of the latest frame in the service time."""

_MAX_REASON_BYTES: Final = 500
"""Longest reason of a dead letter, in bytes."""


@dataclass
class ServiceTime:
    """Time from a frame's start to its event: a moving average, in milliseconds."""

    ms: float = 0.0

    def observe(self, took_ms: float) -> None:
        """Add the time that a frame took."""
        self.ms += _SMOOTHING * (took_ms - self.ms)


class FrameQueue:
    """Frames of one camera, oldest first.

    `now_ms` is the clock of Redis. `strikes` has the meaning that it has in Claimed.

    A frame is stale if, at the recent service time, its event would exceed `max_age_ms`. The
    allowance is at least half of `max_age_ms`, so that a camera whose limit cannot be met still
    receives events.
    """

    def __init__(self, now_ms: Callable[[], float]) -> None:
        self.strikes = 0
        self.skew = ClockSkew()
        self.service_time = ServiceTime()
        self._now_ms = now_ms
        self._frames: deque[QueuedFrame] = deque()

    def __len__(self) -> int:
        return len(self._frames)

    @property
    def is_behind(self) -> bool:
        """Whether a frame is stale."""
        return any(map(self._is_stale, self._frames))

    def add(self, frames: Sequence[QueuedFrame], *, just_stored: bool) -> None:
        """Add the frames of a read or a claim.

        `just_stored`: the newest of them was stored since the last read, so that its age shows
        whether the producer's clock is wrong.
        """
        self._frames.extend(frames)
        if just_stored:
            self.skew.observe([each.frame for each in frames if each.frame], self._now_ms())

    def pop_next(self) -> tuple[list[Completion], QueuedFrame | None]:
        """Return the next frame to analyse, if any, and how the frames before it end.

        A camera that is behind continues with its newest valid frame. Frames without `max_age_ms`
        never expire.
        """
        completions: list[Completion] = []
        is_behind = self.is_behind
        while self._frames:
            queued = self._frames.popleft()
            completion = self._complete_early(queued, is_behind)
            if not completion:
                return completions, queued
            completions.append(completion)
        return completions, None

    def attempt(self, queued: QueuedFrame) -> int:
        """Return which attempt at this frame comes next, 1 for the first.

        Each of the camera's `strikes` counts as an attempt: a frame of this camera crashed a worker
        and was trimmed.
        """
        return max(queued.deliveries, 1 + self.strikes)

    def _complete_early(self, queued: QueuedFrame, is_behind: bool) -> Completion | None:
        """Return how a frame ends that is not analysed; None if it is to be analysed."""
        if queued.frame is None:
            return dead(queued, queued.error)
        if self._is_ahead(queued.frame):
            return dead(queued, "its capture time is too far ahead of the time of Redis")
        if queued.deliveries > MAX_DELIVERIES:
            return dead(queued, f"delivered {queued.deliveries - 1} times, never completed")
        if self.strikes >= MAX_DELIVERIES:
            return dead(queued, f"camera set aside: its frames crashed {self.strikes} workers")
        may_expire = queued.frame.max_age_ms is not None
        if self._is_stale(queued) or (is_behind and may_expire and self._has_valid_frame()):
            return Completion(queued.frame_id, Outcome.EXPIRED)
        return None

    def _is_ahead(self, frame: Frame) -> bool:
        """Return whether a capture time is so late that its minute would block all later ones."""
        return frame.captured_ms > self._now_ms() + MAX_AHEAD_MS

    def _has_valid_frame(self) -> bool:
        """Return whether a queued frame can be analysed instead of the frames before it."""
        return any(each.frame and self.attempt(each) <= MAX_DELIVERIES for each in self._frames)

    def _is_stale(self, queued: QueuedFrame) -> bool:
        frame = queued.frame
        if frame is None or frame.max_age_ms is None:
            return False
        limit_ms = max(frame.max_age_ms - self.service_time.ms, frame.max_age_ms / 2)
        return self._now_ms() - frame.captured_ms > limit_ms


def dead(queued: QueuedFrame, reason: str) -> Completion:
    """Return the completion of a frame that cannot be analysed."""
    text = reason.encode(errors="replace")[:_MAX_REASON_BYTES]
    return Completion(queued.frame_id, Outcome.DEAD, text, queued.size)
