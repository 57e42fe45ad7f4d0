"""What a sink reads at a time, and from whom."""

from dataclasses import dataclass, field
from typing import Protocol

from sinks.records import Places, Record


@dataclass(frozen=True)
class Batch:
    """What one read returned.

    `before`, `after`: the places of the streams that had entries. Entries that could not be parsed
    are between the places and not among the records; `unreadable` counts them. `gaps`: streams of
    which entries may have been trimmed before they were read.
    """

    records: list[Record] = field(default_factory=list)
    before: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)
    unreadable: int = 0
    gaps: int = 0


class RecordSource(Protocol):
    """Where a sink's records come from. Each call raises Redis' errors."""

    async def start(self, places: Places | None) -> Places:
        """Begin at the stored places, or for None at the beginning or at now; return the places."""

    async def read(self) -> Batch:
        """Return the next records; wait a moment for the first one."""

    def advance(self, after: Places) -> None:
        """Continue after these entries: the batch is delivered. Otherwise `read` repeats it."""

    def take_forgotten(self) -> list[str]:
        """Return the streams that have ceased to exist since the last call."""
