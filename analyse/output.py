"""Where the results of each file go, and whether some are there already."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from analyse.durable import replace_by

_RUN: Final = "run.json"
"""Of what the results are made: the file's size and time, and the options. It is written first."""

RESULTS: Final = (
    _RUN, "faces.csv", "episodes.csv", "faces.parquet", "episodes.parquet", "annotated.mp4",
    "report.html", "summary.json",
)  # fmt: skip
"""Of each file. The summary is written last: where it is, the file is done."""

_WORK: Final = ".analysis"


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
    def run_file(self) -> Path:
        """Return the file that says what the results are made of."""
        return self.folder / _RUN

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

    `options` are those that the results depend on: results are kept, and a run is resumed, only
    with the same ones.
    """
    if overwrite:
        _remove(clip)
    now, run = _identity(clip.path, options), clip.run_file
    if clip.has_results:
        if not resume:
            raise OutputError(
                f"{clip.folder} holds results: --resume keeps them and goes on, --overwrite "
                "replaces them"
            )
        if differs := _difference(_read(run), now):
            raise OutputError(f"{clip.folder} holds results {differs}: --overwrite replaces them")
    if clip.is_done:
        return
    clip.folder.mkdir(parents=True, exist_ok=True)
    replace_by(run, partial(_write, fields=now))
    clip.work.mkdir(exist_ok=True)


def finish(clip: Clip) -> None:
    """Remove what only an unfinished analysis needs."""
    shutil.rmtree(clip.work)


def _remove(clip: Clip) -> None:
    for name in RESULTS:
        (clip.folder / name).unlink(missing_ok=True)
    shutil.rmtree(clip.work, ignore_errors=True)


def _identity(path: Path, options: Mapping[str, str]) -> dict[str, Any]:
    """Return what the results are made of. A file that is not there has no size."""
    try:
        status = path.stat()
    except OSError:
        return {"options": dict(options)}
    return {
        "options": dict(options),
        "size": status.st_size,
        "modified_ns": status.st_mtime_ns,
    }


def _difference(before: Mapping[str, Any] | None, now: Mapping[str, Any]) -> str:
    """Return how the results are not those of this run, empty if they are."""
    if before is None:
        return f"whose {_RUN} is missing or damaged"
    if "size" not in now:
        return "of a file that cannot be found now"
    if {**before, "options": None} != {**now, "options": None}:
        return "of another file"
    old, new = before["options"], now["options"]
    names = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
    return f"of other options ({', '.join(names)})" if names else ""


def _read(run: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(run.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("options"), dict) else None


def _write(path: Path, fields: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(fields) + "\n", encoding="utf-8")
