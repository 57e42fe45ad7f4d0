"""What a sink is, and what may go wrong with it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

from sinks.records import Places, Record
from sinks.states import CameraSnapshot


class TargetError(Exception):
    """The target cannot be reached, or cannot take anything at present; to be tried again.

    The text says why, without credentials. `retry_after_s`: the time that the target asked to wait.
    `concerns_all`: False if it may concern only the one record that was sent.
    """

    def __init__(
        self, reason: str, retry_after_s: float | None = None, concerns_all: bool = True
    ) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s
        self.concerns_all = concerns_all


Refuse: TypeAlias = Callable[[Record, str], Awaitable[None]]
"""Stores a record that the target refuses, and the reason, as a dead letter."""


class Target(Protocol):
    """Where records go that keeps no places itself. All but `close` raise TargetError."""

    async def open(self) -> None:
        """Connect."""

    async def send(
        self, records: Sequence[Record], confirm: Callable[[Record], None], refuse: Refuse
    ) -> None:
        """Deliver the records, those of a stream in their order.

        Each is confirmed or refused once the target has answered. After a TargetError the
        unconfirmed ones are sent again.
        """

    async def show(self, cameras: Mapping[str, CameraSnapshot]) -> None:
        """Deliver what has changed since the last call; `cameras` are all that there are."""

    async def close(self) -> None:
        """Disconnect; called after each `open`, even a failed one."""


class Sink(Protocol):
    """A target with places. All but `close` raise TargetError."""

    async def open(self) -> None:
        """Connect."""

    async def places(self) -> Places | None:
        """Return the stored places, or None if this sink has never stored any."""

    async def deliver(
        self, records: Sequence[Record], before: Places, after: Places, refuse: Refuse
    ) -> None:
        """Deliver the records, and store the places after them.

        `before`, `after`: the places of the streams read, before and after these records. If it
        raises, the caller reads the stored places again.
        """

    async def show(self, cameras: Mapping[str, CameraSnapshot]) -> None:
        """Deliver what has changed since the last call; `cameras` are all that there are."""

    async def forget(self, streams: Sequence[str]) -> None:
        """Remove the places of streams that do not exist any more."""

    async def close(self) -> None:
        """Disconnect; called after each `open`, even a failed one."""
