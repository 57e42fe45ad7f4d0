"""Store frames in a camera's stream: explicit ids, idempotent resends, bounded memory."""

import logging
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from redis.exceptions import (
    ClusterDownError,
    ConnectionError,  # noqa: A004 - redis-py's own name
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
    TimeoutError,  # noqa: A004 - redis-py's own name
    TryAgainError,
)

from emotion_streams import keys
from emotion_streams.backoff import REDIS_ERRORS, delays
from emotion_streams.connection import Client, connect
from emotion_streams.frames import MAX_AHEAD_MS, Frame
from emotion_streams.redaction import short_message
from producer.messages import Counts
from producer.picture import EncodedPicture

# Either it is unknown whether the entry was stored, or another node may store it soon.
_UNANSWERED: Final = (
    ConnectionError, TimeoutError, OSError, ReadOnlyError, ClusterDownError, MasterDownError,
    TryAgainError, RedisClusterException,
)  # fmt: skip
Result = TypeVar("Result")

_ID_TAKEN: Final = "equal or smaller"
_FIRST_JUMP_MS: Final = 1000
# One hour is left for a clock that is ahead: entries beyond MAX_AHEAD_MS are dead-lettered.
_LONGEST_JUMP_MS: Final = MAX_AHEAD_MS - 3_600_000
_POLL_ROOM_S: Final = 0.02

_log = logging.getLogger(__name__)


class Publisher:
    """Stores one camera's frames. Used by one thread.

    `max_queued`: maximum number of frames in the stream. `max_age_ms`: limit that is written into
    each frame; None if every frame counts. Then no frame is trimmed, and a frame is retried after
    every error of Redis. `stop` ends every wait. `error` is the reason why Redis does not store
    frames at the moment, and is empty if it does. `fixed_ids`: the ids follow from a recording
    alone; an id that the stream is past was stored by an earlier process, and is left out.
    """

    def __init__(
        self,
        redis_url: str,
        camera: str,
        max_queued: int,
        max_age_ms: int | None,
        counts: Counts,
        stop: threading.Event,
        connect: Callable[[str], Client] = connect,
        *,
        fixed_ids: bool = False,
    ) -> None:
        self._fixed_ids = fixed_ids
        self._left_out = False
        self._url = redis_url
        self._key = keys.frames(camera)
        self._max_queued = max_queued
        self._max_age_ms = max_age_ms
        self._counts = counts
        self._waited_out = _UNANSWERED if max_age_ms is not None else REDIS_ERRORS
        self._stop = stop
        self._connect = connect
        self._client: Client | None = None
        self._session_id = secrets.token_hex(8)
        self._seq = 0
        self._last_id = (0, 0)
        self.error = ""

    def wait_for_room(self) -> bool:
        """Wait until the stream can take a frame without dropping one. Return False if stopped."""
        while not self._stop.is_set():
            backlog = self._persist(lambda client: int(client.xlen(self._key)))
            if backlog is not None and backlog < self._max_queued:
                return True
            self._stop.wait(_POLL_ROOM_S)
        return False

    def store(
        self, picture: EncodedPicture, captured_ms: int, position_ms: int | None = None
    ) -> bool:
        """Store a frame, and retry without a time limit. Return False if refused or stopped.

        The id is `max(captured_ms, last id + 1)`. A send without a reply is repeated with the same
        id. The error "equal or smaller" then means that the first send was stored.
        """
        blob = Frame(
            captured_ms=captured_ms,
            width=picture.width,
            height=picture.height,
            jpeg=picture.jpeg,
            session_id=self._session_id,
            seq=self._seq,
            capture_drops=self._counts.lost,
            skipped=self._counts.skipped,
            max_age_ms=self._max_age_ms,
            position_ms=position_ms,
        ).pack()
        self._last_id = max((captured_ms, 0), (self._last_id[0], self._last_id[1] + 1))
        sending = _Sending(blob)
        try:
            if not self._persist(lambda client: self._send(client, sending)):
                return False
        except OutOfMemoryError:
            self._counts.dropped_full += 1
            return False
        except RedisError:
            self._counts.dropped_refused += 1
            return False
        self._counts.published += 1
        if sending.left_out:
            return True
        self._seq += 1
        self._counts.published_bytes += len(blob)
        return True

    def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _send(self, client: Client, sending: "_Sending") -> bool:
        try:
            self._add(client, sending)
        except OutOfMemoryError:
            if self._max_age_ms is None:
                raise
            # Trimming is allowed even when XADD is refused. Retry once; if it still fails, other
            # keys use the memory.
            client.xtrim(self._key, maxlen=self._max_queued - 1, approximate=False)
            self._add(client, sending)
        except ResponseError as error:
            if _ID_TAKEN not in str(error):
                raise
            if sending.unanswered:
                return True
            if self._fixed_ids:
                sending.left_out = True
                self._note_left_out()
            else:
                self._move_past_what_is_there(client, sending)
        return True

    def _add(self, client: Client, sending: "_Sending") -> None:
        entry_id = "{}-{}".format(*self._last_id)
        fields = {"frame": sending.blob}
        try:
            client.xadd(self._key, fields, entry_id, maxlen=self._max_queued, approximate=False)
        except _UNANSWERED:
            sending.unanswered = True
            raise

    def _note_left_out(self) -> None:
        if not self._left_out:
            _log.info("frames that are stored already, or older than what is, are left out")
        self._left_out = True

    def _move_past_what_is_there(self, client: Client, sending: "_Sending") -> None:
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
                return self._add(client, sending)
            except ResponseError as error:
                if _ID_TAKEN not in str(error) or self._last_id[0] == furthest_ms:
                    self._last_id = own_id
                    raise
            jump_ms *= 2

    def _persist(self, step: Callable[[Client], Result]) -> Result | None:
        """Run a step with backoff while Redis is unavailable. Return its result, None if stopped.

        Raises RedisError if Redis refuses the step and not every frame counts.
        """
        for delay in delays():
            if self._stop.is_set():
                return None
            try:
                if self._client is None:
                    self._client = self._connect(self._url)
                result = step(self._client)
            except self._waited_out as error:
                self._failed(error)
            except RedisError as error:
                self._failed(error)
                raise
            else:
                if self.error:
                    _log.info("Redis stores frames again")
                self.error = ""
                return result
            self._stop.wait(delay)
        raise AssertionError("delays() is endless")

    def _failed(self, error: Exception) -> None:
        self._counts.redis_errors += 1
        if not self.error:
            _log.warning("Redis stores no frames, trying again: %s", short_message(error))
        self.error = short_message(error)


@dataclass
class _Sending:
    """A frame that is being sent.

    `unanswered`: an earlier attempt may have stored it. `left_out`: an earlier process stored it.
    """

    blob: bytes
    unanswered: bool = False
    left_out: bool = False
