"""All sinks of the process: start, stop and change them according to their settings."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from emotion_streams.cancellation import cancel_and_wait
from emotion_streams.connection import Client
from service.health import Health
from service.metrics import SinkMetrics
from sinks.dead_letters import DeadLetters
from sinks.options import AnyOptions, MqttOptions, SqlOptions, WebhookOptions
from sinks.redis_places import AnnouncedCameras, PlacedSink
from sinks.runner import Runner
from sinks.sink import Sink
from sinks.source import StreamSource
from sinks.states import CameraMonitor

log = logging.getLogger(__name__)


_DRAIN_S: Final = 1.2
"""How long a sink that ends may deliver; `emotion-streams run` grants 2 s in all."""


_CLOSE_S: Final = 5.0
"""Longer than a sink takes to disconnect."""


@dataclass(frozen=True)
class _Running:
    options: AnyOptions
    runner: Runner
    task: "asyncio.Task[None]"


class Fleet:
    """A runner for each enabled sink."""

    def __init__(
        self, client: Client, monitor: CameraMonitor, metrics: SinkMetrics, health: Health
    ) -> None:
        self._client = client
        self._monitor = monitor
        self._metrics = metrics
        self._health = health
        self._running: dict[str, _Running] = {}
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def apply(self, sinks: Mapping[str, AnyOptions]) -> None:
        """Run exactly these sinks. Sinks whose settings are unchanged continue undisturbed."""
        wanted = {name: options for name, options in sinks.items() if options.enabled}
        changed = {name for name, now in self._running.items() if wanted.get(name) != now.options}
        await self._stop(changed)
        for name in changed - wanted.keys():
            self._metrics.remove_sink(name)
            log.info("the sink is no longer asked for", extra={"sink": name})
        for name in wanted.keys() - self._running.keys():
            self._start(name, wanted[name])

    async def wait_for_failure(self) -> None:
        """Wait until a runner fails with an error that it cannot handle, and raise that error."""
        await self._failed

    async def close(self) -> None:
        """Stop all sinks."""
        await self._stop(set(self._running))

    def _start(self, name: str, options: AnyOptions) -> None:
        source = StreamSource(
            self._client, options.records, options.cameras, options.start == "beginning"
        )
        runner = Runner(
            name,
            options,
            make_sink(name, options, self._client),
            source,
            self._monitor,
            DeadLetters(name, self._client),
            self._metrics,
            self._health,
        )
        task = asyncio.create_task(runner.run(), name=name)
        task.add_done_callback(self._on_done)
        self._running[name] = _Running(options, runner, task)

    def _on_done(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) and not self._failed.done():
            self._failed.set_exception(error)
            self._failed.exception()  # marks it as retrieved: not every caller waits for it

    async def _stop(self, names: set[str]) -> None:
        """Let the runners deliver what is there, for a moment; then cancel them."""
        stopping = [self._running.pop(name) for name in names]
        tasks = [running.task for running in stopping]
        for running in stopping:
            running.runner.stop()
        if tasks:
            await asyncio.wait(tasks, timeout=_DRAIN_S)
        await cancel_and_wait(*tasks, repeat_s=_CLOSE_S)
        for name in names:
            self._health.degrade(name, None)
            self._health.degrade(f"redis of {name}", None)


def make_sink(name: str, options: AnyOptions, client: Client) -> Sink:
    """Return the sink of these options. Imports only what its type needs."""
    if isinstance(options, MqttOptions):
        from sinks.mqtt import MqttTarget

        return PlacedSink(name, MqttTarget(name, options, AnnouncedCameras(name, client)), client)
    if isinstance(options, WebhookOptions):
        from sinks.webhook import WebhookTarget

        return PlacedSink(name, WebhookTarget(options), client)
    assert isinstance(options, SqlOptions)
    from sinks.sql import SqlSink, open_database

    return SqlSink(name, open_database(options))
