"""A run's curves: a row of curves.csv for each step, and a plot of them."""

import csv
import os
from dataclasses import astuple, dataclass, fields
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from training.datasets.entry import InvalidDataError
from training.plots import new_figure

CURVES: Final = "curves.csv"
PLOT: Final = "curves.png"


@dataclass(frozen=True)
class Row:
    """The result of one step.

    `step` counts from 1 over all stages. `seconds` is the run's time until then without
    interruptions. `loss` is that of the augmented batch. `valid_accuracy` is the accuracy of the
    weights of that step, not of the averaged ones, if the step was validated.
    """

    step: int
    side: int
    rate: float
    loss: float
    seconds: float
    valid_accuracy: float | None = None


COLUMNS: Final = tuple(field.name for field in fields(Row))


class Curves:
    """curves.csv, open for appending. Drops rows after step `done`."""

    def __init__(self, folder: Path, done: int) -> None:
        path = folder / CURVES
        kept = [row for row in read(folder) if row.step <= done] if path.exists() else []
        partial = path.with_suffix(".partial")
        self._file = partial.open("w", newline="", buffering=1, encoding="utf-8")
        self._writer = csv.writer(self._file)
        self._writer.writerow(COLUMNS)
        for row in kept:
            self.add(row)
        self.sync()
        partial.replace(path)  # only now: a kill before leaves the old one

    def add(self, row: Row) -> None:
        """Append a step."""
        self._writer.writerow("" if value is None else f"{value:.10g}" for value in astuple(row))

    def sync(self) -> None:
        """Wait until all rows are on disk."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def read(folder: Path) -> list[Row]:
    """Return the rows of a run's curves.csv.

    A last line without a line end is ignored: its write was interrupted. Raises InvalidDataError
    for any other line that is not a row.
    """
    path = folder / CURVES
    whole, _, _ = path.read_text(encoding="utf-8", errors="replace").rpartition("\n")
    lines = csv.DictReader(whole.splitlines())
    try:
        return [
            Row(
                step=int(row["step"]),
                side=int(row["side"]),
                rate=float(row["rate"]),
                loss=float(row["loss"]),
                seconds=float(row["seconds"]),
                valid_accuracy=float(row["valid_accuracy"]) if row["valid_accuracy"] else None,
            )
            for row in lines
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidDataError(
            f"{path} line {lines.line_num}: not a step of a run: {error}"
        ) from error


def plot(folder: Path) -> Path:
    """Draw curves.png from curves.csv: loss and learning rate by step, and below the accuracy."""
    rows = read(folder)
    figure = new_figure((9, 6.5))
    above, below = figure.subplots(2, sharex=True)
    _plot_loss(above, rows)
    validated = [(r.step, r.valid_accuracy) for r in rows if r.valid_accuracy is not None]
    best = max((accuracy for _, accuracy in validated), default=None)
    below.set(
        title="Validation accuracy" + ("" if best is None else f", best {best:.1%}"),
        xlabel="step (dotted: the size of the pictures changes)",
        ylabel="accuracy",
    )
    steps, accuracies = [step for step, _ in validated], [accuracy for _, accuracy in validated]
    below.plot(steps, accuracies, "o-", markersize=3, color="tab:green")
    for axes in (above, below):
        axes.grid(alpha=0.3)
        for before, after in pairwise(rows):
            if before.side != after.side:
                axes.axvline(before.step, color="grey", linestyle=":")
    figure.savefig(folder / PLOT, dpi=110)
    return folder / PLOT


def _plot_loss(axes: Any, rows: list[Row]) -> None:
    steps, losses = [row.step for row in rows], [row.loss for row in rows]
    axes.set(title="Loss and learning rate", ylabel="loss of the batch")
    axes.plot(steps, losses, linewidth=0.3, color="lightgrey")
    axes.plot(steps, _smooth(losses), color="tab:blue", label="loss, smoothed")
    rate = axes.twinx()
    rate.set_ylabel("learning rate")
    rate.set_ylim(0, 1.1 * max((row.rate for row in rows), default=1))
    rate.plot(steps, [row.rate for row in rows], color="tab:orange", label="learning rate")
    lines = [*axes.get_lines()[1:], *rate.get_lines()]
    axes.legend(lines, [line.get_label() for line in lines], loc="upper right", ncols=2)


def _smooth(values: list[float]) -> list[float]:
    """Return the exponential mean over about fifty steps, corrected for its start at 0."""
    mean, weight, smoothed = 0.0, 0.0, []
    for value in values:
        mean, weight = 0.98 * mean + 0.02 * value, 0.98 * weight + 0.02
        smoothed.append(mean / weight)
    return smoothed
