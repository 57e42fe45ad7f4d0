"""The functions of the page that need no browser, in Node.js."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from emotion_streams.emotions import EMOTIONS
from tests.servers import PATIENCE_S

NODE = Path(sys.executable).parent / "node"  # from the extra `test`
PAGE = Path(__file__).parent / "page"
ROOT = Path(__file__).parent.parent.parent


def node(*arguments: str) -> str:
    """Run Node.js, and return what it prints. Skips without it; fails if CI is set."""
    if not NODE.exists():
        if os.environ.get("CI"):
            pytest.fail("Node.js is missing: the extra `test` installs it")
        pytest.skip("Node.js is missing: the extra `test` installs it")
    ended = subprocess.run(
        [str(NODE), *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_the_pages_functions_pass_their_own_tests() -> None:
    files = sorted(map(str, PAGE.glob("*.test.js")))
    report = node("--test", "--test-reporter=tap", *files)
    assert "# fail 0" in report
    assert "# pass 0" not in report


def test_the_page_lists_the_emotions_in_the_order_of_the_contract() -> None:
    script = 'import("./gateway/static/emotions.js").then((m) => console.log(JSON.stringify(m)))'
    emotions = json.loads(node("--eval", script))
    assert emotions["WIRE"] == list(EMOTIONS)
    assert sorted(emotions["LANES"]) == sorted(EMOTIONS)
