"""The settings file of the sinks."""

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from emotion_streams.redaction import redact
from service.settings_file import InvalidSettingsError
from sinks.config import read_sinks
from sinks.options import TYPES, MqttOptions, SqlOptions, WebhookOptions
from sinks.postgresql import PostgresDatabase
from sinks.sink import TargetError
from tests.hostile_yaml import HOSTILE_YAML
from tests.peers.producer import ROOT


def read(folder: Path, sinks: Any, **environ: str) -> Any:
    path = folder / "sinks.yaml"
    path.write_text(yaml.safe_dump({"sinks": sinks}))
    return read_sinks(path, environ)


def test_secrets_come_from_the_environment_and_are_hidden_from_then_on(tmp_path: Path) -> None:
    sinks = {
        "home": {"type": "mqtt", "url": "mqtts://me:${MQTT}@broker"},
        "hook": {
            "type": "webhook",
            "url": "https://example.org/${PART}",
            "headers": {"Authorization": "Bearer ${TOKEN}"},
        },
        "archive": {"type": "sql", "url": "postgresql://me:${PG}@db/faces"},
    }
    given = {"MQTT": "a/b@c:d", "PART": "x y-z", "TOKEN": "q+r/s==", "PG": "p@ss:w"}
    options = read(tmp_path, sinks, **given)
    home, hook, archive = options["home"], options["hook"], options["archive"]
    assert isinstance(home, MqttOptions)
    assert (home.credentials, home.address, home.tls) == (("me", "a/b@c:d"), ("broker", 8883), True)
    assert isinstance(hook, WebhookOptions)
    assert hook.url == "https://example.org/x%20y-z"
    assert hook.headers == {"Authorization": "Bearer q+r/s=="}
    assert isinstance(archive, SqlOptions)
    assert archive.url == "postgresql://me:p%40ss%3Aw@db/faces"
    for secret in given.values():
        assert secret not in redact(f"it says: {secret}")


@pytest.mark.parametrize(
    ("sink", "reason"),
    [
        ({}, "type: one of mqtt, webhook, sql"),
        ({"type": "kafka"}, "type: one of mqtt, webhook, sql"),
        ({"type": "mqtt"}, "url is required"),
        ({"type": "mqtt", "url": "broker:1883"}, "url: a URL as in mqtt://host"),
        ({"type": "mqtt", "url": "mqtt://broker/topic"}, "url: an MQTT URL has no path"),
        ({"type": "mqtt", "url": "mqtt://b", "topic": "a/#"}, "topic: "),
        ({"type": "mqtt", "url": "mqtt://b", "records": ["faces"]}, "records.0: "),
        ({"type": "mqtt", "url": "mqtt://b", "camera": "x"}, "camera: unknown setting"),
        ({"type": "webhook", "url": "file:///etc/passwd"}, "url: a URL as in https://"),
        ({"type": "webhook", "url": "http://a\tb/"}, "url: a URL as in https://"),
        ({"type": "webhook", "url": "http://\u2177\u2488/"}, "url: a URL as in https://"),
        ({"type": "webhook", "url": "http://h", "secret": "short"}, "secret: "),
        ({"type": "webhook", "url": "http://h", "headers": {"a b": "c"}}, "headers.a b"),
        ({"type": "webhook", "url": "http://h", "headers": {"a": "c\r\nd: e"}}, "headers.a: "),
        ({"type": "webhook", "url": "http://${NOWHERE}"}, "${NOWHERE} is not set"),
        ({"type": "sql", "url": "mysql://db"}, "url: a URL as in postgresql://"),
        ({"type": "sql", "url": "sqlite://faces.db"}, "url: sqlite:///FILE"),
        ({"type": "sql", "url": "sqlite:///f", "emotions": ["glee"]}, "emotions.0: "),
        ({"type": "sql", "url": "sqlite:///f", "cameras": ["a/b"]}, "cameras.0: camera name"),
        ("mqtt://b", "not a mapping"),
    ],
)
def test_a_mistake_is_named_with_file_sink_and_key(tmp_path: Path, sink: Any, reason: str) -> None:
    with pytest.raises(InvalidSettingsError) as refusal:
        read(tmp_path, {"home": sink})
    assert f"{tmp_path}/sinks.yaml: sinks.home" in str(refusal.value)
    assert reason in str(refusal.value)


def test_a_password_of_a_wrong_url_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettingsError) as refusal:
        read(tmp_path, {"home": {"type": "mqtt", "url": "mqtt://me:hunter2@b:port"}})
    assert "hunter2" not in str(refusal.value)


@pytest.mark.parametrize("url", ["postgres://u:%ff@127.0.0.1:1/x", f"postgres://{'a' * 300}/x"])
async def test_a_database_whose_url_cannot_be_used_is_a_target_that_fails(url: str) -> None:
    with pytest.raises(TargetError):
        await PostgresDatabase(url).open()


URLS = {"mqtt": "mqtt://h", "webhook": "http://h/", "sql": "sqlite:///f"}


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("value", HOSTILE_YAML)
def test_no_value_of_a_file_is_another_error_than_a_refusal(
    kind: str, value: str, tmp_path: Path
) -> None:
    path = tmp_path / "sinks.yaml"
    for field in TYPES[kind].model_fields:
        sink = {"type": kind, "url": URLS[kind], field: value}
        text = ", ".join(f"{name}: {given}" for name, given in sink.items())
        path.write_text(f"sinks: {{home: {{{text}}}}}")
        with suppress(InvalidSettingsError):
            read_sinks(path)


def test_a_sink_that_is_switched_off_needs_no_secrets(tmp_path: Path) -> None:
    sinks = {"home": {"type": "mqtt", "url": "mqtt://me:${NOT_SET}@b", "enabled": False}}
    assert not read(tmp_path, sinks)["home"].enabled
    # The name of the variable is not a secret from then on.
    enabled = {"home": {"type": "mqtt", "url": "mqtt://me:${NOT_SET}@b"}}
    with pytest.raises(InvalidSettingsError) as refusal:
        read(tmp_path, enabled)
    assert "${NOT_SET} is not set" in redact(str(refusal.value))


@pytest.mark.parametrize("content", ["{}", "sinks: {}", "sinks: []", "sinks: {'a/b': {}}"])
def test_a_file_without_a_valid_sink_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "sinks.yaml"
    path.write_text(content)
    with pytest.raises(InvalidSettingsError, match=r"sinks\.yaml: sinks"):
        read_sinks(path)


@pytest.mark.parametrize("arguments", [[], ["--config", "/nowhere.yaml"], ["--speed", "3"]])
def test_an_invalid_command_line_is_one_line_and_exit_code_2(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sinks", *arguments], cwd=ROOT, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("sink: ")
    assert done.stderr.count("\n") == 1
