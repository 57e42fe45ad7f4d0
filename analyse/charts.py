"""Charts of the report, as SVG."""

import itertools
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from analyse.palette import COLOURS
from analyse.summary import Curves, TrackCurve
from emotion_streams.cli.output import short_track
from emotion_streams.emotions import EMOTIONS, Emotion

_WIDTH: Final = 1000
_LEFT: Final = 110
_ROW: Final = 18
_HEIGHT: Final = 120
_TICKS: Final = 6

_ORDER: Final[tuple[Emotion, ...]] = tuple(name for name in COLOURS if name != "uncertain")
_INDEX: Final = {emotion: n for n, emotion in enumerate(EMOTIONS)}


def timeline(found: Curves, tracks: Sequence[str]) -> str:
    """Return a row per track: its steady label over the time of the recording."""
    across = _Scale(found.last_ms)
    height = len(tracks) * _ROW
    parts = [across.axis(height)]
    for row, track in enumerate(tracks):
        y = row * _ROW
        parts.append(
            f'<text x="{_LEFT - 8}" y="{y + 13}" class="name">{escape(short_track(track))}</text>'
        )
        for start_ms, end_ms, label in found.tracks[track].spans:
            x = across(start_ms)
            width = max(1.0, across(end_ms) - x)
            title = f"{label}, {clock(start_ms)} to {clock(end_ms)}"
            parts.append(
                f'<rect x="{x:.1f}" y="{y + 3}" width="{width:.1f}" height="{_ROW - 6}" '
                f'fill="{COLOURS[label]}"><title>{title}</title></rect>'
            )
    return _svg(height + 22, "steady labels of each track over time", parts)


def probabilities(found: Curves, track: str) -> str:
    """Return the smoothed probabilities of a track over time, stacked."""
    across = _Scale(found.last_ms)
    parts = [across.axis(_HEIGHT)]
    for run in _runs(found.tracks[track]):
        low = [0.0] * len(run)
        for emotion in reversed(_ORDER):
            high = [
                below + sums[_INDEX[emotion]] / sums[-1]
                for below, (_, sums) in zip(low, run, strict=True)
            ]
            parts.append(_area(across, found.bin_ms, run, low, high, emotion))
            low = high
    return _svg(_HEIGHT + 22, f"probabilities of {short_track(track)} over time", parts)


def bar(values: Mapping[Emotion, float]) -> str:
    """Return shares that add up to 1 as a bar."""
    parts, x = [], 0.0
    for emotion in _ORDER:
        width = values[emotion] * _WIDTH
        if width:
            title = f"{emotion} {values[emotion]:.1%}"
            parts.append(
                f'<rect x="{x:.1f}" y="0" width="{width:.1f}" height="28" '
                f'fill="{COLOURS[emotion]}"><title>{title}</title></rect>'
            )
        x += width
    return _svg(28, "share of each emotion", parts)


def legend() -> str:
    """Return the names of the labels beside their colours, as HTML."""
    items = (
        f'<li><span style="background:{colour}"></span>{label}</li>'
        for label, colour in COLOURS.items()
    )
    return f'<ul class="legend">{"".join(items)}</ul>'


def clock(milliseconds: int) -> str:
    """Format a position as minutes, seconds and tenths; with hours if there are any."""
    seconds, rest = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{head}:{seconds:02d}.{rest // 100}"


class _Scale:
    """Places positions on the horizontal axis."""

    def __init__(self, last_ms: int) -> None:
        self._last_ms = max(1, last_ms)

    def __call__(self, position_ms: float) -> float:
        return _LEFT + (_WIDTH - _LEFT) * min(1.0, position_ms / self._last_ms)

    def axis(self, height: int) -> str:
        parts = []
        for n in range(_TICKS + 1):
            at_ms = round(self._last_ms * n / _TICKS)
            x = self(at_ms)
            anchor = "end" if n == _TICKS else "middle"
            parts.append(
                f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{height}" class="grid"/>'
                f'<text x="{x:.1f}" y="{height + 16}" text-anchor="{anchor}">{clock(at_ms)}</text>'
            )
        return "".join(parts)


_Run = list[tuple[int, list[float]]]


def _runs(curve: TrackCurve) -> list[_Run]:
    """Return the bins of a curve, split where the track was not in view."""
    runs: list[_Run] = []
    for place in sorted(curve.sums):
        if not runs or place - runs[-1][-1][0] > max(1, _gap(curve)):
            runs.append([])
        runs[-1].append((place, curve.sums[place]))
    return runs


def _gap(curve: TrackCurve) -> int:
    """Return the usual distance of two bins that are in use: bins may be shorter than a frame."""
    places = sorted(curve.sums)
    steps = sorted(after - before for before, after in itertools.pairwise(places))
    return 2 * steps[len(steps) // 2] if steps else 1


def _area(
    across: _Scale, bin_ms: int, run: _Run, low: list[float], high: list[float], emotion: Emotion
) -> str:
    xs = [across(place * bin_ms) for place, _ in run]
    xs.append(across((run[-1][0] + 1) * bin_ms))
    upper = [(1 - value) * _HEIGHT for value in (*high, high[-1])]
    lower = [(1 - value) * _HEIGHT for value in (*low, low[-1])]
    points = [*zip(xs, upper, strict=True), *reversed(list(zip(xs, lower, strict=True)))]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polygon points="{path}" fill="{COLOURS[emotion]}"><title>{emotion}</title></polygon>'


def _svg(height: int, label: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(label)}">'
        f"{''.join(parts)}</svg>"
    )
