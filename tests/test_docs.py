"""What the documents point at exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("training/*.md"))
    if path.name != "CHANGELOG.md"  # which names files that were
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


def test_every_file_in_the_life_of_a_frame_exists() -> None:
    life = (ROOT / "docs/architecture.md").read_text().partition("## The life of a frame")[2]
    steps = re.findall(r"^\| \d+\. .*\| ([^|]+) \|$", life, re.MULTILINE)
    assert steps
    for step in steps:
        folder = ROOT  # a name without a folder is in the folder of the name before it
        for name in re.findall(r"`([^`]+)`", step):
            if "/" in name and (path := ROOT / name).exists():
                folder = path if path.is_dir() else path.parent
            else:
                assert (folder / name).exists(), f"{name} in {step}"
