"""The sink `mqtt`: episodes, minutes and states on topics, with Home Assistant's discovery."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from emotion_streams import Episode
from emotion_streams.redaction import redact
from sinks import discovery
from sinks.mqtt_connection import ConnectionLostError, MessageRefusedError, MqttConnection
from sinks.options import MqttOptions
from sinks.records import Kind, Record
from sinks.redis_places import AnnouncedCameras
from sinks.sink import Refuse, TargetError
from sinks.states import CameraSnapshot

RETIRE_AFTER_S: Final = 60.0
"""How long a camera is missing from the registry before it is removed from the broker. A server
that keeps nothing on disk has an empty registry after a restart."""

_LOSSES: Final = 3
"""How often the connection ends at the same message before the message is refused."""

log = logging.getLogger(__name__)


class MqttTarget:
    """A broker. See the Target for what the methods do.

    Topics below the sink's `topic`: `status` of the sink, and per camera `status`, `state` and
    `minute` (retained), `episode`, `episode/updated` and `event`.
    """

    def __init__(
        self,
        name: str,
        options: MqttOptions,
        announced: AnnouncedCameras,
        retire_after_s: float = RETIRE_AFTER_S,
    ) -> None:
        self._options = options
        self._client_id = options.client_id or f"emotion-streams-{name}"
        self._base = options.topic
        self._store = announced
        self._retire_after_s = retire_after_s
        self._connection: MqttConnection | None = None
        self._shown: dict[str, CameraSnapshot] = {}
        self._announced: set[str] = set()
        self._missing_since: dict[str, float] = {}
        self._last_loss = ("", 0)
        self._left_out: dict[str, bytes] = {}

    async def open(self) -> None:
        """Connect; afterwards every camera is published again."""
        self._shown = {}
        self._announced = await self._store.load()
        self._connection = MqttConnection(self._options, self._client_id, f"{self._base}/status")
        await self._connection.open()

    async def close(self) -> None:
        """Disconnect."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def send(
        self, records: Sequence[Record], confirm: Callable[[Record], None], refuse: Refuse
    ) -> None:
        """Publish the records, each with QoS 1, and wait for the broker's acknowledgements."""
        connection = self._connected()
        answers = [
            connection.publish(*_message(self._base, record), record.stream.kind is Kind.MINUTES)
            for record in records
        ]
        try:
            for record, answer in zip(records, answers, strict=True):
                try:
                    await connection.wait_for(answer)
                except MessageRefusedError as error:
                    await refuse(record, f"MQTT: {error}")
                except ConnectionLostError as error:
                    if self._is_cause(record.id):
                        await refuse(record, f"MQTT: {error}, each time after this message")
                    raise
                else:
                    confirm(record)
        finally:
            await _drop(answers)

    def _is_cause(self, message: str) -> bool:
        """Return whether the connection has ended at this message several times in a row.

        Some brokers answer a message that they refuse in a way that ends the connection. Answers
        come in order, so that the first message without one is the cause.
        """
        again = self._last_loss[0] == message
        self._last_loss = (message, self._last_loss[1] + 1 if again else 1)
        return self._last_loss[1] >= _LOSSES

    async def show(self, cameras: Mapping[str, CameraSnapshot]) -> None:
        """Publish each state that has changed; remove cameras that have been missing for long."""
        for camera, state in cameras.items():
            self._missing_since.pop(camera, None)
            before = self._shown.get(camera)
            if before is None:
                await self._announce(camera)
            if before is None or before.online != state.online:
                await self._publish(f"{camera}/status", b"online" if state.online else b"offline")
            if state.shows is not None and (before is None or before.shows != state.shows):
                await self._publish(f"{camera}/state", _json(state.shows.to_dict()))
            self._shown[camera] = state
        for camera in self._announced - cameras.keys():
            missing_since = self._missing_since.setdefault(camera, time.monotonic())
            if time.monotonic() - missing_since >= self._retire_after_s:
                await self._retire(camera)
            elif camera in self._shown:
                await self._publish(f"{camera}/status", b"offline")
                del self._shown[camera]

    async def _announce(self, camera: str) -> None:
        if camera not in self._announced:
            await self._store.add(camera)
            self._announced.add(camera)
        if prefix := self._options.discovery:
            topic = discovery.config_topic(prefix, self._base, camera)
            await self._publish_retained(topic, discovery.config(self._base, camera))

    async def _retire(self, camera: str) -> None:
        """Remove the camera's retained messages."""
        if prefix := self._options.discovery:
            await self._publish_retained(discovery.config_topic(prefix, self._base, camera), b"")
        for name in ("status", "state", "minute"):
            await self._publish(f"{camera}/{name}", b"")
        await self._store.remove(camera)
        self._announced.discard(camera)
        self._missing_since.pop(camera, None)
        self._shown.pop(camera, None)

    async def _publish(self, name: str, payload: bytes) -> None:
        await self._publish_retained(f"{self._base}/{name}", payload)

    async def _publish_retained(self, topic: str, payload: bytes) -> None:
        """Publish a message about one camera.

        If the broker refuses it, it is left out, so that everything else is still delivered.
        """
        if self._left_out.get(topic) == payload:
            return
        connection = self._connected()
        try:
            await connection.wait_for(connection.publish(topic, payload, retain=True))
        except MessageRefusedError as error:
            self._leave_out(topic, payload, str(error))
        except ConnectionLostError as error:
            if self._is_cause(topic):
                self._leave_out(topic, payload, f"{error}, each time after this message")
            raise
        else:
            if self._last_loss[0] == topic:
                self._last_loss = ("", 0)

    def _leave_out(self, topic: str, payload: bytes, reason: str) -> None:
        log.warning("left out, because the broker refuses it: %s: %s", topic, redact(reason))
        self._left_out[topic] = payload

    def _connected(self) -> MqttConnection:
        if self._connection is None:
            raise TargetError("not connected")
        return self._connection


def _message(base: str, record: Record) -> tuple[str, bytes]:
    """Return the topic and the payload of a record."""
    fields = record.body.to_dict()
    topic = f"{base}/{record.camera}/{record.stream.kind.value.removesuffix('s')}"
    if isinstance(record.body, Episode):
        event_type = discovery.EVENT_TYPES.get(record.body.type)
        if event_type is None:
            return f"{topic}/updated", _json(fields)
        fields = {"event_type": event_type, **fields}
    return topic, _json(fields)


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


async def _drop(answers: list["asyncio.Future[None]"]) -> None:
    """Cancel the answers that are not there yet, and take note of the others."""
    for answer in answers:
        answer.cancel()
    await asyncio.gather(*answers, return_exceptions=True)
