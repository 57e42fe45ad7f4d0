"""docs/guarantees.md cites tests that exist, in tables that are whole."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "guarantees.md").read_text()

CITATION = re.compile(r"`((?:tests/[\w/]*)?test_\w+\.py)(?:: ([^`]+))?`((?:, `(?!test_)[\w.]+`)*)")
"""A file, a test of it, and more of its tests after commas."""


def citations(text: str) -> list[tuple[str, str]]:
    """Each file that is cited, with "" or the name of a test, which may be its beginning only."""
    found = []
    for file, first, more in CITATION.findall(text):
        found += [(file, name) for name in (first, *re.findall(r"`(.+?)`", more))]
    return found


def sources_of(file: str) -> list[str]:
    """The text of each file of that name or path; some names are there twice."""
    paths = [ROOT / file] if "/" in file else (ROOT / "tests").rglob(file)
    return [path.read_text() for path in paths if path.exists()]


@pytest.mark.parametrize(("file", "name"), citations(TEXT))
def test_each_cited_test_exists(file: str, name: str) -> None:
    sources = sources_of(file)
    assert sources
    definition = re.compile(rf"^ *(async )?def test_{re.escape(name)}", re.MULTILINE)
    assert any(map(definition.search, sources))


def test_every_test_after_a_comma_is_checked_as_one_of_the_file_before() -> None:
    text = "`test_a.py: one`, `two`, `test_b.py: three` (of 2), `tests/c/test_d.py`, `..._four`"
    assert citations(text) == [
        ("test_a.py", "one"),
        ("test_a.py", "two"),
        ("test_b.py", "three"),
        ("tests/c/test_d.py", ""),
        ("tests/c/test_d.py", "..._four"),
    ]
    assert len(citations(TEXT)) > 40


def test_each_cited_path_exists() -> None:
    for path in re.findall(r"`(tests/[\w/]+(?:\.py)?)`", TEXT):
        assert (ROOT / path).exists(), path


def test_no_table_is_cut_by_an_empty_line() -> None:
    tables = re.findall(r"(?:^\|.*\n)+", TEXT, re.MULTILINE)
    assert tables
    for table in tables:
        assert re.match(r".*\n\| ---", table), table.splitlines()[0]
