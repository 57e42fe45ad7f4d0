"""`python -m tests.faults.ailing`: a worker that hangs or dies on pictures which say so, as one
does in whose libraries a picture finds a fault."""

import os
import signal
import sys
import threading
from typing import Final

import worker.hangs
from tests.faults.feed import picture
from worker.__main__ import main
from worker.inference.faces import DetectedFaces, FaceDetectionStage

HANGS: Final = b"hangs"
KILLS: Final = b"kills"
HUNG_S: Final = float(os.environ.get("HUNG_S", "3"))

_run = FaceDetectionStage.run


def ailing(mark: bytes = b"") -> bytes:
    """A sound picture with this mark behind its end, where no decoder looks."""
    return picture(face=False).jpeg + mark


def _run_ailing(self: FaceDetectionStage, jpeg: bytes, *, exact: bool = False) -> DetectedFaces:
    if jpeg.endswith(HANGS):
        threading.Event().wait()
    if jpeg.endswith(KILLS):
        os.kill(os.getpid(), signal.SIGKILL)
    return _run(self, jpeg, exact=exact)


if __name__ == "__main__":
    FaceDetectionStage.run = _run_ailing  # type: ignore[method-assign]
    worker.hangs.HUNG_S = HUNG_S  # type: ignore[misc]
    sys.exit(main())
