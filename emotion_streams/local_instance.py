"""Discovery of the instance that `make run` started on this machine.

The launcher holds a lock on a file in a folder that only its user may read; the file contains the
address. If the lock can be acquired, the instance is gone.
"""

import fcntl
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

_FILE: Final = "emotion-streams.json"


@dataclass(frozen=True)
class LocalInstance:
    """Addresses of an instance: `redis`, the URL of its server; `page`, its live page."""

    redis: str
    page: str


def find() -> LocalInstance | None:
    """Return this user's running instance, or None."""
    try:
        with (_folder(create=False) / _FILE).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return LocalInstance(**json.load(file))
    except (OSError, ValueError, TypeError):
        pass
    return None


@contextmanager
def announced(instance: LocalInstance) -> Iterator[None]:
    """Let `find` return the instance inside the block, unless another one runs already.

    If there is no suitable folder, the instance runs without being announced.
    """
    try:
        file = (_folder(create=True) / _FILE).open("a+")
    except OSError:
        yield
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield
            return
        file.truncate(0)
        json.dump(asdict(instance), file)
        file.flush()
        yield
        file.truncate(0)


def _folder(*, create: bool) -> Path:
    """Return a private folder of this user. Raises OSError if others own it or may enter it."""
    if runtime := os.environ.get("XDG_RUNTIME_DIR"):
        folder = Path(runtime)
    else:
        folder = Path(tempfile.gettempdir()) / f"emotion-streams-{os.getuid()}"
        if create:
            folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    private = stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o077
    if status.st_uid != os.getuid() or not private:
        raise PermissionError(f"{folder} is not a folder of this user alone")
    return folder
