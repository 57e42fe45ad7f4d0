"""Our processes, started as a user starts them, with the ways to make them suffer."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from tests.servers import PATIENCE_S, Stopwatch
from worker.inference.detect.choose import YUNET_FILE

ROOT: Final = Path(__file__).parent.parent.parent
LEASE_MS: Final = 5_000
"""The default: a shorter one runs out on a machine whose processes wait for a core for seconds."""

MAX_AGE_MS: Final = 60_000
"""For cameras whose newest frames count. A busy machine would analyse none that had to be younger,
as they are by default: all would expire."""

YUNET: Final = (
    Path(os.environ.get("EMOTION_SHARED", ROOT.parent / "shared")) / "models/yunet" / YUNET_FILE
)


class Running:
    """A process of ours. Its log goes to a file; it is killed on exit."""

    def __init__(
        self,
        folder: Path,
        *command: str,
        environ: dict[str, str] | None = None,
        behind: Sequence[str] = (),
    ) -> None:
        self.log = folder / f"{command[0]}-{len(list(folder.glob('*.log')))}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [*behind, sys.executable, "-m", *command],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={**os.environ, **(environ or {})},
                start_new_session=True,
            )

    @property
    def ended(self) -> bool:
        return self.process.poll() is not None

    def pause(self) -> None:
        """Stop it from running, as on a machine that hangs."""
        assert not self.ended, "a process that has ended cannot be paused: the fault is none"
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def terminate(self) -> None:
        self.process.terminate()

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        return self.process.wait(timeout_s)

    def wait_at_most(self, limit_s: float) -> int:
        """As wait, but not longer than this on a machine that has time (Stopwatch)."""
        watch = Stopwatch()
        code = self.wait(PATIENCE_S)
        assert watch.read_s() <= limit_s, f"{watch.read_s():.1f} s"
        return code

    def kill(self) -> None:
        """At once, with its children, as when the machine dies."""
        if not self.ended:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def memory_mb(self) -> float:
        """Resident memory, with that of its children."""
        return _memory_mb(self.process.pid)

    def logged(self) -> str:
        return self.log.read_text(errors="replace")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def _memory_mb(pid: int) -> float:
    folder = Path(f"/proc/{pid}")
    try:
        status = (folder / "status").read_text()
        children = (folder / f"task/{pid}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return 0.0
    kilobytes = [int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")]
    return sum(kilobytes) / 1024 + sum(_memory_mb(int(child)) for child in children)


def start_worker(
    folder: Path,
    url: str,
    *options: str,
    environ: dict[str, str] | None = None,
    program: str = "worker",
) -> Running:
    """A worker with one thread and short leases; YuNet where its file is there, else Haar."""
    detector = ("--detector-model", str(YUNET)) if YUNET.is_file() else ("--detector", "haar")
    own = ("--redis", url, "--metrics-port", "0", "--threads", "1", "--lease-ms", str(LEASE_MS))
    return Running(folder, program, *own, *detector, *options, environ=environ)


def start_producer(
    folder: Path, url: str, camera: str, *options: str, environ: dict[str, str] | None = None
) -> Running:
    """A producer of the demo camera, or of what the options say."""
    own = ("--redis", url, "--metrics-port", "0", "--camera", camera)
    return Running(folder, "producer", *own, *options, environ=environ)
