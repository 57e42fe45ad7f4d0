"""Detects the layout of a data set, and lists its splits."""

import zipfile
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final, Protocol

from training.datasets import affectnet, ferplus, folders
from training.datasets.entry import Entry, InvalidDataError


class Layout(Protocol):
    """A module that reads one public layout."""

    def matches(self, root: Traversable) -> bool:
        """Return whether the folder is in this layout."""

    def splits(self, root: Traversable) -> list[str]:
        """Return the splits that exist, of train, valid and test."""

    def missing(self, root: Traversable) -> str | None:
        """Return what a folder lacks to be in this layout, None if nothing suggests it."""

    def entries(self, root: Traversable, split: str) -> list[Entry]:
        """Return the labelled pictures of a split. Raises InvalidDataError for wrong labels."""


LAYOUTS: Final[dict[str, Layout]] = {
    "FER+": ferplus,
    "AffectNet": affectnet,
    "folder per emotion": folders,
}


_DEEPEST: Final = 3
"""Levels of folders that are searched."""


@dataclass(frozen=True)
class DataSet:
    """A data set on disk whose layout is known."""

    path: Path
    layout: str
    root: Traversable

    def splits(self) -> list[str]:
        """Return the splits that exist: of train, valid and test, or `all`."""
        return LAYOUTS[self.layout].splits(self.root)

    def split(self, asked: str) -> str:
        """Return the split to use for the requested one.

        This is the same one, or `all` of a data set that is not divided. Raises InvalidDataError if
        it does not exist.
        """
        there = self.splits()
        if there == [folders.WHOLE]:
            return folders.WHOLE
        if asked not in there:
            raise InvalidDataError(f"{self.path}: no split {asked!r}, only {', '.join(there)}")
        return asked

    def entries(self, split: str) -> list[Entry]:
        """Return the labelled pictures of a split, as `split` resolves it."""
        return LAYOUTS[self.layout].entries(self.root, self.split(split))


def open_data(path: Path) -> DataSet:
    """Return the data set in a folder or a zip, at its top or below it.

    Raises InvalidDataError if it is missing, in no known layout, or if there are several.
    """
    if path.is_dir():
        top: Traversable = path
    elif zipfile.is_zipfile(path):
        top = _zip(path)
    else:
        what = "neither a folder nor a zip" if path.exists() else "not there"
        raise InvalidDataError(f"{path}: {what}")
    roots, hint = [top], None
    for _ in range(_DEEPEST):
        found = [(name, root) for root in roots if (name := _layout(root))]
        if len(found) > 1:
            names = ", ".join(sorted(root.name for _, root in found))
            raise InvalidDataError(f"{path}: several data sets, in {names}; name one of them")
        if found:
            return DataSet(path, *found[0])
        hint = hint or next(filter(None, map(_missing, roots)), None)
        roots = [child for root in roots for child in folders.below(root)]
    raise InvalidDataError(f"{path}: {hint or 'in no layout that is known: ' + ', '.join(LAYOUTS)}")


def _zip(path: Path) -> Traversable:
    """Return the top folder of a zip.

    Some programs on Windows write backslashes between folders, which the format forbids; they
    separate folders, too. Raises InvalidDataError.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise InvalidDataError(f"{path}: not a zip that can be read: {error}") from error
    for member in archive.filelist:
        member.filename = member.filename.replace("\\", "/")
    archive.NameToInfo = {member.filename: member for member in archive.filelist}
    return zipfile.Path(archive)


def _missing(root: Traversable) -> str | None:
    return next(filter(None, (layout.missing(root) for layout in LAYOUTS.values())), None)


def _layout(root: Traversable) -> str | None:
    return next((name for name, layout in LAYOUTS.items() if layout.matches(root)), None)
