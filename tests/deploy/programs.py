"""Programs that some checks need: their absence is a reason to skip, but not in CI."""

import os
import shutil

import pytest


def need(program: str, package: str) -> str:
    """The program's path. Skips with a reason where it is missing; fails there if CI is set."""
    if found := shutil.which(program):
        return found
    reason = f"{program} is missing (Debian: apt install {package})"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
