"""Keeps the records of an analysis on disk, so that it can be resumed where it was ended."""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgpack

from analyse.durable import put
from emotion_streams.episodes import Episode
from emotion_streams.events import EmotionEvent
from emotion_streams.stream_id import ZERO, StreamId

EVENT: Final = 0
EPISODE: Final = 1

_MAX_RECORD_BYTES: Final = 4 << 20


@dataclass(frozen=True)
class Checkpoint:
    """A moment at which the records and the tracking state agree.

    `tracks`: the hash of the tracking state. `frame_id`: its last frame. `event_id`, `episode_id`:
    the last entries of both streams at that moment, empty if there is none. `failures`: why frames
    before it were not analysed. `is_complete`: no frame follows.
    """

    tracks: dict[bytes, bytes]
    frame_id: str
    event_id: str
    episode_id: str
    failures: tuple[str, ...] = ()
    is_complete: bool = False


class Spool:
    """The records of one recording, in the order in which they were committed."""

    def __init__(self, folder: Path) -> None:
        self._records = folder / "records"
        self._checkpoint = folder / "checkpoint"
        self._file: BinaryIO | None = None

    def open(self) -> Checkpoint | None:
        """Open the spool for writing. Return the last checkpoint; what came after it is dropped."""
        checkpoint = self._load()
        kept = self._records.with_suffix(".new")
        with kept.open("wb") as file:
            if checkpoint:
                limits = (_limit(checkpoint.event_id), _limit(checkpoint.episode_id))
                for kind, entry_id, blob in self._read():
                    if StreamId.parse(entry_id) <= limits[kind]:
                        file.write(msgpack.packb((kind, entry_id, blob)))
        put(kept, self._records)
        self._file = self._records.open("ab")
        return checkpoint

    def add(self, kind: int, entry_id: str, blob: bytes) -> None:
        """Append a record, as it is in its stream."""
        assert self._file is not None
        self._file.write(msgpack.packb((kind, entry_id, blob)))

    def save(self, checkpoint: Checkpoint) -> None:
        """Store a checkpoint. Every record up to it was added before, and is on the disk first."""
        assert self._file is not None
        self._file.flush()
        os.fsync(self._file.fileno())
        new = self._checkpoint.with_suffix(".new")
        new.write_bytes(msgpack.packb(asdict(checkpoint)))
        put(new, self._checkpoint)

    def close(self) -> None:
        """Flush and close the spool."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def events(self) -> Iterator[EmotionEvent]:
        """Yield the events, in the order of the frames."""
        for kind, _, blob in self._read():
            if kind == EVENT:
                yield EmotionEvent.unpack(blob)

    def episodes(self) -> list[Episode]:
        """Return the last record of each episode, in the order of their beginnings."""
        latest: dict[str, Episode] = {}
        for kind, _, blob in self._read():
            if kind == EPISODE:
                episode = Episode.unpack(blob)
                latest[episode.id] = episode
        return sorted(latest.values(), key=lambda each: (each.start_ms, *_parts(each.id)))

    def _read(self) -> Iterator[tuple[int, str, bytes]]:
        """Yield the records. A last one that was cut off, when the machine stopped, is left out."""
        if not self._records.exists():
            return
        with self._records.open("rb") as file:
            yield from msgpack.Unpacker(file, max_buffer_size=_MAX_RECORD_BYTES, use_list=False)

    def _load(self) -> Checkpoint | None:
        try:
            fields: dict[str, Any] = msgpack.unpackb(
                self._checkpoint.read_bytes(), strict_map_key=False, use_list=False
            )
        except FileNotFoundError:
            return None
        return Checkpoint(**fields)


def _limit(entry_id: str) -> StreamId:
    """Return the last id to keep, from a checkpoint; without an entry nothing is kept."""
    return StreamId.parse(entry_id) if entry_id else ZERO


def _parts(episode_id: str) -> tuple[str, int]:
    """Return what orders the episodes that begin in one frame: the track, and the number in it."""
    rest, _, number = episode_id.rpartition("/")
    return rest, int(number)
