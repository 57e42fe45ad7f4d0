"""One camera's stream in Redis: explicit ids, idempotent resends, bounded memory."""

from dataclasses import dataclass
from typing import Final

from redis.exceptions import (
    ClusterDownError,
    ConnectionError,  # noqa: A004 - redis-py's own name
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    ResponseError,
    TimeoutError,  # noqa: A004 - redis-py's own name
    TryAgainError,
)

from emotion_streams import keys
from emotion_streams.connection import Client
from emotion_streams.frames import MAX_AHEAD_MS

# Either it is unknown whether the entry was stored, or another node may store it soon.
NO_REPLY: Final = (
    ConnectionError, TimeoutError, OSError, ReadOnlyError, ClusterDownError, MasterDownError,
    TryAgainError, RedisClusterException,
)  # fmt: skip

_ID_TAKEN: Final = "equal or smaller"
_FIRST_JUMP_MS: Final = 1000
# One hour is left for a clock that is ahead: entries beyond MAX_AHEAD_MS are dead-lettered.
_LONGEST_JUMP_MS: Final = MAX_AHEAD_MS - 3_600_000


@dataclass
class Entry:
    """A frame that is being sent.

    `no_reply`: an earlier attempt may have stored it. `is_left_out`: an earlier process stored it.
    """

    blob: bytes
    no_reply: bool = False
    is_left_out: bool = False


class FrameStream:
    """The stream of one camera's frames, of at most `max_queued` entries.

    `trims`: whether a full Redis makes it trim its oldest entry. `fixed_ids`: the ids follow from a
    recording alone, so an id that the stream is past was stored by an earlier process. Its methods
    raise the errors of redis-py.
    """

    def __init__(
        self, camera: str, max_queued: int, *, trims: bool, fixed_ids: bool = False
    ) -> None:
        self._fixed_ids = fixed_ids
        self._key = keys.frames(camera)
        self._max_queued = max_queued
        self._trims = trims
        self._last_id = (0, 0)

    def has_room(self, client: Client) -> bool:
        """Return whether an entry can be added without dropping one."""
        return int(client.xlen(self._key)) < self._max_queued

    def next_entry(self, blob: bytes, captured_ms: int) -> Entry:
        """Return an entry to send, with the id `max(captured_ms, last id + 1)`."""
        self._last_id = max((captured_ms, 0), (self._last_id[0], self._last_id[1] + 1))
        return Entry(blob)

    def send(self, client: Client, entry: Entry) -> bool:
        """Add the entry, also after an attempt without a reply. Return True."""
        try:
            self._add(client, entry)
        except OutOfMemoryError:
            if not self._trims:
                raise
            # Trimming is allowed even when XADD is refused. Retry once; if it still fails, other
            # keys use the memory.
            client.xtrim(self._key, maxlen=self._max_queued - 1, approximate=False)
            self._add(client, entry)
        except ResponseError as error:
            if _ID_TAKEN not in str(error):
                raise
            if entry.no_reply:
                return True
            if self._fixed_ids:
                entry.is_left_out = True
            else:
                self._skip_past_newest_id(client, entry)
        return True

    def _add(self, client: Client, entry: Entry) -> None:
        entry_id = "{}-{}".format(*self._last_id)
        fields = {"frame": entry.blob}
        try:
            client.xadd(self._key, fields, entry_id, maxlen=self._max_queued, approximate=False)
        except NO_REPLY:
            entry.no_reply = True
            raise

    def _skip_past_newest_id(self, client: Client, entry: Entry) -> None:
        """Find an id above the newest one, after the clock was set back since the last start.

        A producer has no permission to read the stream, so it searches in steps that double, up to
        _LONGEST_JUMP_MS ahead. An id further ahead was not made from a clock. The camera's worker
        resets such a stream, and ids continue from the clock. Raises ResponseError in that case.
        """
        own_id, jump_ms = self._last_id, _FIRST_JUMP_MS
        furthest_ms = own_id[0] + _LONGEST_JUMP_MS
        while True:
            self._last_id = (min(self._last_id[0] + jump_ms, furthest_ms), 0)
            try:
                return self._add(client, entry)
            except ResponseError as error:
                if _ID_TAKEN not in str(error) or self._last_id[0] == furthest_ms:
                    self._last_id = own_id
                    raise
            jump_ms *= 2
