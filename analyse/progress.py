"""The progress of the command: a line that is rewritten on a terminal, else one now and then."""

import os
import sys
import time
from typing import Final

from emotion_streams.printable import printable

_EVERY_S: Final = 0.5
_ELSEWHERE_EVERY_S: Final = 10.0
_BAR: Final = 24
_USUAL_WIDTH: Final = 80
_SETTLE_S: Final = 1.0


class Progress:
    """Shows how far each step is, and when it will be done."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._shown = False
        self._step = ""
        self._total = 0.0
        self._began_s = self._next_s = 0.0
        self._first: float | None = None

    def begin(self, step: str, total: float) -> None:
        """Begin a step of `total` units; 0 if their number is unknown."""
        self._step, self._total, self._first = step, total, None
        self._began_s = time.monotonic()
        self._next_s = self._began_s + (0 if self._is_terminal else _ELSEWHERE_EVERY_S)

    def update(self, done: float) -> None:
        """Note how many units are done; those of an earlier run do not count for the rate."""
        if self._first is None:
            self._first, self._began_s = done, time.monotonic()
        now = time.monotonic()
        if now < self._next_s:
            return
        self._next_s = now + (_EVERY_S if self._is_terminal else _ELSEWHERE_EVERY_S)
        text = printable(self._text(done, now))
        if not self._is_terminal:
            print(text, file=sys.stderr, flush=True)
            return
        width = os.get_terminal_size(sys.stderr.fileno()).columns or _USUAL_WIDTH
        print(f"\r\033[K{text[: width - 1]}", end="", file=sys.stderr, flush=True)
        self._shown = True

    def say(self, text: str) -> None:
        """Write a line."""
        self.clear()
        for line in text.splitlines():
            print(printable(line), file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Remove the rewritten line."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
            self._shown = False

    def _text(self, done: float, now: float) -> str:
        if not self._total:
            return self._step
        share = min(1.0, done / self._total)
        filled = round(share * _BAR)
        bar = "#" * filled + "-" * (_BAR - filled)
        return f"{self._step}  [{bar}] {share:4.0%}  {self._left(done, now)}"

    def _left(self, done: float, now: float) -> str:
        """Return the time until the end, at the rate so far."""
        took_s, made = now - self._began_s, done - (self._first or 0.0)
        if took_s < _SETTLE_S or made <= 0:
            return ""
        left_s = max(0.0, self._total - done) * took_s / made
        minutes, seconds = divmod(round(left_s), 60)
        return f"{minutes}:{seconds:02d} left"
