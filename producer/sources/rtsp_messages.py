"""Messages of RTSP (RFC 2326), and the packets between them on the same connection."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_MAX_HEAD: Final = 1 << 15
_MAX_BODY: Final = 1 << 20
_TEXT: Final = ("utf-8", "surrogateescape")
_DOLLAR: Final = ord("$")
_PREFIX: Final = 4
_SHORTEST: Final = 8
"""Shorter packets are neither RTP nor RTCP. FFmpeg would read their content as messages."""


class MalformedMessageError(Exception):
    """What arrived is not RTSP."""


@dataclass(frozen=True)
class Message:
    """A request or a response. `start`: its first line. `fields`: the names as they were sent."""

    start: str
    fields: tuple[tuple[str, str], ...]
    body: bytes = b""

    def values(self, name: str) -> list[str]:
        """Return the values of a field, in the order of the message."""
        return [value for other, value in self.fields if other.lower() == name]

    def pack(self) -> bytes:
        """Return the bytes to send."""
        length = (("Content-Length", str(len(self.body))),) if self.body else ()
        lines = [self.start, *(f"{name}: {value}" for name, value in (*self.fields, *length))]
        return ("\r\n".join(lines) + "\r\n\r\n").encode(*_TEXT) + self.body


class MessageReader:
    """Takes what a connection receives apart."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message | bytes]:
        """Yield the messages, and the packets between them as bytes, that are complete now.

        Raises MalformedMessageError.
        """
        self._buffer += data
        while True:
            item = self._packets() if self._buffer[:1] == b"$" else self._message()
            if item is None:
                return
            if item:
                yield item

    def _packets(self) -> bytes | None:
        """Return all complete packets up to the next message, b"" if the first one was dropped."""
        buffer, at = self._buffer, 0
        while len(buffer) >= at + _PREFIX and buffer[at] == _DOLLAR:
            size = buffer[at + 2] << 8 | buffer[at + 3]
            if len(buffer) < at + _PREFIX + size:
                break
            if size < _SHORTEST:
                if at == 0:
                    del buffer[: _PREFIX + size]
                    return b""
                break
            at += _PREFIX + size
        packets = bytes(buffer[:at])
        del buffer[:at]
        return packets or None

    def _message(self) -> Message | None:
        del self._buffer[: len(self._buffer) - len(self._buffer.lstrip(b"\r\n"))]
        ends = [end for mark in (b"\n\r\n", b"\n\n") if (end := self._buffer.find(mark)) >= 0]
        if not ends and len(self._buffer) <= _MAX_HEAD:
            return None
        end = min(ends, default=_MAX_HEAD + 1)
        if end > _MAX_HEAD:
            raise MalformedMessageError
        start, *lines = self._buffer[:end].decode(*_TEXT).replace("\r", "").split("\n")
        pairs = [line.partition(":")[::2] for line in lines]
        message = Message(start, tuple((name.strip(), value.strip()) for name, value in pairs))
        length = (message.values("content-length") or ["0"])[-1]
        if not length.isdecimal() or len(length) > 9 or int(length) > _MAX_BODY:
            raise MalformedMessageError
        body_at = self._buffer.index(b"\n", end + 1) + 1
        if len(self._buffer) < body_at + int(length):
            return None
        body = bytes(self._buffer[body_at : body_at + int(length)])
        del self._buffer[: body_at + int(length)]
        fields = tuple(pair for pair in message.fields if pair[0].lower() != "content-length")
        return Message(start, fields, body)
