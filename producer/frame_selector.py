"""Which frames of a source are read on, from one opening of the source to the next."""

from enum import Enum, auto

from producer.filters import LateFrameFilter, Pacer, RateLimiter


class Selection(Enum):
    """What becomes of a grabbed frame."""

    SELECTED = auto()
    LATE = auto()
    ABOVE_RATE = auto()


class FrameSelector:
    """Paces a source that is not live, and selects at most `fps` frames a second.

    `fps`: None for no limit. `live`: as in Source. A source that is reopened needs a new one.
    """

    def __init__(self, fps: float | None, *, live: bool) -> None:
        self._live = live
        self._pacer = Pacer()
        self._late_frames = LateFrameFilter()
        self._rate = RateLimiter(fps)

    def wait_s(self, now_s: float, position_s: float | None) -> float:
        """Return how many seconds to wait before the frame is due; 0 if the source sets the pace.

        `position_s` is the frame's own timestamp.
        """
        if self._live or position_s is None:
            return 0.0
        return self._pacer.wait_s(now_s, position_s)

    def select(self, arrived_s: float, position_s: float | None) -> Selection:
        """Return what becomes of a frame that arrived now.

        The rate of a live source is limited by arrival times. The frame's own timestamp, if any,
        shows whether the frame is late.
        """
        if self._live and position_s is not None:
            if not self._late_frames.allows(arrived_s, position_s):
                return Selection.LATE
            position_s = None
        is_due = self._rate.allows(arrived_s if position_s is None else position_s)
        return Selection.SELECTED if is_due else Selection.ABOVE_RATE
