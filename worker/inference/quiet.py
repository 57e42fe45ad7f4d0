"""Keep native libraries from writing to standard output, which belongs to our caller."""

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_STDOUT: Final = 1
_LIBC: Final = ctypes.CDLL(None)


@contextmanager
def quiet_stdout() -> Iterator[None]:
    """Drop what this process writes to file descriptor 1 meanwhile, C's buffers included."""
    try:
        saved = os.dup(_STDOUT)
    except OSError:  # it is closed already
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        _LIBC.fflush(None)
        os.dup2(nowhere, _STDOUT)
        yield
    finally:
        _LIBC.fflush(None)
        os.dup2(saved, _STDOUT)
        os.close(saved)
        os.close(nowhere)
