"""Goes through the file once more: the annotated video, and the key frames of the report."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from analyse.clip_reader import read_frames
from analyse.draw import annotated, fitted, reduced, to_jpeg, without_faces
from analyse.video import VideoWriter
from emotion_streams.episodes import Episode
from emotion_streams.events import EmotionEvent
from producer.source import Pixels

MAX_KEY_FRAMES: Final = 12
_KEY_FRAME_WIDTH: Final = 480


@dataclass(frozen=True)
class KeyFrame:
    """The picture (a JPEG) in which an emotion was at its strongest."""

    episode: Episode
    jpeg: bytes


@dataclass(frozen=True)
class Rendering:
    """How to render. `video`: its path, None for none. `blur`, `show_faces`: see the options."""

    video: Path | None
    blur: bool = False
    show_faces: bool = False


def choose_key_frames(episodes: Iterable[Episode]) -> list[Episode]:
    """Return the emotions that lasted longest and were clearest, in the order of their peaks."""
    emotions = [each for each in episodes if each.peak_ms is not None]
    emotions.sort(key=lambda each: -each.duration_ms * (each.confidence_mean or 0.0))
    return sorted(emotions[:MAX_KEY_FRAMES], key=lambda each: (each.peak_ms or 0, each.id))


def render(
    path: Path,
    events: Iterator[EmotionEvent],
    episodes: Sequence[Episode],
    how: Rendering,
    on_frame: Callable[[], None],
) -> tuple[int, list[KeyFrame]]:
    """Write the video. Return its number of frames, and the key frames of `episodes`.

    `on_frame` is called after each frame; it may raise, and then the video is not complete. Raises
    VideoFailedError.
    """
    wanted: dict[int | None, list[Episode]] = {}
    for episode in episodes:
        wanted.setdefault(episode.peak_ms, []).append(episode)
    found: list[KeyFrame] = []
    count = 0
    with ExitStack() as ending:
        writer: VideoWriter | None = None
        size = (0, 0)
        for position_ms, read, event in _joined(path, events):
            if count == 0:
                size = (read.shape[1], read.shape[0])
                if how.video:
                    writer = ending.enter_context(VideoWriter(how.video, *size))
            pixels = fitted(read, size)
            if writer:
                writer.add(position_ms, _shown(pixels, event, blur=how.blur))
            if event and position_ms in wanted:
                picture = _key_frame(pixels, event, show_faces=how.show_faces)
                found += [KeyFrame(each, picture) for each in wanted.pop(position_ms)]
            count += 1
            on_frame()
    return count, found


def _joined(
    path: Path, events: Iterator[EmotionEvent]
) -> Iterator[tuple[int, Pixels, EmotionEvent | None]]:
    """Yield position, picture and event of each frame; no event if its analysis failed."""
    event = next(events, None)
    for position_ms, pixels in read_frames(path):
        while event is not None and (event.position_ms or 0) < position_ms:
            event = next(events, None)
        if event is not None and event.position_ms == position_ms:
            yield position_ms, pixels, event
            event = next(events, None)
        else:
            yield position_ms, pixels, None


def _shown(pixels: Pixels, event: EmotionEvent | None, *, blur: bool) -> Pixels:
    if event:
        return annotated(pixels, event, blur=blur)
    return without_faces(pixels, None) if blur else pixels


def _key_frame(pixels: Pixels, event: EmotionEvent, *, show_faces: bool) -> bytes:
    return to_jpeg(annotated(reduced(pixels, _KEY_FRAME_WIDTH), event, blur=not show_faces))
