"""What the command prints: a row per try, and the answer."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import emotion_streams
from deploy.capacity.layout import height_of
from deploy.capacity.search import Found, most_cameras
from deploy.capacity.tries import Try, limiting
from emotion_streams.events import Model
from emotion_streams.registry import MAX_CAMERAS_PER_WORKER

HEADING: Final = "cameras  frames/s  p50 ms  p99 ms  expired  busy"

_FACES_OFF: Final = 0.05
"""Largest difference between faces found and faces drawn, as a share of the latter."""

_BUSY_MACHINE: Final = 0.05
"""Share of the cores that other processes may use before the figure counts as too low."""


@dataclass(frozen=True)
class Report:
    """The result, and what it was measured on. `engine`: that of the workers."""

    options: argparse.Namespace
    found: Found
    engine: str
    model: Model | None
    workers: int
    cores: int
    others_on_average: float

    @property
    def other_cores(self) -> float:
        """Cores that other processes used: on average, or in the try that failed if that is more.

        That try bounds the answer.
        """
        over = self.found.over
        return max(self.others_on_average, over.usage.other_cores if over else 0.0)

    @property
    def machine_is_busy(self) -> bool:
        """Whether other processes took so much that the machine holds more than was found."""
        return self.other_cores > _BUSY_MACHINE * self.cores

    @property
    def limited_by(self) -> str:
        """What kept the machine from holding more cameras, or this command from trying more."""
        if self.found.over:
            return limiting(self.found.over)
        if self.found.time_was_over:
            return "the time of this command: the machine may hold more (--minutes)"
        if most_cameras(self.options.max_cameras, self.workers) < self.options.max_cameras:
            return (
                f"the workers, which own {MAX_CAMERAS_PER_WORKER} cameras each: "
                "the machine may hold more with more workers (--processes)"
            )
        return "--max-cameras: the machine may hold more"

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        best, model = self.found.best, self.model
        return {
            "version": emotion_streams.__version__,
            "cameras": best.cameras if best else 0,
            "p50_ms": best.p50_ms if best else None,
            "p99_ms": best.p99_ms if best else None,
            "expired_share": best.expired_share if best else None,
            "faces_found": best.faces_found if best else None,
            "reused_share": best.reused_share if best else None,
            "limited_by": self.limited_by,
            "time_was_over": self.found.time_was_over,
            "engine": self.engine,
            "detector": model and model.detector,
            "model": model and f"{model.name} {model.version}",
            "faces": self.options.faces,
            "width": self.options.width,
            "height": height_of(self.options.width),
            "fps": self.options.fps,
            "limit_p99_ms": self.options.p99_ms,
            "seconds": self.options.seconds,
            "cores": self.cores,
            "gpus": self.options.gpus,
            "workers": self.workers,
            "other_cores": self.other_cores,
            "machine_is_busy": self.machine_is_busy,
            "tries": [each.to_dict() for each in self.found.tries],
        }

    def lines(self) -> Iterator[str]:
        """Yield the answer in words."""
        best, options = self.found.best, self.options
        each = (
            f"of {_count(options.faces, 'face')}, {options.width}x{height_of(options.width)}, "
            f"{options.fps:g} frames/s"
        )
        if best:
            yield (
                f"{_count(best.cameras, 'camera')} {each}: p99 {best.p99_ms:.0f} ms, "
                f"{best.expired_share:.1%} of the frames expired."
            )
        elif self.found.time_was_over:
            yield f"No number of cameras {each} was held before the time was over."
        else:
            yield f"Not even one camera {each}."
        yield f"Limited by {self.limited_by}."
        if self.model:
            yield (
                f"Measured with {self.model.name} {self.model.version}, engine {self.engine}, "
                f"detector {self.model.detector}, "
                f"{_count(self.workers, 'worker')}, {_count(self.cores, 'core')}."
            )
        yield from self.warnings()

    def warnings(self) -> Iterator[str]:
        """Yield why the figure may be wrong."""
        best, over = self.found.best, self.found.over
        drawn, last = self.options.faces, best or over
        seen = last.faces_found if last else None
        if self.found.time_was_over:
            bound = f", {over.cameras} are too many" if over else ""
            yield f"The time was over before the answer was exact{bound} (--minutes allows more)."
        if seen is not None and abs(seen - drawn) > _FACES_OFF * max(drawn, 1):
            yield f"The detector found {seen:g} faces in a frame that has {drawn}."
        if self.machine_is_busy:
            yield (
                f"Other processes used {self.other_cores:g} of {self.cores} cores meanwhile: "
                "the figure is too low."
            )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def row(tried: Try) -> str:
    """Return the table's row of a try."""
    p50, p99 = ("-" if value is None else f"{value:.0f}" for value in (tried.p50_ms, tried.p99_ms))
    return (
        f"{tried.cameras:7}  {tried.frames_per_s:8.1f}  {p50:>6}  {p99:>6}  "
        f"{tried.expired_share:7.1%}  {tried.usage.machine:4.0%}  "
        f"{_verdict(tried)}"
    )


def _verdict(tried: Try) -> str:
    if tried.held:
        return "held"
    if not tried.owned:
        return "too many: some have no owner"
    return "too many" if tried.keeps_up else "too many: frames pile up"
