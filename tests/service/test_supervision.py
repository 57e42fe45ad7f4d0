"""Child processes: how they are stopped, and that none outlives its parent."""

import asyncio
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.supervision import ChildProcess, ProcessCrashedError, exit_text
from tests.servers import PATIENCE_S, Stopwatch, eventually

SLEEPS = ("sleep", "600")
IGNORES_SIGTERM = (
    "sh", "-c", "trap '' TERM; echo ready; sleep 600 & echo $!; wait; sleep 600",
)  # fmt: skip


def exists(pid: int) -> bool:
    """Whether a process runs; one that ended and was not reaped does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def test_sigterm_stops_a_process_at_once() -> None:
    process = await ChildProcess.start(SLEEPS, {})
    watch = Stopwatch()
    assert await process.stop(PATIENCE_S) == -signal.SIGTERM
    assert watch.read_s() < 10


async def test_process_that_ignores_sigterm_is_killed_with_its_children_after_the_grace() -> None:
    process = await ChildProcess.start(IGNORES_SIGTERM, {}, stdout=subprocess.PIPE)
    assert process.io.stdout is not None
    assert await process.io.stdout.readline() == b"ready\n"
    grandchild = int(await process.io.stdout.readline())
    started = time.monotonic()
    assert await process.stop(0.3) == -signal.SIGKILL
    assert time.monotonic() - started >= 0.3
    eventually(lambda: not exists(grandchild))


async def test_cancelled_stop_kills_the_process() -> None:
    process = await ChildProcess.start(IGNORES_SIGTERM, {}, stdout=subprocess.PIPE)
    assert process.io.stdout is not None
    await process.io.stdout.readline()
    stopping = asyncio.create_task(process.stop(PATIENCE_S))
    await asyncio.sleep(0)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert not exists(process.pid)


async def test_stop_that_is_cancelled_after_the_kill_still_closes_the_output() -> None:
    """Here another process, which is not killed, keeps it open for a while."""
    inherits = ("sh", "-c", "setsid sh -c 'echo ready; sleep 2' & sleep 600")
    process = await ChildProcess.start(inherits, {}, stdout=subprocess.PIPE)
    assert process.io.stdout is not None
    assert await process.io.stdout.readline() == b"ready\n"
    stopping = asyncio.create_task(process.stop(0))
    async with asyncio.timeout(PATIENCE_S):
        while exists(process.pid):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.01)
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert process.io.stdout.at_eof()


async def test_stop_returns_the_code_of_a_process_that_ended_before() -> None:
    process = await ChildProcess.start(("sh", "-c", "exit $CODE"), {"CODE": "3"})
    assert await process.wait() == 3
    assert await process.stop(1) == 3


async def test_process_that_cannot_be_started_is_a_crash_with_the_reason() -> None:
    with pytest.raises(ProcessCrashedError, match=r"could not be started: .*No such file"):
        await ChildProcess.start(("/does/not/exist",), {})


def test_child_dies_with_a_parent_that_is_killed() -> None:
    script = (
        "import asyncio\n"
        "from service.supervision import ChildProcess\n"
        "async def main():\n"
        "    process = await ChildProcess.start(('sleep', '600'), {})\n"
        "    print(process.pid, flush=True)\n"
        "    await process.wait()\n"
        "asyncio.run(main())\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert exists(child)
        parent.kill()
    eventually(lambda: not exists(child))


@pytest.mark.parametrize(("code", "text"), [(3, "exit code 3"), (-9, "signal SIGKILL")])
def test_exit_text_names_the_code_or_the_signal(code: int, text: str) -> None:
    assert exit_text(code) == text
