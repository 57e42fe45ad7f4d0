"""Messages between a supervisor and a camera's process, one per line."""

import json
from dataclasses import asdict, dataclass, field
from typing import Final, NamedTuple

from emotion_streams.cameras import CameraState
from producer.settings import CameraSettings

EXIT_NO_SUCH_SOURCE: Final = 66
"""Exit code of a camera's process if its source does not exist (EX_NOINPUT of sysexits.h)."""

EXIT_CRASHED: Final = 70
"""Exit code of a camera's process after an unexpected error, which is logged (EX_SOFTWARE)."""


class CameraSpec(NamedTuple):
    """What the supervisor sends to a camera's process.

    `wait_for_source`: retry a source that does not exist, instead of exiting. `secrets`: texts
    that must not appear in the logs of the process.
    """

    camera: str
    redis_url: str
    log_level: str
    wait_for_source: bool
    settings: CameraSettings
    secrets: list[str]
    log_format: str = "auto"

    def to_line(self) -> str:
        """As JSON, with the newline."""
        return json.dumps({**self._asdict(), "settings": self.settings.model_dump()}) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "CameraSpec":
        """Parse the output of `to_line`."""
        values = json.loads(line)
        return cls(**{**values, "settings": CameraSettings(**values["settings"])})


@dataclass
class Counts:
    """Counters of a camera's process since its start.

    They count frames unless their name says otherwise. Each counter is written by one thread. Each
    captured frame is counted in exactly one of the other counters, or is in flight:
    `captured = published + skipped + dropped + undecodable + in_flight`. `in_flight` is at most
    three: one frame with the capture thread, one in the mailbox, one with the publisher.
    """

    captured: int = 0
    published: int = 0
    published_bytes: int = 0
    rate_skipped: int = 0
    motion_skipped: int = 0
    dropped_stale: int = 0
    dropped_newer: int = 0
    dropped_full: int = 0
    dropped_refused: int = 0
    undecodable: int = 0
    reconnects: int = 0
    redis_errors: int = 0

    @property
    def skipped(self) -> int:
        """Frames skipped on purpose."""
        return self.rate_skipped + self.motion_skipped

    @property
    def lost(self) -> int:
        """Captured frames that were lost, not skipped on purpose."""
        return (
            self.dropped_stale
            + self.dropped_newer
            + self.dropped_full
            + self.dropped_refused
            + self.undecodable
        )

    @property
    def in_flight(self) -> int:
        """Captured frames in flight."""
        # The threads keep counting while the sum is taken, so it can be negative.
        return max(0, self.captured - self.published - self.skipped - self.lost)


@dataclass(frozen=True)
class Report:
    """Report of a camera's process, sent as one line.

    `last_frame_ms`: Unix time of the newest frame in milliseconds by Redis' clock, 0 before the
    first frame and before Redis was reached. `last_frame_age_s`: its age when the report was made,
    None before the first. `overdue_s`: for how long a call into the source has exceeded its time
    limit; the process cannot recover from that by itself. `redis_error`: why Redis does not store
    frames, or empty.
    """

    state: CameraState = CameraState.DOWN
    error: str = ""
    width: int = 0
    height: int = 0
    codec: str = ""
    last_frame_ms: int = 0
    last_frame_age_s: float | None = None
    overdue_s: float = 0.0
    redis_error: str = ""
    stable: bool = False
    counts: Counts = field(default_factory=Counts)

    def to_line(self) -> str:
        """As JSON, with the newline."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str | bytes) -> "Report":
        """Parse the output of `to_line`. Raises ValueError for any other text."""
        try:
            values = json.loads(line)
            values["state"] = CameraState(values["state"])
            values["counts"] = Counts(**values["counts"])
            return cls(**values)
        except (TypeError, KeyError) as error:
            raise ValueError("not a report") from error
