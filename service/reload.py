"""Reload of a settings file while the process runs."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

from prometheus_client import Gauge

from service.settings_file import InvalidSettingsError

_POLL_EVERY_S: Final = 1.0

_log = logging.getLogger(__name__)

Content = TypeVar("Content")


class Reloader(Generic[Content]):
    """Reloads a settings file after a change, and at once on SIGHUP.

    A changed file is reloaded when it has not changed again for a second, because it may be
    incomplete while it is written. If the file is invalid, the previous settings stay in force, and
    `config_valid` is 0.

    `read` returns what the file `path` says, and raises InvalidSettingsError.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[], Content],
        apply: Callable[[Content], Awaitable[None]],
        config_valid: Gauge,
        poll_every_s: float = _POLL_EVERY_S,
    ) -> None:
        self._path = path
        self._poll_every_s = poll_every_s
        self._read = read
        self._apply = apply
        self._config_valid = config_valid
        self._requested = asyncio.Event()
        self._applied = self._seen = self._signature()

    async def run(self) -> None:
        """Reload until cancelled."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._requested.set)
        while True:
            try:
                async with asyncio.timeout(self._poll_every_s):
                    await self._requested.wait()
            except TimeoutError:
                # Poll: inotify reports no changes on network file systems, nor through the links
                # with which Kubernetes replaces a ConfigMap.
                if not self._changed():
                    continue
            self._requested.clear()
            await self._reload()

    def _changed(self) -> bool:
        before, self._seen = self._seen, self._signature()
        return self._seen == before != self._applied

    async def _reload(self) -> None:
        self._applied = self._seen = self._signature()
        try:
            content = self._read()
        except InvalidSettingsError as error:
            self._config_valid.set(0)
            _log.error("reload failed; keeping the previous configuration: %s", error)
            return
        except Exception:  # a defect of ours: the cameras or sinks go on, and the log has the trace
            self._config_valid.set(0)
            _log.exception("reload failed; keeping the previous configuration")
            return
        self._config_valid.set(1)
        await self._apply(content)
        _log.info("configuration reloaded", extra={"file": str(self._path)})

    def _signature(self) -> tuple[int, int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino, status.st_size
