"""Structured logs without credentials."""

import json
import logging
import os
import pty
import subprocess
import sys

import pytest

from service.logs import JsonFormatter, ReadableFormatter, RepeatFilter


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


def test_a_readable_line_holds_nothing_that_a_terminal_obeys_and_no_forged_line() -> None:
    forged = "\n12:00:00 INFO    all is well\x1b[2J\x1b]0;title\x07"
    made = record("camera down: %s", forged, file=f"a{forged}.jpg")
    try:
        raise ValueError(forged)
    except ValueError as error:
        made.exc_info = (ValueError, error, error.__traceback__)
    first, *trace = ReadableFormatter().format(made).split("\n")
    assert first.endswith(r".jpg")
    assert r"camera down: \x0a12:00:00 INFO    all is well\x1b[2J\x1b]0;title\x07" in first
    assert all(line.isprintable() for line in (first, *trace))
    assert all(line.startswith("  ") for line in trace)
    assert "  Traceback (most recent call last):" in trace


def test_a_warning_that_repeats_itself_is_written_once_in_a_while_with_its_number() -> None:
    now_s = [100.0]
    limit = RepeatFilter(every_s=30, clock=lambda: now_s[0])

    def written(message: str = "Redis failed", **extra: object) -> dict[str, object] | None:
        made = record(message, **extra)
        return vars(made) if limit.filter(made) else None

    assert written() is not None
    assert [written() for _ in range(60)] == [None] * 60
    assert written("Redis refused") is not None
    assert written(camera="lobby") is not None
    now_s[0] += 30
    again = written()
    assert again is not None
    assert again["repeated"] == 60
    assert written() is None
    now_s[0] += 31
    assert (written() or {})["repeated"] == 1
    now_s[0] += 31
    assert "repeated" not in (written() or {"repeated": 0})


def test_a_record_that_is_not_a_warning_is_never_left_out() -> None:
    limit = RepeatFilter()
    for level in (logging.DEBUG, logging.INFO, logging.ERROR, logging.CRITICAL):
        made = logging.makeLogRecord({"levelno": level, "msg": "again"})
        assert all(limit.filter(made) for _ in range(3))


def test_warnings_of_any_number_of_words_take_little_memory() -> None:
    limit = RepeatFilter()
    for number in range(3_000):
        assert limit.filter(record("frame %d is damaged", number))
    assert not limit.filter(record("frame %d is damaged", 2_999))
    assert limit.filter(record("frame %d is damaged", 0))


def log_line(log_format: str, *, on_terminal: bool) -> str:
    """What a process writes to its standard error."""
    program = (
        "import logging; from service import logs; "
        f"logs.set_up('info', {log_format!r}, camera='lobby'); logging.info('up')"
    )
    command = [sys.executable, "-c", program]
    if not on_terminal:
        return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=True).stderr
    ours, its = pty.openpty()
    subprocess.run(command, stderr=its, check=True)
    os.close(its)
    text = os.read(ours, 4096).decode()
    os.close(ours)
    return text


@pytest.mark.parametrize(
    ("log_format", "on_terminal", "is_json"),
    [
        ("auto", True, False),
        ("auto", False, True),
        ("text", False, False),
        ("json", True, True),
    ],
)
def test_logs_are_text_on_a_terminal_and_json_elsewhere_by_default(
    log_format: str, on_terminal: bool, is_json: bool
) -> None:
    line = log_line(log_format, on_terminal=on_terminal)
    assert line.startswith("{") is is_json
    assert ('"camera": "lobby"' if is_json else "camera=lobby") in line
