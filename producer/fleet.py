"""All cameras of a producer: start, stop and change them according to their settings."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from emotion_streams.cancellation import cancel_and_wait
from emotion_streams.redaction import registered_secrets
from producer.config import Config
from producer.messages import CameraSpec
from producer.registry import CameraRecord
from producer.settings import CameraSettings
from producer.supervisor import CameraSupervisor
from service.metrics import ProducerMetrics

# Longer than a supervisor takes to stop its process.
_STOP_TIMEOUT_S: Final = 5.0

_log = logging.getLogger(__name__)


class Fleet:
    """A supervisor for each enabled camera."""

    def __init__(self, config: Config, metrics: ProducerMetrics) -> None:
        self._process = config.process
        self._metrics = metrics
        # The source of a camera on the command line must exist at the start. Sources of cameras in
        # a file may appear later.
        self._wait_for_source = config.path is not None
        self._running: dict[str, tuple[CameraSettings, asyncio.Task[None]]] = {}
        self._records: dict[str, CameraRecord] = {}
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def records(self) -> list[CameraRecord]:
        """Return the record of each running camera."""
        return list(self._records.values())

    async def apply(self, cameras: Mapping[str, CameraSettings]) -> None:
        """Run exactly these cameras. Cameras whose settings are unchanged continue undisturbed."""
        wanted = {name: camera for name, camera in cameras.items() if camera.enabled}
        changed = {name for name, (now, _) in self._running.items() if wanted.get(name) != now}
        await self._stop(changed)
        for name in changed - wanted.keys():
            del self._records[name]
            self._metrics.remove_camera(name)
            _log.info("camera removed from configuration", extra={"camera": name})
        for name in wanted.keys() - self._running.keys():
            self._start(name, wanted[name])

    async def wait_until_ended(self) -> None:
        """Wait until every camera has ended. Raises SourceMissingError if a source is missing."""
        await asyncio.gather(*(task for _, task in self._running.values()))

    async def wait_for_failure(self) -> None:
        """Wait until a supervisor fails with an error, and raise that error.

        Without this, its camera would silently have no supervisor.
        """
        await self._failed

    async def close(self) -> None:
        """Stop all cameras."""
        await self._stop(set(self._running))

    def _start(self, name: str, camera: CameraSettings) -> None:
        if name not in self._records:
            self._records[name] = CameraRecord(name, self._metrics)
        record = self._records[name]
        record.policy, record.title, record.group = camera.policy, camera.title, camera.group
        spec = CameraSpec(
            camera=name,
            redis_url=self._process.redis,
            log_level=self._process.log_level,
            log_format=self._process.log_format,
            wait_for_source=self._wait_for_source,
            settings=camera,
            secrets=registered_secrets(),
        )
        supervisor = CameraSupervisor(spec, record, self._metrics)
        task = asyncio.create_task(supervisor.run(), name=name)
        task.add_done_callback(self._on_done)
        self._running[name] = (camera, task)

    def _on_done(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled() and (error := task.exception()) and not self._failed.done():
            self._failed.set_exception(error)
            self._failed.exception()  # marks it as retrieved: not every caller waits for it

    async def _stop(self, names: set[str]) -> None:
        tasks = [self._running.pop(name)[1] for name in names]
        await cancel_and_wait(*tasks, repeat_s=_STOP_TIMEOUT_S)
