"""What goes into a camera's streams and what comes out of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from emotion_streams.frames import Frame
from emotion_streams.ledger import Outcome
from worker.inference.pipeline import AnalysedFrame


@dataclass(frozen=True)
class Lease:
    """The right to commit a camera's frames, until a greater epoch is granted."""

    camera: str
    owner: str
    epoch: int


@dataclass(frozen=True)
class QueuedFrame:
    """A delivered entry: its frame, or the error in it.

    `deliveries`: how often it was delivered, this time included; an entry that was delivered before
    must be started with begin(). `size`: in bytes.
    """

    frame_id: str
    deliveries: int
    size: int
    frame: Frame | None
    error: str = ""


@dataclass(frozen=True)
class Completion:
    """How a frame ends.

    `payload`: the packed event if analysed, the reason if dead. `size`: of the frame in bytes.
    `analysed`: what the event is made of. `moves_tracks`: whether the tracking state after this
    frame is wrong if its event is not published.
    """

    frame_id: str
    outcome: Outcome
    payload: bytes = b""
    size: int = 0
    analysed: AnalysedFrame | None = None
    moves_tracks: bool = False


@dataclass(frozen=True)
class TracksUpdate:
    """The tracking state after a commit, and the records that led to it.

    It is stored if the stored version is `expected` (empty if there is none). `state`, `episodes`:
    packed. `minutes`: entry id and packed record. `people`: open tracks. `is_open`: whether the
    state needs an owner that closes it.
    """

    expected: bytes
    version: bytes
    state: bytes
    people: int = 0
    is_open: bool = False
    episodes: Sequence[bytes] = ()
    minutes: Sequence[tuple[str, bytes]] = ()


@dataclass(frozen=True)
class StoredTracks:
    """A camera's stored tracking state; empty, None and 0 without one. `people`: open tracks."""

    version: bytes = b""
    state: bytes | None = None
    people: int = 0


class RecordingState(Enum):
    """Whether frames of a recording may follow."""

    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True)
class Committed:
    """The result of a commit.

    `outcomes`: what the ledger counts for each frame, "repeated" if an earlier attempt counted it.
    `tracks_stored`: whether the tracking state is stored as well. It is not if another version is
    stored than expected, or if a frame that it depends on has no event.
    """

    outcomes: list[str]
    tracks_stored: bool


@dataclass(frozen=True)
class Claimed:
    """The result of a claim: frames, oldest first, and whether these are all.

    `strikes`: how many workers in a row crashed on frames of this camera that were trimmed
    afterwards.
    """

    frames: list[QueuedFrame]
    complete: bool
    strikes: int = 0


@dataclass(frozen=True)
class Retention:
    """How much is kept for subscribers and operators, per camera.

    `events`, `dead_letters` and `episodes` are approximate maximum numbers of entries. Entries
    older than `age_ms` are dropped, minutes when they are older than `minutes_age_ms`.
    """

    events: int = 10_000
    dead_letters: int = 1_000
    episodes: int = 10_000
    age_ms: int = 86_400_000
    minutes_age_ms: int = 30 * 86_400_000
