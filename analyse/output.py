"""Where the results of each file go, and whether some are there already."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

RESULTS: Final = (
    "faces.csv", "episodes.csv", "faces.parquet", "episodes.parquet", "annotated.mp4",
    "report.html", "summary.json",
)  # fmt: skip
"""Of each file. The summary is written last: where it is, the file is done."""

_WORK: Final = ".analysis"
_RUN: Final = "run.json"


class OutputError(Exception):
    """The results cannot be written there; the text gives the reason and a remedy."""


@dataclass(frozen=True)
class Clip:
    """A file to analyse. `folder` gets its results, and is named as the file is."""

    path: Path
    folder: Path

    @property
    def work(self) -> Path:
        """Return the folder of what is not yet finished."""
        return self.folder / _WORK

    @property
    def is_done(self) -> bool:
        """Whether all of its results are there."""
        return (self.folder / RESULTS[-1]).exists() and not self.work.exists()

    @property
    def has_results(self) -> bool:
        """Whether an earlier run left something."""
        return self.work.exists() or any((self.folder / name).exists() for name in RESULTS)


def clips(files: Sequence[Path], out: Path) -> list[Clip]:
    """Return the files with their folders. Two files of one name get a number each."""
    found: list[Clip] = []
    taken: set[Path] = set()
    for path in files:
        folder, number = out / (path.stem or path.name), 1
        while folder in taken:
            number += 1
            folder = out / f"{path.stem}-{number}"
        taken.add(folder)
        found.append(Clip(path.absolute(), folder))
    return found


def prepare(
    clip: Clip, options: Mapping[str, str], *, resume: bool = False, overwrite: bool = False
) -> None:
    """Make the folder ready for the results. Raises OutputError.

    `options` are those that the tables depend on: a run is resumed only with the same ones.
    """
    if overwrite:
        _remove(clip)
    elif clip.has_results and not resume:
        raise OutputError(
            f"{clip.folder} holds results: --resume keeps them and goes on, --overwrite replaces "
            "them"
        )
    if clip.is_done:
        return
    clip.work.mkdir(parents=True, exist_ok=True)
    run, now = clip.work / _RUN, _identity(clip.path, options)
    if run.exists() and json.loads(run.read_text()) != now:
        raise OutputError(
            f"{clip.folder} was begun with another file or other options: use --overwrite"
        )
    run.write_text(json.dumps(now))


def finish(clip: Clip) -> None:
    """Remove what only an unfinished analysis needs."""
    shutil.rmtree(clip.work)


def _remove(clip: Clip) -> None:
    for name in RESULTS:
        (clip.folder / name).unlink(missing_ok=True)
    shutil.rmtree(clip.work, ignore_errors=True)


def _identity(path: Path, options: Mapping[str, str]) -> dict[str, Any]:
    try:
        status = path.stat()
    except OSError:
        return {"options": dict(options)}
    return {
        "options": dict(options),
        "size": status.st_size,
        "modified_ns": status.st_mtime_ns,
    }
