"""Numbered files that bring a database's schema to the present version."""

from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent


def migrations(database: str) -> list[str]:
    """Return the SQL of each version of the schema, from 1 on. `database`: a folder's name."""
    paths = sorted((_FOLDER / database).glob("*.sql"))
    return [path.read_text() for path in paths]
