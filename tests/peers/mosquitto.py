"""A real broker (Debian's mosquitto), and a subscriber that keeps all that it hears."""

import json
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from tests.deploy.programs import need
from tests.servers import PATIENCE_S, eventually, free_port

USER, PASSWORD = "emotion", "p@ss/w0rd-Zq7"


class Mosquitto:
    """A broker on a port of its own, with TLS and a password if asked for.

    If it is `lasting`, sessions and retained messages survive `kill` and `start`, at the price of a
    file that is written with each message.
    """

    def __init__(
        self, *lines: str, tls: bool = False, password: bool = False, lasting: bool = False
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="es-mosquitto-"))
        self.port = free_port()
        self.tls, self.password = tls, password
        conf = [
            f"listener {self.port} 127.0.0.1",
            f"allow_anonymous {'false' if password else 'true'}",
            "user root",
            # All that comes in a burst, for a subscriber that is slow.
            "max_queued_messages 0",
            *lines,
        ]
        if lasting:
            conf += [
                *("persistence true", f"persistence_location {self.folder}/"),
                *("autosave_on_changes true", "autosave_interval 1"),
            ]
        if tls:
            make_certificate(self.folder)
            conf += [f"certfile {self.folder}/tls.crt", f"keyfile {self.folder}/tls.key"]
        if password:
            path = self.folder / "passwords"
            subprocess.run(
                [need("mosquitto_passwd", "mosquitto"), "-b", "-c", path, USER, PASSWORD],
                check=True,
                capture_output=True,
            )
            conf.append(f"password_file {path}")
        (self.folder / "mosquitto.conf").write_text("\n".join(conf) + "\n")
        self.start()

    @property
    def url(self) -> str:
        """With `${MQTT_PASSWORD}` where the password belongs."""
        user = f"{USER}:${{MQTT_PASSWORD}}@" if self.password else ""
        host = "localhost" if self.tls else "127.0.0.1"
        return f"mqtt{'s' if self.tls else ''}://{user}{host}:{self.port}"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [need("mosquitto", "mosquitto"), "-c", self.folder / "mosquitto.conf"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        eventually(self._listens)

    def _listens(self) -> bool:
        if code := self.process.poll():
            raise AssertionError(f"mosquitto ended with code {code}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def reload(self) -> None:
        """Let it read its access lists again."""
        self.process.send_signal(signal.SIGHUP)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def make_certificate(folder: Path) -> None:
    """Write tls.key and tls.crt, for localhost, signed by itself."""
    subprocess.run(
        [
            *(need("openssl", "openssl"), "req", "-x509", "-newkey", "ec"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", folder / "tls.key", "-out", folder / "tls.crt"),
        ],
        check=True,
        capture_output=True,
    )


class Subscriber:
    """Hears everything, over restarts of the broker, which keeps its session meanwhile."""

    def __init__(self, broker: Mosquitto, topics: str = "#", name: str = "listener") -> None:
        self.messages: list[tuple[str, bytes, bool]] = []
        """Topic, payload, and whether it was retained before we came."""
        self._topics = topics
        self._subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, name, protocol=paho.MQTTv311,
                                   clean_session=False)  # fmt: skip
        if broker.password:
            self._client.username_pw_set(USER, PASSWORD)
        if broker.tls:
            self._client.tls_set(str(broker.folder / "tls.crt"))
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.on_message = self._on_message
        self._client.connect("localhost" if broker.tls else "127.0.0.1", broker.port)
        self._client.loop_start()
        assert self._subscribed.wait(PATIENCE_S)

    def _on_connect(self, client: paho.Client, *_: Any) -> None:
        client.subscribe(self._topics, qos=1)

    def _on_message(self, client: paho.Client, userdata: object, message: Any) -> None:
        self.messages.append((message.topic, message.payload, message.retain))

    def on(self, topic: str) -> list[Any]:
        """What came on a topic, as JSON."""
        return [json.loads(payload) for name, payload, _ in self.messages if name == topic]

    def texts(self, topic: str) -> list[str]:
        return [payload.decode() for name, payload, _ in self.messages if name == topic]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()
