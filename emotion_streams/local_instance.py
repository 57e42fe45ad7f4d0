"""Discovery of Redis if no URL is given, and of the instance that `emotion-streams run` started.

The launcher holds a lock on a file in a folder that only its user may read; the file contains the
address. If the lock can be acquired, the instance is gone.
"""

import fcntl
import json
import os
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Final

DEFAULT_URL: Final = "redis://localhost:6379"

_FILE: Final = "emotion-streams.json"
_OWN_FOLDER: Final = "emotion-streams-"
_ATTEMPTS: Final = 20
_PAUSE_S: Final = 0.05
"""A command that looks for an instance holds the lock for a moment: so often it is tried again. Not
for so long: on a busy machine that time may be over before the first attempt."""


@dataclass(frozen=True)
class LocalInstance:
    """Addresses of an instance: `redis`, the URL of its server; `page`, its live page."""

    redis: str
    page: str


def find() -> LocalInstance | None:
    """Return this user's running instance, or None."""
    for folder in _folders():
        try:
            _check_private(folder)
            with (folder / _FILE).open() as file:
                if not _lock(file, fcntl.LOCK_SH):
                    return LocalInstance(**json.load(file))
        except (OSError, ValueError, TypeError):
            continue
    return None


def redis_url(say: Callable[[str], object]) -> str:
    """Return the URL in EMOTION_REDIS, else that of this user's running instance, else DEFAULT_URL.

    `say` is called with a line that names the instance, if it is chosen.
    """
    if given := os.environ.get("EMOTION_REDIS"):
        return given
    if (instance := find()) is None:
        return DEFAULT_URL
    say(f"the local instance, {instance.page}")
    return instance.redis


@contextmanager
def announced(instance: LocalInstance) -> Iterator[None]:
    """Let `find` return the instance inside the block, unless another one runs already.

    It is announced in each of the folders, since a second shell may know only one of them. If no
    folder can be used, the instance runs without being announced.
    """
    with ExitStack() as held:
        for folder in _folders():
            with suppress(OSError):
                held.enter_context(_announced_in(folder, instance))
        yield


@contextmanager
def _announced_in(folder: Path, instance: LocalInstance) -> Iterator[None]:
    """Hold the lock on the folder's file. At the end remove the file, and the folder if it is ours.

    Raises OSError if the folder cannot be used, or another instance holds the lock.
    """
    with _acquire(folder) as file:
        file.truncate(0)
        json.dump(asdict(instance), file)
        file.flush()
        try:
            yield
        finally:
            (folder / _FILE).unlink(missing_ok=True)
            if _is_ours(folder):
                with suppress(OSError):
                    folder.rmdir()


def _acquire(folder: Path) -> IO[str]:
    """Open and lock the folder's file. Raises OSError as `_announced_in` does."""
    path = folder / _FILE
    for _ in range(_ATTEMPTS):
        if _is_ours(folder):
            folder.mkdir(mode=0o700, exist_ok=True)
        _check_private(folder)
        file = path.open("a+")
        # The instance before may have removed it since it was opened.
        if _lock(file, fcntl.LOCK_EX) and _is_at(path, file):
            return file
        file.close()
        time.sleep(_PAUSE_S)
    raise BlockingIOError(f"{path} is another instance's")


def _is_ours(folder: Path) -> bool:
    return folder.name.startswith(_OWN_FOLDER)


def _is_at(path: Path, file: IO[str]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _lock(file: IO[str], kind: int) -> bool:
    """Lock the file until it is closed. Returns False if another process holds it."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _folders() -> list[Path]:
    """Return the folders for announcements: the runtime folder, and one for shells without it."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folders = [Path(runtime)] if runtime else []
    with suppress(OSError):  # no temporary folder can be used
        folders.append(Path(tempfile.gettempdir()) / f"{_OWN_FOLDER}{os.getuid()}")
    return folders


def _check_private(folder: Path) -> None:
    """Raise OSError if the folder is missing, or if other users own it or may enter it."""
    status = folder.lstat()
    private = stat.S_ISDIR(status.st_mode) and not status.st_mode & 0o077
    if status.st_uid != os.getuid() or not private:
        raise PermissionError(f"{folder} is not a folder of this user alone")
