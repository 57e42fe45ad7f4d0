"""Progress of a run: a bar with the remaining time on a terminal, otherwise a line per 30 s."""

import sys
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from training.run_config import RunConfig

LINE_SECONDS: Final = 30.0
BAR_SECONDS: Final = 0.2
BAR_WIDTH: Final = 30


@dataclass(frozen=True)
class Progress:
    """The steps done, and the seconds spent without interruptions."""

    step: int = 0
    seconds: float = 0.0


def say(text: str) -> None:
    """Print a line about the current work immediately."""
    print(text, flush=True)


class Bar:
    """Progress over all stages.

    A step is weighted by the area of its pictures, because its time is proportional to that.
    """

    def __init__(self, config: RunConfig, done: int = 0) -> None:
        self._config = config
        self._live = sys.stdout.isatty()
        self._began = time.monotonic()
        self._shown = -LINE_SECONDS
        self._before = self._cost(done)
        self._loss = 0.0
        self._seen = 0.0

    def show(self, step: int, loss: float) -> None:
        """Show the number of steps done of the run, and the loss of the last one."""
        self._loss, self._seen = 0.98 * self._loss + 0.02 * loss, 0.98 * self._seen + 0.02
        now = time.monotonic()
        if now - self._shown < (BAR_SECONDS if self._live else LINE_SECONDS):
            return
        self._shown = now
        cost, total = self._cost(step), self._cost(self._config.steps)
        share = cost / total
        left = (now - self._began) * (total - cost) / max(cost - self._before, 1.0)
        filled = round(BAR_WIDTH * share)
        number, at = self._config.at(min(step, self._config.steps - 1))
        stage = self._config.stages[number]
        print(
            f"[{'#' * filled}{'.' * (BAR_WIDTH - filled)}] {share:6.1%} "
            f"{stage.side} px step {at}/{stage.steps} loss {self._loss / self._seen:.3f} "
            f"ETA {_clock(left)}",
            end="\r" if self._live else "\n",
            flush=True,
        )

    def say(self, text: str) -> None:
        """Print a line below the bar."""
        if self._live:
            print()
        say(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            print()

    def _cost(self, step: int) -> float:
        cost = 0.0
        for stage in self._config.stages:
            cost += min(step, stage.steps) * stage.batch * stage.side**2
            step = max(step - stage.steps, 0)
        return cost


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
