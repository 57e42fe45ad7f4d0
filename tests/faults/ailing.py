"""`python -m tests.faults.ailing`: a worker that hangs or dies on pictures which say so, as one
does in whose libraries a picture finds a fault."""

import os
import signal
import sys
import threading
from typing import Final

import worker.app
from tests.faults.feed import picture
from worker.__main__ import main
from worker.inference.find import FaceFinder, Found

HANGS: Final = b"hangs"
KILLS: Final = b"kills"
STUCK_S: Final = float(os.environ.get("STUCK_S", "3"))

_find = FaceFinder.find


def ailing(mark: bytes = b"") -> bytes:
    """A sound picture with this mark behind its end, where no decoder looks."""
    return picture(face=False).jpeg + mark


def _ailing_find(self: FaceFinder, jpeg: bytes) -> Found:
    if jpeg.endswith(HANGS):
        threading.Event().wait()
    if jpeg.endswith(KILLS):
        os.kill(os.getpid(), signal.SIGKILL)
    return _find(self, jpeg)


if __name__ == "__main__":
    FaceFinder.find = _ailing_find  # type: ignore[method-assign]
    worker.app.STUCK_S = STUCK_S  # type: ignore[misc]
    sys.exit(main())
