"""Files that are complete or not there, also after a power failure."""

import os
from collections.abc import Callable
from pathlib import Path


def replace_by(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file beside `path`, and give it that name when it is complete."""
    new = path.with_name(f".{path.name}.new")
    write(new)
    put(new, path)


def put(new: Path, path: Path) -> None:
    """Rename a complete file to `path`, which it replaces.

    Its bytes are on the disk before the rename, and the rename when this returns.
    """
    _sync(new)
    new.replace(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
