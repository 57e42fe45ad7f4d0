"""One try with a number of cameras: what was measured, and what held more cameras back."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

MAX_EXPIRED: Final = 0.01
"""Largest share of frames without an event."""

_MAX_PILED_UP: Final = 0.01
"""Largest share of the stored frames by which the backlog may grow during a try. In the seconds of
a try a growing backlog delays few events beyond the limit; in an hour it delays all of them."""

_LEAST_STORED: Final = 0.98
"""Smallest share of the due frames that the load generator has to store."""

OWNED_WITHIN_S: Final = 15.0
"""Limit of the time until every camera has an owner. An overloaded worker may not manage it."""

_FULL: Final = 0.9
"""From this share on, a part counts as fully busy."""


@dataclass(frozen=True)
class Usage:
    """How busy the parts were during a try.

    `machine`: busy share of all cores. `worker_cores`, `server_cores`, `other_cores`: cores that
    the workers, the server, and the processes that are not ours used. `loop`: share of a core that
    the main thread of the busiest worker used; it runs the event loop. `threads`, `engine`,
    `detector`: busy shares of the threads, the engine and a detector that takes batches (on a GPU,
    otherwise 0), each of the worker that used it most.
    """

    machine: float
    worker_cores: float
    server_cores: float
    other_cores: float
    loop: float
    threads: float
    engine: float
    detector: float


@dataclass(frozen=True)
class Try:
    """The measurement of one number of cameras.

    `owned`: whether each camera had an owner in time. `stored`, `ended`: frames that were stored,
    and frames that ended, in the `seconds` that were measured. `frames_per_s`: frames that ended.
    `p50_ms`, `p99_ms`: from capture to event, None without an event. `expired_share`: share of the
    frames that ended without an event: expired, superseded, trimmed, dead or lost. `stored_share`:
    share of the due frames that the load generator stored.
    `faces_found`: faces per event. `reused_share`: share of the faces with the probabilities of an
    earlier frame. `limit_ms`: the limit of `p99_ms`.
    """

    cameras: int
    owned: bool
    limit_ms: float
    seconds: float
    stored: int
    ended: int
    frames_per_s: float
    p50_ms: float | None
    p99_ms: float | None
    expired_share: float
    stored_share: float
    faces_found: float | None
    reused_share: float | None
    usage: Usage

    @property
    def keeps_up(self) -> bool:
        """Whether no more frames pile up than one that happens to be in flight at the end."""
        return self.stored - self.ended <= 1 + _MAX_PILED_UP * self.stored

    @property
    def held(self) -> bool:
        """Whether the machine holds so many cameras."""
        return (
            self.owned
            and self.p99_ms is not None
            and self.p99_ms <= self.limit_ms
            and self.expired_share <= MAX_EXPIRED
            and self.stored_share >= _LEAST_STORED
            and self.keeps_up
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as `--json` prints them."""
        return {**vars(self), "held": self.held, "usage": vars(self.usage)}


def limiting(over: Try) -> str:
    """Return what kept the machine from holding the cameras of the try `over`."""
    usage = over.usage
    if usage.server_cores >= _FULL:
        return f"the server, which uses one core ({usage.server_cores:.0%} busy)"
    busy_parts = {"engine": usage.engine, "threads": usage.threads}
    if usage.detector:
        busy_parts["detector"] = usage.detector
    parts = ", ".join(f"{name} {share:.0%}" for name, share in busy_parts.items()) + " busy"
    if usage.machine >= _FULL:
        return f"the cores ({parts})"
    if over.stored_share < _LEAST_STORED:
        return "the load generator of this command: the machine may hold more"
    if usage.loop >= _FULL:
        return f"the event loop of a worker ({usage.loop:.0%} of a core; {parts})"
    name = max(busy_parts, key=lambda part: busy_parts[part])
    if busy_parts[name] >= _FULL:
        return f"the {name} of a worker ({parts})"
    if not over.owned:
        return f"the workers: after {OWNED_WITHIN_S:g} s some cameras had no owner ({parts})"
    if not over.keeps_up:
        return f"more frames than end, although no part is fully busy ({parts})"
    return f"the time that a frame takes: no part is fully busy ({parts})"


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that is at least as large as that share of all values."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)] if values else None
