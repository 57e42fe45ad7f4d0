"""`emotion-streams analyse FILE... --out DIR`: tables, an annotated video and a report per file.

Runs as fast as this machine can. The tables depend on the file and the models alone: not on the
machine's load, and not on interruptions.
"""

import os

if __name__ == "__main__":
    # cv2 reads them when it is imported. The producer logs what is wrong with a file, once.
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
    os.environ["OPENCV_LOG_LEVEL"] = "SILENT"

import argparse
import asyncio
import contextlib
import functools
import signal
import sys
import threading
from collections.abc import Sequence
from typing import Final

from analyse.analysis import Analysis, ClipFailedError, StoppedError
from analyse.clip_reader import Format, read_format
from analyse.options import build_parser, parse, result_options, worker_options
from analyse.output import Clip, OutputError, clips, prepare
from analyse.progress import Progress
from analyse.results import Wanted, write_results, write_tables
from analyse.spool import Spool
from analyse.system import System, SystemFailedError, running
from deploy.children import end_with_make
from deploy.redis_server import ServerUnavailableError
from emotion_streams.printable import printable
from producer.source import SourceUnavailableError
from service.supervision import ProcessCrashedError

_STOPPED: Final = 130
"""Exit code after Ctrl-C, as of a shell."""


def main(argv: list[str] | None = None) -> int:
    """Analyse the files. Return 0, 1 if a file or a process failed, 2 or 130 if it was stopped."""
    arguments = parse(build_parser(__doc__), argv)
    found = clips(arguments.files, arguments.out)
    options = result_options(arguments)
    try:
        for clip in found:  # all of them before any: a refusal must not come after hours
            prepare(clip, options, resume=arguments.resume, overwrite=arguments.overwrite)
    except (OutputError, OSError) as error:
        print(f"analyse: {printable(str(error))}", file=sys.stderr)
        return 2
    for clip in found:
        if clip.is_done:
            name, folder = printable(clip.folder.name), printable(str(clip.folder))
            print(f"{name}: already done, {folder}", file=sys.stderr)
    todo = [clip for clip in found if not clip.is_done]
    try:
        return asyncio.run(_run(arguments, todo)) if todo else 0
    except (ServerUnavailableError, SystemFailedError, ProcessCrashedError) as error:
        print(f"analyse: {error}", file=sys.stderr)
        return 1


async def _run(arguments: argparse.Namespace, todo: Sequence[Clip]) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, stop.set)
    progress = Progress()
    wanted = Wanted(arguments.blur, arguments.show_faces, arguments.parquet)
    failed = 0
    async with running(worker_options(arguments), progress.say) as system:
        for number, clip in enumerate(todo):
            job = _Job(system, clip, f"clip-{number}", wanted, progress)
            try:
                await job.run(stop)
            except (ClipFailedError, OSError) as error:
                progress.say(f"{printable(str(clip.path))}: {error}")
                failed += 1
            except StoppedError:
                progress.say(f"stopped; what is done is in {arguments.out}, --resume goes on")
                return _STOPPED
    progress.clear()
    return 1 if failed else 0


class _Job:
    """One file, from its frames to its results."""

    def __init__(
        self, system: System, clip: Clip, camera: str, wanted: Wanted, progress: Progress
    ) -> None:
        self._system = system
        self._clip = clip
        self._camera = camera
        self._wanted = wanted
        self._progress = progress
        self._name = clip.folder.name

    async def run(self, stop: asyncio.Event) -> None:
        """Analyse the file. Raises ClipFailedError, OSError, SystemFailedError, StoppedError."""
        try:
            form = await asyncio.to_thread(read_format, self._clip.path)
        except SourceUnavailableError as error:
            self._clear()
            raise ClipFailedError(
                str(error).removeprefix(f"{printable(str(self._clip.path))}: ")
            ) from error
        failures = await self._analyse(form, stop)
        await self._write(form, failures, stop)
        self._progress.say(f"{self._name}: done, {self._clip.folder}")

    async def _analyse(self, form: Format, stop: asyncio.Event) -> Sequence[str]:
        duration_ms = 1000 * form.frames / form.fps if form.fps else 0
        self._progress.begin(f"{self._name}: analysing", duration_ms)
        analysis = Analysis(
            self._system, self._camera, self._clip, Spool(self._clip.work), self._progress.update
        )
        try:
            await analysis.run(stop)
        except BaseException:
            with contextlib.suppress(OSError):
                write_tables(self._clip, self._wanted)
            raise
        failures = analysis.failures
        if failures:
            self._progress.say(
                f"{self._name}: {len(failures)} frames could not be analysed, such as: "
                f"{failures[0]}"
            )
        return failures

    async def _write(self, form: Format, failures: Sequence[str], stop: asyncio.Event) -> None:
        self._progress.begin(f"{self._name}: drawing", form.frames)
        stopped = threading.Event()
        count = 0

        def on_frame() -> None:
            nonlocal count
            count += 1
            self._progress.update(count)
            if stopped.is_set():
                raise StoppedError

        writing = asyncio.create_task(
            asyncio.to_thread(
                functools.partial(
                    write_results,
                    self._clip, form, failures, self._wanted, on_frame, self._progress.say,
                )
            )
        )  # fmt: skip
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait({writing, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        stopped.set()
        await writing

    def _clear(self) -> None:
        """Leave no folder for a file that is not a video."""
        with contextlib.suppress(OSError):
            for path in self._clip.work.iterdir():
                path.unlink()
            self._clip.work.rmdir()
            self._clip.run_file.unlink()
            self._clip.folder.rmdir()


if __name__ == "__main__":
    end_with_make()
    sys.exit(main())
