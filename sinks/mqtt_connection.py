"""One MQTT 5 connection: paho's client in a thread of its own, awaited from the event loop."""

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from sinks.options import MqttOptions
from sinks.sink import TargetError
from sinks.threads import run_detached

_CONNECT_S: Final = 10.0
_KEEPALIVE_S: Final = 15
_ANSWER_S: Final = 20.0
"""How long the broker may take for each acknowledgement."""
_IN_FLIGHT: Final = 20
"""Unacknowledged messages, as many as brokers accept by default."""
_FAREWELL_S: Final = 2.0
_HEADER_BYTES: Final = 16
"""An upper bound of what a message has around its topic and its payload."""

_FAILED: Final = 0x80
"""Reason codes from here on are errors."""
_ABOUT_THE_MESSAGE: Final = frozenset({0x83, 0x90, 0x95, 0x99})
"""Implementation specific error, topic name invalid, packet too large, payload format invalid."""


class MessageRefusedError(Exception):
    """The broker does not accept this message; the text says why."""


class ConnectionLostError(TargetError):
    """The connection ended while something was sent."""


class MqttConnection:
    """A connection that ends with its first fault: nothing is queued for a later one.

    `status`: the topic of the Last Will, retained: `online` from the first moment, and `offline`.
    """

    def __init__(self, options: MqttOptions, client_id: str, status: str) -> None:
        self._options = options
        self._status = status
        self._loop = asyncio.get_running_loop()
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._lost: asyncio.Future[None] = self._loop.create_future()
        self._acknowledgements: dict[int, asyncio.Future[None]] = {}
        self._max_packet: int | None = None
        self._client = self._make_client(client_id)

    async def open(self) -> None:
        """Connect, and publish `online`. Raises TargetError."""
        host, port = self._options.address
        try:
            if self._options.tls:
                self._client.tls_set_context(self._tls())
            async with asyncio.timeout(_CONNECT_S):
                await run_detached(lambda: self._client.connect(host, port, _KEEPALIVE_S))
                self._client.loop_start()
                await self._connected
        except TimeoutError:
            raise TargetError(f"{host}:{port} does not answer") from None
        except (OSError, ValueError) as error:
            raise TargetError(f"{host}:{port}: {error}") from None
        await self.publish(self._status, b"online", retain=True)

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> "asyncio.Future[None]":
        """Send a message with QoS 1.

        The result comes with the broker's acknowledgement; it raises MessageRefusedError or
        TargetError.
        """
        answer: asyncio.Future[None] = self._loop.create_future()
        if (
            self._max_packet
            and len(topic.encode()) + len(payload) + _HEADER_BYTES > self._max_packet
        ):
            answer.set_exception(
                MessageRefusedError(f"larger than the broker's limit of {self._max_packet} bytes")
            )
            return answer
        if self._lost.done():
            answer.set_exception(_lost_error(self._lost))
            return answer
        info = self._client.publish(topic, payload, qos=1, retain=retain)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            answer.set_exception(
                TargetError(f"the connection failed: {paho.error_string(info.rc)}")
            )
            return answer
        self._acknowledgements[info.mid] = answer
        return answer

    async def wait_for(self, answer: "asyncio.Future[None]") -> None:
        """Wait for an acknowledgement. Raises as `publish` says."""
        try:
            async with asyncio.timeout(_ANSWER_S):
                await answer
        except TimeoutError:
            raise TargetError(f"no acknowledgement within {_ANSWER_S:.0f} s") from None

    async def close(self) -> None:
        """Publish `offline` if it is possible, and disconnect."""
        if self._connected.done() and not self._connected.exception() and not self._lost.done():
            with suppress(TimeoutError, TargetError, MessageRefusedError):
                async with asyncio.timeout(_FAREWELL_S):
                    await self.publish(self._status, b"offline", retain=True)
            self._client.disconnect()
        for future in (self._connected, self._lost, *self._acknowledgements.values()):
            future.cancel()
        # It joins paho's thread, which may be waiting in the network for some seconds.
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL_S):
                await run_detached(self._client.loop_stop)

    def _make_client(self, client_id: str) -> paho.Client:
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            protocol=paho.MQTTv5,
            reconnect_on_failure=False,
        )
        client.connect_timeout = _CONNECT_S / 2
        client.max_inflight_messages_set(_IN_FLIGHT)
        user, password = self._options.credentials
        if user is not None:
            client.username_pw_set(user, password)
        client.will_set(self._status, b"offline", qos=1, retain=True)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_publish = self._on_publish
        return client

    def _tls(self) -> ssl.SSLContext:
        options = self._options
        context = ssl.create_default_context(cafile=options.ca_file)
        if options.cert_file:
            context.load_cert_chain(options.cert_file, options.key_file)
        return context

    # These run in paho's thread.

    def _on_connect(self, *arguments: Any) -> None:
        *_, code, properties = arguments
        limit = getattr(properties, "MaximumPacketSize", None)
        self._post(self._on_connected, code.value, str(code), limit)

    def _on_disconnect(self, *arguments: Any) -> None:
        *_, code, _properties = arguments
        self._post(self._on_lost, f"the connection ended: {code}")

    def _on_publish(self, *arguments: Any) -> None:
        *_, mid, code, _properties = arguments
        self._post(self._on_answer, mid, code.value, str(code))

    def _post(self, callback: Callable[..., None], *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop was closed meanwhile
            self._loop.call_soon_threadsafe(callback, *arguments)

    # These run in the event loop.

    def _on_connected(self, code: int, text: str, limit: int | None) -> None:
        self._max_packet = limit
        if self._connected.done():
            return
        if code >= _FAILED:
            self._connected.set_exception(TargetError(f"the broker refuses the connection: {text}"))
        else:
            self._connected.set_result(None)

    def _on_lost(self, reason: str) -> None:
        error = ConnectionLostError(reason)
        for future in (self._connected, self._lost, *self._acknowledgements.values()):
            if not future.done():
                future.set_exception(error)
                future.exception()  # marks it as retrieved: not all of them are awaited

    def _on_answer(self, mid: int, code: int, text: str) -> None:
        answer = self._acknowledgements.pop(mid, None)
        if answer is None or answer.done():
            return
        if code < _FAILED:
            answer.set_result(None)
            return
        about_message = code in _ABOUT_THE_MESSAGE
        answer.set_exception(MessageRefusedError(text) if about_message else TargetError(text))
        answer.exception()


def _lost_error(lost: "asyncio.Future[None]") -> BaseException:
    return lost.exception() or TargetError("the connection is closed")
