"""Command line over environment over file over default."""

from pathlib import Path

import pytest

from emotion_streams.redis_url import parse_url
from service.settings import load
from worker.settings import WorkerSettings


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
        ("worker: {colour: red}", "settings.yaml: colour: no such setting"),
        ("colour: red", "settings.yaml: colour: no such setting"),
        ("worker: {in_flight: many}", "settings.yaml: in_flight"),
        ("redis: 'redis://:${NOT_SET}@box'", "settings.yaml: redis: ${NOT_SET} is not set"),
        ("worker: {threads: 1, threads: 2}", "'threads' stands here twice at line 1, column 22"),
        ("worker: 5", "worker: not a mapping"),
        ("worker: {5: x}", "5: no such setting"),
        ("5: x", "5: no such setting"),
        ("yes: x", "True: no such setting"),
        ("- a list", "not a mapping"),
        ("a: [", "not YAML"),
    ],
)
def test_what_is_wrong_in_a_file_is_named(
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
    "content",
    [
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
def test_a_variable_that_is_no_setting_is_named(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EMOTION_PRODUCER_FSP", "3")  # for others to mind
    settings()
    monkeypatch.setenv(name, "3")
    with pytest.raises(SystemExit) as ended:
        settings()
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"worker: {name}: no such setting\n"


def test_an_impossible_value_does_not_show_a_password(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        settings("--redis", "http://user:hunter2@box")
    assert "hunter2" not in capsys.readouterr().err
