"""Reads a camera's frames: those that were left pending, then new ones."""

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import Final

from emotion_streams.backoff import REDIS_ERRORS
from emotion_streams.cancellation import check_cancelled
from worker.context import WorkerContext
from worker.delivery.queue import FrameQueue
from worker.delivery.stream import MAX_DELIVERIES, READ_AT_ONCE, CameraStream
from worker.delivery.types import QueuedFrame

SWEEP_S: Final = 1.0
"""Interval between claims of frames that a paused predecessor or a lost reply left pending."""

_REFRESH_S: Final = 0.25
"""Longest time to hold a permit while reading newer frames, so that a hung shard blocks no other
camera."""

log = logging.getLogger(__name__)


class FrameReader:
    """Puts the frames of a camera into its queue, and remembers those that are not committed."""

    def __init__(self, stream: CameraStream, queue: FrameQueue, context: WorkerContext) -> None:
        self._stream = stream
        self._queue = queue
        self._context = context
        self._uncommitted_ids: set[str] = set()
        self._claim_at = 0.0

    @property
    def has_uncommitted(self) -> bool:
        """Whether a frame was read and has not ended."""
        return bool(self._uncommitted_ids)

    async def read(self, block_ms: int | None) -> None:
        """Queue new frames, or once per SWEEP_S the frames that were left pending.

        The camera's keys are maintained as often. Waits up to `block_ms` for a frame; None means no
        wait. Raises FencedError and the errors of redis-py.
        """
        if time.monotonic() >= self._claim_at:
            self._warn_of_resets(await self._stream.maintain())
            claimed = await self._stream.claim(self._uncommitted_ids)
            self._claim_at = time.monotonic() + SWEEP_S if claimed.complete else 0.0
            self._apply_strikes(claimed.strikes)
            self._enqueue(claimed.frames, just_stored=False)
            if claimed.frames:
                return
        self._enqueue(await self._stream.read(block_ms), just_stored=True)

    async def refresh_if_behind(self) -> None:
        """Read newer frames if the camera is behind, because it continues with its newest frame."""
        has_failed = self._claim_at == 0.0
        if has_failed or len(self._queue) >= READ_AT_ONCE:
            return
        if not self._queue.is_behind:  # then the queued frames are analysed in any case
            return
        try:
            async with asyncio.timeout(_REFRESH_S):
                await self.read(None)
        except REDIS_ERRORS as error:
            check_cancelled()
            self.failed(error)

    def failed(self, error: Exception) -> None:
        """Count an error of Redis; frames of a lost reply are claimed before the next read."""
        self._context.redis_failed(self._stream.camera, error)
        self._claim_at = 0.0

    def committed(self, frame_ids: Iterable[str]) -> None:
        """Forget frames that have ended."""
        self._uncommitted_ids.difference_update(frame_ids)

    def _warn_of_resets(self, keys: int) -> None:
        if keys:
            camera = self._stream.camera
            self._context.metrics.ownership.resets.labels(camera).inc(keys)
            log.warning(
                "reset %d of its keys: of another type, or an id too far ahead",
                keys,
                extra={"camera": camera},
            )

    def _apply_strikes(self, strikes: int) -> None:
        before, self._queue.strikes = self._queue.strikes, strikes
        if strikes == MAX_DELIVERIES > before:
            camera = self._stream.camera
            log.warning("set aside: its frames crash workers", extra={"camera": camera})

    def _enqueue(self, frames: list[QueuedFrame], *, just_stored: bool) -> None:
        self._uncommitted_ids.update(queued.frame_id for queued in frames)
        self._queue.add(frames, just_stored=just_stored)
        # The frames of a recording are not dated by a clock.
        is_recording = any(each.frame and each.frame.position_ms is not None for each in frames)
        skew_s = 0.0 if is_recording else self._queue.skew.ms / 1000
        self._context.metrics.account.clock_skew.labels(self._stream.camera).set(skew_s)
