"""What the documents point at exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted(
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("training/*.md"))
    if path.name != "CHANGELOG.md"  # which tells of files that were
)
FOLDERS = "deploy|docs|emotion_streams|examples|gateway|producer|service|tests|training|worker"
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


def test_every_test_that_the_guarantees_cite_exists() -> None:
    defined: dict[str, set[str]] = {}
    for path in (ROOT / "tests").rglob("test_*.py"):
        names = defined.setdefault(path.name, set())
        tree = ast.walk(ast.parse(path.read_text()))
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        names |= {node.name for node in tree if isinstance(node, functions)}
    text = (ROOT / "docs/guarantees.md").read_text()
    cited = re.findall(r"`(test_\w+\.py): (\w+)`", text)
    assert len(cited) >= 10
    unknown = [
        f"{file}: {name}"
        for file, name in cited
        if not any(test.startswith(f"test_{name}") for test in defined.get(file, ()))
    ]
    assert not unknown
