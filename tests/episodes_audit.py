"""The rules of every camera's episodes, which hold after every fault of its workers."""

from collections.abc import Iterable

from emotion_streams import Episode, EpisodeType


def audit(episodes: Iterable[Episode]) -> tuple[list[str], set[str]]:
    """Return what is wrong with a camera's records in their order, and the tracks left open."""
    books = _Books()
    for each in episodes:
        books.enter(each)
    return books.wrong, set(books.showing)


class _Books:
    """The tracks that are open, and the emotion that each shows."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.showing: dict[str, Episode | None] = {}
        self._seen: set[tuple[str, EpisodeType]] = set()

    def enter(self, record: Episode) -> None:
        if record.type is not EpisodeType.EMOTION_UPDATED:
            self._expect((record.id, record.type) not in self._seen, "twice", record)
        self._seen.add((record.id, record.type))
        if record.end_ms is not None:
            lasted_ms = record.end_ms - record.start_ms
            self._expect(0 <= record.duration_ms == lasted_ms, "its times differ", record)
        if record.type is EpisodeType.FACE_ENTERED:
            self._expect(record.track not in self.showing, "it is there already", record)
            self.showing[record.track] = None
            return
        self._expect(record.track in self.showing, "the track has not entered", record)
        if record.type is EpisodeType.FACE_LEFT:
            self._leave(record)
        else:
            self._show(record)

    def _leave(self, record: Episode) -> None:
        self._expect(self.showing.get(record.track) is None, "an emotion is open", record)
        shown_ms = sum((record.emotion_ms or {}).values())
        self._expect(shown_ms <= record.duration_ms, "it showed emotions for longer", record)
        self.showing.pop(record.track, None)

    def _show(self, record: Episode) -> None:
        current = self.showing.get(record.track)
        if record.type is EpisodeType.EMOTION_STARTED:
            self._expect(current is None, "another emotion is open", record)
            self.showing[record.track] = record
            return
        started = current is not None and current.id == record.id
        self._expect(started, "it has not started", record)
        if current is not None:
            self._expect(record.start_ms == current.start_ms, "its start differs", record)
        if record.type is EpisodeType.EMOTION_ENDED:
            self.showing[record.track] = None

    def _expect(self, holds: bool, what: str, record: Episode) -> None:
        if not holds:
            self.wrong.append(f"{record.id} {record.type.value}: {what}")
