"""Settings of cameras: from the command line, the environment and a file."""

import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import pytest

from emotion_streams.redaction import redact
from producer.config import load, parse_camera, read_cameras
from producer.settings import CameraSettings
from producer.source_kind import SourceKind, source_kind
from service.settings_file import InvalidSettingsError
from tests.hostile_yaml import HOSTILE_YAML
from tests.peers.producer import PASSWORD

Write: TypeAlias = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def _write(text: str) -> Path:
        path = tmp_path / "cameras.yaml"
        path.write_text(text)
        return path

    return _write


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("demo", SourceKind.DEMO),
        ("0", SourceKind.V4L2),
        ("/dev/v4l/by-id/usb-Logitech-index0", SourceKind.V4L2),
        ("rtsp://camera/stream", SourceKind.NETWORK),
        ("RTSPS://camera/stream", SourceKind.NETWORK),
        ("http://camera/video", SourceKind.NETWORK),
        ("clip.mp4", SourceKind.FILE),
        ("a" * 5_000, SourceKind.FILE),
        ("a\0b", SourceKind.FILE),
        ("/", SourceKind.FOLDER),
    ],
)
def test_source_text_selects_the_kind_of_source(source: str, kind: SourceKind) -> None:
    assert source_kind(source) is kind


def test_camera_keys_override_the_defaults(write: Write) -> None:
    cameras = read_cameras(
        write(
            """
            defaults: {fps: 5, width: 320}
            cameras:
              lobby: {source: 0, fps: 12.5, roi: [0, 0, 0.5, 1]}
              door: {source: "rtsp://door/1", enabled: false}
            """
        )
    )
    lobby, door = cameras["lobby"], cameras["door"]
    assert (lobby.source, lobby.fps, lobby.width, lobby.roi) == ("0", 12.5, 320, (0, 0, 0.5, 1))
    assert (door.fps, door.width, door.enabled) == (5, 320, False)


def test_secret_from_the_environment_is_encoded_for_a_url_and_redacted(write: Write) -> None:
    path = write('cameras: {door: {source: "rtsp://joe:${DOOR_PASSWORD}@door/1"}}')
    source = read_cameras(path, {"DOOR_PASSWORD": PASSWORD})["door"].source
    assert source == "rtsp://joe:p%40ss%2Fw0rd-Zq7@door/1"
    assert redact(f"cannot open {source}, {PASSWORD}") == "cannot open rtsp://***@door/1, ***"


def test_whole_url_may_come_from_the_environment(write: Write) -> None:
    path = write('cameras: {door: {source: "${DOOR_URL}"}}')
    url = "rtsp://door/user=joe_password=hidden_channel=1"
    assert read_cameras(path, {"DOOR_URL": url})["door"].source == url
    assert redact(f"{url}: refused") == "***: refused"


def test_query_of_a_url_is_redacted_without_its_url_too(write: Write) -> None:
    read_cameras(write("cameras: {door: {source: 'http://door/x?usr=joe&psw=hidden-Zq8'}}"))
    assert redact("GET /x?usr=joe&psw=hidden-Zq8 HTTP/1.1") == "GET /x?*** HTTP/1.1"


@pytest.mark.parametrize(
    "source",
    [
        "rtsp://joe:x@hunter2/zz@camera/s",
        "rtsp://joe:hunter2/zz@camera/s",
        "rtsp://joe:hunter2@zz@camera/s",
        "http://joe:hunter2?zz@camera/s",
        "http://joe:hunter2#zz@camera/s",
        "ftp://joe:hun ter'hunter2@camera/s",
    ],
)
def test_ambiguous_url_is_refused_without_showing_its_password(source: str) -> None:
    with pytest.raises(
        InvalidSettingsError, match=r"source: .*(%40|ftp://\*\*\*@camera)"
    ) as caught:
        parse_camera({"source": source}, {})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("no", ["false", "no", "'Off'", "False", "0"])
def test_secret_of_a_disabled_camera_may_be_unset(write: Write, no: str) -> None:
    path = write(
        f"cameras: {{a: {{source: demo}}, b: {{source: 'http://${{X}}@b/', enabled: {no}}}}}"
    )
    assert not read_cameras(path, {})["b"].enabled


