"""What must hold of the records of a camera in any case."""

from collections import defaultdict
from collections.abc import Iterable

from emotion_streams.emotions import EMOTIONS
from emotion_streams.episodes import EndReason, Episode, EpisodeType

T = EpisodeType


class Audit:
    """Reads records in the order of their stream."""

    def __init__(self) -> None:
        self.tracks: dict[str, list[Episode]] = {}
        self.open_tracks: set[str] = set()
        self.open_emotions: dict[str, str] = {}

    def add(self, records: Iterable[Episode]) -> None:
        """Check records against those before them."""
        for record in records:
            assert Episode.unpack(record.pack()) == record
            self._check(record)
            self.tracks.setdefault(record.track, []).append(record)

    def _check(self, record: Episode) -> None:
        known, showing = record.track in self.open_tracks, self.open_emotions.get(record.track)
        assert record.duration_ms >= 0
        assert record.end_ms is None or record.end_ms == record.start_ms + record.duration_ms
        assert (record.end_ms is None) == (record.reason is None)
        assert (record.reason is not None) == (record.type in (T.EMOTION_ENDED, T.FACE_LEFT))
        match record.type:
            case T.FACE_ENTERED:
                assert record.track not in self.tracks, "an id enters once"
                self.open_tracks.add(record.track)
            case T.EMOTION_STARTED:
                assert known
                assert showing is None, "at most one emotion is open"
                self.open_emotions[record.track] = record.id
            case T.EMOTION_UPDATED:
                assert showing == record.id
            case T.EMOTION_ENDED:
                assert showing == record.id
                del self.open_emotions[record.track]
            case T.FACE_LEFT:
                assert known
                assert showing is None, "what is open ends before"
                assert record.reason != EndReason.CHANGED
                self.open_tracks.remove(record.track)

    def finish(self) -> None:
        """Check each track as a whole; nothing is open."""
        assert not self.open_tracks
        assert not self.open_emotions
        for records in self.tracks.values():
            _check_track(records)


def _check_track(records: list[Episode]) -> None:
    entered, left = records[0], records[-1]
    assert (entered.type, left.type) == (T.FACE_ENTERED, T.FACE_LEFT)
    assert entered.id == left.id
    assert left.id.endswith("/0")
    assert left.end_ms is not None
    times = [entered.start_ms]
    shown: dict[str, int] = defaultdict(int)
    ids: dict[str, Episode] = {}
    for record in records[1:-1]:
        start = ids.setdefault(record.id, record)
        assert start.type == T.EMOTION_STARTED
        assert (record.start_ms, record.emotion) == (start.start_ms, start.emotion)
        times.append(record.start_ms if record.end_ms is None else record.end_ms)
        if record.type == T.EMOTION_UPDATED:
            times.pop()
        if record.type == T.EMOTION_ENDED:
            assert record.emotion
            shown[record.emotion] += record.duration_ms
    times.append(left.end_ms)
    assert times == sorted(times), "entered <= started <= ended <= left"
    assert left.emotion_ms
    assert left.probabilities_mean
    for emotion in EMOTIONS:
        if emotion != "neutral":  # which makes no episodes unless asked for
            assert shown[emotion] == left.emotion_ms[emotion]
    assert sum(left.emotion_ms.values()) <= left.duration_ms
    assert 0 < sum(left.probabilities_mean.values()) < 1.001
