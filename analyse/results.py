"""Writes the results of a file from its spool."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from analyse.clip_reader import Format
from analyse.durable import put, replace_by
from analyse.output import Clip, finish
from analyse.render import KeyFrame, Rendering, choose_key_frames, render
from analyse.report import report
from analyse.spool import Spool
from analyse.summary import curves, summarise
from analyse.tables import (
    EPISODE_COLUMNS,
    FACE_COLUMNS,
    episode_rows,
    face_rows,
    write_csv,
    write_parquet,
)
from analyse.video import VideoFailedError, find_encoder
from emotion_streams.printable import printable


@dataclass(frozen=True)
class Wanted:
    """Which results are wanted: as the options of the command."""

    blur: bool = False
    show_faces: bool = False
    parquet: bool = False


def write_tables(clip: Clip, wanted: Wanted) -> None:
    """Write the tables of what is analysed so far."""
    spool = Spool(clip.work)
    faces, episodes = clip.folder / "faces.csv", clip.folder / "episodes.csv"
    write_csv(faces, FACE_COLUMNS, face_rows(spool.events()))
    write_csv(episodes, EPISODE_COLUMNS, episode_rows(spool.episodes()))
    if wanted.parquet:
        write_parquet(faces.with_suffix(".parquet"), FACE_COLUMNS, face_rows(spool.events()))
        write_parquet(
            episodes.with_suffix(".parquet"), EPISODE_COLUMNS, episode_rows(spool.episodes())
        )


def write_results(
    clip: Clip,
    form: Format,
    failures: Sequence[str],
    wanted: Wanted,
    on_frame: Callable[[], None],
    say: Callable[[str], None],
) -> None:
    """Write all results of a file that is analysed to its end.

    `on_frame` is called after each frame of the video; it may raise to stop.
    """
    write_tables(clip, wanted)
    spool = Spool(clip.work)
    episodes = spool.episodes()
    key_frames = _render(clip, spool, wanted, on_frame, say)
    duration_ms = max((event.position_ms or 0 for event in spool.events()), default=0)
    found = curves(spool.events(), duration_ms)
    summary = summarise(printable(clip.path.name), form, found, episodes, failures)
    page = report(summary, found, key_frames)
    replace_by(clip.folder / "report.html", partial(_write, text=page))
    text = json.dumps(summary, indent=2, ensure_ascii=False) + "\n"
    replace_by(clip.folder / "summary.json", partial(_write, text=text))
    finish(clip)


def _render(
    clip: Clip,
    spool: Spool,
    wanted: Wanted,
    on_frame: Callable[[], None],
    say: Callable[[str], None],
) -> list[KeyFrame]:
    """Write the annotated video if that is possible; return the key frames."""
    video = clip.work / "annotated.mp4"
    try:
        find_encoder()
    except VideoFailedError as error:
        say(f"{clip.folder.name}: no annotated.mp4: {error}")
        how = Rendering(None, show_faces=wanted.show_faces)
    else:
        how = Rendering(video, blur=wanted.blur, show_faces=wanted.show_faces)
    chosen = choose_key_frames(spool.episodes())
    try:
        count, key_frames = render(clip.path, spool.events(), chosen, how, on_frame)
    except VideoFailedError as error:
        say(f"{clip.folder.name}: no annotated.mp4: {error}")
        how = Rendering(None, show_faces=wanted.show_faces)
        count, key_frames = render(clip.path, spool.events(), chosen, how, on_frame)
    if how.video and count:
        put(video, clip.folder / video.name)
    return key_frames


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
