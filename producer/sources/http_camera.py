"""HTTP cameras: a stream, or the URL of a single picture."""

import time
from typing import Final

from producer.source import Format, Picture, SourceUnavailableError
from producer.sources.network import NetworkSource
from producer.sources.snapshot import NoSnapshotError, SnapshotSource

_SHORTEST_S: Final = 0.2
_UNAUTHORIZED: Final = ": 401: "


class HttpSource:
    """A camera at an http(s):// URL.

    It is opened as a `stream`, which costs a camera no further connection. If the stream cannot be
    opened or ends after its first frame, and the server sends a picture by the type of its answer,
    the URL is a snapshot's and is polled from then on. `stream` is public.
    """

    live = True

    def __init__(
        self,
        stream: NetworkSource,
        snapshots: SnapshotSource,
        open_timeout_s: float,
        read_timeout_s: float,
    ) -> None:
        self.stream = stream
        self._snapshots = snapshots
        self._open_timeout_s = open_timeout_s
        self._read_timeout_s = read_timeout_s
        self._polls = False
        self._was_refused = False
        self._frames = 0

    def open(self) -> Format:
        """Connect. Raises SourceUnavailableError."""
        deadline = time.monotonic() + self._open_timeout_s
        self._frames = 0
        if self._polls:
            try:
                return self._snapshots.open()
            except NoSnapshotError:
                self._polls = False  # it may be a stream now
        try:
            return self.stream.open()
        except SourceUnavailableError as error:
            return self._open_snapshots(error, deadline)

    def grab(self) -> float | None:
        """Wait for the next frame. Raises NoNewFrameError and SourceUnavailableError."""
        if not self._polls:
            deadline = time.monotonic() + self._read_timeout_s
            try:
                timestamp_s = self.stream.grab()
            except SourceUnavailableError as error:
                if self._frames > 1:
                    raise
                self._open_snapshots(error, deadline)
            else:
                self._frames += 1
                return timestamp_s
        self._snapshots.grab()
        return None

    def retrieve(self) -> Picture:
        """Return the grabbed frame. Raises UndecodableFrameError."""
        return self._snapshots.retrieve() if self._polls else self.stream.retrieve()

    @property
    def key_frame_interval_s(self) -> float | None:
        """The longest interval between key frames so far, None if unknown."""
        return self.stream.key_frame_interval_s

    def close(self) -> None:
        """Disconnect."""
        self.stream.close()
        self._snapshots.close()

    def _open_snapshots(self, error: SourceUnavailableError, deadline: float) -> Format:
        """Poll from now on, if the server sends pictures; else raise the error of the stream."""
        remaining_s = deadline - time.monotonic()
        if remaining_s < _SHORTEST_S:
            raise error
        if _UNAUTHORIZED in str(error):
            # It may want Digest SHA-256, which FFmpeg does not support. It is asked once only,
            # because a camera may lock out users who try a wrong password often.
            if self._was_refused:
                raise error
            self._was_refused = True
        self.stream.close()
        try:
            opened = self._snapshots.open(remaining_s)
        except SourceUnavailableError as other:
            is_neither = isinstance(other, NoSnapshotError) and not other.is_stream
            raise (other if is_neither else error) from None
        self._polls = True
        return opened
