"""A TCP connection to be broken in the middle; and a server that never answers."""

import contextlib
import socket
import threading
from typing import Self


class TcpProxy:
    """Forwards to a port of the loopback. While `mute` is set, the server's replies are lost;
    `cut` ends the connections that are open."""

    def __init__(self, target_port: int) -> None:
        self.mute = threading.Event()
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._sockets.clear()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:
                return
            self._sockets += [client, server]
            for source, sink, lossy in ((client, server, False), (server, client, True)):
                threading.Thread(
                    target=self._forward, args=(source, sink, lossy), daemon=True
                ).start()

    def _forward(self, source: socket.socket, sink: socket.socket, lossy: bool) -> None:
        with contextlib.suppress(OSError), source:
            while data := source.recv(1 << 16):
                if not (lossy and self.mute.is_set()):
                    sink.sendall(data)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()


class BlackHole:
    """Accepts connections and never says a word."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
