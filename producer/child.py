"""The process of one camera: reads it, publishes its frames, and reports. It can be killed anytime.

The settings arrive as a line of JSON on standard input, because a password must not appear on a
command line. The end of standard input means that the supervisor is gone, or that it asks this
process to stop. Reports go to standard output.
"""

import logging
import os
import sys
import threading

from emotion_streams.redaction import register_secret
from producer.camera_process import CameraProcess
from producer.messages import EXIT_CRASHED, CameraSpec
from producer.native import NativeStderr, limit_memory
from service import logs

_log = logging.getLogger(__name__)


def main() -> int:
    """Run the camera whose CameraSpec is on standard input. Return the exit code."""
    spec = CameraSpec.from_line(sys.stdin.readline())
    for secret in spec.secrets:
        register_secret(secret)
    if spec.settings.hwaccel == "none":  # a driver maps far more memory than it uses
        limit_memory()
    errors = NativeStderr()
    errors.take_over()
    logs.set_up(spec.log_level, spec.log_format, camera=spec.camera)
    threading.excepthook = _exit_crashed
    process = CameraProcess(spec, errors)
    threading.Thread(target=_stop_at_end_of_input, args=(process,), daemon=True).start()
    return process.run()


def _exit_crashed(crash: threading.ExceptHookArgs) -> None:
    """Log an unexpected error of a thread, and exit at once so that the supervisor restarts."""
    _log.critical("%s", crash.exc_value, exc_info=crash.exc_value)
    logging.shutdown()
    os._exit(EXIT_CRASHED)


def _stop_at_end_of_input(process: CameraProcess) -> None:
    sys.stdin.read()
    process.stop()


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    # Do not use sys.exit: the capture thread may be in native code, which must not be unwound.
    os._exit(code)
