"""A reverse proxy that serves a gateway in a folder, as nginx does with `location /emotions/`."""

import re
import socket
import threading
from typing import Self

from tests.servers import free_port


class FolderProxy:
    """Strips the folder from each request's path; anything else goes through as it is."""

    def __init__(self, port: int, folder: str = "/emotions/") -> None:
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}{folder}"
        self._to = port
        self._line = re.compile(rb"^([A-Z]+) " + re.escape(folder.encode()))
        self._listener = socket.create_server(("127.0.0.1", self.port))

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._to))
            threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, strip: bool) -> None:
        try:
            while data := source.recv(65536):
                # A browser sends each request at once, and waits for the answer.
                sink.sendall(self._line.sub(rb"\1 /", data) if strip else data)
        except OSError:
            pass
        finally:
            for side in (source, sink):
                side.close()

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
