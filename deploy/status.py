"""The status line of `emotion-streams run`."""

import asyncio
import os
import sys
import time
from collections import Counter, deque
from statistics import median
from typing import Final

from emotion_streams import EmotionEvent
from emotion_streams.printable import printable

STATUS_S: Final = 1.0
_USUAL_WIDTH: Final = 80


class Status:
    """The status line: frames analysed per second, latency, and the address of the live page.

    Rate and latency cover the last ten seconds.
    """

    def __init__(self, page: str = "") -> None:
        self._page = f"{page}  " if page else ""
        self._finished = False
        self._faces: Counter[str] = Counter()
        self._frames = 0
        self._seen: deque[tuple[float, float]] = deque()
        self._shown = False
        self._next_line = time.monotonic() + 10

    def note(self, event: EmotionEvent) -> None:
        """Count an event."""
        self._seen.append((time.monotonic(), event.latency.total_ms))
        self._frames += 1
        self._faces.update(face.label or face.emotion for face in event.faces)

    def say(self, text: str) -> None:
        """Write a line above the status line."""
        self.clear()
        for line in text.splitlines():  # cameras and servers wrote some of it
            print(printable(line), file=sys.stderr, flush=True)

    def finish(self) -> None:
        """Show from now on that all sources have ended."""
        self._finished = True

    def summary(self) -> str:
        """Return the totals so far: frames analysed, and faces by emotion."""
        faces = ", ".join(f"{count} {emotion}" for emotion, count in self._faces.most_common())
        return f"{self._frames} frames analysed; faces: {faces or 'none'}"

    async def tick(self) -> None:
        """Show the line every second on a terminal, every ten seconds elsewhere."""
        while True:
            await asyncio.sleep(STATUS_S)
            if sys.stderr.isatty():
                # A line wider than the terminal could not be cleared.
                width = os.get_terminal_size(sys.stderr.fileno()).columns or _USUAL_WIDTH
                text = self._text()[: width - 1]
                print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
                self._shown = True
            elif time.monotonic() >= self._next_line:
                self._next_line += 10
                print(self._text(), file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Remove the status line, so that another line can be written."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
            self._shown = False

    def _text(self) -> str:
        now = time.monotonic()
        while self._seen and self._seen[0][0] < now - 10:
            self._seen.popleft()
        if self._finished or not self._seen:
            state = "ended" if self._finished else "waiting for frames"
            return f"{self._page}{state}; Ctrl-C stops"
        latencies = [latency for _, latency in self._seen]
        rate = len(latencies) / max(1.0, now - self._seen[0][0])
        return (
            f"{self._page}{rate:.1f} frames/s, latency {median(latencies):.0f} ms median, "
            f"{max(latencies):.0f} ms maximum; Ctrl-C stops"
        )
