"""One verdict per camera, from its reported state, owner, backlog and newest event."""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from emotion_streams import CameraState, CameraStatus
from emotion_streams.cameras import RATE_WINDOW_S

_MIN_SILENCE_S: Final = 2.0
_PERIODS: Final = 4
"""An event or a frame is missing after this many periods, at least _MIN_SILENCE_S."""
_MAX_PERIOD_S: Final = 60.0
_UNOWNED_S: Final = 1.0
"""A camera moves to another worker within this time."""
_SLOW_S: Final = 5.0
_SLOW_SHARE: Final = 0.5
"""A camera falls behind if less than this share of its stored frames becomes events for _SLOW_S."""
_UNANSWERED_S: Final = RATE_WINDOW_S + _SLOW_S
"""So does one of any rate if frames are stored for this long without an event. A frame counts in
its rate for RATE_WINDOW_S after its event."""


class Verdict(StrEnum):
    """State of a camera as a viewer sees it."""

    LIVE = "live"
    NOT_ANALYSED = "not analysed"
    BEHIND = "falling behind"
    DOWN = "down"
    ENDED = "ended"


@dataclass(frozen=True)
class Judgement:
    """A verdict and its reason, empty if there is nothing to add.

    `stale`: the newest event is older than a few periods, so a picture shown with it is not
    current. `event_age_ms`: time since the newest event, None if there was none since the start.
    `analysed_fps`: events per second, over RATE_WINDOW_S as the status' `fps`.
    """

    verdict: Verdict
    reason: str
    stale: bool
    event_age_ms: int | None
    analysed_fps: float

    def to_dict(self) -> dict[str, Any]:
        """Return the judgement as the API shows it."""
        return {**vars(self), "verdict": self.verdict.value}


class CameraHealth:
    """What was observed of a camera over time.

    Times are seconds of one monotonic clock: the producer's own clock, which may be wrong, is not
    compared with any other.
    """

    def __init__(self, now: float) -> None:
        self._known_since = now
        self._event_at: float | None = None
        self._arrivals: deque[float] = deque()
        self._last_frame_ms: int | None = None
        self._captured_at = now
        self._owned_at = now
        self._period_s = 1.0
        self._slow_since: float | None = None
        self._unanswered_since: float | None = None
        self._judged_event_at: float | None = None

    def on_event(self, now: float) -> None:
        """Record an event of the camera."""
        self._event_at = now
        self._arrivals.append(now)
        self._forget_arrivals(now)

    def update(self, status: CameraStatus, now: float) -> Judgement:
        """Observe the camera's status as it is now, and judge."""
        if status.last_frame_ms != self._last_frame_ms:
            self._last_frame_ms, self._captured_at = status.last_frame_ms, now
        if status.owner is not None:
            self._owned_at = now
        event_at = self._event_at
        self._estimate_period(status.fps)
        self._note_unanswered(status.fps, now)
        self._judged_event_at = event_at
        self._forget_arrivals(now)
        stale = now - (event_at or self._known_since) > self._timeout_s()
        rate = self._rate(now)
        verdict, reason = self._judge(status, now, rate, stale)
        age_ms = None if event_at is None else round(1000 * (now - event_at))
        return Judgement(verdict, reason, stale, age_ms, round(rate, 2))

    def _judge(
        self, status: CameraStatus, now: float, rate: float, stale: bool
    ) -> tuple[Verdict, str]:
        if status.state is CameraState.DOWN:
            return Verdict.DOWN, status.error or "no picture from the camera"
        if status.state is CameraState.GONE:
            # Its last error is old. If there never was a frame, the error says why.
            error = "" if status.last_frame_ms else status.error
            return Verdict.DOWN, error or "no heartbeat from the producer"
        if status.state is CameraState.ENDED:
            return Verdict.ENDED, "the file was played to its end"
        if now - self._owned_at > _UNOWNED_S:
            return Verdict.NOT_ANALYSED, "no worker analyses this camera"
        slow = self._is_slow(status, rate, now)
        if stale:
            if status.backlog:
                return Verdict.BEHIND, "frames are waiting, but no events arrive"
            if now - self._captured_at > self._timeout_s():
                return Verdict.DOWN, "no new picture from the camera"
            if slow or self._is_unanswered(now):
                return Verdict.BEHIND, "frames are stored, but no events arrive"
            return Verdict.LIVE, "no new frames to analyse"
        if slow:
            return Verdict.BEHIND, f"{rate:.1f} of {status.fps:.1f} frames/s are analysed"
        return Verdict.LIVE, ""

    def _has_new_event(self) -> bool:
        return self._event_at != self._judged_event_at

    def _estimate_period(self, fps: float) -> None:
        """Adopt a longer period only with an event: without frames the rate falls by itself."""
        if fps <= 0:
            return
        period_s = min(1 / fps, _MAX_PERIOD_S)
        if period_s < self._period_s or self._event_at is None or self._has_new_event():
            self._period_s = period_s

    def _note_unanswered(self, fps: float, now: float) -> None:
        if fps <= 0 or self._has_new_event():
            self._unanswered_since = None
        elif self._unanswered_since is None:
            self._unanswered_since = now

    def _is_unanswered(self, now: float) -> bool:
        since = self._unanswered_since
        return since is not None and now - since > _UNANSWERED_S

    def _timeout_s(self) -> float:
        return max(_MIN_SILENCE_S, _PERIODS * self._period_s)

    def _rate(self, now: float) -> float:
        return len(self._arrivals) / max(1.0, min(RATE_WINDOW_S, now - self._known_since))

    def _is_slow(self, status: CameraStatus, rate: float, now: float) -> bool:
        if status.fps < 1 or rate >= _SLOW_SHARE * status.fps:
            self._slow_since = None
            return False
        self._slow_since = now if self._slow_since is None else self._slow_since
        return now - self._slow_since > _SLOW_S

    def _forget_arrivals(self, now: float) -> None:
        while self._arrivals and self._arrivals[0] < now - RATE_WINDOW_S:
            self._arrivals.popleft()