def test_camera_names_are_read_as_written(write: Write) -> None:
    names = ("0101", "no", "on", "yes", "1_1", "010", "8", "0x1f", "1.50", "2024-01-02", "null")
    path = write("cameras:\n" + "".join(f"  {name}: {{source: demo}}\n" for name in names))
    assert tuple(read_cameras(path)) == names
    config = load(["--config", str(write("producer: {camera: 0101}\ndefaults: {source: no}"))])
    assert {name: camera.source for name, camera in config.cameras.items()} == {"0101": "no"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("cameras: {door: {fps: fast}}", "cameras.door.fps: .*number.*'fast'"),
        ("cameras: {door: {speed: 3}}", "cameras.door.speed: unknown setting"),
        ("cameras: {door: {fps: 0}}", "cameras.door.fps: .*greater than 0"),
        ("cameras: {'a b': {source: demo}}", "cameras.a b: camera name 'a b'"),
        ("cameras: {door: demo}", "cameras.door: not a mapping"),
        ("cameras: [door]", "cameras: not a mapping"),
        ("defaults: 3\ncameras: {door: {}}", "defaults: not a mapping"),
        ("defaults: {fps: 0}\ncameras: {door: {}}", "defaults.fps: .*greater than 0"),
        ("cameras: {}", "cameras: the file contains no camera"),
        ("", "cameras: the file contains no camera"),
        ("cameras: {door: {fps: 0, width: 1}}", "cameras.door.fps.*; .*: cameras.door.width"),
        ("cameras: {~: {source: demo}}", "cameras.~: camera name '~'"),
        ("cameras: {12:30: {source: demo}}", "cameras.12:30: camera name '12:30'"),
        ("cameras: {010: {}, '010': {}}", "'010' is here twice at line 1, column 20"),
        ("cameras: {door: {fps: 2024-13-45}}", "cameras.door.fps: .*number.*'2024-13-45'"),
        ("cameras: {door: {fps: 0x_}}", "cameras.door.fps: .*number.*'0x_'"),
        ("cameras: {a: {}, a: {}}", "'a' is here twice at line 1, column 18"),
        ("cameras: {door: {source: '${NOT_SET}'}}", r"cameras.door.source: \$\{NOT_SET\} is not"),
        ("cameras: {door: {source: 'ftp://x/y'}}", "cameras.door.source: .*ftp"),
        ("cameras: {door: {source: 0, policy: every}}", "cameras.door.policy: .*cannot wait"),
        ("cameras: {door: {roi: [0, 0, 2, 1]}}", "cameras.door.roi: .*shares"),
        ("cameras: {door: {rotate: 45}}", "cameras.door.rotate"),
        ('cameras: {door: {title: "a\\nb"}}', "cameras.door.title: .*printable"),
        ("cameras: {door: {max_queued: 99}}", "cameras.door.max_queued"),
        ("cameras: {door: {source: {", "not YAML"),
    ],
)
def test_invalid_setting_is_reported_with_file_camera_and_key(
    write: Write, text: str, complaint: str
) -> None:
    with pytest.raises(InvalidSettingsError, match=rf"cameras\.yaml: .*{complaint}") as caught:
        read_cameras(write(text), {})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", HOSTILE_YAML)
def test_no_value_of_a_file_is_another_error_than_a_refusal(write: Write, value: str) -> None:
    for field in CameraSettings.model_fields:
        for content in (
            f"cameras: {{door: {{{field}: {value}}}}}",
            f"defaults: {{{field}: {value}}}\ncameras: {{door: {{}}}}",
        ):
            with suppress(InvalidSettingsError):
                read_cameras(write(content))


def test_command_line_defines_one_camera() -> None:
    config = load(["--camera", "lobby", "--source", "2", "--roi", "0,0,0.5,0.5", "--loop"])
    assert config.path is None
    camera = config.cameras["lobby"]
    assert (camera.source, camera.roi, camera.loop) == ("2", (0, 0, 0.5, 0.5), True)


def test_command_line_overrides_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOTION_PRODUCER_FPS", "3")
    monkeypatch.setenv("EMOTION_PRODUCER_WIDTH", "200")
    camera = load(["--camera", "lobby", "--fps", "5"]).cameras["lobby"]
    assert (camera.fps, camera.width) == (5, 200)


def test_file_provides_defaults_for_a_camera_of_the_command_line(write: Write) -> None:
    path = write("redis: redis://there\nproducer: {metrics_port: 0}\ndefaults: {fps: 4}")
    config = load(["--config", str(path), "--camera", "lobby"])
    assert config.process.redis == "redis://there"
    assert config.process.metrics_port == 0
    assert config.cameras["lobby"].fps == 4


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("--nonsense", "--nonsense"),
        ("", "--camera is missing"),
        ("--camera a/b", "camera name"),
        ("--camera lobby --fps -1", "fps: Input should be greater than 0"),
        ("--camera lobby --source rtsp://x --policy every", "producer: policy: .*cannot wait"),
        ("--camera lobby --source rtsp://a:hun@ter2/x@b/", "producer: source: .*%40"),
        ("--camera lobby --redis nonsense", "not a Redis URL"),
        ("--config {file} --fps 3", "--fps: .*defines the cameras"),
        ("--config /does/not/exist.yaml", "No such file"),
    ],
)
def test_invalid_call_is_one_line_and_exit_code_2(
    write: Write,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    complaint: str,
) -> None:
    path = write("cameras: {door: {source: demo}}")
    with pytest.raises(SystemExit) as caught:
        load(arguments.format(file=path).split())
    assert caught.value.code == 2
    printed = capsys.readouterr().err
    assert printed.count("\n") == 1
    assert re.search(complaint, printed)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "cameras is missing"),
        ("camras: {a: {source: demo}}", "cameras.yaml: camras: unknown setting"),
        ("cameras: {a: {source: demo}}\ncolour: red", "cameras.yaml: colour: unknown setting"),
        ("producer: {camera: a}", "no cameras in the file any longer"),
    ],
)
def test_reload_applies_the_same_checks_as_the_start(
    write: Write, text: str, complaint: str
) -> None:
    config = load(["--config", str(write("cameras: {a: {source: demo}}"))])
    assert set(config.cameras_now()) == {"a"}
    write(text)
    with pytest.raises(InvalidSettingsError, match=complaint):
        config.cameras_now()
