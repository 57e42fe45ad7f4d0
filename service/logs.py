"""Structured logs: JSON lines, or readable ones on a terminal; credentials never in them."""

import json
import logging
import sys
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final

from emotion_streams.redaction import redact

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def set_up(level: str, **about: str) -> None:
    """Send the process' logs to standard error. `extra` of a call becomes fields of its line, and
    `about` fields of each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(lambda record: vars(record).update(about) or True)
    handler.setFormatter(ReadableFormatter() if sys.stderr.isatty() else JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # The last words of what falls are words of the log, redacted as all of them.
    sys.excepthook = _log_uncaught


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("uncaught").critical("%s", error, exc_info=(kind, error, trace))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and what the call gave as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, redacted."""
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
        """The line, redacted."""
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
