"""The ledger: the outcome of every frame of a camera, and whether the account balances."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from emotion_streams import keys
from emotion_streams.connection import Client

_SCRIPT: Final = Path(__file__).with_name("ledger.lua").read_text()


class Outcome(StrEnum):
    """How a frame that a worker read ended. The values are the fields of the ledger's hash."""

    ANALYSED = "analysed"
    """An event was published, possibly without a face."""
    EXPIRED = "expired"
    """Older than its camera's max_age_ms, or skipped in favour of the newest frame."""
    SUPERSEDED = "superseded"
    """Analysed, but an event of a newer frame was already published."""
    DEAD = "dead"
    """Malformed, or it crashed too many workers: see the dead letters."""
    LOST = "lost"
    """Trimmed from the stream while it was pending with a worker that crashed."""


@dataclass(frozen=True)
class Ledger:
    """A camera's account at one instant, in frames.

    `added`: frames ever stored in Redis; `pending`: read by a worker and not yet committed;
    `queued`: not yet read; `events` and `dead_letters`: entries ever written to those streams. For
    the other fields see Outcome.
    """

    camera: str
    added: int
    analysed: int
    expired: int
    superseded: int
    dead: int
    lost: int
    pending: int
    queued: int
    events: int
    dead_letters: int

    @property
    def trimmed(self) -> int:
        """Frames trimmed before any worker read them: the remainder of the account."""
        return self.added - (
            self.analysed
            + self.expired
            + self.superseded
            + self.dead
            + self.lost
            + self.pending
            + self.queued
        )

    @property
    def balanced(self) -> bool:
        """Whether no frame was counted twice, and each count has its entry in a stream."""
        return self.trimmed >= 0 and self.events == self.analysed and self.dead_letters == self.dead

    def frames(self) -> dict[str, int]:
        """Return the number of frames added, and the number in each state."""
        counts = {outcome.value: getattr(self, outcome.value) for outcome in Outcome}
        return {
            "added": self.added,
            **counts,
            "pending": self.pending,
            "queued": self.queued,
            "trimmed": self.trimmed,
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as `--json` prints them."""
        return {**vars(self), "trimmed": self.trimmed, "balanced": self.balanced}


async def read_ledger(client: Client, camera: str) -> Ledger:
    """Read the camera's account atomically; all counts are zero for an unknown camera."""
    return parse_ledger(camera, await client.eval_ro(*ledger_script_args(camera)))


def ledger_script_args(camera: str) -> tuple[Any, ...]:
    """Return the arguments of EVAL_RO that read the camera's account, for any client."""
    key_names = keys.camera_keys(camera)
    return _SCRIPT, len(key_names), *key_names, keys.GROUP


def parse_ledger(camera: str, reply: list[Any]) -> Ledger:
    """Parse the reply to `ledger_script_args`.

    A count that is not a number is read as 0, so that the account does not balance.
    """
    added, pending, queued, events, dead_letters, fields = reply
    counts = dict(zip(fields[::2], fields[1::2], strict=True))
    return Ledger(
        camera=camera,
        added=added,
        pending=pending,
        queued=queued,
        events=events,
        dead_letters=dead_letters,
        **{outcome.value: _count(counts.get(outcome.encode(), b"0")) for outcome in Outcome},
    )


def _count(text: bytes) -> int:
    return int(text) if text.isdigit() and len(text) < 20 else 0
