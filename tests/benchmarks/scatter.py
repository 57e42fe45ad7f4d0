"""Accuracy over speed, as a picture."""

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure

from tests.benchmarks.machine import cores


def draw(path: Path, faces_per_s: Mapping[str, float], accuracy: Mapping[str, float]) -> None:
    """A point for each name that has both."""
    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.add_subplot(
        xlabel=f"faces per second, whole system, {cores()} cores",
        ylabel="accuracy of the faces found, FER+ Valid (%)",
        title="FER+ Valid chose among the runs of simpnet-v2, not of fer",
        xlim=(0, 1.25 * max(faces_per_s.values())),
        ylim=(50, 100),
    )
    for name, share in accuracy.items():
        ours = name.startswith("simpnet")
        axes.plot(faces_per_s[name], 100 * share, "o" if ours else "s", markersize=9)
        label = name if ours else f"fer ({name})"
        note = f"{label}\n{100 * share:.1f} %, {faces_per_s[name]:.0f} faces/s"
        axes.annotate(
            note, (faces_per_s[name], 100 * share), (0, 10), textcoords="offset points", ha="center"
        )
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
