"""Structured logs: JSON lines, or readable ones on a terminal; credentials never in them."""

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

from emotion_streams.redaction import redact

REPEAT_EVERY_S: Final = 30.0
"""How often a warning that repeats itself word for word is written."""

_MAX_REMEMBERED: Final = 1_000
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def set_up(level: str, log_format: str = "auto", **about: str) -> None:
    """Send the process' logs to standard error, as `text` or `json`.

    `auto` is text on a terminal and JSON elsewhere. The `extra` of a call becomes fields of its
    line, and `about` fields of each. A warning that repeats itself is written once per
    REPEAT_EVERY_S, with the number left out.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(RepeatFilter())
    handler.addFilter(lambda record: vars(record).update(about) or True)
    as_text = sys.stderr.isatty() if log_format == "auto" else log_format == "text"
    handler.setFormatter(ReadableFormatter() if as_text else JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # The last words of a process that crashes are logged too, redacted as all of them.
    sys.excepthook = _log_uncaught


class RepeatFilter(logging.Filter):
    """Lets a warning through once per `every_s`.

    The next one through carries the number of those left out, as its field `repeated`.
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
        """Judge a record by its logger, words and fields."""
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
    """When a record was written last, and how many like it were not since."""

    written: float
    left_out: int = 0


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("uncaught").critical("%s", error, exc_info=(kind, error, trace))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the `extra` of the call."""

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
        # Redacted value by value: a pattern run over the JSON could eat its quotes.
        return json.dumps({name: _redacted(value) for name, value in line.items()})


class ReadableFormatter(logging.Formatter):
    """For people: time, level, message, and the extra fields as name=value."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, redacted."""
        moment = datetime.fromtimestamp(record.created).astimezone()
        extra = "".join(f" {name}={value}" for name, value in _extra(record).items())
        line = f"{moment:%H:%M:%S} {record.levelname:<7} {record.getMessage()}{extra}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return redact(line)


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _redacted(value: Any) -> Any:
    return value if isinstance(value, int | float | bool | None) else redact(str(value))
