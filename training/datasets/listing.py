"""Lists of labels, as data sets ship them."""

import csv
import io
from collections.abc import Iterator
from importlib.resources.abc import Traversable

from training.datasets.entry import UNREADABLE, InvalidDataError


def rows(file: Traversable, where: str) -> Iterator[list[str]]:
    """Yield the rows of a CSV file in UTF-8, with or without a byte order mark.

    Raises InvalidDataError, which names the file as `where`, if it cannot be read.
    """
    try:
        with io.TextIOWrapper(file.open("rb"), encoding="utf-8-sig", newline="") as text:
            yield from csv.reader(text)
    except UnicodeError as error:
        raise InvalidDataError(f"{where}: not in UTF-8, save it as such: {error}") from error
    except (csv.Error, *UNREADABLE) as error:
        raise InvalidDataError(f"{where}: cannot be read: {error}") from error


def path(cell: str) -> str:
    """Return the path in a cell, with slashes: lists from Windows have backslashes."""
    return cell.strip().replace("\\", "/")
