"""Structured logs without credentials: JSON lines, or readable lines on a terminal."""

import json
import logging
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final

from emotion_streams.printable import printable
from emotion_streams.redaction import redact

REPEAT_EVERY_S: Final = 30.0
"""Interval at which a warning that is repeated word for word is written."""

_MAX_REMEMBERED: Final = 1_000
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def set_up(level: str, log_format: str = "auto", **about: str) -> None:
    """Send the process' logs to standard error, as `text` or `json`.

    `auto` is text on a terminal and JSON elsewhere. The `extra` of a call becomes fields of its
    line; `about` becomes fields of every line. A repeated warning is written once per
    REPEAT_EVERY_S, with the number of omitted repetitions.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RepeatFilter())
    handler.addFilter(lambda record: vars(record).update(about) or True)
    as_text = sys.stderr.isatty() if log_format == "auto" else log_format == "text"
    handler.setFormatter(ReadableFormatter() if as_text else JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # The traceback of a crash is logged too, and redacted like all logs.
    sys.excepthook = _log_uncaught


class RepeatFilter(logging.Filter):
    """Passes a repeated warning once per `every_s`.

    The next one that passes has the number of omitted ones in its field `repeated`.
    """

    def __init__(
        self, every_s: float = REPEAT_EVERY_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__()
        self._every_s = every_s
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: OrderedDict[Hashable, _Seen] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write the record; logger, message and fields identify repetitions."""
        if record.levelno != logging.WARNING:
            return True
        fields = sorted((name, str(value)) for name, value in _extra(record).items())
        key = (record.name, record.getMessage(), tuple(fields))
        now = self._clock()
        with self._lock:
            seen = self._seen.get(key)
            if seen and now - seen.written < self._every_s:
                seen.left_out += 1
                return False
            if seen and seen.left_out:
                record.repeated = seen.left_out
            self._seen[key] = _Seen(now)
            self._seen.move_to_end(key)
            while len(self._seen) > _MAX_REMEMBERED:
                self._seen.popitem(last=False)
        return True


@dataclass
class _Seen:
    """When a record was last written, and how many equal ones were omitted since."""

    written: float
    left_out: int = 0


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("uncaught").critical("%s", error, exc_info=(kind, error, trace))


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message, and the `extra` of the call."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, redacted."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        # Each value is redacted separately: a pattern applied to the JSON could remove its quotes.
        return json.dumps({name: _redacted(value) for name, value in line.items()})


class ReadableFormatter(logging.Formatter):
    """Readable lines: time, level, message, and the extra fields as name=value.

    Cameras and names of files contribute to them, so control characters are escaped. The lines of a
    traceback are indented: only the formatter itself can begin a line with a time.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, redacted and escaped."""
        moment = datetime.fromtimestamp(record.created).astimezone()
        extra = "".join(f" {name}={value}" for name, value in _extra(record).items())
        line = f"{moment:%H:%M:%S} {record.levelname:<7} {record.getMessage()}{extra}"
        lines = [printable(redact(line))]
        if record.exc_info:
            trace = redact(self.formatException(record.exc_info))
            lines += [f"  {printable(each)}" for each in trace.split("\n")]
        return "\n".join(lines)


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _redacted(value: Any) -> Any:
    return value if isinstance(value, int | float | bool | None) else redact(str(value))
