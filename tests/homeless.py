"""A user of no name and without a home folder, as in hardened containers."""

import subprocess
from functools import cache
from typing import Final

import pytest

HOMELESS: Final = (
    *("unshare", "--user", "--map-user=54321", "--map-group=54321"),
    *("env", "-u", "HOME", "-u", "XDG_CACHE_HOME"),
)
"""What a command runs behind: its user id is one that no line of /etc/passwd names."""


@cache
def _works() -> bool:
    try:
        return subprocess.run([*HOMELESS, "true"], check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def require_homeless() -> None:
    """Skip where the kernel, or a container, allows no user namespace."""
    if not _works():
        pytest.skip("no user namespace can be made here (unshare --user)")
