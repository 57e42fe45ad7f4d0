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
    """Write a confusion matrix with counts, coloured by the share of each row.

    Rows are named with their number of pictures. The title has the total and the accuracy.
    """
    counts = matrix.sum(axis=1)
    shares = matrix / np.maximum(counts[:, None], 1)
    accuracy = np.trace(matrix) / max(counts.sum(), 1)
    figure = new_figure(figsize=(7.5, 6.2))
    axes = figure.add_subplot(
        title=f"Confusion, {counts.sum():,} pictures, accuracy {accuracy:.1%}",
        xlabel="predicted",
        ylabel="labelled (pictures)",
    )
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, label="share of the row", shrink=0.8)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right")
    rows = [f"{label} ({count:,})" for label, count in zip(labels, counts, strict=True)]
    axes.set_yticks(range(len(labels)), rows)
    for (row, column), count in np.ndenumerate(matrix):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour, fontsize=8)
    figure.savefig(path, dpi=110, format="png")


def reliability(
    before: Sequence[ReliabilityBin], after: Sequence[ReliabilityBin], path: Path
) -> None:
    """Write the accuracy by confidence, and the number of pictures in each bin.

    Both before and after temperature scaling.
    """
    total = sum(each.count for each in after)
    figure = new_figure(figsize=(6.2, 7))
    figure.suptitle(f"Reliability, {total:,} pictures")
    axes, below = figure.subplots(2, height_ratios=(3, 1), sharex=True)
    axes.set(title="Accuracy by confidence", ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    axes.plot((0, 1), (0, 1), color="grey", linestyle=":", label="calibrated")
    for bins, name, marker in ((before, "before scaling", "o"), (after, "after scaling", "s")):
        places = [each.confidence for each in bins]
        axes.plot(places, [each.accuracy for each in bins], f"{marker}-", label=name)
        below.plot(places, [each.count for each in bins], f"{marker}-", label=name)
    axes.set_xticks(np.linspace(0, 1, 11))
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left")
    for each in after:
        below.annotate(
            f"{each.count:,}", (each.confidence, each.count), (0, 5), textcoords="offset points",
            ha="center", fontsize=8,
        )  # fmt: skip
    below.set(
        title="Pictures per bin (numbers: after scaling)", xlabel="confidence", ylabel="pictures"
    )
    below.set_ylim(0, 1.25 * max((each.count for each in (*before, *after)), default=1))
    below.grid(alpha=0.3)
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
