"""Measure how many cameras this machine holds, with the real processes on generated frames.

A short search: it doubles the cameras until events come too late or frames expire, then bisects.
The cameras store frames as producers do; decoding and encoding video is not part of it.
"""

import argparse
import asyncio
import json
import signal
import socket
import sys
from typing import Final

from redis.exceptions import RedisClusterException, RedisError

from deploy import processor_time
from deploy.capacity.budget import Budget, first_cameras
from deploy.capacity.measure import Measurement
from deploy.capacity.options import PROGRAM, parse, worker_options
from deploy.capacity.processes import ProcessEndedError, Processes
from deploy.capacity.report import HEADING, Report, row
from deploy.capacity.search import most_cameras, search
from deploy.capacity.tries import Try
from deploy.children import end_with_make
from deploy.private_server import own_folder
from deploy.redis_server import ServerUnavailableError
from emotion_streams import connect_async
from emotion_streams.redaction import short_message
from service.command_line import conceal
from service.parser import exit_with_error
from service.supervision import ProcessCrashedError

_INTERRUPTED: Final = 130
_WRONG_SETTINGS: Final = 2


def main(argv: list[str] | None = None) -> int:
    """Measure, print the answer and return the exit code."""
    options = parse(argv, __doc__)
    budget = Budget(options.minutes, fps=options.fps, seconds=options.seconds)
    try:
        report = asyncio.run(_run(options, budget))
    except asyncio.CancelledError:
        return _INTERRUPTED
    except ServerUnavailableError as error:
        exit_with_error(PROGRAM, str(error))
    except ProcessCrashedError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 1
    except ProcessEndedError as error:
        if error.code == _WRONG_SETTINGS:
            exit_with_error(PROGRAM, str(error))
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 1
    except OSError as error:  # of what belongs to a process that ended meanwhile
        print(f"{PROGRAM}: a process ended while it was measured: {error}", file=sys.stderr)
        return 1
    except (RedisError, RedisClusterException) as error:
        print(f"{PROGRAM}: Redis: {short_message(error)}", file=sys.stderr)
        return 1
    if options.json:
        for warning in report.warnings():
            print(warning, file=sys.stderr)
        print(json.dumps(report.to_dict()))
    else:
        print("", *report.lines(), sep="\n")
    return 0


async def _run(options: argparse.Namespace, budget: Budget) -> Report:
    """Start the processes, measure, and end them, also when this task is cancelled."""
    task = asyncio.current_task()
    assert task
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, _cancel_once, task)
    port = _free_port()
    processes = Processes(port)
    listening = ["--metrics-host", "127.0.0.1", "--metrics-port", str(port)]
    worker = ["-m", "worker", *listening, *worker_options(options)]
    load = ["-m", "deploy.capacity.load"]
    for name in ("faces", "width", "fps", "p99_ms"):
        load += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    with own_folder() as folder:
        try:
            url = await processes.start(folder, worker, load)
            return await processes.while_they_run(_measure(options, budget, url, processes))
        finally:
            await processes.end()


async def _measure(
    options: argparse.Namespace, budget: Budget, url: str, processes: Processes
) -> Report:
    cores = processor_time.cores()
    start = first_cameras(cores, options.fps, options.seconds)
    async with connect_async(url) as client:
        most = most_cameras(options.max_cameras, len(processes.workers))
        await processes.ready(client, budget.left_s - budget.try_s(min(start, most)))
        workers = len(processes.workers)
        most = most_cameras(options.max_cameras, workers)
        measurement = Measurement(client, processes, budget, limit_ms=options.p99_ms)

        async def measure(cameras: int) -> Try:
            tried = await measurement(cameras)
            print(row(tried), file=table, flush=True)
            return tried

        table = sys.stderr if options.json else sys.stdout
        print(HEADING, file=table, flush=True)
        others = processor_time.OtherLoad(*processes.pids)
        found = await search(measure, start, most, budget.allows)
        (engine, *_) = {each.engine for each in await processes.metrics()}
        return Report(options, found, engine, measurement.model, workers, cores, others.cores())


def _cancel_once(task: "asyncio.Task[Report]") -> None:
    """Cancel the task; a second signal must not interrupt its ending of the processes."""
    if not task.cancelling():
        task.cancel()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    end_with_make()
    sys.exit(main(conceal()))
