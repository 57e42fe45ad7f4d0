"""What a supervisor and a camera's process tell each other, a line at a time."""

import json
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from producer.camera_settings import CameraSettings

EXIT_NO_SUCH_SOURCE: Final = 66
"""Exit code of a camera's process whose source does not exist (EX_NOINPUT of sysexits.h)."""

EXIT_FALLEN: Final = 70
"""Exit code of one that met an error that nobody foresaw (EX_SOFTWARE); the log has it."""


class Order(NamedTuple):
    """What the supervisor tells a camera's process. `patient`: wait for a source that does not
    exist, rather than give up. `secrets`: what must not stand in its logs."""

    camera: str
    redis_url: str
    log_level: str
    patient: bool
    settings: CameraSettings
    secrets: list[str]
    log_format: str = "auto"

    def to_line(self) -> str:
        """As JSON, with the newline."""
        return json.dumps({**self._asdict(), "settings": self.settings.model_dump()}) + "\n"

    @classmethod
    def from_line(cls, line: str) -> "Order":
        """Parse what `to_line` made."""
        values = json.loads(line)
        return cls(**{**values, "settings": CameraSettings(**values["settings"])})


class State(StrEnum):
    """Of a camera; values as in the registry."""

    UP = "up"
    DOWN = "down"
    ENDED = "ended"


@dataclass
class Counts:
    """What a camera's process counted since it started, in frames unless said. Each is written by
    one thread. All that was captured ended in exactly one of the others, or is on its way:
    `captured = published + skipped + dropped + undecodable + on_way`, which is two at most."""

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
        """Left out on purpose."""
        return self.rate_skipped + self.motion_skipped

    @property
    def lost(self) -> int:
        """Captured, and not on purpose left out."""
        return (
            self.dropped_stale
            + self.dropped_newer
            + self.dropped_full
            + self.dropped_refused
            + self.undecodable
        )

    @property
    def on_way(self) -> int:
        """Captured, and not yet ended."""
        # The threads go on while they are counted: never less than none.
        return max(0, self.captured - self.published - self.skipped - self.lost)


@dataclass(frozen=True)
class Report:
    """One line. `last_frame_ms`: Unix time, 0 before the first. `overdue_s`: how long a call into
    the source outstays its time limit; the process cannot help itself then. `redis_error`: why
    Redis does not store, or empty."""

    state: State = State.DOWN
    error: str = ""
    width: int = 0
    height: int = 0
    codec: str = ""
    last_frame_ms: int = 0
    overdue_s: float = 0.0
    redis_error: str = ""
    stable: bool = False
    counts: Counts = field(default_factory=Counts)

    def to_line(self) -> str:
        """As JSON, with the newline."""
        return json.dumps(asdict(self)) + "\n"

    @classmethod
    def from_line(cls, line: str | bytes) -> "Report":
        """Parse what `to_line` made. Raises ValueError for all else."""
        try:
            values = json.loads(line)
            values["state"] = State(values["state"])
            values["counts"] = Counts(**values["counts"])
            return cls(**values)
        except (TypeError, KeyError) as error:
            raise ValueError("not a report") from error
