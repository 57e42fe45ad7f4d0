"""Structured logs without credentials."""

import json
import logging

import pytest

from service.logs import JsonFormatter, ReadableFormatter


def record(message: str, *args: object, **extra: object) -> logging.LogRecord:
    made = logging.getLogger("worker").makeRecord(
        "worker", logging.WARNING, "x.py", 1, message, args, None, extra=extra
    )
    assert isinstance(made, logging.LogRecord)
    return made


def test_a_line_is_json_with_the_extra_fields() -> None:
    line = json.loads(JsonFormatter().format(record("took %d ms", 5, camera="lobby", epoch=3)))
    assert (line["level"], line["logger"], line["message"]) == ("warning", "worker", "took 5 ms")
    assert (line["camera"], line["epoch"]) == ("lobby", 3)


@pytest.mark.parametrize("formatter", [JsonFormatter(), ReadableFormatter()])
def test_no_credential_reaches_a_line(formatter: logging.Formatter) -> None:
    url = "rtsp://admin:hunter2@10.0.0.5/x?password=hunter2"
    try:
        raise OSError(f"cannot open {url}")
    except OSError as error:
        made = record("no picture from %s", url, source=url)
        made.exc_info = (OSError, error, error.__traceback__)
    line = formatter.format(made)
    assert "hunter2" not in line
    assert line.count("***") >= 6


def test_a_message_with_quotes_and_newlines_stays_one_json_line() -> None:
    line = JsonFormatter().format(record('said "%s"', "a\nb"))
    assert "\n" not in line
    assert json.loads(line)["message"] == 'said "a\nb"'
