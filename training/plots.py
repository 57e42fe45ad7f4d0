"""Plots of scores and data, written as PNG files. No window is opened: servers have no screen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.metrics import Indices, ReliabilityBin


def require() -> None:
    """Import Matplotlib. Raises ImportError, before the work whose result is to be drawn."""
    new_figure((1, 1))


def new_figure(figsize: tuple[float, float]) -> Any:
    """Return an empty figure of this size in inches.

    Matplotlib is imported here: commands that draw nothing need neither its time nor its cache
    folder.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=figsize, layout="constrained")


def confusion(matrix: Indices, labels: Sequence[str], path: Path) -> None:
    """Write a confusion matrix with counts, coloured by the share of each row."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    figure = new_figure(figsize=(6.5, 6))
    axes = figure.add_subplot(xlabel="predicted", ylabel="labelled")
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    for (row, column), count in np.ndenumerate(matrix):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{count}", ha="center", va="center", color=colour, fontsize=8)
    figure.savefig(path, dpi=110, format="png")


def reliability(
    before: Sequence[ReliabilityBin], after: Sequence[ReliabilityBin], path: Path
) -> None:
    """Write the accuracy by confidence, before and after temperature scaling."""
    figure = new_figure(figsize=(5.5, 5))
    axes = figure.add_subplot(
        xlabel="confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1), aspect="equal"
    )
    axes.plot((0, 1), (0, 1), color="grey", linestyle=":", label="calibrated")
    for bins, name in ((before, "before temperature"), (after, "after")):
        axes.plot([b.confidence for b in bins], [b.accuracy for b in bins], "o-", label=name)
    axes.legend(loc="upper left")
    figure.savefig(path, dpi=110, format="png")


def contact_sheet(rows: Sequence[tuple[str, NDArray[np.uint8]]], path: Path) -> None:
    """Write a row of pictures per label, each (n, side, side) or (n, side, side, 3) BGR."""
    columns = max((len(pictures) for _, pictures in rows), default=1)
    figure = new_figure(figsize=(1 + columns * 0.8, 0.85 * len(rows)))
    grid = figure.subplots(len(rows), max(columns, 1), squeeze=False)
    for line, (label, pictures) in zip(grid, rows, strict=True):
        line[0].set_ylabel(label, rotation=0, ha="right", va="center")
        for axes in line:
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for axes, picture in zip(line, pictures, strict=False):
            axes.imshow(
                picture if picture.ndim == 2 else picture[:, :, ::-1], cmap="gray", vmin=0, vmax=255
            )
    figure.savefig(path, dpi=110, format="png")
