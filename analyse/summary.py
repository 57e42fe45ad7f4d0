"""What a recording shows as a whole: for `summary.json`, and for the report."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

import emotion_streams
from analyse.clip_reader import Format
from emotion_streams.emotions import EMOTIONS, Emotion, Label
from emotion_streams.episodes import Episode, EpisodeType
from emotion_streams.events import EmotionEvent, Model
from emotion_streams.flat import rounded

SCHEMA: Final = 1

_BINS: Final = 400
"""Points in time of a track's curve."""

_GAP_MS: Final = 1_500
"""As long a track is kept without a sighting."""


@dataclass
class TrackCurve:
    """A track over time.

    `spans`: start, end (ms) and label, each as long as the label stayed the same. `sums`: per bin
    of time, the sums of the eight smoothed probabilities and their number.
    """

    spans: list[tuple[int, int, Label]] = field(default_factory=list)
    sums: dict[int, list[float]] = field(default_factory=dict)


@dataclass
class Curves:
    """All tracks of a recording over time, by their ids. A bin lasts `bin_ms`.

    `faces_max`, `people_max`: most faces and most tracks that one frame shows.
    """

    bin_ms: int
    tracks: dict[str, TrackCurve] = field(default_factory=dict)
    frames: int = 0
    faces: int = 0
    faces_max: int = 0
    people_max: int = 0
    last_ms: int = 0
    model: Model | None = None

    def add(self, event: EmotionEvent) -> None:
        """Add the next frame."""
        now_ms = self.last_ms = event.position_ms or 0
        self.model = event.model
        self.frames += 1
        self.faces += len(event.faces)
        self.faces_max = max(self.faces_max, len(event.faces))
        people = {face.track for face in event.faces if face.track is not None}
        self.people_max = max(self.people_max, len(people))
        for face in event.faces:
            if face.track is None or face.label is None or face.smoothed is None:
                continue
            curve = self.tracks.setdefault(face.track, TrackCurve())
            _extend(curve.spans, now_ms, face.label)
            sums = curve.sums.setdefault(now_ms // self.bin_ms, [0.0] * (len(EMOTIONS) + 1))
            for n, emotion in enumerate(EMOTIONS):
                sums[n] += face.smoothed[emotion]
            sums[-1] += 1


def curves(events: Iterable[EmotionEvent], duration_ms: int) -> Curves:
    """Return the tracks over time."""
    found = Curves(max(1, -(-duration_ms // _BINS)))
    for event in events:
        found.add(event)
    return found


def summarise(
    name: str, form: Format, found: Curves, episodes: Sequence[Episode], failures: Sequence[str]
) -> dict[str, Any]:
    """Return the summary as plain values; it depends on the recording and the models alone."""
    people = [each for each in episodes if each.type is EpisodeType.FACE_LEFT]
    model = found.model
    emotion_ms = _total(each.emotion_ms for each in people)
    dwells = [each.duration_ms for each in people]
    return {
        "schema": SCHEMA,
        "file": name,
        "width": form.width,
        "height": form.height,
        "fps": rounded(form.fps),
        "codec": form.codec,
        "duration_ms": found.last_ms,
        "frames": found.frames,
        "frames_failed": len(failures),
        "faces": found.faces,
        "faces_max": found.faces_max,
        "people_max": found.people_max,
        "tracks": len(people),
        "face_ms": sum(dwells),
        "dwell_ms_p50": round(median(dwells)) if dwells else None,
        "emotion_ms": emotion_ms,
        "emotion_shares": shares(emotion_ms),
        "episodes": _counts(episodes),
        "people": [_person(each) for each in people],
        "model": model and {**vars(model)},
        "version": emotion_streams.__version__,
    }


def shares(emotion_ms: Mapping[Emotion, int]) -> dict[Emotion, float] | None:
    """Return the share of each emotion in the time with a steady label; None without any."""
    total = sum(emotion_ms.values())
    if not total:
        return None
    return {emotion: rounded(ms / total) for emotion, ms in emotion_ms.items()}


def _extend(spans: list[tuple[int, int, Label]], now_ms: int, label: Label) -> None:
    if spans:
        start_ms, end_ms, before = spans[-1]
        if now_ms - end_ms <= _GAP_MS:
            spans[-1] = (start_ms, now_ms, before)
            if before == label:
                return
    spans.append((now_ms, now_ms, label))


def _person(episode: Episode) -> dict[str, Any]:
    return {
        "track": episode.track,
        "start_ms": episode.start_position_ms,
        "end_ms": episode.end_position_ms,
        "duration_ms": episode.duration_ms,
        "frames": episode.frames,
        "emotion_ms": episode.emotion_ms and dict(episode.emotion_ms),
        "probabilities_mean": rounded(dict(episode.probabilities_mean or {})),
    }


def _counts(episodes: Iterable[Episode]) -> dict[Emotion, int]:
    counts: dict[Emotion, int] = dict.fromkeys(EMOTIONS, 0)
    for episode in episodes:
        if episode.emotion is not None:
            counts[episode.emotion] += 1
    return counts


def _total(parts: Iterable[Mapping[Emotion, int] | None]) -> dict[Emotion, int]:
    total: dict[Emotion, int] = dict.fromkeys(EMOTIONS, 0)
    for part in parts:
        for emotion, ms in (part or {}).items():
            total[emotion] += ms
    return total
