"""Publish frames: stamp them in Redis time, and store them with retries and counts."""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from redis.exceptions import OutOfMemoryError, RedisError

from emotion_streams.backoff import REDIS_ERRORS, Retries
from emotion_streams.connection import Client, connect
from emotion_streams.frames import Frame
from emotion_streams.redaction import short_message
from producer.messages import Counts
from producer.picture import EncodedPicture
from producer.redis_clock import RedisClock
from producer.stream import NO_REPLY, FrameStream

Result = TypeVar("Result")

_POLL_ROOM_S: Final = 0.02

_log = logging.getLogger(__name__)


class Publisher:
    """Stores one camera's frames. Used by one thread.

    `max_queued`: maximum number of frames in the stream. `max_age_ms`: limit that is written into
    each frame; None if every frame counts. Then no frame is trimmed, and a frame is retried after
    every error of Redis. `stop` ends every wait. `clock` is synchronised by the publisher.
    `recorded_ms`: when the recording began (Unix, milliseconds); None for the time of its first
    frame. `error` is the reason why Redis does not store frames at the moment, and is empty if it
    does.
    """

    def __init__(
        self,
        redis_url: str,
        camera: str,
        max_queued: int,
        max_age_ms: int | None,
        counts: Counts,
        stop: threading.Event,
        clock: RedisClock | None = None,
        connect: Callable[[str], Client] = connect,
        *,
        recorded_ms: int | None = None,
    ) -> None:
        self._url = redis_url
        self._stream = FrameStream(
            camera, max_queued, trims=max_age_ms is not None, fixed_ids=recorded_ms is not None
        )
        self._recorded_ms = recorded_ms
        self._max_age_ms = max_age_ms
        self._counts = counts
        self._retried = NO_REPLY if max_age_ms is not None else REDIS_ERRORS
        self._stop = stop
        self._clock = clock or RedisClock()
        self._connect = connect
        self._client: Client | None = None
        self._session_id = secrets.token_hex(8)
        self._seq = 0
        self._captured_ms = 0
        self.error = ""

    def wait_for_room(self) -> bool:
        """Wait until the stream can take a frame without dropping one. Return False if stopped."""
        while not self._stop.is_set():
            if self._retry(self._stream.has_room):
                return True
            self._stop.wait(_POLL_ROOM_S)
        return False

    def publish_recorded(self, picture: EncodedPicture, position_ms: int) -> bool:
        """Store a frame at this place of a recording. As `store`.

        Its capture time is the recording's beginning plus this place, in every run.
        """
        try:
            while self._recorded_ms is None:
                if not self._retry(self._sync):
                    return False
                self._recorded_ms = self._clock.unix_ms(0)
        except RedisError:
            self._counts.dropped_refused += 1
            return False
        return self.store(picture, self._recorded_ms + position_ms, position_ms)

    def publish(self, picture: EncodedPicture, arrived_s: float) -> bool:
        """Store a frame that arrived at this time of the monotonic clock. As `store`.

        Its capture time is Redis time, independent of this machine's clock. It grows with each
        frame, also while Redis' clock is set back, so that no two frames have the same one.
        """
        try:
            if self._clock.is_due and not self._retry(self._sync):
                return False
        except RedisError:
            self._counts.dropped_refused += 1
            return False
        captured_ms = self._clock.unix_ms(time.monotonic() - arrived_s)
        assert captured_ms is not None
        self._captured_ms = max(self._captured_ms + 1, captured_ms)
        return self.store(picture, self._captured_ms)

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
        entry = self._stream.next_entry(blob, captured_ms)
        try:
            if not self._retry(lambda client: self._stream.send(client, entry)):
                return False
        except OutOfMemoryError:
            self._counts.dropped_full += 1
            return False
        except RedisError:
            self._counts.dropped_refused += 1
            return False
        if self.error:
            _log.info("Redis stores frames again")
        self.error = ""
        self._counts.published += 1
        if entry.is_left_out:
            return True
        self._seq += 1
        self._counts.published_bytes += len(blob)
        return True

    def close(self) -> None:
        """Disconnect."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _sync(self, client: Client) -> bool:
        self._clock.sync(client)
        return True

    def _retry(self, step: Callable[[Client], Result]) -> Result | None:
        """Run a step with backoff while Redis is unavailable. Return its result, None if stopped.

        Raises RedisError if Redis refuses the step and not every frame counts.
        """
        for attempt in Retries(REDIS_ERRORS, self._failed, wait=self._stop.wait):
            with attempt:
                if self._client is None:
                    self._client = self._connect(self._url)
                return step(self._client)
        return None

    def _failed(self, error: Exception) -> None:
        self._counts.redis_errors += 1
        if not self.error:
            _log.warning("Redis does not store frames, retrying: %s", short_message(error))
        self.error = short_message(error)
        if not isinstance(error, self._retried):
            raise error
