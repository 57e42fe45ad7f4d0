"""`python -m tests.faults.ailing`: a worker that hangs or dies on pictures which say so, as one
does in whose libraries a picture finds a fault.

HUNG_S in its environment is how long a frame hangs until the worker notices, SIGN_OFF_S how much of
its last seconds it keeps for Redis; without, they are those of worker/."""

import os
import signal
import sys
import threading
from typing import Final

import worker.app
import worker.hangs
from tests.faults.feed import picture
from worker.__main__ import main
from worker.inference.faces import DetectedFaces, FaceDetectionStage

HANGS: Final = b"hangs"
KILLS: Final = b"kills"

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
    if hung_s := os.environ.get("HUNG_S"):
        worker.hangs.HUNG_S = float(hung_s)  # type: ignore[misc]
    if sign_off_s := os.environ.get("SIGN_OFF_S"):
        vars(worker.app)["SIGN_OFF_S"] = float(sign_off_s)
    sys.exit(main())
