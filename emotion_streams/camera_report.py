"""What Redis holds about a camera's present state: its producer's report, its lease, its backlog.

Any producer may write the report of any camera. The other cameras stay readable, for any content.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redis.exceptions import NoPermissionError, ResponseError

from emotion_streams import keys
from emotion_streams.backoff import REDIS_ERRORS, is_wrong_type
from emotion_streams.cancellation import check_cancelled
from emotion_streams.connection import Client
from emotion_streams.redaction import short_message

MAX_REPORT_BYTES: Final = 65_536
"""Maximum size of a report, the hash `camera:{name}`, in bytes. It usually has less than one kB.
Readers do not show a larger one, and the camera's worker deletes it."""

_RETRIES: Final = 2

_INFO: Final = ("state", "fps", "width", "height", "last_frame_ms", "error", "title", "group")
_LEASE: Final = ("owner", "expires_ms")
_MAX_INTEGER: Final = 2**53 - 1
_MAX_DIGITS: Final = 16
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class UnreadableCameraError(Exception):
    """The keys of one camera cannot be read; the text says why. `backlog`: as in CameraReport."""

    def __init__(self, reason: str, backlog: int | None = None) -> None:
        super().__init__(reason)
        self.backlog = backlog


@dataclass(frozen=True)
class CameraReport:
    """The fields that are present, and the number of frames not yet analysed.

    `backlog`: None for a user without the right to count frames. Control characters are escaped.
    """

    info: Mapping[str, str]
    lease: Mapping[str, str]
    backlog: int | None


async def read_report(client: Client, camera: str) -> CameraReport:
    """Read a camera's report, lease and backlog.

    Raises UnreadableCameraError if this camera's keys cannot be read, and one of REDIS_ERRORS if
    Redis cannot be read.
    """
    info, lease, backlog = await _read_or_blame(client, camera)
    # A user with the right to read events may lack the right to count frames.
    if isinstance(backlog, NoPermissionError):
        backlog = None
    for key, reply in ((keys.camera_info, info), (keys.lease, lease), (keys.frames, backlog)):
        if isinstance(reply, Exception):
            if not is_wrong_type(reply):
                raise reply
            raise UnreadableCameraError(f"{key(camera)} cannot be read: {short_message(reply)}")
    if (size := sum(len(value or b"") for value in info)) > MAX_REPORT_BYTES:
        raise _too_large(camera, size, backlog)
    try:
        return CameraReport(_texts(_INFO, info), _texts(_LEASE, lease), backlog)
    except UnicodeDecodeError as error:
        raise invalid(camera, error, backlog) from None


async def _read_or_blame(client: Client, camera: str) -> list[Any]:
    """Return what `_read` returns; raise UnreadableCameraError if this camera's report is at fault.

    The camera's worker may delete a large report between the attempt to read it and the question
    for its size: then another attempt shows whether Redis can be read.
    """
    for _ in range(_RETRIES):
        try:
            return await _read(client, camera)
        except REDIS_ERRORS as error:
            check_cancelled()
            if isinstance(error, ResponseError):
                raise
            if size := await _oversize(client, camera):
                raise _too_large(camera, size) from None
    return await _read(client, camera)


async def _read(client: Client, camera: str) -> list[Any]:
    """Return the fields of the report, those of the lease, and the backlog, or their errors.

    Only the named fields are read: any producer can add others, of any size.
    """
    async with client.pipeline(transaction=False) as pipe:
        pipe.hmget(keys.camera_info(camera), _INFO)
        pipe.hmget(keys.lease(camera), _LEASE)
        pipe.xlen(keys.frames(camera))
        replies: list[Any] = await pipe.execute(raise_on_error=False)
    for reply in replies:  # a cluster's client returns failures of the connection, too
        if isinstance(reply, REDIS_ERRORS) and not isinstance(reply, ResponseError):
            raise reply
    return replies


async def _oversize(client: Client, camera: str) -> int:
    """Return the size of a report that the server cannot send, in bytes; 0 if it is not too large.

    At a reply that exceeds its output limit, the server ends the connection without an error.
    """
    async with client.pipeline(transaction=False) as pipe:
        for name in _INFO:
            pipe.hstrlen(keys.camera_info(camera), name)
        sizes: list[int] = await pipe.execute()
    return size if (size := sum(sizes)) > MAX_REPORT_BYTES else 0


def _too_large(camera: str, size: int, backlog: int | None = None) -> UnreadableCameraError:
    reason = f"it has {size} bytes, more than {MAX_REPORT_BYTES}"
    return UnreadableCameraError(f"{keys.camera_info(camera)} cannot be read: {reason}", backlog)


def invalid(camera: str, error: ValueError, backlog: int | None) -> UnreadableCameraError:
    """Return the error for values that none of our processes writes."""
    both = f"{keys.camera_info(camera)} or {keys.lease(camera)}"
    return UnreadableCameraError(f"{both} cannot be read: {error}", backlog)


def _texts(names: Sequence[str], raw: Sequence[bytes | None]) -> dict[str, str]:
    """Return the fields that are present. Raises UnicodeDecodeError."""
    return {
        name: _escape_controls(value.decode())
        for name, value in zip(names, raw, strict=True)
        if value is not None
    }


def _escape_controls(text: str) -> str:
    """Escape control characters, which databases refuse or terminals obey.

    Other characters stay as they are, in titles of any language.
    """
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


def shorten(text: str, limit: int) -> str:
    """Return at most `limit` characters of the text, up to a blank.

    A cut word may be half of a URL, whose password `redact` does not recognise without the @.
    """
    return text if len(text) <= limit else text[:limit].rpartition(" ")[0] + " ..."


def integer(texts: Mapping[str, str], name: str) -> int:
    """Return a field as an integer that any JSON reader holds exactly; 0 if missing or empty.

    Raises ValueError for anything else.
    """
    text = texts.get(name) or "0"
    if len(text) > _MAX_DIGITS or not 0 <= (value := int(text)) <= _MAX_INTEGER:
        raise ValueError(f"{name} is {text[:40]!r}")
    return value
