"""The report: one page that contains everything it shows."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from analyse import charts
from analyse.charts import clock
from analyse.render import KeyFrame
from analyse.summary import Curves
from emotion_streams.cli.output import short_track
from emotion_streams.emotions import EMOTIONS

_MAX_TRACKS: Final = 60
_MAX_CURVES: Final = 20

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { overflow-wrap: anywhere; }
svg { width: 100%; height: auto; display: block; margin: .5rem 0; }
svg text { font-size: 12px; fill: currentColor; }
svg .name { text-anchor: end; }
svg .grid { stroke: currentColor; opacity: .15; }
dl { display: flex; flex-wrap: wrap; gap: .5rem 2rem; }
dt { opacity: .7; } dd { margin: 0; font-size: 1.4rem; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1rem; list-style: none; padding: 0; }
.legend span { display: inline-block; width: .8em; height: .8em; margin-right: .4em; }
.frames { display: grid; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); gap: 1rem; }
figure { margin: 0; } figure img { width: 100%; }
table { border-collapse: collapse; } th, td { padding: .1rem .8rem .1rem 0; text-align: right; }
th:first-child, td:first-child { text-align: left; }
.wide { overflow-x: auto; }
"""


def report(summary: Mapping[str, Any], found: Curves, key_frames: Sequence[KeyFrame]) -> str:
    """Return the page. It makes no request."""
    title = f"{escape(summary['file'])} - emotions"
    body = "".join((
        f"<h1>{escape(summary['file'])}</h1>",
        _facts(summary),
        charts.legend(),
        _shares(summary),
        _timeline(summary, found),
        _people(summary),
        _key_frames(key_frames),
        _curves(summary, found),
        _origin(summary),
    ))  # fmt: skip
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def _facts(summary: Mapping[str, Any]) -> str:
    dwell = summary["dwell_ms_p50"]
    facts = {
        "length": clock(summary["duration_ms"]),
        "frames": f"{summary['frames']:,}",
        "people": f"{summary['tracks']:,}",
        "at once, at most": f"{summary['people_max']}",
        "in view, median": "-" if dwell is None else clock(dwell),
    }
    items = (f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts.items())
    return f"<dl>{''.join(items)}</dl>"


def _shares(summary: Mapping[str, Any]) -> str:
    shares = summary["emotion_shares"]
    if shares is None:
        return "<h2>Emotions</h2><p>No face showed an emotion for long enough.</p>"
    rows = "".join(
        f"<tr><td>{emotion}</td><td>{shares[emotion]:.1%}</td>"
        f"<td>{clock(summary['emotion_ms'][emotion])}</td>"
        f"<td>{summary['episodes'][emotion]}</td></tr>"
        for emotion in sorted(EMOTIONS, key=lambda name: -shares[name])
    )
    head = "<tr><th>emotion</th><th>share</th><th>time</th><th>episodes</th></tr>"
    return (
        "<h2>Emotions</h2><p>Shares of the time in which faces showed a steady emotion.</p>"
        f"{charts.bar(shares)}<table>{head}{rows}</table>"
    )


def _timeline(summary: Mapping[str, Any], found: Curves) -> str:
    people = summary["people"]
    if not people:
        return ""
    longest = sorted(people, key=lambda each: -each["duration_ms"])[:_MAX_TRACKS]
    tracks = [each["track"] for each in people if each in longest and each["track"] in found.tracks]
    left_out = f" The {_MAX_TRACKS} longest are shown." if len(people) > _MAX_TRACKS else ""
    return (
        "<h2>Over time</h2><p>A row for each track, which is one person from when a face appears "
        f"until it is gone; its colour is the steady emotion.{left_out}</p>"
        f"{charts.timeline(found, tracks)}"
    )


def _people(summary: Mapping[str, Any]) -> str:
    people = summary["people"][:_MAX_TRACKS]
    if not people:
        return ""
    rows = []
    for each in people:
        shown = {name: ms for name, ms in (each["emotion_ms"] or {}).items() if ms}
        most = sorted(shown, key=lambda name: -shown[name])[:3]
        rows.append(
            f"<tr><td>{escape(short_track(each['track']))}</td><td>{clock(each['start_ms'])}</td>"
            f"<td>{clock(each['end_ms'] or 0)}</td><td>{clock(each['duration_ms'])}</td>"
            f"<td>{', '.join(f'{name} {clock(shown[name])}' for name in most) or '-'}</td></tr>"
        )
    head = "<tr><th>track</th><th>from</th><th>until</th><th>in view</th><th>emotions</th></tr>"
    return f'<h2>People</h2><div class="wide"><table>{head}{"".join(rows)}</table></div>'


def _key_frames(key_frames: Sequence[KeyFrame]) -> str:
    if not key_frames:
        return ""
    figures = []
    for each in sorted(key_frames, key=lambda frame: frame.episode.peak_ms or 0):
        episode = each.episode
        picture = base64.b64encode(each.jpeg).decode()
        text = (
            f"{clock(episode.peak_ms or 0)}: {episode.emotion} "
            f"{episode.confidence_peak or 0:.0%}, {short_track(episode.track)}"
        )
        figures.append(
            f'<figure><img alt="{escape(text)}" src="data:image/jpeg;base64,{picture}">'
            f"<figcaption>{escape(text)}</figcaption></figure>"
        )
    return f'<h2>Key frames</h2><div class="frames">{"".join(figures)}</div>'


def _curves(summary: Mapping[str, Any], found: Curves) -> str:
    longest = sorted(summary["people"], key=lambda each: -each["duration_ms"])[:_MAX_CURVES]
    parts = [
        f"<h3>{escape(short_track(each['track']))}</h3>{charts.probabilities(found, each['track'])}"
        for each in longest
        if each["track"] in found.tracks
    ]
    if not parts:
        return ""
    left_out = (
        f" The {_MAX_CURVES} longest are shown." if len(summary["people"]) > _MAX_CURVES else ""
    )
    return (
        "<h2>Probabilities</h2><p>What the model gives for each emotion, averaged over a quarter "
        f"of a second.{left_out}</p>{''.join(parts)}"
    )


def _origin(summary: Mapping[str, Any]) -> str:
    model = summary["model"]
    by = f"{model['name']} {model['version']}, faces by {model['detector']}" if model else "-"
    return (
        "<h2>Origin</h2>"
        f"<p>emotion-streams {escape(summary['version'])}; model {escape(by)}. An emotion here is "
        "what a model reads in a face, not what a person feels.</p>"
    )
