"""An ONVIF camera on the loopback: it answers Probes over UDP, and its services over HTTP."""

import re
import socket
import threading
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

MATCH = """<d:ProbeMatch><a:EndpointReference><a:Address>urn:uuid:{id}</a:Address>
</a:EndpointReference><d:Types>{types}</d:Types><d:Scopes>{scopes}</d:Scopes>
<d:XAddrs>{services}</d:XAddrs><d:MetadataVersion>1</d:MetadataVersion></d:ProbeMatch>"""

MATCHES = """<?xml version="1.0" encoding="UTF-8"?>
<e:Envelope xmlns:e="http://www.w3.org/2003/05/soap-envelope"
 xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"
 xmlns:d="http://schemas.xmlsoap.org/ws/2005/04/discovery"
 xmlns:n="http://www.onvif.org/ver10/network/wsdl">
<e:Body><d:ProbeMatches>{}</d:ProbeMatches></e:Body></e:Envelope>"""


def match(
    name: str = "Lobby",
    hardware: str = "C-100",
    services: str = "",
    types: str = "n:NetworkVideoTransmitter",
    identifier: str = "1",
) -> str:
    scopes = f"onvif://www.onvif.org/name/{name} onvif://www.onvif.org/hardware/{hardware}"
    return MATCH.format(id=identifier, types=types, scopes=scopes, services=services)


def matches(*devices: str) -> bytes:
    return MATCHES.format("".join(devices)).encode()


class Responder:
    """Answers each datagram with all of `replies`. `asked`: the datagrams."""

    def __init__(self, replies: Sequence[bytes]) -> None:
        self.replies = list(replies)
        self.asked: list[bytes] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                content, sender = self._socket.recvfrom(65535)
            except TimeoutError:
                continue
            self.asked.append(content)
            for reply in self.replies:
                self._socket.sendto(reply, sender)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        self._socket.close()


class DeviceService:
    """The SOAP services of a camera. `answers`: bodies of replies by the name of the request; a
    request without an answer is refused with 401. `asked`: the names of the requests."""

    def __init__(self, answers: dict[str, str | bytes]) -> None:
        self.asked: list[str] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"])).decode()
                found = re.search(r"<[dm]:(Get\w+)", content)
                assert found
                service.asked.append(found[1])
                answer = answers.get(found[1])
                self.send_response(401 if answer is None else 200)
                self.end_headers()
                if answer is not None:
                    self.wfile.write(answer if isinstance(answer, bytes) else answer.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/onvif/device_service"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
