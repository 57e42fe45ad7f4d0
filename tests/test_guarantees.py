"""docs/guarantees.md cites tests that exist."""

import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs" / "guarantees.md").read_text()

CITATION = re.compile(r"`(?:tests/[\w/]*)?(test_\w+\.py)(?:: (\w+))?`")


def test_each_cited_test_exists() -> None:
    sources: defaultdict[str, str] = defaultdict(str)
    for path in (ROOT / "tests").rglob("test_*.py"):  # some names are there twice
        sources[path.name] += path.read_text()
    cited = CITATION.findall(TEXT)
    assert len(cited) > 15
    for file, name in cited:
        assert file in sources, file
        assert not name or name in sources[file], f"{file}: {name}"


def test_each_cited_path_exists() -> None:
    for path in re.findall(r"`(tests/[\w/]+(?:\.py)?)`", TEXT):
        assert (ROOT / path).exists(), path
