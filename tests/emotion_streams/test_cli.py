"""The command `emotion-streams`, called as a person would."""

import fcntl
import itertools
import json
import os
import re
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from emotion_streams import keys, local_instance
from emotion_streams.cli import main
from emotion_streams.local_instance import LocalInstance
from tests import samples
from tests.emotion_streams.test_subscribe import publish
from tests.servers import PATIENCE_S, RedisProcess, free_port


def test_tail_prints_a_readable_line_per_event(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(client, "1700000000123-0")
    assert main(["tail", "--redis", redis_url, "--after", "start", "--count", "1"]) == 0
    line = capsys.readouterr().out
    assert "lobby  1700000000123-0  surprise 70% at 10,8 20x24  (32 ms)" in line


def test_tail_prints_json_that_parses(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(client, "1700000000123-0")
    main(["tail", "lobby", "--redis", redis_url, "--after", "start", "--count", "1", "--json"])
    assert (
        json.loads(capsys.readouterr().out) == samples.event("lobby", "1700000000123-0").to_dict()
    )


def test_cameras_shows_a_camera_whose_producer_is_gone(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client.zadd(keys.CAMERAS, {"lobby": 1})
    assert main(["cameras", "--redis", redis_url, "--json"]) == 0
    (camera,) = json.loads(capsys.readouterr().out)
    assert (camera["camera"], camera["state"], camera["backlog"]) == ("lobby", "gone", 0)


def test_ledger_of_a_camera_without_frames_is_all_zero_and_balances(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client.zadd(keys.CAMERAS, {"lobby": 1})
    assert main(["ledger", "lobby", "--redis", redis_url, "--json"]) == 0
    (ledger,) = json.loads(capsys.readouterr().out)
    assert ledger["balanced"]
    assert ledger["added"] == 0


@pytest.mark.parametrize("command", ["ledger", "dead"])
def test_a_camera_that_redis_does_not_know_is_named_with_those_that_it_knows(
    command: str, client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client.zadd(keys.CAMERAS, {"lobby": 1, "yard": 1})
    assert main([command, "typo", "--redis", redis_url]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == (
        "", "emotion-streams: no camera typo; there are: lobby, yard\n",
    )  # fmt: skip


def test_tail_of_an_unknown_camera_says_that_it_waits(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(client, "1700000000123-0")
    client.zrem(keys.CAMERAS, "lobby")
    call = ["tail", "lobby", "--redis", redis_url, "--after", "start", "--count", "1"]
    assert main(call) == 0
    assert "no camera lobby; there are: none; waiting for it" in capsys.readouterr().err


@pytest.mark.parametrize("count", ["0", "-1", "x"])
def test_a_count_is_a_whole_number_from_1(
    count: str, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["tail", "--redis", redis_url, "--count", count])
    assert ended.value.code == 2
    assert "a whole number from 1" in capsys.readouterr().err


def test_a_password_on_the_command_line_is_refused_and_not_repeated(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["cameras", "--redis", "redis://joe:hunter2@localhost"])
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "EMOTION_REDIS" in said
    assert "hunter2" not in said


def test_a_password_in_the_environment_is_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with RedisProcess("--requirepass", "right") as server:
        monkeypatch.setenv("EMOTION_REDIS", f"unix://:right@{server.socket}")
        assert main(["cameras"]) == 0
    assert capsys.readouterr().err == ""


def test_text_of_other_clients_is_escaped_and_shows_no_password(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client.zadd(keys.CAMERAS, {"lobby": time.time() * 1000})
    hostile = "\x1b]0;owned\x07\x1b[2J rtsp://joe:hunter2@camera/x is down"
    client.hset(keys.camera_info("lobby"), mapping={"state": "down", "fps": "9", "error": hostile})
    for form in ([], ["--json"]):
        assert main(["cameras", "--redis", redis_url, *form]) == 0
        said = capsys.readouterr().out
        assert said.replace("\n", "").isprintable()
        assert "hunter2" not in said
    assert main(["cameras", "--redis", redis_url]) == 0
    assert "\\x1b[2J" in capsys.readouterr().out


def test_a_camera_that_is_gone_has_no_rate(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client.zadd(keys.CAMERAS, {"lobby": time.time() * 1000 - 60_000})
    client.hset(keys.camera_info("lobby"), mapping={"state": "up", "fps": "2.9"})
    assert main(["cameras", "--redis", redis_url, "--json"]) == 0
    (camera,) = json.loads(capsys.readouterr().out)
    assert (camera["state"], camera["fps"]) == ("gone", 0)


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert re.fullmatch(r"emotion-streams \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_the_local_instance_is_found_while_it_runs_and_no_longer(
    client: redis.Redis,
    redis_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.delenv("EMOTION_REDIS", raising=False)
    client.zadd(keys.CAMERAS, {"lobby": 1})
    instance = LocalInstance(redis_url, "http://127.0.0.1:8080/")
    with local_instance.announced(instance):
        assert main(["cameras"]) == 0
        said = capsys.readouterr()
        assert "lobby" in said.out
        assert said.err == "emotion-streams: the local instance, http://127.0.0.1:8080/\n"
        with local_instance.announced(LocalInstance("redis://other", "")):
            assert local_instance.find() == instance
    assert local_instance.find() is None


def test_a_folder_that_others_may_enter_announces_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / f"emotion-streams-{os.getuid()}"
    for folder in (tmp_path, own):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with local_instance.announced(LocalInstance("redis://here", "")):
        assert local_instance.find() is None
    assert [path.name for path in tmp_path.rglob("*")] == [own.name]


def test_ledger_that_does_not_balance_says_so_and_exits_3(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client.zadd(keys.CAMERAS, {"lobby": 1})
    client.hset(keys.ledger("lobby"), "analysed", 5)
    assert main(["ledger", "--redis", redis_url]) == 3
    assert "DOES NOT BALANCE" in capsys.readouterr().out


def test_dead_shows_reason_size_and_deliveries(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    letter = {"frame": "5-0", "reason": "not a JPEG", "size": 17, "deliveries": 1}
    client.zadd(keys.CAMERAS, {"lobby": 1})
    client.xadd(keys.dead("lobby"), letter)  # type: ignore[arg-type]  # its types are invariant
    assert main(["dead", "--redis", redis_url, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"camera": "lobby", **letter}]


@pytest.mark.parametrize("kind", ["redis", "redis+cluster"])
def test_an_unreachable_redis_is_one_line_and_exit_code_1(
    kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMOTION_REDIS", f"{kind}://u:hunter2@127.0.0.1:1")
    assert main(["cameras"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "hunter2" not in error


def test_a_wrong_url_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cameras", "--redis", "box:6379"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("after", ["bogus", "$"])
def test_tail_after_an_invalid_id_is_one_line_and_exit_code_2(
    redis_url: str, after: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["tail", "--redis", redis_url, "--after", after]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert repr(after) in error


def test_tail_with_a_wrong_password_is_one_line_and_exit_code_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with RedisProcess("--requirepass", "right") as server:
        monkeypatch.setenv("EMOTION_REDIS", f"unix://:hunter2@{server.socket}")
        assert main(["tail"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "hunter2" not in error


def test_tail_says_once_that_redis_is_away_and_waits_for_it() -> None:
    port = free_port()
    url = f"redis://127.0.0.1:{port}"
    command = [sys.executable, "-m", "emotion_streams.cli", "tail", "--redis", url]
    with subprocess.Popen(
        [*command, "--after", "start", "--count", "1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        assert "Redis cannot be reached" in process.stderr.readline()
        with RedisProcess(port=port) as server, redis.Redis(port=server.port) as client:
            publish(client, "1-0")
            output, errors = process.communicate(timeout=PATIENCE_S)
    assert "lobby  1-0" in output
    assert errors == ""


@pytest.mark.parametrize(
    "url",
    [
        "rediss://127.0.0.1:1?ssl_ca_certs=/none.pem&ssl_keyfile=/key.pem",
        "redis://joe@127.0.0.1:1",
        "unix:///nowhere?db=0",
    ],
)
def test_a_url_without_a_password_is_taken_from_the_command_line(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cameras", "--redis", url]) == 1
    assert "Redis at" in capsys.readouterr().err


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2@localhost",
        "redis://joe:hunter 2@localhost",
        "redis+sentinel://a/main?sentinel_password=hunter2",
        "redis+cluster://joe:hunter2@a,b",
    ],
)
def test_every_form_of_a_password_on_the_command_line_is_refused(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["cameras", "--redis", url])
    assert ended.value.code == 2
    assert "hunter" not in capsys.readouterr().err


def test_a_url_that_is_none_is_refused_without_its_password(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["cameras", "--redis", "rediz://joe:hunter2@localhost"]) == 2
    assert "hunter2" not in capsys.readouterr().err


def test_one_cameras_nonsense_hides_no_other_cameras_dead_letters(
    client: redis.Redis, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    client.zadd(keys.CAMERAS, {"bad": 1, "lobby": 1, "odd": 1})
    client.set(keys.dead("bad"), "no stream")
    client.xadd(keys.dead("odd"), {b"\xff": b"x", "size": "many", "deliveries": "9" * 5000})
    client.xadd(keys.dead("lobby"), {"frame": "1-0", "reason": "rtsp://a:hunter2@b \x1b[2J"})
    assert main(["dead", "--redis", redis_url]) == 1
    said = capsys.readouterr()
    assert "lobby   1-0" in said.out
    assert "odd" in said.out
    assert "hunter2" not in said.out
    assert "\x1b" not in said.out
    assert "camera bad: " in said.err


@pytest.mark.parametrize("runtime", ["missing", "open"])
def test_the_local_instance_is_found_without_a_usable_runtime_folder(
    runtime: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / runtime
    if runtime == "open":
        folder.mkdir(mode=0o755)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    instance = LocalInstance("redis://here", "http://127.0.0.1:8080/")
    with local_instance.announced(instance):
        assert local_instance.find() == instance
        monkeypatch.delenv("XDG_RUNTIME_DIR")  # a shell of another kind
        assert local_instance.find() == instance


def test_a_look_at_the_local_instance_does_not_hinder_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    file = tmp_path / "emotion-streams.json"
    file.touch()
    instance = LocalInstance("redis://second", "")
    with file.open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        # The look ends while the instance waits.
        monkeypatch.setattr(time, "sleep", lambda _: fcntl.flock(looking, fcntl.LOCK_UN))
        with local_instance.announced(instance):
            assert local_instance.find() == instance


def test_an_instance_is_announced_on_a_machine_that_is_slow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second passes between any two steps."""
    tmp_path.chmod(0o700)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(time, "monotonic", itertools.count().__next__)
    instance = LocalInstance("redis://here", "")
    with local_instance.announced(instance):
        assert local_instance.find() == instance


def test_nothing_is_left_of_an_instance_that_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime, temporary = tmp_path / "runtime", tmp_path / "temporary"
    runtime.mkdir(mode=0o700)
    temporary.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    with local_instance.announced(LocalInstance("redis://here", "")):
        assert len(list(tmp_path.rglob("*.json"))) == 2
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["runtime", "temporary"]


def test_an_instance_is_announced_beside_one_that_removes_its_announcement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    instance = LocalInstance("redis://second", "")
    with ExitStack() as first:
        first.enter_context(local_instance.announced(LocalInstance("redis://first", "")))
        monkeypatch.setattr(time, "sleep", lambda _: first.close())
        with local_instance.announced(instance):
            assert local_instance.find() == instance


def test_without_a_temporary_folder_no_instance_is_found() -> None:
    find = "from emotion_streams import local_instance; print(local_instance.find())"
    command = ("sh", "-c", 'ulimit -f 0; exec "$@"', "sh", sys.executable, "-c", find)
    environ = {name: os.environ[name] for name in os.environ if name != "XDG_RUNTIME_DIR"}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("None\n", "")
