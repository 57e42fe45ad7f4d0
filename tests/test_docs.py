"""What the documents point at exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("training/*.md"))
    if path.name != "CHANGELOG.md"  # which tells of files that were
)
FOLDERS = (
    "deploy|docs|emotion_streams|examples|gateway|producer|service|sinks|tests|training|worker"
)
PATH = re.compile(rf"`((?:{FOLDERS})/[\w./-]*)`")
MADE_BY_USERS = {ROOT / "deploy/.env"}
LINK = re.compile(r"\]\((?!https?://|#)([^)#\s]+)")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_document_names_exists(document: Path) -> None:
    text = document.read_text()
    named = [ROOT / path for path in PATH.findall(text)]
    linked = [document.parent / path for path in LINK.findall(text)]
    missing = {path for path in (*named, *linked) if not path.exists()}
    assert missing <= MADE_BY_USERS
