"""Command line over environment over file over default."""

import subprocess
import sys
from pathlib import Path

import pytest

import emotion_streams
from emotion_streams.redis_url import parse_url
from service.settings import load
from service.settings_file import read_yaml
from worker.settings import WorkerSettings

# Ten lines of aliases that stand for billions of values, and for as many keys.
BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]\n" for n in range(10)
)
MERGE_BOMB = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n + 1}: &a{n + 1} {{<<: [{', '.join([f'*a{n}'] * 9)}]}}\n" for n in range(10)
)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EMOTION_REDIS", "EMOTION_CONFIG", "EMOTION_WORKER_IN_FLIGHT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "settings.yaml"
    path.write_text(
        "redis: redis://from-file\n"
        "worker: {in_flight: 3, threads: 2}\n"
        "producer: {fps: 5}\n"
        "cameras: {lobby: {source: '0'}}\n"
    )
    return str(path)


def settings(*argv: str) -> WorkerSettings:
    return load(WorkerSettings, "worker", list(argv))


def test_each_source_of_settings_goes_over_the_next(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings().in_flight == WorkerSettings.model_fields["in_flight"].default
    assert settings("--config", file).in_flight == 3
    monkeypatch.setenv("EMOTION_WORKER_IN_FLIGHT", "4")
    assert settings("--config", file).in_flight == 4
    assert settings("--config", file, "--in-flight", "5").in_flight == 5


def test_a_file_serves_all_processes_and_each_takes_its_own(file: str) -> None:
    taken = settings("--config", file)
    assert (taken.redis, taken.threads) == ("redis://from-file", 2)


def test_the_environment_may_name_the_file(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOTION_CONFIG", file)
    assert settings().redis == "redis://from-file"


def test_redis_is_one_variable_for_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMOTION_REDIS", "redis://from-environment")
    assert settings().redis == "redis://from-environment"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("worker: {colour: red}", "settings.yaml: colour: unknown setting"),
        ("colour: red", "settings.yaml: colour: unknown setting"),
        ("worker: {in_flight: many}", "settings.yaml: in_flight"),
        ("redis: 'redis://:${NOT_SET}@box'", "settings.yaml: redis: ${NOT_SET} is not set"),
        ("worker: {threads: 1, threads: 2}", "'threads' is here twice at line 1, column 22"),
        ("worker: 5", "worker: not a mapping"),
        ("worker: {5: x}", "5: unknown setting"),
        ("5: x", "5: unknown setting"),
        ("yes: x", "yes: unknown setting"),
        ("0101: x", "0101: unknown setting"),
        ("worker: {no: 1, 'no': 2}", "'no' is here twice at line 1, column 17"),
        ("? [a, b]\n: x", "a key that is not text at line 1, column 3"),
        ("worker: {threads: 2024-13-45}", "threads: Input should be a valid integer"),
        ("worker: {threads: !!int 0x_}", "not YAML: a value does not fit its tag (ValueError)"),
        ("worker: {threads: !!timestamp 2024-13-45}", "not YAML: a value does not fit its tag"),
        ("worker: {threads: !!bool maybe}", "not YAML: a value does not fit its tag (KeyError)"),
        ("worker: !!python/object:os.system {}", "not YAML: could not determine a constructor"),
        ("worker: " + "[" * 100_000, "not YAML: nested too deeply at line 1, column 40"),
        ("a: " + "{b: " * 5_000 + "x" + "}" * 5_000, "not YAML: nested too deeply"),
        ("a: &a [*a]", "not YAML: an alias that holds itself at line 1, column 8"),
        (BOMB, "not YAML: more than 200000 values at line "),
        (MERGE_BOMB, "not YAML: more than 200000 values at line "),
        ("#" * (5 << 20), "settings.yaml: larger than 4 MiB"),
        (r'redis: "\ud83d"', "a NUL or half of a surrogate pair at line 1, column 8"),
        (r'"\ud800": x', "a NUL or half of a surrogate pair at line 1, column 1"),
        (r'worker: {model: "a\0b"}', "a NUL or half of a surrogate pair at line 1, column 17"),
        ("- a list", "not a mapping"),
        ("a: [", "not YAML"),
    ],
)
def test_a_mistake_in_a_file_is_named(
    content: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(content)
    with pytest.raises(SystemExit) as ended:
        settings("--config", str(path))
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"redis: caf\xe9", "byte 10 is not text in UTF-8"),
        ("redis: x".encode("utf-16"), "byte 0 is not text in UTF-8"),
        (b"redis: \x00", "character 7 is a control character"),
    ],
)
def test_a_file_that_is_not_text_is_refused(
    raw: bytes, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "settings.yaml"
    path.write_bytes(raw)
    with pytest.raises(SystemExit):
        settings("--config", str(path))
    assert capsys.readouterr().err == f"worker: {path}: not YAML: {says}\n"


def test_a_byte_order_mark_and_aliases_are_read(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(
        "redis: &x redis://box\n"
        "defaults: {deep: {<<: &b {<<: &a {k: 1}, k: 2}, l: *x}}\n"
        "cameras: {a: *a, b: *b, *x : {}}\n",
        encoding="utf-8-sig",
    )
    assert read_yaml(path) == {
        "redis": "redis://box",
        "defaults": {"deep": {"k": "2", "l": "redis://box"}},
        "cameras": {"a": {"k": "1"}, "b": {"k": "2"}, "redis://box": {}},
    }


@pytest.mark.parametrize(
    "content",
    [
        "redis: *hunter2",
        "redis: !hunter2 x",
        "redis: !hunter2!x y",
        "cameras:\n  a: {source: rtsp://joe:hunter2@10.0.0.5/x, fps: }}",
        'cameras:\n  a: {source: "rtsp://joe:hun"ter2@10.0.0.5/x"}',
        "redis: redis://:hunter2@box\n  cameras: {}",
        "redis: redis://:hunter2\x07@box",
    ],
)
def test_a_mistake_in_a_file_is_placed_and_nothing_of_the_file_is_shown(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(content)
    with pytest.raises(SystemExit):
        settings("--config", str(path))
    error = capsys.readouterr().err
    assert "settings.yaml: not YAML" in error
    assert not any(part in error for part in ("hun", "ter2", "joe"))


def test_a_password_of_redis_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_PW", "p@ss/w0rd")
    path = tmp_path / "settings.yaml"
    path.write_text("redis: 'redis://:${REDIS_PW}@box'")
    assert parse_url(settings("--config", str(path)).redis).options["password"] == "p@ss/w0rd"


@pytest.mark.parametrize("name", ["EMOTION_WORKER_THREDS", "EMOTION_WORKER_REDIS"])
def test_a_variable_that_is_not_a_setting_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EMOTION_PRODUCER_FSP", "3")  # for others to mind
    settings()
    monkeypatch.setenv(name, "3")
    with pytest.raises(SystemExit) as ended:
        settings()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"worker: {name}: unknown setting\n"


def test_an_impossible_value_does_not_show_a_password(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        settings("--redis", "http://user:hunter2@box")
    assert "hunter2" not in capsys.readouterr().err


@pytest.mark.parametrize("process", ["worker", "producer", "gateway"])
def test_every_process_says_its_version_and_lists_its_settings(process: str) -> None:
    def run(option: str) -> str:
        command = [sys.executable, "-m", process, option]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert run("--version") == f"emotion-streams {emotion_streams.__version__}\n"
    listed = run("--help")
    assert "Undefined" not in listed
    assert "[()]" not in listed
    assert "--log-format" in listed


def test_a_list_is_split_at_its_commas(tmp_path: Path) -> None:
    assert settings("--metrics-allowed-hosts", "a, b,").metrics_allowed_hosts == ("a", "b")
    path = tmp_path / "settings.yaml"
    path.write_text("metrics_allowed_hosts: [worker, worker.faces.svc]")
    assert settings("--config", str(path)).metrics_allowed_hosts == ("worker", "worker.faces.svc")


def test_a_url_that_ends_in_a_line_break_is_read_without_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EMOTION_REDIS", "redis://:${REDIS_PW}@box\n")
    monkeypatch.setenv("REDIS_PW", "p@ss\r\n")
    taken = parse_url(settings().redis)
    assert (taken.hosts, taken.options["password"]) == ((("box", 6379),), "p@ss")
