"""`emotion-streams producer`: publish cameras to frames streams.

`probe SOURCE` tests one camera, and `discover` finds those of the network.
"""

import signal

if __name__ == "__main__":
    # Ignore SIGHUP first: a reload request during start-up must not kill the process.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)

import asyncio
import contextlib
import logging
import os
import sys
from typing import Final

from prometheus_client import CollectorRegistry

from emotion_streams.cancellation import cancel_and_wait
from emotion_streams.printable import printable
from producer.config import Config, load
from producer.fleet import Fleet
from producer.registry import Registry
from producer.supervisor import SourceMissingError
from service import logs
from service.command_line import conceal
from service.health import Health
from service.health_server import HealthServer
from service.metrics import ProducerMetrics, build_info
from service.parser import exit_with_error
from service.reload import Reloader

_FINAL_PUBLISH_S: Final = 2.0
_FINAL_PUBLISH_AFTER_SIGNAL_S: Final = 0.2

_log = logging.getLogger("producer")


def main(argv: list[str]) -> int:
    """Run until the camera ends or a signal arrives. Return the exit code.

    The exit code is 0, 1 if the source does not exist, and 2 if the settings are invalid.
    """
    if argv[:1] == ["probe"]:
        from producer.probe_command import main as probe

        return probe(argv[1:])
    if argv[:1] == ["discover"]:
        from producer.discovery.command import main as discover

        return discover(argv[1:])
    config = load(argv)
    logs.set_up(config.process.log_level, config.process.log_format)
    registry = CollectorRegistry()
    health = Health()
    build_info(registry, "producer")
    metrics = ProducerMetrics(registry)
    process = config.process
    try:
        server = HealthServer(
            process.metrics_host,
            process.metrics_port,
            registry,
            health,
            process.metrics_allowed_hosts,
        )
    except OSError as error:
        exit_with_error("producer", f"metrics: {error} (--metrics-host, --metrics-port)")
    with server:
        _log.info("serving metrics", extra={"port": server.port})
        try:
            asyncio.run(_run(config, health, metrics))
        except SourceMissingError as error:
            print(f"producer: {printable(str(error))}", file=sys.stderr)
            return 1
    return 0


async def _run(config: Config, health: Health, metrics: ProducerMetrics) -> None:
    fleet = Fleet(config, metrics)
    registry = Registry(config.process.redis, health, fleet.records)
    running = asyncio.create_task(_run_cameras(config, fleet, metrics))
    publishing = asyncio.create_task(registry.run())
    loop = asyncio.get_running_loop()
    end_by = {signal.SIGINT, signal.SIGTERM}
    if config.path is None and _has_terminal():
        end_by.add(signal.SIGHUP)  # the terminal was closed; there is no file to reload
    for number in end_by:
        loop.add_signal_handler(number, running.cancel)
    health.started()
    try:
        done, _ = await asyncio.wait({running, publishing}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if not task.cancelled():
                task.result()  # raises the error that ended it
    finally:
        by_signal = running.cancelled()
        running.cancel()
        await fleet.close()
        await cancel_and_wait(publishing)
        # Publish the final state, for example "ended", but wait only for a short time.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(
                _FINAL_PUBLISH_AFTER_SIGNAL_S if by_signal else _FINAL_PUBLISH_S
            ):
                await registry.publish()
        await registry.close()


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True


async def _run_cameras(config: Config, fleet: Fleet, metrics: ProducerMetrics) -> None:
    metrics.config_valid.set(1)
    await fleet.apply(config.cameras)
    if config.path is None:
        await fleet.wait_until_ended()
    else:
        reloader = Reloader(config.path, config.cameras_now, fleet.apply, metrics.config_valid)
        await asyncio.gather(reloader.run(), fleet.wait_for_failure())


if __name__ == "__main__":
    sys.exit(main(conceal()))
