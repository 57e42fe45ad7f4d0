"""One connection of FFmpeg to the relay, and the one to the camera that belongs to it."""

import re
import select
import socket
from typing import Final

from emotion_streams.redaction import redact_url
from producer.sources.rtsp_auth import Credentials, UnsupportedAuthError
from producer.sources.rtsp_connect import RefusedError
from producer.sources.rtsp_messages import MalformedMessageError, Message, MessageReader

_STATUS: Final = re.compile(r"RTSP/\d\.\d\s+([1-5]\d\d)\b(.*)")
_METHOD: Final = re.compile(r"[A-Z_]{1,40}")
_VERSION: Final = re.compile(r" RTSP/\d\.\d$")
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,60}")
_ADDRESS: Final = re.compile(r";\s*(?:source|destination)\s*=[^;,]*", re.IGNORECASE)
# The relay writes these itself, or FFmpeg must not see them.
_OWN: Final = frozenset({"cseq", "location", "www-authenticate", "authorization"})
_UNAUTHORIZED: Final = 401
_PIECE: Final = 1 << 16
_MAX_WAITING: Final = 16
_MAX_DIGITS: Final = 9
_LONGEST: Final = 200


class Session:
    """One connection of FFmpeg, and the one to the camera that belongs to it."""

    def __init__(
        self,
        client: socket.socket,
        camera: socket.socket,
        here: str,
        there: str,
        credentials: tuple[str, str] | None,
    ) -> None:
        self._client, self._camera = client, camera
        self._here, self._there = here, there
        self._credentials = Credentials(*credentials) if credentials else None
        self._camera_address: str = camera.getpeername()[0]
        self._admitted = False
        self._sent = 0
        self._waiting: dict[int, tuple[Message, bool]] = {}

    def run(self) -> None:
        """Relay until one side ends."""
        sides = {
            self._client: (MessageReader(), self._on_request),
            self._camera: (MessageReader(), self._on_response),
        }
        others = {self._client: self._camera, self._camera: self._client}
        pending = getattr(self._camera, "pending", int)  # TLS may have read more than it returned
        while True:
            ready = [self._camera] if pending() else select.select([*sides], [], [])[0]
            for side in ready:
                data = side.recv(_PIECE)
                if not data:
                    return
                reader, handle = sides[side]
                for item in reader.feed(data):
                    if isinstance(item, Message):
                        handle(item)
                    elif self._admitted:
                        others[side].sendall(item)

    def _on_request(self, request: Message) -> None:
        method, uri, version = (*request.start.split(" "), "", "")[:3]
        if not self._admitted and not uri.startswith(self._here):
            raise PermissionError  # another user of this machine
        self._admitted = True
        uri = uri.replace(self._here, self._there, 1)
        self._send(Message(f"{method} {uri} {version}", request.fields), again=False)

    def _send(self, request: Message, *, again: bool) -> None:
        """Send a request to the camera under a number of the relay's own.

        `again`: whether it is sent once more, after the camera asked for user and password.
        """
        self._sent += 1
        self._waiting[self._sent] = (request, again)
        if len(self._waiting) > _MAX_WAITING:
            del self._waiting[min(self._waiting)]
        method, uri, _ = request.start.split(" ")
        fields = [("CSeq", str(self._sent)), *_without_own(request)]
        if self._credentials and (value := self._credentials.authorization(method, uri)):
            fields.append(("Authorization", value))
        self._camera.sendall(Message(request.start, tuple(fields)).pack())

    def _on_response(self, response: Message) -> None:
        found = _STATUS.fullmatch(response.start)
        if found is None:
            self._on_request_of_camera(response)
            return
        if not self._waiting:
            return  # FFmpeg did not ask
        number = (response.values("cseq") or [""])[0][:_MAX_DIGITS]
        answered = int(number) if number.isdecimal() else 0
        # Some cameras do not repeat the number. They answer in turn.
        request, again = self._waiting.pop(
            answered if answered in self._waiting else min(self._waiting)
        )
        status = int(found[1])
        if 300 <= status < 400:
            raise RefusedError(_redirected(response))
        challenges = response.values("www-authenticate")
        if status == _UNAUTHORIZED and challenges and self._credentials and not again:
            try:
                self._credentials.accept(challenges)
            except UnsupportedAuthError as error:
                raise RefusedError(
                    f"401: the camera requires {error}, which is not supported; "
                    "let the camera allow Digest MD5, SHA-256 or Basic"
                ) from None
            self._send(request, again=True)
            return
        self._client.sendall(self._rewritten(request, response, status, found[2]).pack())

    def _rewritten(self, request: Message, response: Message, status: int, text: str) -> Message:
        """Return the response for FFmpeg."""
        fields = [
            (name, self._transport(value) if name.lower() == "transport" else value)
            for name, value in _without_own(response)
        ]
        method, uri, _ = request.start.split(" ")
        if method == "DESCRIBE" and not response.values("content-base"):
            # FFmpeg resolves against the URL that it asked for, which is the relay's.
            fields.append(("Content-Base", uri))
        number = (request.values("cseq") or ["0"])[0]
        start = f"RTSP/1.0 {status} {text.strip()[:_LONGEST]}"
        return Message(start, (("CSeq", number), *fields), response.body)

    def _transport(self, value: str) -> str:
        """Let FFmpeg send its packets of UDP to the camera, and nowhere else."""
        first = _ADDRESS.sub("", value).partition(",")[0]
        return f"{first};source={self._camera_address}"

    def _on_request_of_camera(self, request: Message) -> None:
        method, _, rest = request.start.partition(" ")
        if not _METHOD.fullmatch(method) or not _VERSION.search(rest):
            raise MalformedMessageError
        number = (request.values("cseq") or ["0"])[0]
        status = "200 OK" if method == "OPTIONS" else "501 Not Implemented"
        self._camera.sendall(Message(f"RTSP/1.0 {status}", (("CSeq", number),)).pack())


def _without_own(message: Message) -> list[tuple[str, str]]:
    """Return the fields to pass on, without invalid ones, which FFmpeg could take for packets."""
    return [
        (name, value)
        for name, value in message.fields
        if name.lower() not in _OWN and _NAME.fullmatch(name)
    ]


def _redirected(response: Message) -> str:
    target = (response.values("location") or [""])[0][:_LONGEST]
    return (
        "redirects are not followed: use the URL to which it redirects as the source, "
        f"{redact_url(target)}"
    )
